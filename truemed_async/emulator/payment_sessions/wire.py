"""Payment sessions on the wire: what requests hold, and how answers show a session.

Truemed's page of the answer of a retrieval was not at hand whole: besides `status`, `status_summary` and
`amount_details` its members are those of its listing and webhooks. A guess; see docs/emulator.md.
"""

from collections.abc import Mapping
from typing import Final

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.pagination import DATETIME
from truemed_async.emulator.payment_sessions.model import (
    KINDS,
    REASONS,
    STATUSES,
    SUMMARIES,
    LineItem,
    PaymentSession,
    Refund,
)
from truemed_async.emulator.schema import Array, Boolean, Enum, Integer, Nullable, Object, Schema, String

_OBJECT: Final = Object()
_KEY: Final = String(min_length=1)

_AMOUNT_DETAILS: Final = Object(
    optional={
        "total_additional_charges": Integer(),
        "total_discounts": Integer(),
        "discounts_details": Array(_OBJECT),
        # The key of this list is a guess, by symmetry.
        "additional_charges_details": Array(_OBJECT),
    }
)
_ORDER_ITEM: Final = Object(
    {"name": String(), "price": Integer(0), "quantity": Integer(1)},
    {"sku": String(), "amount_details": _AMOUNT_DETAILS},
)
ORDER_ITEMS: Final = Array(_ORDER_ITEM)

CREATE: Final = Object(
    {"total_amount": Integer(), "order_items": ORDER_ITEMS, "success_url": String(min_length=1)},
    {
        "amount_details": _AMOUNT_DETAILS,
        "failure_url": String(min_length=1),
        "idempotency_key": _KEY,
        "customer_email": String(),
        "customer_name": String(),
        "customer_state": String(),
        "metadata": String(),
        "kind": Enum(KINDS),
        "tokenize": Boolean(),
        "payment_token": String(min_length=1),
        "display_next_bill_info": _OBJECT,
        "use_iframe": Boolean(),
        "order_id": String(),
    },
)
CREATED: Final = Object({"id": String(), "redirect_url": String()})

CAPTURE: Final = Object({"total_amount": Integer()}, {"idempotency_key": _KEY})
# `MissingField` is among the errors of the page of void, and nothing else in its body could be missing.
VOID: Final = Object({"idempotency_key": _KEY})
MADE: Final = Object({"id": String()})
# Nothing of the body of a cancellation is known.
CANCEL: Final = Object(optional={"idempotency_key": _KEY})
CANCELED: Final = Object({"id": String(), "status": Enum(STATUSES)})

REFUND: Final = Object(
    {"amount": Integer(), "idempotency_key": _KEY, "payment_id": String(), "reason": Enum(REASONS)},
    {"item_details": Nullable(Array(_OBJECT))},
)
REFUNDED: Final = Object({"refund_id": String()})

_SHOWN_ITEM: Final = Object(
    {
        "item_id": String(),
        "name": String(),
        "price": Integer(),
        "quantity": Integer(),
        "sku": Nullable(String()),
    },
    {
        "amount_details": _AMOUNT_DETAILS,
        "total_refundable": Integer(),
        "quantity_refundable": Integer(),
        "total_capturable": Integer(),
        "quantity_capturable": Integer(),
    },
)
_SHOWN_REFUND: Final = Object(
    {"refund_id": String(), "amount": Integer(), "reason": Enum(REASONS), "created_at": DATETIME}
)
_ALWAYS: Mapping[str, Schema] = {
    "id": String(),
    "status": Enum(STATUSES),
    "status_summary": Enum(SUMMARIES),
    "kind": Enum(KINDS),
    "total_amount": Integer(),
    "amount_details": Nullable(_AMOUNT_DETAILS),
    "authorize_amount": Nullable(Integer()),
    "capture_amount": Nullable(Integer()),
    "authorized_on": DATETIME,
    "captured_on": DATETIME,
    "created_at": DATETIME,
    "customer_email": Nullable(String()),
    "customer_name": Nullable(String()),
    "metadata": Nullable(String()),
    "payment_token": Nullable(String()),
}
SESSION: Final = Object({**_ALWAYS, "order_items": Array(_SHOWN_ITEM), "refunds": Array(_SHOWN_REFUND)})
ROW: Final = Object(_ALWAYS, {"order_items": Array(_SHOWN_ITEM), "refund_amount": Integer()})


def shown(session: PaymentSession) -> dict[str, object]:
    """Return the whole session."""
    return {
        **_shown(session),
        "order_items": shown_items(session),
        "refunds": [_shown_refund(refund) for refund in session.refunds],
    }


def shown_row(session: PaymentSession, *, items: bool, refunds: bool) -> dict[str, object]:
    """Return the session as a listing has it: with its lines and the sum of its refunds only when that is asked for."""
    row = _shown(session)
    if items:
        row["order_items"] = shown_items(session)
    if refunds:
        row["refund_amount"] = session.refund_amount
    return row


def shown_items(session: PaymentSession) -> list[dict[str, object]]:
    """Return the lines as they are now."""
    return [_shown_item(session, item) for item in session.order_items]


def _shown(session: PaymentSession) -> dict[str, object]:
    return {
        "id": session.id,
        "status": session.status,
        "status_summary": session.status_summary,
        "kind": session.kind,
        "total_amount": session.total_amount,
        "amount_details": session.amount_details,
        "authorize_amount": session.total_amount if session.authorized_on else None,
        "capture_amount": session.capture_amount,
        "authorized_on": wire_datetime(session.authorized_on),
        "captured_on": wire_datetime(session.captured_on),
        "created_at": wire_datetime(session.created_at),
        "customer_email": session.customer_email,
        "customer_name": session.customer_name,
        "metadata": session.metadata,
        "payment_token": session.payment_token,
    }


def _shown_item(session: PaymentSession, item: LineItem) -> dict[str, object]:
    row: dict[str, object] = {
        "item_id": item.item_id,
        "name": item.name,
        "price": item.price,
        "quantity": item.quantity,
        "sku": item.sku,
    }
    if item.amount_details is not None:
        row["amount_details"] = item.amount_details
    # Which refund concerns which line Truemed does not say: a line is refundable as far as the payment is.
    if session.status == "captured":
        left = max(0, min(item.total, session.refundable))
        row |= {"total_refundable": left, "quantity_refundable": item.quantity if left else 0}
    if session.status == "authorized":
        left = max(0, min(item.total, session.total_amount))
        row |= {"total_capturable": left, "quantity_capturable": item.quantity}
    return row


def _shown_refund(refund: Refund) -> dict[str, object]:
    return {
        "refund_id": refund.refund_id,
        "amount": refund.amount,
        "reason": refund.reason,
        "created_at": wire_datetime(refund.created_at),
    }
