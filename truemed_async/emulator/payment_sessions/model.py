"""What a payment session is. All money is in integer cents."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import attrs

STATUSES: Final = (
    "pending",
    "processing",
    "captured",
    "rejected",
    "canceled",
    "authorized",
    "authorization_voided",
    "authorization_expired",
)
KINDS: Final = ("one_time_payment", "authorization")
REASONS: Final = ("customer_request", "fraudulent", "duplicate_payment")

# Truemed publishes `Incomplete`, `Authorized`, `Captured`, `Partially Captured` and `Refunded`; in use were seen
# `Partially Refunded`, `Disputed`, `Voided`, `Expired`, `Canceled` and `Processing`. `Rejected`, and which status has
# which summary, is a guess.
_SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pending": "Incomplete",
        "processing": "Processing",
        "rejected": "Rejected",
        "canceled": "Canceled",
        "authorized": "Authorized",
        "authorization_voided": "Voided",
        "authorization_expired": "Expired",
    }
)
SUMMARIES: Final = (
    *_SUMMARIES.values(),
    "Captured",
    "Partially Captured",
    "Refunded",
    "Partially Refunded",
    "Disputed",
)

# What Truemed replaces in the URLs of a session: exactly this, without blanks.
_ID_IN_URL: Final = "{{payment_session_id}}"


def itemized(amount_details: Mapping[str, Any] | None) -> int:
    """Return what the charges and discounts of an order or an item add to it.

    Discounts lower the sum whichever sign they have: Truemed's worked example subtracts them, its formula adds them.
    """
    details = amount_details or {}
    charges: int = details.get("total_additional_charges", 0)
    discounts: int = details.get("total_discounts", 0)
    return charges - abs(discounts)


@attrs.frozen(kw_only=True)
class LineItem:
    """One line of the cart; `price` is that of one unit, `amount_details` is as it was given."""

    item_id: str
    name: str
    price: int
    quantity: int
    sku: str | None = None
    amount_details: dict[str, Any] | None = None

    @property
    def total(self) -> int:
        """What the line costs, with its own charges and discounts."""
        return self.quantity * self.price + itemized(self.amount_details)


@attrs.frozen(kw_only=True)
class Refund:
    """Money that went back; Truemed does not say what an element of `item_details` holds: it is kept as given."""

    refund_id: str
    amount: int
    reason: str
    created_at: datetime
    item_details: list[dict[str, Any]] | None = None


@attrs.frozen(kw_only=True)
class PaymentSession:
    """One payment session: what it was created with, then what has become of it.

    Datetimes are aware, in UTC, with whole milliseconds. `hold_expires_at` is when an authorization ends unless it is
    captured; `renewable` is whether the bank would then authorize it once more.
    """

    id: str
    created_at: datetime
    total_amount: int
    status: str = "pending"
    kind: str = "one_time_payment"
    order_items: tuple[LineItem, ...] = ()
    amount_details: dict[str, Any] | None = None
    success_url: str | None = None
    failure_url: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    customer_state: str | None = None
    metadata: str | None = None
    order_id: str | None = None
    tokenize: bool = False
    payment_token: str | None = None
    display_next_bill_info: dict[str, Any] | None = None
    use_iframe: bool = False

    authorized_on: datetime | None = None
    captured_on: datetime | None = None
    capture_amount: int | None = None
    capture_id: str | None = None
    void_id: str | None = None
    hold_expires_at: datetime | None = None
    renewable: bool = False
    refunds: tuple[Refund, ...] = ()
    disputed: bool = False

    @property
    def items_total(self) -> int:
        """What the lines cost together."""
        return sum(item.total for item in self.order_items)

    @property
    def refund_amount(self) -> int:
        """What went back."""
        return sum(refund.amount for refund in self.refunds)

    @property
    def refundable(self) -> int:
        """What can still go back: nothing before the capture."""
        return (self.capture_amount or 0) - self.refund_amount

    @property
    def status_summary(self) -> str:
        """The state in Truemed's words, refunds and disputes included."""
        if self.status != "captured":
            return _SUMMARIES.get(self.status, "Incomplete")
        if self.disputed:
            return "Disputed"
        if self.refunds:
            return "Partially Refunded" if self.refundable else "Refunded"
        return "Captured" if self.capture_amount == self.total_amount else "Partially Captured"

    def url(self, *, success: bool) -> str | None:
        """Return where the customer goes back to, with the id where Truemed puts it."""
        url = self.success_url if success else self.failure_url
        return url and url.replace(_ID_IN_URL, self.id)


@attrs.frozen
class Filters:
    """What a listing is narrowed by: `search` (case-folded) in id, e-mail and name."""

    search: str

    def match(self, session: PaymentSession) -> bool:
        """Tell whether the session belongs in the listing."""
        fields = (session.id, session.customer_email, session.customer_name)
        return any(field is not None and self.search in field.casefold() for field in fields)
