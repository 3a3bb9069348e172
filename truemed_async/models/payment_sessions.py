"""Payment sessions: one per checkout. Amounts are integers in cents."""

from __future__ import annotations

from datetime import datetime

import attrs

from truemed_async._sensitive import mask
from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum
from truemed_async.models.order import AmountDetails, PaymentSessionItem

__all__ = [
    "PaymentCancellation",
    "PaymentCapture",
    "PaymentRefund",
    "PaymentSession",
    "PaymentSessionCreation",
    "PaymentSessionKind",
    "PaymentSessionStatus",
    "PaymentStatusSummary",
    "PaymentVoid",
    "RefundReason",
]


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
