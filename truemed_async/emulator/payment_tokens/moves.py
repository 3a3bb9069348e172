"""The moves of tokens and of requests for them, pure: the row and the time in, the row as it then is out."""

from datetime import datetime

import attrs

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.payment_tokens.model import Failure, PaymentMethod, PaymentToken, ProvisionRequest
from truemed_async.emulator.transition import InvalidTransitionError, require

# A card that is new when the emulator's time is: the customer's, after an old one failed.
_LIFE_OF_A_CARD = 4


def failure_of(token: PaymentToken, now: datetime) -> Failure | None:
    """Return why a charge fails now, or None: it succeeds."""
    if token.failure is not None:
        return token.failure
    if token.next_action == "HealthSurvey" or (token.lmn_expires_at is not None and token.lmn_expires_at <= now):
        return "RequalificationRequired"
    if token.next_action == "UpdateCard" or not token.payment_methods:
        return "CardRequired"
    if all(card.expires < (now.year, now.month) for card in token.payment_methods):
        return "CardExpired"
    return None


def fail_next_charge(token: PaymentToken, now: datetime, *, failure: Failure) -> PaymentToken:
    """Let charges of an active token fail until the customer mends it."""
    del now
    require(token, "active")
    return attrs.evolve(token, failure=failure)


def charge_fails(token: PaymentToken, now: datetime, *, payment_session_id: str) -> PaymentToken:
    """Keep which payment session could not be paid."""
    del now
    return attrs.evolve(token, failed_payment_session_id=payment_session_id)


def resolve_failure(token: PaymentToken, now: datetime) -> PaymentToken:
    """Mend what keeps an active token from being charged: a new card, a new letter."""
    require(token, "active")
    failure = failure_of(token, now)
    if failure is None:
        raise InvalidTransitionError(f"{token.id} can be charged: there is nothing to mend")
    return attrs.evolve(_mended(token, failure, now), failed_payment_session_id=None)


def _mended(token: PaymentToken, failure: Failure, now: datetime) -> PaymentToken:
    whole = attrs.evolve(token, failure=None, next_action=None)
    if failure == "RequalificationRequired":
        return attrs.evolve(whole, lmn_expires_at=twelve_months_after(now))
    return attrs.evolve(whole, payment_methods=(new_card(now),))


def new_card(now: datetime) -> PaymentMethod:
    """Return a card that was issued this month."""
    return PaymentMethod(exp_month=now.month, exp_year=now.year + _LIFE_OF_A_CARD)


def expire_lmn(token: PaymentToken, now: datetime) -> PaymentToken:
    """End the letter of an active token now."""
    require(token, "active")
    return attrs.evolve(token, lmn_expires_at=now)


def delete(token: PaymentToken, now: datetime) -> PaymentToken:
    """Move `active` → `deleted`."""
    del now
    require(token, "active")
    return attrs.evolve(token, status="deleted")


def ask(token: PaymentToken, now: datetime, *, request: ProvisionRequest) -> PaymentToken:
    """Let an active token wait for what its customer is asked to do."""
    del now
    require(token, "active")
    return attrs.evolve(token, next_action=request.next_action)


def update(token: PaymentToken, now: datetime, *, request: ProvisionRequest) -> PaymentToken:
    """Change an active token as it was asked for, the customer having done what was to do."""
    require(token, "active")
    changed = attrs.evolve(token, skus=token.skus if request.skus is None else request.skus)
    if request.next_action is None:
        return changed
    failure: Failure = "RequalificationRequired" if request.next_action == "HealthSurvey" else "CardRequired"
    return attrs.evolve(_mended(changed, failure, now), failed_payment_session_id=None)


def provision(request: ProvisionRequest, now: datetime, *, payment_token: str) -> ProvisionRequest:
    """Move `pending` → `provisioned`, with the token."""
    del now
    require(request, "pending")
    return attrs.evolve(request, status="provisioned", payment_token=payment_token)
