"""Stored payment methods: adding, replacing, and repairing one whose charge failed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import (
    NO_TREATMENT,
    Problem,
    cards,
    fail_next_charge_if_chosen,
    validate_card,
    validate_survey,
)
from truemed_async.emulator.pages.page import Redirect, Render, message_page, safe_redirect_url
from truemed_async.emulator.request import hosted_url
from truemed_async.emulator.resources.payment_tokens import EmulatedPaymentToken, ProvisionRequest

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

_WHY: Final = MappingProxyType(
    {
        "CardExpired": "Your card has expired.",
        "CardDeclined": "Your card was declined.",
        "CardRequired": "Some items cannot be paid with HSA or FSA money: an ordinary card is needed, too.",
        "RequalificationRequired": "Your Letter of Medical Necessity no longer covers this order.",
    }
)


def survey(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Show the health survey, again or before a first payment method."""
    provision = state.provision_requests.get(request.params["id"])
    address = hosted_url("", "provision_requests", provision.id)
    if provision.status != "pending":
        return _provisioned_page(provision)
    if provision.next_action == "UpdateCard":
        return Redirect(f"{address}/card")
    if request.method != "POST":
        return _survey(request, address)
    problem = validate_survey(request)
    if problem:
        return _survey(request, address, problem)
    if request.body.get("condition", "") == NO_TREATMENT:
        return _ineligible_page(provision.failure_url)
    if provision.next_action == "HealthSurvey":
        state.provision_requests.submit(provision.id)
        return _return_to_shop(provision.success_url)
    return Redirect(f"{address}/card")


def card(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Show the card form, then store the card."""
    provision = state.provision_requests.get(request.params["id"])
    action = f"{hosted_url('', 'provision_requests', provision.id)}/card"
    if provision.status != "pending":
        return _provisioned_page(provision)
    heading = "Your new card" if provision.updates else "Your card for later orders"
    if request.method != "POST":
        return _card(request, heading, "The card is stored; nothing is charged now.", action)
    problem = validate_card(request, stored=True)
    if problem:
        return _card(request, heading, "The card is stored; nothing is charged now.", action, problem)
    payment_token = state.provision_requests.submit(provision.id)
    fail_next_charge_if_chosen(state, request, payment_token)
    return _return_to_shop(provision.success_url)


def repair(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Show the card form or the survey for a payment method whose charge failed."""
    token = state.payment_tokens.get(request.params["id"])
    action = hosted_url("", "payment_tokens", token.id)
    failure = token.failure_at(state.clock.now()) if token.status == "active" else None
    if failure is None:
        return message_page("No action needed", "This payment method is valid, or was deleted.", tone="good")
    if failure == "RequalificationRequired":
        problem = None if request.method != "POST" else validate_survey(request)
        if request.method != "POST" or problem:
            return _survey(request, action, problem)
        if request.body.get("condition", "") == NO_TREATMENT:
            return _ineligible_page(None)
    else:
        problem = None if request.method != "POST" else validate_card(request, stored=True)
        if request.method != "POST" or problem:
            return _card(request, "Your payment failed", f"{_WHY[failure]} Choose another card.", action, problem)
    url = _failed_session_url(state, token)
    state.payment_tokens.resolve_failure(token.id)
    fail_next_charge_if_chosen(state, request, token.id)
    return _return_to_shop(url)


def _failed_session_url(state: State, token: EmulatedPaymentToken) -> str | None:
    """Return the ``success_url`` of the payment that failed."""
    id = token.failed_payment_session_id
    if id is None or id not in state.payment_sessions:
        return None
    return state.payment_sessions.get(id).url(success=True)


def _provisioned_page(provision: ProvisionRequest) -> Render:
    link = safe_redirect_url(provision.success_url)
    return message_page("Already done", "The payment method is stored.", tone="good", link=link)


def _ineligible_page(failure_url: str | None) -> Render:
    return message_page(
        "This is not eligible",
        "Orders for general health only cannot be paid with HSA or FSA funds.",
        tone="bad",
        link=safe_redirect_url(failure_url),
    )


def _return_to_shop(url: str | None) -> Render | Redirect:
    there = safe_redirect_url(url)
    explanation = "The payment method is stored. You can close this page."
    return Redirect(there) if there else message_page("Thank you", explanation, tone="good")


def _survey(request: ReceivedRequest, action: str, problem: Problem | None = None) -> Render:
    values = {
        "action": action,
        "chosen": request.body,
        "email_asked": False,
        "leave": None,
        "order": None,
        "paid_next": True,
        "problem": problem,
    }
    return Render("survey.html", values, 200 if problem is None else 422)


def _card(
    request: ReceivedRequest, heading: str, explanation: str, action: str, problem: Problem | None = None
) -> Render:
    values = {
        "action": action,
        "button": "Store the card",
        "cards": cards(stored=True),
        "chosen": request.body,
        "explanation": explanation,
        "heading": heading,
        "leave": None,
        "order": None,
        "problem": problem,
        "reviewed": False,
    }
    return Render("card.html", values, 200 if problem is None else 422)
