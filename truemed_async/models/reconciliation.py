"""Reconciliations: payouts and their transactions.

Truemed's guide describes the rows and names few of their fields. Those are fields here; everything else in a response
is in ``extra``. The properties read ``extra`` with assumed names: they return ``None`` if the name or the type of the
value differs, and never convert.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Self

import attrs
import orjson

from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum
from truemed_async.money import format_dollars

__all__ = [
    "Payout",
    "PayoutCheck",
    "ReconciliationCheck",
    "ReconciliationReport",
    "ReconciliationRow",
    "Transaction",
    "TransactionType",
]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=\Z|[Tt ])")


class TransactionType(OpenEnum):
    """The type of a transaction. Truemed describes the types without their values, so these spellings are assumed.

    Unknown values are kept, and the properties recognize a type by a word in it.
    """

    CHARGE = "charge"
    """A payment of a shopper."""
    REFUND = "refund"
    """Money returned to a shopper."""
    FEE = "truemed_fee"
    """Truemed's fee, or a part of it that was returned."""
    DISPUTE = "dispute"
    """A payment that the shopper's bank disputes, or the result of the dispute."""

    @property
    def is_charge(self) -> bool:
        """Whether it is a payment: it contains "charge" and none of the other three words."""
        return "charge" in self._folded and not (self.is_refund or self.is_fee or self.is_dispute)

    @property
    def is_refund(self) -> bool:
        """Whether it is a refund: it contains "refund", but not "fee" or "dispute"."""
        return "refund" in self._folded and not (self.is_fee or self.is_dispute)

    @property
    def is_fee(self) -> bool:
        """Whether it is Truemed's fee: it contains "fee", but not "dispute"."""
        return "fee" in self._folded and not self.is_dispute

    @property
    def is_dispute(self) -> bool:
        """Whether it belongs to a dispute: it contains "dispute" or "chargeback"."""
        return "dispute" in self._folded or "chargeback" in self._folded

    @property
    def _folded(self) -> str:
        return self._value_.casefold()


@attrs.frozen(kw_only=True)
class Payout(Model):
    """One payout to your bank account. Source: Truemed guide, "Reconciliations"; its reference page is not known.

    ``==`` also compares ``extra``, unlike other models: most differences between two rows are there.

    Attributes:
        payout_id: Its id, in Stripe's style: ``"po_…"``.
    """

    payout_id: str
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def amount(self) -> int | None:
        """The amount, in cents. Name and unit are assumed: the guide mentions an amount without them.

        ``None`` if the response has no integer under ``amount``; see ``extra``.
        """
        return _int_or_none(self.extra.get("amount"))

    @property
    def arrival_date(self) -> date | None:
        """The day on which the payout arrives, in UTC. The name is assumed: the guide mentions such a date without it.

        ``None`` if ``arrival_date`` does not begin with a date as ``YYYY-MM-DD``.
        """
        return _date_or_none(self.extra.get("arrival_date"))


@attrs.frozen(kw_only=True)
class Transaction(Model):
    """One charge, refund, fee or dispute. Source: Truemed guide, "Reconciliations"; "List Reconciliation Transactions".

    ``==`` also compares ``extra``, unlike other models: most differences between two rows are there, and two charges of
    one checkout can have the same values in all named fields.

    Attributes:
        type: Its type.
        payout_id: The payout that contains it; ``None`` until it is paid out.
    """

    type: TransactionType
    payout_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def transaction_id(self) -> str | None:
        """Its id: the text or whole number under ``transaction_id`` or else ``id``, or ``None``. The names are assumed."""
        values = (self.extra.get(name) for name in ("transaction_id", "id"))
        return next((str(value) for value in values if type(value) in (str, int) and value != ""), None)

    @property
    def amount(self) -> int | None:
        """Its contribution to its payout, in cents; refunds and fees are negative. Name, unit and sign are assumed.

        ``None`` if the response has no integer under ``amount``; see ``extra``.
        """
        return _int_or_none(self.extra.get("amount"))

    @property
    def created_on(self) -> date | None:
        """Its day: the date with which ``created_at`` begins. The name is assumed."""
        return _date_or_none(self.extra.get("created_at"))


def _int_or_none(value: object) -> int | None:
    return value if type(value) is int else None


def _date_or_none(value: object) -> date | None:
    """Return the date with which a text begins, without conversion: Truemed's reports use UTC days."""
    if not isinstance(value, str):
        return None
    found = _DAY.match(value)
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None


@attrs.frozen(kw_only=True)
class ReconciliationRow(Model):
    """One transaction with its payout: a row of the full outer join of the two lists.

    A transaction that is not paid out has no ``payout_id``. One that a payout of other days contains has only that id.
    A payout without transactions has its own row, without a ``type``. Days are UTC dates as sent by Truemed, and
    amounts are cents. ``extra`` holds the other fields of the transaction, or of the payout if there is no transaction.

    Attributes:
        listed_on: The day under which Truemed lists the transaction: the requested day.
        in_period: Whether that day is in the requested period; if not, a payout of the period contains the transaction.
        type: The type of the transaction.
        transaction_id: Its id: :attr:`Transaction.transaction_id`.
        amount_cents: Its contribution to its payout: :attr:`Transaction.amount`.
        payout_id: The payout that contains it.
        payout_listed_on: The day under which Truemed lists that payout.
        payout_arrival_date: The day on which the payout arrives: :attr:`Payout.arrival_date`.
        payout_amount_cents: The amount of the payout: :attr:`Payout.amount`.
    """

    listed_on: date | None = None
    in_period: bool = True
    type: TransactionType | None = None
    transaction_id: str | None = None
    amount_cents: int | None = None
    payout_id: str | None = None
    payout_listed_on: date | None = None
    payout_arrival_date: date | None = None
    payout_amount_cents: int | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def key(self) -> str:
        """A string that identifies the row: its id, or a hash of all its values if it has no id."""
        if self.type is None:
            return f"payout:{self.payout_id}"
        if self.transaction_id is not None:
            return f"transaction:{self.transaction_id}"
        return f"row:{hashlib.sha256(orjson.dumps(self.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()}"

    @classmethod
    def of(
        cls, transaction: Transaction, listed_on: date, *, in_period: bool, paid: tuple[Payout, date] | None
    ) -> Self:
        """Join a transaction with its payout and the payout's day, if that day is in the requested period."""
        payout, paid_on = paid or (None, None)
        return cls(
            listed_on=listed_on,
            in_period=in_period,
            type=transaction.type,
            transaction_id=transaction.transaction_id,
            amount_cents=transaction.amount,
            payout_id=transaction.payout_id,
            payout_listed_on=paid_on,
            payout_arrival_date=None if payout is None else payout.arrival_date,
            payout_amount_cents=None if payout is None else payout.amount,
            extra=transaction.extra,
        )

    @classmethod
    def of_payout(cls, payout: Payout, listed_on: date) -> Self:
        """Return the row of a payout without transactions."""
        return cls(
            payout_id=payout.payout_id,
            payout_listed_on=listed_on,
            payout_arrival_date=payout.arrival_date,
            payout_amount_cents=payout.amount,
            extra=payout.extra,
        )


@attrs.frozen(kw_only=True)
class PayoutCheck:
    """A payout compared with the sum of its transactions.

    Attributes:
        payout_id: The payout.
        listed_on: The day under which Truemed lists it.
        amount_cents: Its amount; ``None`` if it cannot be read.
        transactions: The number of its transactions.
        transactions_cents: Their sum; ``None`` if the amount of one of them cannot be read.
    """

    payout_id: str
    listed_on: date
    amount_cents: int | None
    transactions: int
    transactions_cents: int | None

    @property
    def difference_cents(self) -> int | None:
        """The payout minus its transactions; ``None`` if either cannot be read."""
        if self.amount_cents is None or self.transactions_cents is None:
            return None
        return self.amount_cents - self.transactions_cents

    @property
    def agrees(self) -> bool:
        """Whether both are known and equal."""
        return self.difference_cents == 0

    def __str__(self) -> str:
        if self.difference_cents is not None:
            return (
                f"payout {self.payout_id} of {self.listed_on}: {format_dollars(self.amount_cents)}, its transactions "
                f"({self.transactions:,}) {format_dollars(self.transactions_cents)}, difference {format_dollars(self.difference_cents)}"
            )
        whose = "its" if self.amount_cents is None else "a transaction's"
        return f"payout {self.payout_id} of {self.listed_on}: {whose} amount cannot be read, so nothing is known"


@attrs.frozen(kw_only=True)
class ReconciliationReport:
    """Whether payouts and transactions add up. ``str`` returns a readable report of several lines.

    Attributes:
        payouts: Each payout of the requested days, in the order of the days.
        by_type: The sum of the transactions of those days, in cents, by type.
        pending: The number of transactions of those days that are not paid out yet.
        pending_cents: Their sum.
        paid_elsewhere: The number of transactions of those days that a payout of other days contains.
        paid_elsewhere_cents: Their sum.
        unreadable: The number of transactions whose amount cannot be read; no sum includes them.
    """

    payouts: Sequence[PayoutCheck]
    by_type: Mapping[str, int]
    pending: int
    pending_cents: int
    paid_elsewhere: int
    paid_elsewhere_cents: int
    unreadable: int

    @property
    def mismatches(self) -> Sequence[PayoutCheck]:
        """The payouts that differ from the sum of their transactions, or for which that is unknown."""
        return [payout for payout in self.payouts if not payout.agrees]

    @property
    def agrees(self) -> bool:
        """Whether every payout is the sum of its transactions, and every amount could be read."""
        return not self.mismatches and not self.unreadable

    def __str__(self) -> str:
        paid = sum(payout.amount_cents or 0 for payout in self.payouts)
        lines = [f"payouts: {len(self.payouts):,}, {format_dollars(paid)}; {len(self.mismatches):,} do not add up"]
        lines += [f"  {payout}" for payout in self.mismatches]
        lines += [f"{type}: {format_dollars(cents)}" for type, cents in self.by_type.items()]
        lines += [f"not paid out yet: {self.pending:,}, {format_dollars(self.pending_cents)}"]
        lines += [f"paid out on other days: {self.paid_elsewhere:,}, {format_dollars(self.paid_elsewhere_cents)}"]
        if self.unreadable:
            lines += [f"without an amount that can be read, and in no sum: {self.unreadable:,}"]
        return "\n".join(lines)


class ReconciliationCheck:
    """Adds up the rows of ``reconcile`` one by one; memory grows only with the number of payouts."""

    __slots__ = ("_amounts", "_by_type", "_counts", "_days", "_elsewhere", "_pending", "_sums", "_unreadable")

    def __init__(self) -> None:
        self._days: dict[str, date] = {}
        self._amounts: dict[str, int | None] = {}
        self._counts: Counter[str] = Counter()
        self._sums: dict[str, int | None] = {}
        self._by_type: Counter[str] = Counter()
        self._pending: list[int] = [0, 0]
        self._elsewhere: list[int] = [0, 0]
        self._unreadable = 0

    @classmethod
    def of(cls, rows: Iterable[ReconciliationRow]) -> ReconciliationReport:
        """Add up all rows at once."""
        check = cls()
        for row in rows:
            check.add(row)
        return check.report()

    def add(self, row: ReconciliationRow) -> None:
        """Add up one more row."""
        if row.payout_id is not None and row.payout_listed_on is not None:
            self._add_to_payout(row.payout_id, row.payout_listed_on, row)
        if row.type is None:
            return
        self._unreadable += row.amount_cents is None
        if row.in_period:
            self._by_type[row.type] += row.amount_cents or 0
            if row.payout_id is None:
                _add(self._pending, row)
            elif row.payout_listed_on is None:
                _add(self._elsewhere, row)

    def _add_to_payout(self, payout_id: str, listed_on: date, row: ReconciliationRow) -> None:
        self._days[payout_id] = listed_on
        self._amounts[payout_id] = row.payout_amount_cents
        so_far = self._sums.setdefault(payout_id, 0)
        if row.type is not None:
            self._counts[payout_id] += 1
            known = so_far is not None and row.amount_cents is not None
            self._sums[payout_id] = (so_far or 0) + (row.amount_cents or 0) if known else None

    def report(self) -> ReconciliationReport:
        """Return the report for the rows added so far."""
        return ReconciliationReport(
            payouts=tuple(
                PayoutCheck(
                    payout_id=payout_id,
                    listed_on=day,
                    amount_cents=self._amounts[payout_id],
                    transactions=self._counts[payout_id],
                    transactions_cents=self._sums[payout_id],
                )
                for payout_id, day in sorted(self._days.items(), key=lambda item: item[1])
            ),
            by_type=dict(self._by_type),
            pending=self._pending[0],
            pending_cents=self._pending[1],
            paid_elsewhere=self._elsewhere[0],
            paid_elsewhere_cents=self._elsewhere[1],
            unreadable=self._unreadable,
        )


def _add(count_and_sum: list[int], row: ReconciliationRow) -> None:
    count_and_sum[0] += 1
    count_and_sum[1] += row.amount_cents or 0
