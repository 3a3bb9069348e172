"""A payment session as its shopper sees it: survey, card, and back to the shop.

Truemed shows the shopper success from `processing` on, whatever the review decides later; so does this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import (
    NO_TREATMENT,
    WORKS_ONCE,
    cards,
    check_card,
    check_review,
    check_survey,
    decide,
    wear_out,
)
from truemed_async.emulator.pages.visit import Sent, Shown, notice, outward
from truemed_async.emulator.payment_sessions.model import PaymentSession
from truemed_async.emulator.request import hosted_url

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.state import State

_OPEN: Final = "pending"


def survey(state: State, request: Request) -> Shown | Sent:
    """Ask what makes an order eligible."""
    session = state.payment_sessions.get(request.params["id"])
    if session.status != _OPEN:
        return _over(session)
    if request.method != "POST":
        return _page("survey.html", session, hosted_url("", "payment_sessions", session.id))
    if request.body.get("condition", "") == NO_TREATMENT:
        return notice(
            "This order is not eligible",
            "General health alone cannot be paid with HSA or FSA money.",
            onward=f"{hosted_url('', 'payment_sessions', session.id)}/leave",
            framed=session.use_iframe,
        )
    problem = check_survey(request)
    if problem:
        return _page("survey.html", session, hosted_url("", "payment_sessions", session.id), problem)
    return Sent(f"{hosted_url('', 'payment_sessions', session.id)}/card")


def card(state: State, request: Request) -> Shown | Sent:
    """Take a card and let the review decide."""
    session = state.payment_sessions.get(request.params["id"])
    if session.status != _OPEN:
        return _over(session)
    action = f"{hosted_url('', 'payment_sessions', session.id)}/card"
    if request.method != "POST":
        return _page("card.html", session, action)
    problem = check_review(request) or check_card(request, stored=session.tokenize) or _check_both(request)
    if problem:
        return _page("card.html", session, action, problem)
    state.payment_sessions.submit(session.id)
    sessions = state.payment_sessions
    decide(request, session.id, approve=sessions.approve, reject=sessions.reject)
    payment_token = sessions.get(session.id).payment_token
    if payment_token is not None:
        wear_out(state, request, payment_token)
    return _back(session, success=True)


def leave(state: State, request: Request) -> Shown | Sent:
    """Walk away: the session stays as it is."""
    return _back(state.payment_sessions.get(request.params["id"]), success=False)


def _check_both(request: Request) -> str | None:
    open_ended = request.body.get("card", "") == WORKS_ONCE and request.body.get("review", "") == "later"
    return "This card is stored by the review: let it decide now." if open_ended else None


def _over(session: PaymentSession) -> Shown:
    if session.status == "canceled":
        return notice(
            "This checkout has timed out",
            "The shop has cancelled it. Nothing was charged.",
            onward=outward(session.url(success=False)),
            framed=session.use_iframe,
        )
    return notice(
        "This checkout is complete",
        "The card was entered already.",
        onward=outward(session.url(success=True)),
        framed=session.use_iframe,
    )


def _back(session: PaymentSession, *, success: bool) -> Shown | Sent:
    """Send the shopper to the merchant's page, or tell the page around the iframe to do that."""
    heading = "Thank you" if success else "You have left the checkout"
    url = outward(session.url(success=success))
    if url is None:
        return notice(heading, "The shop gave no address that a browser can go back to.", framed=session.use_iframe)
    if session.use_iframe:
        return Shown("framed.html", {"heading": heading, "success": success, "onward": url}, framed=True)
    return Sent(url)


def _page(template: str, session: PaymentSession, action: str, problem: str | None = None) -> Shown:
    values = {
        "action": action,
        "button": "Pay",
        "cards": cards(stored=session.tokenize),
        "email_asked": False,
        "explanation": None,
        "heading": "Payment",
        "items": session.order_items,
        "leave": f"{hosted_url('', 'payment_sessions', session.id)}/leave",
        "paid_next": True,
        "problem": problem,
        "surveyed": True,
        "total": session.total_amount,
    }
    return Shown(template, values, 200 if problem is None else 422, framed=session.use_iframe)
