"""The endpoints about payment sessions, but for those that take or give back money."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from truemed_async.emulator.pagination import paginate
from truemed_async.emulator.payment_sessions.model import Filters, LineItem, PaymentSession, itemized
from truemed_async.emulator.payment_sessions.wire import shown, shown_row
from truemed_async.emulator.payment_tokens.handlers import existing
from truemed_async.emulator.request import ApiError, Request, hosted_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

# What is kept of a request as it is.
_KEPT = (
    "total_amount",
    "amount_details",
    "success_url",
    "failure_url",
    "customer_email",
    "customer_name",
    "customer_state",
    "metadata",
    "order_id",
    "kind",
    "tokenize",
    "payment_token",
    "display_next_bill_info",
    "use_iframe",
)


def create_session(state: State, request: Request) -> object:
    """POST /payments/v1/create_payment_session."""

    def create() -> Mapping[str, object] | ApiError:
        items = [_line(item) for item in request.body["order_items"]]
        _require_total(request.body, items)
        fields = {name: request.body[name] for name in _KEPT if name in request.body}
        if "payment_token" in fields:
            existing(state, fields["payment_token"])
        id = state.payment_sessions.add(**fields, order_items=items)
        if "payment_token" in fields:
            failure = state.payment_sessions.charge_token(id)
            if failure is not None:
                # The names beside redirect_url are a guess. What is created stays: the customer may still mend it.
                more = {"redirect_url": hosted_url(request.origin, "payment_tokens", fields["payment_token"])}
                return ApiError(422, failure, "the stored payment method cannot be charged", more=more)
        return {"id": id, "redirect_url": hosted_url(request.origin, "payment_sessions", id)}

    return state.replays.once("payment_sessions.create", "", request.body, create)


def get_session(state: State, request: Request) -> object:
    """GET /payments/v1/payment_session/{payment_session_id}."""
    try:
        session = state.payment_sessions.get(request.params["payment_session_id"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such payment session") from None
    return shown(session)


def list_sessions(state: State, request: Request) -> object:
    """GET /payments/v1/payment_sessions."""
    items, refunds = request.query["include_order_items"], request.query["summarize_refunds"]
    search = (request.query["search"] or "").casefold()

    def show(session: PaymentSession) -> object:
        return shown_row(session, items=items, refunds=refunds)

    return paginate(
        state, state.payment_sessions, request, "payment_sessions", show, Filters(search) if search else None
    )


def _line(item: Mapping[str, Any]) -> LineItem:
    return LineItem(
        item_id=str(uuid.uuid4()),
        name=item["name"],
        price=item["price"],
        quantity=item["quantity"],
        sku=item.get("sku"),
        amount_details=item.get("amount_details"),
    )


def _require_total(body: Mapping[str, Any], items: list[LineItem]) -> None:
    """Raise the `ApiError` of a total that cannot be: the literal of its `error` is that of a capture, a guess here."""
    total: int = body["total_amount"]
    if total < 0:
        raise ApiError(400, "TotalAmountInvalid", "total_amount cannot be negative")
    if total == 0 and not (body.get("tokenize") and "display_next_bill_info" in body):
        raise ApiError(
            400, "TotalAmountInvalid", "total_amount is 0 only for a free trial: tokenize and display_next_bill_info"
        )
    # An order that itemizes nothing may have shipping and tax in its total alone, as older ones do.
    itemizes = "amount_details" in body or any(item.amount_details is not None for item in items)
    if itemizes and total != itemized(body.get("amount_details")) + sum(item.total for item in items):
        raise ApiError(400, "TotalAmountInvalid", "total_amount must be the sum of order_items and amount_details")
