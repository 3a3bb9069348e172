"""What a shopper can choose on a page, and what the choices lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truemed_async.emulator.pages.visit import Visit

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


def check(visit: Visit, *, condition: bool = False, card: bool = False, review: bool = False) -> str | None:
    """Return what is wrong with the choices of a form, if anything is."""
    asked = (
        (condition, "condition", _CONDITIONS, "Answer the question about your health."),
        (card, "card", tuple(name for name, _ in cards(stored=True)), "Choose a card."),
        (review, "review", _REVIEWS, "Choose what the review decides."),
    )
    return next((problem for is_asked, name, of, problem in asked if is_asked and visit.field(name) not in of), None)


def problem_of(card: str) -> str | None:
    """Return what the bank says of a card, if it is not well."""
    return "The card was declined. Nothing was charged: choose another card." if card == DECLINED else None


def decide(visit: Visit, id: str, *, approve: Callable[[str], None], reject: Callable[[str], None]) -> None:
    """Let the review decide as the form says, or not yet."""
    match visit.field("review"):
        case "approve":
            approve(id)
        case "reject":
            reject(id)
        case _:
            return
