"""What a shopper can choose on a page, and what the choices lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.state import State

NO_TREATMENT: Final = "no"
DECLINED: Final = "declined"
WORKS_ONCE: Final = "once"
_CARDS: Final = (("good", "Card ending in 4242: works"), (DECLINED, "Card ending in 0002: is declined"))
_STORED: Final = (WORKS_ONCE, "Card ending in 0341: works now, and fails when it is charged again")
_CONDITIONS: Final = ("yes", NO_TREATMENT)
_REVIEWS: Final = ("approve", "reject", "later")


def cards(*, stored: bool) -> list[tuple[str, str]]:
    """Return the cards to choose from; one of them is of interest only where it is stored."""
    return [*_CARDS, _STORED] if stored else list(_CARDS)


def check_survey(request: Request) -> str | None:
    """Return what is wrong with the answers of the survey, if anything is."""
    return None if request.body.get("condition", "") in _CONDITIONS else "Answer the question about your health."


def check_review(request: Request) -> str | None:
    """Return what is wrong with what the review is to decide, if anything is."""
    return None if request.body.get("review", "") in _REVIEWS else "Choose what the review decides."


def check_card(request: Request, *, stored: bool) -> str | None:
    """Return what is wrong with the choice of a card, or what the bank says of it, if it is not well."""
    card = request.body.get("card", "")
    if card not in dict(cards(stored=stored)):
        return "Choose a card."
    return "The card was declined. Nothing was charged: choose another card." if card == DECLINED else None


def wear_out(state: State, request: Request, payment_token: str) -> None:
    """Let the next charge fail where a card was chosen that works once."""
    if request.body.get("card", "") == WORKS_ONCE:
        state.payment_tokens.fail_next_charge(payment_token)


def decide(request: Request, id: str, *, approve: Callable[[str], None], reject: Callable[[str], None]) -> None:
    """Let the review decide as the form says, or not yet."""
    match request.body.get("review", ""):
        case "approve":
            approve(id)
        case "reject":
            reject(id)
        case _:
            return
