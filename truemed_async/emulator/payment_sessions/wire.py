"""Payment sessions on the wire: what requests hold, and how answers show a session.

Truemed's page of the answer of a retrieval was not at hand whole: besides `status`, `status_summary` and
`amount_details` its members are those of its listing and webhooks. A guess; see docs/emulator.md.
"""

from collections.abc import Mapping
from typing import Final

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.kinds import Choice, Flag, Integer, Kind, Many, Members, Nullable, Text
from truemed_async.emulator.listing import MOMENT
from truemed_async.emulator.payment_sessions.model import (
    KINDS,
    REASONS,
    STATUSES,
    SUMMARIES,
    LineItem,
    PaymentSession,
    Refund,
)

_OBJECT: Final = Members()
_KEY: Final = Text(shortest=1)

_AMOUNT_DETAILS: Final = Members(
    optional={
        "total_additional_charges": Integer(),
        "total_discounts": Integer(),
        "discounts_details": Many(_OBJECT),
        # The key of this list is a guess, by symmetry.
        "additional_charges_details": Many(_OBJECT),
    }
)
_ORDER_ITEM: Final = Members(
    {"name": Text(), "price": Integer(0), "quantity": Integer(1)},
    {"sku": Text(), "amount_details": _AMOUNT_DETAILS},
)
ORDER_ITEMS: Final = Many(_ORDER_ITEM)

CREATE: Final = Members(
    {"total_amount": Integer(), "order_items": ORDER_ITEMS, "success_url": Text(shortest=1)},
    {
        "amount_details": _AMOUNT_DETAILS,
        "failure_url": Text(shortest=1),
        "idempotency_key": _KEY,
        "customer_email": Text(),
        "customer_name": Text(),
        "customer_state": Text(),
        "metadata": Text(),
        "kind": Choice(KINDS),
        "tokenize": Flag(),
        "payment_token": Text(shortest=1),
        "display_next_bill_info": _OBJECT,
        "use_iframe": Flag(),
        "order_id": Text(),
    },
)
CREATED: Final = Members({"id": Text(), "redirect_url": Text()})

CAPTURE: Final = Members({"total_amount": Integer()}, {"idempotency_key": _KEY})
# `MissingField` is among the errors of the page of void, and nothing else in its body could be missing.
VOID: Final = Members({"idempotency_key": _KEY})
MADE: Final = Members({"id": Text()})
# Nothing of the body of a cancellation is known.
CANCEL: Final = Members(optional={"idempotency_key": _KEY})
CANCELED: Final = Members({"id": Text(), "status": Choice(STATUSES)})

REFUND: Final = Members(
    {"amount": Integer(), "idempotency_key": _KEY, "payment_id": Text(), "reason": Choice(REASONS)},
    {"item_details": Nullable(Many(_OBJECT))},
)
REFUNDED: Final = Members({"refund_id": Text()})

_SHOWN_ITEM: Final = Members(
    {
        "item_id": Text(),
        "name": Text(),
        "price": Integer(),
        "quantity": Integer(),
        "sku": Nullable(Text()),
    },
    {
        "amount_details": _AMOUNT_DETAILS,
        "total_refundable": Integer(),
        "quantity_refundable": Integer(),
        "total_capturable": Integer(),
        "quantity_capturable": Integer(),
    },
)
_SHOWN_REFUND: Final = Members(
    {"refund_id": Text(), "amount": Integer(), "reason": Choice(REASONS), "created_at": MOMENT}
)
_ALWAYS: Mapping[str, Kind] = {
    "id": Text(),
    "status": Choice(STATUSES),
    "status_summary": Choice(SUMMARIES),
    "kind": Choice(KINDS),
    "total_amount": Integer(),
    "amount_details": Nullable(_AMOUNT_DETAILS),
    "authorize_amount": Nullable(Integer()),
    "capture_amount": Nullable(Integer()),
    "authorized_on": MOMENT,
    "captured_on": MOMENT,
    "created_at": MOMENT,
    "customer_email": Nullable(Text()),
    "customer_name": Nullable(Text()),
    "metadata": Nullable(Text()),
    "payment_token": Nullable(Text()),
}
SESSION: Final = Members({**_ALWAYS, "order_items": Many(_SHOWN_ITEM), "refunds": Many(_SHOWN_REFUND)})
ROW: Final = Members(_ALWAYS, {"order_items": Many(_SHOWN_ITEM), "refund_amount": Integer()})


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
