"""A payment session as its shopper sees it: survey, card, and back to the shop.

Truemed shows the shopper success from `processing` on, whatever the review decides later; so does this.
"""

from typing import Final

from truemed_async.emulator import hosted
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
from truemed_async.emulator.pages.visit import Sent, Shown, Visit, notice, outward
from truemed_async.emulator.payment_sessions.model import PaymentSession

_OPEN: Final = "pending"


def survey(visit: Visit) -> Shown | Sent:
    """Ask what makes an order eligible."""
    session = visit.state.payment_sessions.get(visit.params["id"])
    if session.status != _OPEN:
        return _over(session)
    if visit.form is None:
        return _page("survey.html", session, hosted.checkout("", session.id))
    if visit.field("condition") == NO_TREATMENT:
        return notice(
            "This order is not eligible",
            "General health alone cannot be paid with HSA or FSA money.",
            onward=f"{hosted.checkout('', session.id)}/leave",
            framed=session.use_iframe,
        )
    problem = check_survey(visit)
    if problem:
        return _page("survey.html", session, hosted.checkout("", session.id), problem)
    return Sent(f"{hosted.checkout('', session.id)}/card")


def card(visit: Visit) -> Shown | Sent:
    """Take a card and let the review decide."""
    session = visit.state.payment_sessions.get(visit.params["id"])
    if session.status != _OPEN:
        return _over(session)
    action = f"{hosted.checkout('', session.id)}/card"
    if visit.form is None:
        return _page("card.html", session, action)
    problem = check_review(visit) or check_card(visit, stored=session.tokenize) or _check_both(visit)
    if problem:
        return _page("card.html", session, action, problem)
    visit.state.payment_sessions.submit(session.id)
    sessions = visit.state.payment_sessions
    decide(visit, session.id, approve=sessions.approve, reject=sessions.reject)
    payment_token = sessions.get(session.id).payment_token
    if payment_token is not None:
        wear_out(visit, payment_token)
    return _back(session, success=True)


def leave(visit: Visit) -> Shown | Sent:
    """Walk away: the session stays as it is."""
    return _back(visit.state.payment_sessions.get(visit.params["id"]), success=False)


def _check_both(visit: Visit) -> str | None:
    open_ended = visit.field("card") == WORKS_ONCE and visit.field("review") == "later"
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
        "leave": f"{hosted.checkout('', session.id)}/leave",
        "paid_next": True,
        "problem": problem,
        "surveyed": True,
        "total": session.total_amount,
    }
    return Shown(template, values, 200 if problem is None else 422, framed=session.use_iframe)
