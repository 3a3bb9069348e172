"""Payment methods that are stored: a first one, a changed one, and one whose charge failed."""

from types import MappingProxyType
from typing import Final

from truemed_async.emulator import hosted
from truemed_async.emulator.pages.choices import NO_TREATMENT, cards, check_card, check_survey, wear_out
from truemed_async.emulator.pages.visit import Sent, Shown, Visit, notice, outward
from truemed_async.emulator.payment_tokens.model import PaymentToken, ProvisionRequest
from truemed_async.emulator.payment_tokens.moves import failure_of

_WHY: Final = MappingProxyType(
    {
        "CardExpired": "Your card has expired.",
        "CardDeclined": "Your card was declined.",
        "CardRequired": "Some items cannot be paid with HSA or FSA money: an ordinary card is needed, too.",
        "RequalificationRequired": "Your Letter of Medical Necessity no longer covers this order.",
    }
)


def survey(visit: Visit) -> Shown | Sent:
    """Ask for the survey again, or before a first payment method."""
    request = visit.state.provision_requests.get(visit.params["id"])
    address = hosted.provisioning("", request.id)
    if request.status != "pending":
        return _provisioned(request)
    if request.next_action == "UpdateCard":
        return Sent(f"{address}/card")
    if visit.form is None:
        return _survey(address)
    problem = check_survey(visit)
    if problem:
        return _survey(address, problem)
    if visit.field("condition") == NO_TREATMENT:
        return _ineligible(request.failure_url)
    if request.next_action == "HealthSurvey":
        visit.state.provision_requests.submit(request.id)
        return _onward(request.success_url)
    return Sent(f"{address}/card")


def card(visit: Visit) -> Shown | Sent:
    """Take the card that is to be stored."""
    request = visit.state.provision_requests.get(visit.params["id"])
    action = f"{hosted.provisioning('', request.id)}/card"
    if request.status != "pending":
        return _provisioned(request)
    heading = "Your new card" if request.updates else "Your card for later orders"
    if visit.form is None:
        return _card(heading, "It is stored; nothing is charged now.", action)
    problem = check_card(visit, stored=True)
    if problem:
        return _card(heading, "It is stored; nothing is charged now.", action, problem)
    payment_token = visit.state.provision_requests.submit(request.id)
    wear_out(visit, payment_token)
    return _onward(request.success_url)


def repair(visit: Visit) -> Shown | Sent:
    """Take a card, or the survey, where a stored payment method could not be charged."""
    token = visit.state.payment_tokens.get(visit.params["id"])
    action = hosted.repair("", token.id)
    failure = failure_of(token, visit.state.clock.now()) if token.status == "active" else None
    if failure is None:
        return notice("There is nothing to do", "This payment method can be charged, or was deleted.")
    if failure == "RequalificationRequired":
        problem = None if visit.form is None else check_survey(visit)
        if visit.form is None or problem:
            return _survey(action, problem)
        if visit.field("condition") == NO_TREATMENT:
            return _ineligible(None)
    else:
        problem = None if visit.form is None else check_card(visit, stored=True)
        if visit.form is None or problem:
            return _card("Your payment failed", f"{_WHY[failure]} Choose another card.", action, problem)
    url = _of_failed_session(visit, token)
    visit.state.payment_tokens.resolve_failure(token.id)
    wear_out(visit, token.id)
    return _onward(url)


def _of_failed_session(visit: Visit, token: PaymentToken) -> str | None:
    """Return where the merchant wanted the customer back: the `success_url` of the payment that failed."""
    id = token.failed_payment_session_id
    if id is None or id not in visit.state.payment_sessions:
        return None
    return visit.state.payment_sessions.get(id).url(success=True)


def _provisioned(request: ProvisionRequest) -> Shown:
    return notice("This is done already", "The payment method is stored.", onward=outward(request.success_url))


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
