"""The choices in the forms of the pages, their errors, and their effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

NO_TREATMENT: Final = "no"
DECLINED: Final = "declined"
WORKS_ONCE: Final = "once"
_CONDITIONS: Final = ("yes", NO_TREATMENT)
_REVIEWS: Final = ("approve", "reject", "later")


@attrs.frozen
class Card:
    """A test card: the last digits that the shopper sees, and what the tester has to know."""

    digits: str
    effect: str


_CARDS: Final = MappingProxyType({"good": Card("4242", "works"), DECLINED: Card("0002", "is declined")})
_STORED: Final = MappingProxyType({**_CARDS, WORKS_ONCE: Card("0341", "works now, fails when charged again")})


@attrs.frozen
class Problem:
    """What is wrong with a form: the message for the shopper, and the field that it is about."""

    field: str
    message: str


def cards(*, stored: bool) -> Mapping[str, Card]:
    """Return the test cards by their values; one of them is useful only if it is stored."""
    return _STORED if stored else _CARDS


def validate_survey(request: ReceivedRequest) -> Problem | None:
    """Return the error of an invalid survey."""
    valid = request.body.get("condition", "") in _CONDITIONS
    return None if valid else Problem("condition", "Answer the question about your health.")


def validate_review(request: ReceivedRequest) -> Problem | None:
    """Return the error of an invalid choice of the review's result."""
    valid = request.body.get("review", "") in _REVIEWS
    return None if valid else Problem("review", "Choose the result of the review.")


def validate_card(request: ReceivedRequest, *, stored: bool) -> Problem | None:
    """Return the error of an invalid or declined card."""
    card = request.body.get("card", "")
    if card not in cards(stored=stored):
        return Problem("card", "Choose a card.")
    declined = Problem("card", "The card was declined. Nothing was charged: choose another card.")
    return declined if card == DECLINED else None


def fail_next_charge_if_chosen(state: State, request: ReceivedRequest, payment_token: str) -> None:
    """Let the next charge fail if the card that works once was chosen."""
    if request.body.get("card", "") == WORKS_ONCE:
        state.payment_tokens.fail_next_charge(payment_token)


def apply_review(
    request: ReceivedRequest, id: str, *, approve: Callable[[str], object], reject: Callable[[str], object]
) -> None:
    """Apply the chosen result of the review, unless it is decided later."""
    match request.body.get("review", ""):
        case "approve":
            approve(id)
        case "reject":
            reject(id)
        case _:
            return
