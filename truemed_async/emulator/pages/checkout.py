"""The checkout of a payment session: survey, card, and the way back to the shop.

A cart of pre-approved products has neither survey nor review. Like Truemed, it shows success from ``processing`` on, before the review is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import (
    NO_TREATMENT,
    WORKS_ONCE,
    apply_review,
    cards,
    fail_next_charge_if_chosen,
    validate_card,
    validate_review,
    validate_survey,
)
from truemed_async.emulator.pages.page import Redirect, Render, message_page, safe_redirect_url
from truemed_async.emulator.request import hosted_url
from truemed_async.emulator.resources.payment_sessions import EmulatedPaymentSession

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.resources.state import State

_OPEN: Final = "pending"


def survey(state: State, request: Request) -> Render | Redirect:
    """Show the health survey that makes an order eligible."""
    session = state.payment_sessions.get(request.params["id"])
    if session.status != _OPEN:
        return _closed_page(session)
    if state.payment_sessions.is_pre_approved(session):
        return Redirect(f"{hosted_url('', 'payment_sessions', session.id)}/card")
    if request.method != "POST":
        return _page("survey.html", session, hosted_url("", "payment_sessions", session.id))
    if request.body.get("condition", "") == NO_TREATMENT:
        return message_page(
            "This order is not eligible",
            "Orders for general health only cannot be paid with HSA or FSA funds.",
            link=f"{hosted_url('', 'payment_sessions', session.id)}/leave",
            framed=session.use_iframe,
        )
    problem = validate_survey(request)
    if problem:
        return _page("survey.html", session, hosted_url("", "payment_sessions", session.id), problem)
    return Redirect(f"{hosted_url('', 'payment_sessions', session.id)}/card")


def card(state: State, request: Request) -> Render | Redirect:
    """Show the card form, then submit the payment and apply the result of the review."""
    session = state.payment_sessions.get(request.params["id"])
    if session.status != _OPEN:
        return _closed_page(session)
    action, sessions = f"{hosted_url('', 'payment_sessions', session.id)}/card", state.payment_sessions
    reviewed = not sessions.is_pre_approved(session)
    if request.method != "POST":
        return _page("card.html", session, action, reviewed=reviewed)
    problem = validate_card(request, stored=session.tokenize)
    if reviewed:
        problem = validate_review(request) or problem or _validate_combination(request)
    if problem:
        return _page("card.html", session, action, problem, reviewed=reviewed)
    sessions.submit(session.id)
    if reviewed:
        apply_review(request, session.id, approve=sessions.approve, reject=sessions.reject)
    payment_token = sessions.get(session.id).payment_token
    if payment_token is not None:
        fail_next_charge_if_chosen(state, request, payment_token)
    return _return_to_shop(session, success=True)


def leave(state: State, request: Request) -> Render | Redirect:
    """Leave the checkout; the session does not change."""
    return _return_to_shop(state.payment_sessions.get(request.params["id"]), success=False)


def _validate_combination(request: Request) -> str | None:
    open_ended = request.body.get("card", "") == WORKS_ONCE and request.body.get("review", "") == "later"
    return "This card is stored when the review is decided: choose approve or reject." if open_ended else None


def _closed_page(session: EmulatedPaymentSession) -> Render:
    if session.status == "canceled":
        return message_page(
            "This checkout has timed out",
            "The shop canceled it. Nothing was charged.",
            link=safe_redirect_url(session.url(success=False)),
            framed=session.use_iframe,
        )
    return message_page(
        "This checkout is complete",
        "The payment was already submitted.",
        link=safe_redirect_url(session.url(success=True)),
        framed=session.use_iframe,
    )


def _return_to_shop(session: EmulatedPaymentSession, *, success: bool) -> Render | Redirect:
    """Redirect to the merchant's page, or notify the page around the iframe, which then redirects."""
    heading = "Thank you" if success else "You have left the checkout"
    url = safe_redirect_url(session.url(success=success))
    if url is None:
        return message_page(heading, "The shop provided no valid return URL.", framed=session.use_iframe)
    if session.use_iframe:
        return Render("framed.html", {"heading": heading, "success": success, "return_url": url}, framed=True)
    return Redirect(url)


def _page(
    template: str, session: EmulatedPaymentSession, action: str, problem: str | None = None, *, reviewed: bool = True
) -> Render:
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
        "surveyed": reviewed,
        "total": session.total_amount,
    }
    return Render(template, values, 200 if problem is None else 422, framed=session.use_iframe)
