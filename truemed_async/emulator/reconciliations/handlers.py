"""The two endpoints about reconciliations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.pagination import DATETIME, page_schema, paginate
from truemed_async.emulator.reconciliations.model import TYPES, Payout, PayoutFilters, Transaction, TransactionFilters
from truemed_async.emulator.request import Request
from truemed_async.emulator.routing import PAGE_PARAMS, Listing, Parameter, Route
from truemed_async.emulator.schema import Array, Boolean, Date, Enum, Integer, Nullable, Object, String

if TYPE_CHECKING:
    from truemed_async.emulator.state import State

_TRANSACTION: Final = Object(
    {
        "transaction_id": String(),
        "type": Enum(TYPES),
        "amount": Integer(),
        "payout_id": Nullable(String()),
        "payment_session_id": Nullable(String()),
        "created_at": DATETIME,
    }
)
_PAYOUT: Final = Object({"payout_id": String(), "arrival_date": Date(), "amount": Integer()})
_DAYS: Mapping[str, Parameter] = {
    "start_date": Parameter(Date(), required=True),
    "end_date": Parameter(Date(), required=True),
}


def list_payouts(state: State, request: Request) -> object:
    """GET /api/v1/reconciliation/payouts."""
    filters = PayoutFilters(request.query["start_date"], request.query["end_date"])
    return paginate(state, state.payouts, request, "payouts", _shown_payout, filters)


def list_transactions(state: State, request: Request) -> object:
    """GET /api/v1/reconciliation/transactions."""
    ids: list[str] | None = request.query["payout_ids"]
    filters = TransactionFilters(
        start=request.query["start_date"],
        end=request.query["end_date"],
        payout_ids=None if ids is None else frozenset(ids),
        pending=request.query["include_pending_payouts"],
    )
    return paginate(state, state.transactions, request, "transactions", _shown_transaction, filters)


def _shown_payout(payout: Payout) -> dict[str, object]:
    return {"payout_id": payout.payout_id, "arrival_date": payout.arrival_date.isoformat(), "amount": payout.amount}


def _shown_transaction(row: Transaction) -> dict[str, object]:
    return {
        "transaction_id": row.transaction_id,
        "type": row.type,
        "amount": row.amount,
        "payout_id": row.payout_id,
        "payment_session_id": row.payment_session_id,
        "created_at": wire_datetime(row.created_at),
    }


ROUTES: Final = (
    Route(
        name="reconciliations.list_payouts",
        method="GET",
        path="/api/v1/reconciliation/payouts",
        handler=list_payouts,
        summary="List Reconciliation Payouts",
        query={**_DAYS, **PAGE_PARAMS},
        response=page_schema("payouts", _PAYOUT),
        listing=Listing("payouts", "payouts", "payout_id"),
    ),
    Route(
        name="reconciliations.list_transactions",
        method="GET",
        path="/api/v1/reconciliation/transactions",
        handler=list_transactions,
        summary="List Reconciliation Transactions",
        query={
            **_DAYS,
            **PAGE_PARAMS,
            "payout_ids": Parameter(Array(String())),
            "include_pending_payouts": Parameter(Boolean(), default=True),
        },
        response=page_schema("transactions", _TRANSACTION),
        listing=Listing("transactions", "transactions", "transaction_id"),
    ),
)
