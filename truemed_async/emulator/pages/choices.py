"""The choices in the forms of the pages, and their effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.resources.state import State

NO_TREATMENT: Final = "no"
DECLINED: Final = "declined"
WORKS_ONCE: Final = "once"
_CARDS: Final = (("good", "Card ending in 4242: works"), (DECLINED, "Card ending in 0002: is declined"))
_STORED: Final = (WORKS_ONCE, "Card ending in 0341: works now, fails when charged again")
_CONDITIONS: Final = ("yes", NO_TREATMENT)
_REVIEWS: Final = ("approve", "reject", "later")


def cards(*, stored: bool) -> list[tuple[str, str]]:
    """Return the test cards; one of them is useful only if it is stored."""
    return [*_CARDS, _STORED] if stored else list(_CARDS)


def validate_survey(request: Request) -> str | None:
    """Return the error of an invalid survey."""
    return None if request.body.get("condition", "") in _CONDITIONS else "Answer the question about your health."


def validate_review(request: Request) -> str | None:
    """Return the error of an invalid choice of the review's result."""
    return None if request.body.get("review", "") in _REVIEWS else "Choose the result of the review."


def validate_card(request: Request, *, stored: bool) -> str | None:
    """Return the error of an invalid or declined card."""
    card = request.body.get("card", "")
    if card not in dict(cards(stored=stored)):
        return "Choose a card."
    return "The card was declined. Nothing was charged: choose another card." if card == DECLINED else None


def fail_next_charge_if_chosen(state: State, request: Request, payment_token: str) -> None:
    """Let the next charge fail if the card that works once was chosen."""
    if request.body.get("card", "") == WORKS_ONCE:
        state.payment_tokens.fail_next_charge(payment_token)


def apply_review(
    request: Request, id: str, *, approve: Callable[[str], object], reject: Callable[[str], object]
) -> None:
    """Apply the chosen result of the review, unless it is decided later."""
    match request.body.get("review", ""):
        case "approve":
            approve(id)
        case "reject":
            reject(id)
        case _:
            return
