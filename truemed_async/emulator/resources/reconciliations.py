"""Reconciliations: transactions, the payouts that settle them, and the two endpoints about them.

Of their fields Truemed's pages show ``type`` and ``payout_id`` only: the others are assumptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from truemed_async.emulator.entity import Entity, field
from truemed_async.emulator.routing import PAGE_PARAMS, QueryParameter, Routes, RowSource, page_schema
from truemed_async.emulator.schema import Array, Boolean, Date, DateTime, Enum, Integer, Nullable, String
from truemed_async.emulator.store import Core, Store, action

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

# Truemed documents that these four are covered, but not how they are spelled.
TYPES: Final = ("charge", "refund", "truemed_fee", "dispute")


@attrs.frozen(kw_only=True)
class EmulatedTransaction(Entity):
    """One charge, refund, fee or dispute; ``amount`` is in cents, negative if it reduces the payout."""

    transaction_id: str = field(String())
    type: str = field(Enum(TYPES), column=True)
    amount: int = field(Integer(), column=True)
    payout_id: str | None = field(Nullable(String()), column=True, default=None)
    payment_session_id: str | None = field(Nullable(String()), column=True, default=None)
    created_at: datetime = field(Nullable(DateTime()), column=True)

    @property
    def id(self) -> str:
        """The id, under the name that all rows share."""
        return self.transaction_id

    @property
    def status(self) -> str:
        """Whether it is paid out."""
        return "pending" if self.payout_id is None else "paid_out"


@attrs.frozen(kw_only=True)
class EmulatedPayout(Entity):
    """One transfer to the merchant's bank; ``amount`` is the sum of its transactions, in cents."""

    payout_id: str = field(String())
    arrival_date: date = field(Date(), column=True)
    amount: int = field(Integer(), column=True)
    created_at: datetime = field(column=True)

    @property
    def id(self) -> str:
        """The id, under the name that all rows share."""
        return self.payout_id

    @property
    def status(self) -> str:
        """Always the same: Truemed's payouts have none."""
        return "paid_out"


class TransactionStore(Store[EmulatedTransaction]):
    """Transactions and their life: ``pending`` → ``paid_out``. Captures, refunds and disputes add them."""

    name: ClassVar[str] = "transactions"
    entity = EmulatedTransaction
    id_field: ClassVar[str] = "transaction_id"
    prefix: ClassVar[str] = "txn_"

    def pending(self) -> Iterator[EmulatedTransaction]:
        """Yield the transactions that are not paid out, newest first."""
        return (row for row in self.rows if row.payout_id is None)

    def record_charge(self, payment_session_id: str, amount: int) -> None:
        """Add the charge of a captured payment and its fee; a free trial has neither."""
        if amount:
            self._record("charge", amount, payment_session_id)
        if fee(amount):
            self._record("truemed_fee", -fee(amount), payment_session_id)

    def record_refund(self, payment_session_id: str, amount: int, *, refunded_before: int = 0) -> None:
        """Add a refund of so many cents, and the half of the fee that it gives back."""
        self._record("refund", -amount, payment_session_id)
        # Several partial refunds give back as much as one of their sum.
        returned = returned_fee(refunded_before + amount) - returned_fee(refunded_before)
        if returned:
            self._record("truemed_fee", returned, payment_session_id)

    def record_dispute(self, payment_session_id: str, amount: int) -> None:
        """Add the cents that the bank takes back, if any were not refunded."""
        if amount:
            self._record("dispute", -amount, payment_session_id)

    def _record(self, type: str, amount: int, payment_session_id: str) -> None:
        self.add(type=type, amount=amount, payment_session_id=payment_session_id)


class PayoutStore(Store[EmulatedPayout]):
    """Payouts: each settles the pending transactions."""

    name: ClassVar[str] = "payouts"
    entity = EmulatedPayout
    id_field: ClassVar[str] = "payout_id"
    prefix: ClassVar[str] = "po_"

    def __init__(self, core: Core, transactions: TransactionStore) -> None:
        """Begin empty; ``transactions`` are what is paid out."""
        super().__init__(core)
        self._transactions = transactions

    @action(on_row=False)
    def pay_out(self, *, payout_id: str | None = None, arrival_date: date | None = None) -> str | None:
        """Settle all pending transactions with one payout, which arrives today by default; None if there are none."""
        with self.lock:
            pending = list(self._transactions.pending())
            return self._pay(pending, payout_id, arrival_date or self._core.clock.now().date())

    def pay_out_due(self, now: datetime) -> None:
        """Settle what is due: payouts are rolling, one for each day on which something is due."""
        with self.lock:
            due: dict[date, list[EmulatedTransaction]] = {}
            for row in self._transactions.pending():
                if settles_at(row.created_at) <= now:
                    due.setdefault(settles_at(row.created_at).date(), []).append(row)
            for day in sorted(due):
                self._pay(due[day], None, day)

    def due_moments(self) -> Iterator[datetime]:
        """Yield when the pending transactions are paid out."""
        for row in self._transactions.pending():
            yield settles_at(row.created_at)

    def _pay(self, pending: Sequence[EmulatedTransaction], payout_id: str | None, arrival_date: date) -> str | None:
        if not pending:
            return None
        id = self.add(
            payout_id=payout_id or self.new_id(),
            arrival_date=arrival_date,
            amount=sum(row.amount for row in pending),
        )
        for row in reversed(pending):
            self._transactions.run_transition("pay_out", row.id, partial(_settle, payout_id=id))
        return id


def fee(amount: int) -> int:
    """Return Truemed's fee on so many cents: 5 %, which is made up."""
    return amount // 20


def returned_fee(refunded: int) -> int:
    """Return what refunds of so many cents give back of the fee: half of it, Truemed's support page on refunds."""
    return fee(refunded) // 2


def settles_at(entered_at: datetime) -> datetime:
    """Return when a transaction is paid out: at noon (UTC), two days later.

    That payouts settle within about 48 hours is on Truemed's support pages; the hour is made up.
    """
    return (entered_at + timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)


def _settle(row: EmulatedTransaction, now: datetime, *, payout_id: str) -> EmulatedTransaction:
    del now
    return attrs.evolve(row, payout_id=payout_id)


@attrs.frozen
class _TransactionFilters:
    """The days (UTC, inclusive) of a transaction, its payouts, and whether it may have none."""

    start: date
    end: date
    payout_ids: frozenset[str] | None
    pending: bool

    def match(self, row: EmulatedTransaction) -> bool:
        return (
            self.start <= row.created_at.date() <= self.end
            and (self.payout_ids is None or row.payout_id in self.payout_ids)
            and (self.pending or row.payout_id is not None)
        )


@attrs.frozen
class _PayoutFilters:
    """The days of arrival, inclusive."""

    start: date
    end: date

    def match(self, row: EmulatedPayout) -> bool:
        return self.start <= row.arrival_date <= self.end


ROUTES: Final = Routes()

_DAYS: Final = MappingProxyType(
    {
        "start_date": QueryParameter(Date(), required=True),
        "end_date": QueryParameter(Date(), required=True),
    }
)


@ROUTES.route(
    "GET",
    "/api/v1/reconciliation/payouts",
    "reconciliations.list_payouts",
    query={**_DAYS, **PAGE_PARAMS},
    response=page_schema("payouts", EmulatedPayout.response_schema()),
    listing=RowSource("payouts", "payouts", "payout_id"),
)
def list_payouts(state: State, request: ReceivedRequest) -> object:
    """List Reconciliation Payouts."""
    filters = _PayoutFilters(request.query["start_date"], request.query["end_date"])
    return state.paginate(state.payouts, request, "payouts", filters)


@ROUTES.route(
    "GET",
    "/api/v1/reconciliation/transactions",
    "reconciliations.list_transactions",
    query={
        **_DAYS,
        **PAGE_PARAMS,
        "payout_ids": QueryParameter(Array(String())),
        "include_pending_payouts": QueryParameter(Boolean(), default=True),
    },
    response=page_schema("transactions", EmulatedTransaction.response_schema()),
    listing=RowSource("transactions", "transactions", "transaction_id"),
)
def list_transactions(state: State, request: ReceivedRequest) -> object:
    """List Reconciliation Transactions."""
    ids: list[str] | None = request.query["payout_ids"]
    filters = _TransactionFilters(
        start=request.query["start_date"],
        end=request.query["end_date"],
        payout_ids=None if ids is None else frozenset(ids),
        pending=request.query["include_pending_payouts"],
    )
    return state.paginate(state.transactions, request, "transactions", filters)
