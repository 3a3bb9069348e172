"""The two endpoints about reconciliations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from truemed_async.emulator.call import Call
from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.kinds import Anything, Choice, Day, Flag, Integer, Many, Members, Nullable, Text
from truemed_async.emulator.listing import MOMENT, PAGING, listed, listing
from truemed_async.emulator.reconciliations.model import TYPES, Payout, PayoutFilters, Transaction, TransactionFilters
from truemed_async.emulator.route import Listing, Parameter, Route

if TYPE_CHECKING:
    from truemed_async.emulator.state import State

_TRANSACTION: Final = Members(
    {
        "transaction_id": Text(),
        "type": Choice(TYPES),
        "amount": Integer(),
        "payout_id": Nullable(Text()),
        "payment_session_id": Nullable(Text()),
        "created_at": MOMENT,
    }
)
_PAYOUT: Final = Members(
    {"payout_id": Text(), "arrival_date": Anything({"type": "string", "format": "date"}), "amount": Integer()}
)
_DAYS: Mapping[str, Parameter] = {
    "start_date": Parameter(Day(), required=True),
    "end_date": Parameter(Day(), required=True),
}


def list_payouts(state: State, call: Call) -> object:
    """GET /api/v1/reconciliation/payouts."""
    filters = PayoutFilters(call.query["start_date"], call.query["end_date"])
    return listed(state, state.payouts, call, "payouts", _shown_payout, filters)


def list_transactions(state: State, call: Call) -> object:
    """GET /api/v1/reconciliation/transactions."""
    ids: list[str] | None = call.query["payout_ids"]
    filters = TransactionFilters(
        start=call.query["start_date"],
        end=call.query["end_date"],
        payout_ids=None if ids is None else frozenset(ids),
        pending=call.query["include_pending_payouts"],
    )
    return listed(state, state.transactions, call, "transactions", _shown_transaction, filters)


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
        query={**_DAYS, **PAGING},
        answer=listing("payouts", _PAYOUT),
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
            **PAGING,
            "payout_ids": Parameter(Many(Text())),
            "include_pending_payouts": Parameter(Flag(), default=True),
        },
        answer=listing("transactions", _TRANSACTION),
        listing=Listing("transactions", "transactions", "transaction_id"),
    ),
)
