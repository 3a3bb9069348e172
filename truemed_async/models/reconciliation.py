"""Reconciliations: what Truemed paid out, and the transactions that each payout is made of.

Truemed's guide says what the rows are about, and names few of their fields. Those are fields here; everything else
that an answer holds is in ``extra``. The properties look there under names that are guesses, and say so: they return
``None`` where the name or the kind of value is another one, and never convert.
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

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=\Z|[Tt ])")


class TransactionType(OpenEnum):
    """What a transaction is. Truemed says what there is but shows no literal, so these spellings are guesses.

    Whatever comes survives as it is, and the properties know it by the word that it contains.
    """

    CHARGE = "charge"
    """A payment of a shopper."""
    REFUND = "refund"
    """Money returned to a shopper."""
    FEE = "truemed_fee"
    """Truemed's fee, or a part of it that was returned."""
    DISPUTE = "dispute"
    """A payment that the shopper's bank has called back, or its outcome."""

    @property
    def is_charge(self) -> bool:
        """Whether it is a payment: its name says "charge" and none of the other three words."""
        return "charge" in self._folded and not (self.is_refund or self.is_fee or self.is_dispute)

    @property
    def is_refund(self) -> bool:
        """Whether it is a refund: its name says "refund", and not "fee" or "dispute"."""
        return "refund" in self._folded and not (self.is_fee or self.is_dispute)

    @property
    def is_fee(self) -> bool:
        """Whether it is Truemed's fee: its name says "fee", and not "dispute"."""
        return "fee" in self._folded and not self.is_dispute

    @property
    def is_dispute(self) -> bool:
        """Whether it is about a dispute: its name says "dispute" or "chargeback"."""
        return "dispute" in self._folded or "chargeback" in self._folded

    @property
    def _folded(self) -> str:
        return self._value_.casefold()


@attrs.frozen(kw_only=True)
class Payout(Model):
    """One payout to your bank account. Source: Truemed guide, "Reconciliations"; its reference page is not at hand.

    ``==`` compares ``extra`` as well, unlike other models: most of what makes two rows differ is there.

    Attributes:
        payout_id: Its id, in Stripe's style: ``"po_…"``.
    """

    payout_id: str
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def amount(self) -> int | None:
        """What was paid out, in cents. A guess: the guide speaks of an amount and gives neither name nor unit.

        ``None`` where the answer has no whole number under ``amount``; what it has instead is in ``extra``.
        """
        return _whole(self.extra.get("amount"))

    @property
    def arrival_date(self) -> date | None:
        """The day on which the money arrives, in UTC. A guess: the guide speaks of such a date and gives no name.

        ``None`` where the answer has no ``YYYY-MM-DD``, alone or before a time, under ``arrival_date``.
        """
        return _day(self.extra.get("arrival_date"))


@attrs.frozen(kw_only=True)
class Transaction(Model):
    """One charge, refund, fee or dispute. Source: Truemed guide, "Reconciliations"; "List Reconciliation Transactions".

    ``==`` compares ``extra`` as well, unlike other models: most of what makes two rows differ is there, and two charges
    of one checkout can be alike in all that has a name.

    Attributes:
        type: What it is.
        payout_id: The payout that it was paid with; ``None`` while it is not paid out.
    """

    type: TransactionType
    payout_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def transaction_id(self) -> str | None:
        """Its id: the text under ``transaction_id``, else under ``id``. A guess, ``None`` where there is neither."""
        return next(
            (found for name in ("transaction_id", "id") if isinstance(found := self.extra.get(name), str) and found),
            None,
        )

    @property
    def amount(self) -> int | None:
        """What it adds to its payout, in cents; refunds and fees are negative. A guess: name, unit and sign.

        ``None`` where the answer has no whole number under ``amount``; what it has instead is in ``extra``.
        """
        return _whole(self.extra.get("amount"))

    @property
    def created_on(self) -> date | None:
        """Its day, as Truemed gives it: the date, alone or before a time, under ``created_at``. A guess."""
        return _day(self.extra.get("created_at"))


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _day(value: object) -> date | None:
    """Return the day that a text begins with. Nothing is shifted: Truemed's reports give UTC days."""
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

    A transaction that is not paid out has no ``payout_id``; one that was paid out by a payout of other days has that id
    alone; a payout without transactions has a row of its own, without a ``type``. Days are UTC dates as Truemed gives
    them, and amounts are cents. ``extra`` holds the transaction's other fields, or the payout's where there is none.

    Attributes:
        listed_on: The day under which Truemed lists the transaction: what was asked for, and no guess.
        in_period: Whether that day is one of the days that were asked for; if not, a payout of those days paid it.
        type: What the transaction is.
        transaction_id: Its id, as :attr:`Transaction.transaction_id` finds it.
        amount_cents: What it adds to its payout, as :attr:`Transaction.amount` finds it.
        payout_id: The payout that it was paid with.
        payout_listed_on: The day under which Truemed lists that payout.
        payout_arrival_date: The day on which its money arrives, as :attr:`Payout.arrival_date` finds it.
        payout_amount_cents: Its amount, as :attr:`Payout.amount` finds it.
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
        """What tells the row from the others: an id, or a hash of all that it holds where no id is known."""
        if self.type is None:
            return f"payout:{self.payout_id}"
        if self.transaction_id is not None:
            return f"transaction:{self.transaction_id}"
        return f"row:{hashlib.sha256(orjson.dumps(self.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()}"

    @classmethod
    def of(
        cls, transaction: Transaction, listed_on: date, *, in_period: bool, paid: tuple[Payout, date] | None
    ) -> Self:
        """Join a transaction with its payout and the payout's day, if that is one of those that were asked for."""
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
    """What a payout is, and what its transactions add up to.

    Attributes:
        payout_id: The payout.
        listed_on: The day under which Truemed lists it.
        amount_cents: Its amount; ``None`` where the answer has none that can be read.
        transactions: How many transactions it has.
        transactions_cents: Their sum; ``None`` where one of them has no amount that can be read.
    """

    payout_id: str
    listed_on: date
    amount_cents: int | None
    transactions: int
    transactions_cents: int | None

    @property
    def difference_cents(self) -> int | None:
        """The payout less its transactions; ``None`` where either cannot be read."""
        if self.amount_cents is None or self.transactions_cents is None:
            return None
        return self.amount_cents - self.transactions_cents

    @property
    def agrees(self) -> bool:
        """Whether the two are known and the same."""
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
    """Whether payouts and transactions add up. ``str`` is the report for people, several lines of it.

    Attributes:
        payouts: Each payout of the days that were asked for, in the order of the days.
        by_type: What the transactions of those days add up to, in cents, by their type as it came.
        pending: How many transactions of those days are not paid out yet.
        pending_cents: Their sum.
        paid_elsewhere: How many transactions of those days belong to a payout of other days.
        paid_elsewhere_cents: Their sum.
        unreadable: How many transactions have no amount that can be read; they are in no sum.
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
        """The payouts that their transactions do not add up to, or of which that is not known."""
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
    """Adds up the rows of ``reconcile``, one after another, in memory that grows with the payouts only."""

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
        """Return what the rows so far add up to."""
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
