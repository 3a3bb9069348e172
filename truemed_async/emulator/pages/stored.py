"""Payment methods that are stored: a first one, a changed one, and one whose charge failed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import NO_TREATMENT, cards, check_card, check_survey, wear_out
from truemed_async.emulator.pages.visit import Sent, Shown, notice, outward
from truemed_async.emulator.payment_tokens.model import PaymentToken, ProvisionRequest
from truemed_async.emulator.payment_tokens.moves import failure_of
from truemed_async.emulator.request import hosted_url

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.state import State

_WHY: Final = MappingProxyType(
    {
        "CardExpired": "Your card has expired.",
        "CardDeclined": "Your card was declined.",
        "CardRequired": "Some items cannot be paid with HSA or FSA money: an ordinary card is needed, too.",
        "RequalificationRequired": "Your Letter of Medical Necessity no longer covers this order.",
    }
)


def survey(state: State, request: Request) -> Shown | Sent:
    """Ask for the survey again, or before a first payment method."""
    provision = state.provision_requests.get(request.params["id"])
    address = hosted_url("", "provision_requests", provision.id)
    if provision.status != "pending":
        return _provisioned(provision)
    if provision.next_action == "UpdateCard":
        return Sent(f"{address}/card")
    if request.method != "POST":
        return _survey(address)
    problem = check_survey(request)
    if problem:
        return _survey(address, problem)
    if request.body.get("condition", "") == NO_TREATMENT:
        return _ineligible(provision.failure_url)
    if provision.next_action == "HealthSurvey":
        state.provision_requests.submit(provision.id)
        return _onward(provision.success_url)
    return Sent(f"{address}/card")


def card(state: State, request: Request) -> Shown | Sent:
    """Take the card that is to be stored."""
    provision = state.provision_requests.get(request.params["id"])
    action = f"{hosted_url('', 'provision_requests', provision.id)}/card"
    if provision.status != "pending":
        return _provisioned(provision)
    heading = "Your new card" if provision.updates else "Your card for later orders"
    if request.method != "POST":
        return _card(heading, "It is stored; nothing is charged now.", action)
    problem = check_card(request, stored=True)
    if problem:
        return _card(heading, "It is stored; nothing is charged now.", action, problem)
    payment_token = state.provision_requests.submit(provision.id)
    wear_out(state, request, payment_token)
    return _onward(provision.success_url)


def repair(state: State, request: Request) -> Shown | Sent:
    """Take a card, or the survey, where a stored payment method could not be charged."""
    token = state.payment_tokens.get(request.params["id"])
    action = hosted_url("", "payment_tokens", token.id)
    failure = failure_of(token, state.clock.now()) if token.status == "active" else None
    if failure is None:
        return notice("There is nothing to do", "This payment method can be charged, or was deleted.")
    if failure == "RequalificationRequired":
        problem = None if request.method != "POST" else check_survey(request)
        if request.method != "POST" or problem:
            return _survey(action, problem)
        if request.body.get("condition", "") == NO_TREATMENT:
            return _ineligible(None)
    else:
        problem = None if request.method != "POST" else check_card(request, stored=True)
        if request.method != "POST" or problem:
            return _card("Your payment failed", f"{_WHY[failure]} Choose another card.", action, problem)
    url = _of_failed_session(state, token)
    state.payment_tokens.resolve_failure(token.id)
    wear_out(state, request, token.id)
    return _onward(url)


def _of_failed_session(state: State, token: PaymentToken) -> str | None:
    """Return where the merchant wanted the customer back: the `success_url` of the payment that failed."""
    id = token.failed_payment_session_id
    if id is None or id not in state.payment_sessions:
        return None
    return state.payment_sessions.get(id).url(success=True)


def _provisioned(provision: ProvisionRequest) -> Shown:
    return notice("This is done already", "The payment method is stored.", onward=outward(provision.success_url))


def _ineligible(failure_url: str | None) -> Shown:
    return notice(
        "This is not eligible",
        "General health alone cannot be paid with HSA or FSA money.",
        onward=outward(failure_url),
    )


def _onward(url: str | None) -> Shown | Sent:
    there = outward(url)
    return Sent(there) if there else notice("Thank you", "The payment method is stored. You can close this page.")


def _survey(action: str, problem: str | None = None) -> Shown:
    values = {"action": action, "email_asked": False, "leave": None, "paid_next": True, "problem": problem}
    return Shown("survey.html", values, 200 if problem is None else 422)


def _card(heading: str, explanation: str, action: str, problem: str | None = None) -> Shown:
    values = {
        "action": action,
        "button": "Store the card",
        "cards": cards(stored=True),
        "explanation": explanation,
        "heading": heading,
        "leave": None,
        "problem": problem,
        "surveyed": False,
    }
    return Shown("card.html", values, 200 if problem is None else 422)
