"""Payment sessions: one per checkout. Amounts are integers in cents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Self, cast

import attrs

from truemed_async._sensitive import mask
from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum
from truemed_async.models.order import AmountDetails, PaymentSessionItem

__all__ = [
    "PaymentCancellation",
    "PaymentCapture",
    "PaymentHold",
    "PaymentRefund",
    "PaymentSession",
    "PaymentSessionCreation",
    "PaymentSessionKind",
    "PaymentSessionStatus",
    "PaymentStatusSummary",
    "PaymentVoid",
    "RefundReason",
    "Refundable",
    "RefundableLine",
]

HOLD_DURATION = timedelta(days=6.95)
"""How long Truemed holds a card, from its entry. Source: docs/truemed-api.md, section 7, row N1 (another page: 7 days)."""


class PaymentSessionStatus(OpenEnum):
    """The status of a payment session. Unknown values are kept; for them all properties are false."""

    PENDING = "pending"
    """The customer has not completed it yet."""
    PROCESSING = "processing"
    """The card was entered and the review is running: tell the customer that the order is placed; do not fulfill it."""
    CAPTURED = "captured"
    """Paid: fulfill the order."""
    REJECTED = "rejected"
    """Rejected by the review: cancel the order and notify the customer."""
    CANCELED = "canceled"
    """Canceled by you before the card was entered."""
    AUTHORIZED = "authorized"
    """A hold is placed (``kind="authorization"``): capture it, or void it."""
    AUTHORIZATION_VOIDED = "authorization_voided"
    """The hold was released by a void."""
    AUTHORIZATION_EXPIRED = "authorization_expired"
    """The hold had expired at the capture, and could not be renewed."""

    @property
    def may_fulfill(self) -> bool:
        """Whether to ship the order: only when the payment is captured. A refund does not change it, see ``status_summary``."""
        return self is PaymentSessionStatus.CAPTURED

    @property
    def is_final(self) -> bool:
        """Whether the status will not change again. Refunds and disputes do not change it."""
        return self in _FINAL


_FINAL = frozenset(
    {
        PaymentSessionStatus.CAPTURED,
        PaymentSessionStatus.REJECTED,
        PaymentSessionStatus.CANCELED,
        PaymentSessionStatus.AUTHORIZATION_VOIDED,
        PaymentSessionStatus.AUTHORIZATION_EXPIRED,
    }
)


class PaymentStatusSummary(OpenEnum):
    """The state of a payment including its refunds and disputes, as sent by Truemed.

    Truemed documents the first five on the part of the page that is known. The others were seen in use.
    """

    INCOMPLETE = "Incomplete"
    AUTHORIZED = "Authorized"
    CAPTURED = "Captured"
    PARTIALLY_CAPTURED = "Partially Captured"
    REFUNDED = "Refunded"
    PARTIALLY_REFUNDED = "Partially Refunded"
    DISPUTED = "Disputed"
    VOIDED = "Voided"
    EXPIRED = "Expired"
    CANCELED = "Canceled"
    PROCESSING = "Processing"
    TEST = "Test"


class PaymentSessionKind(OpenEnum):
    """When the payment is captured."""

    ONE_TIME_PAYMENT = "one_time_payment"
    """As soon as Truemed approves: the default."""
    AUTHORIZATION = "authorization"
    """When you capture it; until then the amount is held. Truemed enables this for a merchant on request."""


class RefundReason(OpenEnum):
    """The reason of a refund."""

    CUSTOMER_REQUEST = "customer_request"
    FRAUDULENT = "fraudulent"
    DUPLICATE_PAYMENT = "duplicate_payment"
    """The customer checked out more than once for one purchase."""


@attrs.frozen(kw_only=True)
class PaymentSession(Model):
    """One payment session. Amounts are integers in cents; times are aware, and Truemed sends UTC.

    ``repr`` masks ``customer_email``, ``customer_name``, ``metadata`` and ``payment_token``. Truemed's table of this
    response is known only in part: only ``status`` is certain, the rest is optional. Further fields are in ``extra``:
    ``refunds`` and ``truemed_fee`` (whose unit is unknown) were seen.

    Source: Truemed API reference, "Get Payment Status" and "List Payment Sessions".

    Attributes:
        id: Its id, as ``create`` returned it.
        status: The status of the payment. Fulfill the order only if ``status.may_fulfill``.
        status_summary: The status including refunds and disputes, which do not change ``status``.
        kind: When the payment is captured.
        total_amount: The amount that the session was created with, in cents.
        amount_details: Charges and discounts of the order, as at creation.
        authorize_amount: The authorized amount, in cents.
        capture_amount: The captured amount, in cents.
        refund_amount: The sum of all refunds; only in a list with ``summarize_refunds``. Cents are assumed, like the
            amounts around it.
        authorized_on: When it was authorized; the same as ``captured_on`` for a one-time payment.
        captured_on: When it was captured.
        created_at: When the session was created.
        customer_email: The customer's e-mail address.
        customer_name: The customer's name.
        metadata: Your text, unchanged.
        order_items: The current lines of the order; in a list only with ``include_order_items``.
        payment_token: The stored payment method that the session creates or uses.
        business_id: Another id of the session; third parties have seen it.
    """

    id: str = ""
    status: PaymentSessionStatus
    status_summary: PaymentStatusSummary | None = None
    kind: PaymentSessionKind | None = None
    total_amount: int | None = None
    amount_details: AmountDetails | None = None
    authorize_amount: int | None = None
    capture_amount: int | None = None
    refund_amount: int | None = None
    authorized_on: datetime | None = None
    captured_on: datetime | None = None
    created_at: datetime | None = None
    customer_email: str | None = attrs.field(default=None, repr=mask)
    customer_name: str | None = attrs.field(default=None, repr=mask)
    metadata: str | None = attrs.field(default=None, repr=mask)
    order_items: tuple[PaymentSessionItem, ...] | None = None
    payment_token: str | None = attrs.field(default=None, repr=mask)
    business_id: str | None = None

    @property
    def may_fulfill(self) -> bool:
        """Whether to ship the order: only when the payment is captured. A refund does not change it, see ``status_summary``."""
        return self.status.may_fulfill

    @property
    def is_final(self) -> bool:
        """Whether the status will not change again."""
        return self.status.is_final

    def refundable(self) -> Refundable:
        """Return what can still be refunded, by line, and what of Truemed's fee comes back.

        The session has to be one of ``get``, or of a list with ``include_order_items`` and ``summarize_refunds``.
        """
        return Refundable.of(self)


@attrs.frozen(kw_only=True)
class PaymentHold:
    """A card that is held for a payment, and until when.

    Truemed holds the card from its entry, before the review, for 6.95 days, and does not renew the hold
    (docs/truemed-api.md, section 7, row N1). No response says when the card was entered: that is the moment of the
    webhook that reports ``processing``. Without it the end is inferred: the card cannot have been entered before the
    session was created, nor after it was authorized.

    Attributes:
        session: The session: ``authorized``, or still ``processing``.
        ends_at: When the hold ends; if that is inferred, the earliest moment at which it can end. Capture before it.
        latest_end: The latest moment at which it can end; the same as ``ends_at`` if that is known.
        is_inferred: Whether the card's entry is not known.
    """

    session: PaymentSession
    ends_at: datetime
    latest_end: datetime
    is_inferred: bool

    @property
    def can_capture(self) -> bool:
        """Whether you can capture it now. If not, the review is running: outlasting the hold, it cancels the order."""
        return self.session.status == PaymentSessionStatus.AUTHORIZED

    @classmethod
    def of(cls, session: PaymentSession, card_entered_at: datetime | None, now: datetime) -> Self:
        """Return the hold of a session that has ``created_at``; ``card_entered_at`` is its card's entry, if known."""
        earliest = card_entered_at or cast("datetime", session.created_at)
        latest = card_entered_at or session.authorized_on or now
        return cls(
            session=session,
            ends_at=earliest + HOLD_DURATION,
            latest_end=max(earliest, latest) + HOLD_DURATION,
            is_inferred=card_entered_at is None,
        )


@attrs.frozen(kw_only=True)
class RefundableLine:
    """What can still be refunded of one line of an order. Source: Truemed API reference, "List Payment Sessions".

    Attributes:
        item_id: Truemed's id of the line.
        sku: Your SKU.
        name: The product's name.
        quantity: The quantity that can still be refunded, or ``None`` if it was not sent.
        cents: The amount that can still be refunded, or ``None`` if it was not sent.
    """

    item_id: str | None
    sku: str | None
    name: str | None
    quantity: int | None
    cents: int | None


@attrs.frozen(kw_only=True)
class Refundable:
    """What can still be refunded of a payment.

    Attributes:
        payment_session_id: The payment.
        lines: The lines of the order; empty if the session was read without them.
        captured_cents: The captured amount, or ``None`` if it was not sent.
        refunded_cents: The sum of the refunds so far, or ``None`` if it is not known. It is read from ``refund_amount``,
            from ``refunds`` in ``extra`` (undocumented), or from ``status_summary``.
        cents: How much can still be refunded: what is captured and not refunded; else the sum of the lines, which leaves
            out what was charged for the whole order, such as shipping; ``None`` if neither is known.
        obstacle: Why Truemed would reject a refund now: ``"not captured"`` or ``"disputed"``; else ``None``.
        fee: Truemed's fee, as sent; ``None`` if it was not sent. The field ``truemed_fee`` and its unit are undocumented.
        fee_returned: What comes back of the fee if the whole payment is refunded: half of it (docs/truemed-api.md,
            section 7, row N2). What a refund of a part returns is undocumented, so it is ``None`` after one.
    """

    payment_session_id: str
    lines: tuple[RefundableLine, ...]
    captured_cents: int | None
    refunded_cents: int | None
    cents: int | None
    obstacle: str | None
    fee: Decimal | None
    fee_returned: Decimal | None

    @classmethod
    def of(cls, session: PaymentSession) -> Self:
        """Return what can still be refunded of a session."""
        captured = session.capture_amount if session.may_fulfill else 0
        refunded = _sum_refunds(session, captured)
        lines = tuple(
            RefundableLine(
                item_id=item.item_id,
                sku=item.sku,
                name=item.name,
                quantity=item.quantity_refundable,
                cents=item.total_refundable,
            )
            for item in session.order_items or ()
        )
        amounts = [line.cents for line in lines if line.cents is not None]
        left: int | None = sum(amounts) if amounts and len(amounts) == len(lines) else None
        if captured is not None and refunded is not None:
            left = captured - refunded
        fee = _decimal(session.extra.get("truemed_fee"))
        is_disputed = session.status_summary == PaymentStatusSummary.DISPUTED
        return cls(
            payment_session_id=session.id,
            lines=lines,
            captured_cents=captured,
            refunded_cents=refunded,
            cents=left,
            obstacle="not captured" if not session.may_fulfill else "disputed" if is_disputed else None,
            fee=fee,
            fee_returned=fee / 2 if fee is not None and refunded == 0 and session.may_fulfill else None,
        )


def _sum_refunds(session: PaymentSession, captured: int | None) -> int | None:
    """Return the sum of the refunds so far, if the response tells it."""
    if session.refund_amount is not None:
        return session.refund_amount
    refunds: object = session.extra.get("refunds")
    if isinstance(refunds, list):
        entries: list[Any] = [*refunds]
        amounts = [_amount(entry) for entry in entries]
        known = [amount for amount in amounts if amount is not None]
        if len(known) == len(amounts):
            return sum(known)
    match session.status_summary:
        case PaymentStatusSummary.CAPTURED | PaymentStatusSummary.PARTIALLY_CAPTURED:
            return 0
        case PaymentStatusSummary.REFUNDED:
            return captured
        case _:
            return None if session.may_fulfill else 0


def _amount(refund: Any) -> int | None:
    """Return the amount of an undocumented entry of ``refunds``."""
    amount: object = cast("Mapping[str, object]", refund).get("amount") if isinstance(refund, Mapping) else None
    return amount if type(amount) is int else None


def _decimal(value: object) -> Decimal | None:
    """Return a JSON number, or one in a string, exactly as it was written."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@attrs.frozen(kw_only=True)
class PaymentSessionCreation(Model):
    """A new payment session. ``repr`` masks ``redirect_url``. Source: Truemed, "Create Payment Session".

    Attributes:
        id: The session's id: store it with the order. The same idempotency key gives the same id.
        redirect_url: The page to which to redirect the customer, or to show in an iframe. Whether it is sent when a
            stored token is charged is undocumented.
        idempotency_key: The key that was sent.
    """

    id: str
    redirect_url: str | None = attrs.field(default=None, repr=mask)
    idempotency_key: str = ""


@attrs.frozen(kw_only=True)
class PaymentCapture(Model):
    """The response to a capture. Source: Truemed, "Capture Session".

    Attributes:
        id: The id of the **capture**, not of the session. The same idempotency key gives the same id.
        idempotency_key: The key that was sent.
    """

    id: str
    idempotency_key: str = ""


@attrs.frozen(kw_only=True)
class PaymentVoid(Model):
    """The response to a void. Source: Truemed, "Void Session".

    Attributes:
        id: The id of the **void**, not of the session. The same idempotency key gives the same id.
        idempotency_key: The key that was sent.
    """

    id: str
    idempotency_key: str = ""


@attrs.frozen(kw_only=True)
class PaymentCancellation(Model):
    """The response to a cancellation. Source: Truemed, "Cancel Payment Session"; its fields are undocumented.

    Attributes:
        id: The session's id, if sent; third parties have seen it.
        status: The session's status, if sent; third parties have seen it.
    """

    id: str | None = None
    status: PaymentSessionStatus | None = None


@attrs.frozen(kw_only=True)
class PaymentRefund(Model):
    """The response to a refund. Source: Truemed, "Create Refund".

    Attributes:
        refund_id: The refund's id; a payment can have several refunds.
        idempotency_key: The key that was sent.
    """

    refund_id: str
    idempotency_key: str = ""
