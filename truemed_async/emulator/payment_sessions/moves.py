"""The moves of a payment session, pure: the session and the time in, the session as it then is out."""

from datetime import datetime, timedelta
from typing import Any

import attrs

from truemed_async.emulator.payment_sessions.model import PaymentSession, Refund
from truemed_async.emulator.transition import InvalidTransitionError, require

# How long a hold lasts, by Truemed's support pages.
HOLD_LIFE = timedelta(days=6.95)


def submit(session: PaymentSession, now: datetime) -> PaymentSession:
    """Move `pending` → `processing`: survey done, card entered."""
    del now
    require(session, "pending")
    return attrs.evolve(session, status="processing")


def cancel(session: PaymentSession, now: datetime) -> PaymentSession:
    """Move `pending` → `canceled`."""
    del now
    require(session, "pending")
    return attrs.evolve(session, status="canceled")


def reject(session: PaymentSession, now: datetime) -> PaymentSession:
    """Move `processing` → `rejected`."""
    del now
    require(session, "processing")
    return attrs.evolve(session, status="rejected")


def approve(session: PaymentSession, now: datetime, *, payment_token: str | None) -> PaymentSession:
    """Move `processing` → `captured`, or `authorized` when the merchant is to capture; a token may come with it."""
    require(session, "processing")
    session = attrs.evolve(session, payment_token=payment_token)
    if session.kind == "authorization":
        return attrs.evolve(session, status="authorized", authorized_on=now, hold_expires_at=now + HOLD_LIFE)
    return attrs.evolve(
        session, status="captured", authorized_on=now, captured_on=now, capture_amount=session.total_amount
    )


def expire_hold(session: PaymentSession, now: datetime) -> PaymentSession:
    """End the hold of an `authorized` session now; its status shows that only when it is captured."""
    require(session, "authorized")
    return attrs.evolve(session, hold_expires_at=now)


def reauthorize(session: PaymentSession, now: datetime) -> PaymentSession:
    """Let an `authorized` session be authorized once more when it is captured after the end of its hold."""
    del now
    require(session, "authorized")
    return attrs.evolve(session, renewable=True)


def is_lapsed(session: PaymentSession, now: datetime) -> bool:
    """Tell whether the hold has ended and the bank gives no other."""
    return session.hold_expires_at is not None and session.hold_expires_at <= now and not session.renewable


def capture(session: PaymentSession, now: datetime, *, amount: int, capture_id: str) -> PaymentSession:
    """Move `authorized` → `captured`, or `authorization_expired` when the hold has lapsed."""
    require(session, "authorized")
    if is_lapsed(session, now):
        return attrs.evolve(session, status="authorization_expired")
    return attrs.evolve(session, status="captured", captured_on=now, capture_amount=amount, capture_id=capture_id)


def void(session: PaymentSession, now: datetime, *, void_id: str) -> PaymentSession:
    """Move `authorized` → `authorization_voided`."""
    del now
    require(session, "authorized")
    return attrs.evolve(session, status="authorization_voided", void_id=void_id)


def refund(
    session: PaymentSession,
    now: datetime,
    *,
    refund_id: str,
    amount: int,
    reason: str,
    item_details: list[dict[str, Any]] | None,
) -> PaymentSession:
    """Give money of a `captured` session back: its status stays, its summary tells."""
    require(session, "captured")
    if not 0 < amount <= session.refundable:
        raise InvalidTransitionError(f"{session.id} has {session.refundable} cents to refund, not {amount}")
    made = Refund(refund_id=refund_id, amount=amount, reason=reason, created_at=now, item_details=item_details)
    return attrs.evolve(session, refunds=(*session.refunds, made))


def open_dispute(session: PaymentSession, now: datetime) -> PaymentSession:
    """Dispute the charge of a `captured` session."""
    del now
    require(session, "captured")
    return attrs.evolve(session, disputed=True)


def close_dispute(session: PaymentSession, now: datetime) -> PaymentSession:
    """End the dispute of a `captured` session: the charge stands."""
    del now
    require(session, "captured")
    return attrs.evolve(session, disputed=False)
