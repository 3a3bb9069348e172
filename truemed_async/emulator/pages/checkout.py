"""The checkout of a payment session: survey, card, and the way back to the shop.

A cart of pre-approved products has neither survey nor review. Like Truemed, it shows success from ``processing`` on, before the review is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import (
    NO_TREATMENT,
    WORKS_ONCE,
    Problem,
    apply_review,
    cards,
    fail_next_charge_if_chosen,
    validate_card,
    validate_review,
    validate_survey,
)
from truemed_async.emulator.pages.order import summarize_order
from truemed_async.emulator.pages.page import Redirect, Render, format_money, message_page, safe_redirect_url
from truemed_async.emulator.request import hosted_url
from truemed_async.emulator.resources.payment_sessions import EmulatedPaymentSession

if TYPE_CHECKING:
    from truemed_async.emulator.pages.page import Tone
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

_OPEN: Final = "pending"


def survey(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Show the health survey that makes an order eligible."""
    session = state.payment_sessions.get(request.params["id"])
    address = hosted_url("", "payment_sessions", session.id)
    if session.status != _OPEN:
        return _closed_page(session)
    if state.payment_sessions.is_pre_approved(session):
        return Redirect(f"{address}/card")
    if request.method != "POST":
        return _survey(state, request, session)
    if request.body.get("condition", "") == NO_TREATMENT:
        return message_page(
            "This order is not eligible",
            "Orders for general health only cannot be paid with HSA or FSA funds. Nothing was charged.",
            tone="bad",
            link=f"{address}/leave",
            framed=session.use_iframe,
        )
    problem = validate_survey(request)
    return _survey(state, request, session, problem) if problem else Redirect(f"{address}/card")


def card(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Show the card form, then submit the payment and apply the result of the review."""
    session = state.payment_sessions.get(request.params["id"])
    if session.status != _OPEN:
        return _closed_page(session)
    sessions = state.payment_sessions
    reviewed = not sessions.is_pre_approved(session)
    if request.method != "POST":
        return _card(state, request, session)
    problem = validate_card(request, stored=session.tokenize)
    if reviewed:
        problem = validate_review(request) or problem or _validate_combination(request)
    if problem:
        return _card(state, request, session, problem)
    sessions.submit(session.id)
    if reviewed:
        apply_review(request, session.id, approve=sessions.approve, reject=sessions.reject)
    payment_token = sessions.get(session.id).payment_token
    if payment_token is not None:
        fail_next_charge_if_chosen(state, request, payment_token)
    return _return_to_shop(session, success=True)


def leave(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Leave the checkout; the session does not change."""
    return _return_to_shop(state.payment_sessions.get(request.params["id"]), success=False)


def review(state: State, request: ReceivedRequest) -> Redirect:
    """Decide the review of a submitted payment, as the tester chose on the page that waits for it."""
    sessions, session = state.payment_sessions, state.payment_sessions.get(request.params["id"])
    apply_review(request, session.id, approve=sessions.approve, reject=sessions.reject)
    return Redirect(hosted_url("", "payment_sessions", session.id))


def _validate_combination(request: ReceivedRequest) -> Problem | None:
    open_ended = request.body.get("card", "") == WORKS_ONCE and request.body.get("review", "") == "later"
    message = "This card is stored when the review is decided: choose approve or reject."
    return Problem("review", message) if open_ended else None


def _closed_page(session: EmulatedPaymentSession) -> Render:
    """Show how a checkout that is no longer open stands; a page about a review refreshes until it is decided."""
    waits = session.status == "processing"
    heading, explanation, tone = _outcome(session)
    return message_page(
        heading,
        explanation,
        tone=tone,
        link=safe_redirect_url(session.url(success=session.status != "canceled")),
        review=f"{hosted_url('', 'payment_sessions', session.id)}/review" if waits else None,
        framed=session.use_iframe,
        waits_in=session.status if waits else None,
    )


def _outcome(session: EmulatedPaymentSession) -> tuple[str, str, Tone]:
    """Return the heading, the explanation and the tone for each status."""
    amount = format_money(session.total_amount)
    match session.status:
        case "processing":
            explanation = (
                "Your payment was submitted. Your card is held, and charged only if a clinician approves the order. "
                "This page refreshes by itself."
            )
            return "Your order is under review", explanation, "wait"
        case "captured":
            charged = format_money(session.capture_amount or 0)
            return "Your payment is complete", f"Your order was approved, and {charged} was charged.", "good"
        case "authorized":
            explanation = f"Your order was approved, and {amount} is held on your card until the shop charges it."
            return "Your payment is authorized", explanation, "good"
        case "rejected":
            explanation = "The review found that this order cannot be paid with HSA or FSA funds. Nothing was charged."
            return "Your order was not approved", explanation, "bad"
        case "canceled" if session.card_entered_on is None:
            return "This checkout has timed out", "The shop canceled it. Nothing was charged.", "bad"
        case "canceled":
            explanation = "The review took longer than your card could be held. Nothing was charged."
            return "Your order was canceled", explanation, "bad"
        case "authorization_voided":
            return "Your payment was voided", "The shop released your card. Nothing was charged.", "bad"
        case _:
            explanation = "The shop did not charge your card in time. Nothing was charged."
            return "Your authorization has expired", explanation, "bad"


def _return_to_shop(session: EmulatedPaymentSession, *, success: bool) -> Render | Redirect:
    """Redirect to the merchant's page, or notify the page around the iframe, which then redirects."""
    heading = "Thank you" if success else "You have left the checkout"
    url = safe_redirect_url(session.url(success=success))
    if url is None:
        explanation = "The shop provided no valid return URL. You can close this page."
        return message_page(heading, explanation, tone="good" if success else "info", framed=session.use_iframe)
    if session.use_iframe:
        return Render("framed.html", {"heading": heading, "success": success, "return_url": url}, framed=True)
    return Redirect(url)


def _survey(
    state: State, request: ReceivedRequest, session: EmulatedPaymentSession, problem: Problem | None = None
) -> Render:
    address = hosted_url("", "payment_sessions", session.id)
    values = {
        "action": address,
        "chosen": request.body,
        "email_asked": False,
        "leave": f"{address}/leave",
        "order": summarize_order(state, session),
        "paid_next": True,
        "problem": problem,
    }
    return Render("survey.html", values, 200 if problem is None else 422, framed=session.use_iframe)


def _card(
    state: State, request: ReceivedRequest, session: EmulatedPaymentSession, problem: Problem | None = None
) -> Render:
    address, reviewed = (
        hosted_url("", "payment_sessions", session.id),
        not state.payment_sessions.is_pre_approved(session),
    )
    values = {
        "action": f"{address}/card",
        "button": f"Pay {format_money(session.total_amount)}",
        "cards": cards(stored=session.tokenize),
        "chosen": request.body,
        "explanation": _explain_payment(session, reviewed=reviewed),
        "heading": "Payment",
        "leave": f"{address}/leave",
        "order": summarize_order(state, session),
        "problem": problem,
        "reviewed": reviewed,
    }
    return Render("card.html", values, 200 if problem is None else 422, framed=session.use_iframe)


def _explain_payment(session: EmulatedPaymentSession, *, reviewed: bool) -> str:
    """Return when the card is charged."""
    charged = "charged" if session.kind == "one_time_payment" else "authorized"
    if reviewed:
        return f"Your card is held now, and {charged} when a clinician has approved the order."
    return f"Your card is {charged} now: the products need no review."
