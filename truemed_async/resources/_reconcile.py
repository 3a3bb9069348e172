"""Joins payouts with their transactions, day by day.

A slice is one day: its rows fit into memory, days that are over do not change any more, and the day that was asked for
is known without a look into the row, whose fields no page names.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from typing import Self, TypeVar

import attrs

from truemed_async._core.bulk import fan_out
from truemed_async._core.pipeline import Clock
from truemed_async._core.stream import Stream
from truemed_async._warnings import warn
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Payout, ReconciliationRow, Transaction

K = TypeVar("K")
T = TypeVar("T")

# So many ids go into one query: a URL of some 2,000 characters passes everywhere.
_IDS = 50


@attrs.frozen(kw_only=True)
class DateRange:
    """The days that are wanted, both included, and how many before them may hold transactions of their payouts."""

    first: date
    last: date
    look_back: int

    @classmethod
    def of(cls, days: Mapping[str, str], look_back: object) -> Self:
        """Return the period between two checked days, and check how far to look back."""
        if not isinstance(look_back, timedelta) or look_back < timedelta(0):
            raise InvalidArgumentError("look_back must be a timedelta >= 0")
        first, last = (date.fromisoformat(days[name]) for name in ("start_date", "end_date"))
        return cls(first=first, last=last, look_back=look_back.days)

    def days(self) -> Iterator[date]:
        """Yield the days that are wanted."""
        return _days(self.first, self.last)

    def days_before(self) -> Iterator[date]:
        """Yield the days to look back on; they end where the calendar does."""
        before = min(self.look_back, self.first.toordinal() - 1)
        return _days(self.first - timedelta(days=before), self.first - timedelta(days=1)) if before else iter(())


def _days(first: date, last: date) -> Iterator[date]:
    return (date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1))


@attrs.frozen
class _DayQuery:
    """One day, of all transactions or of those of some payouts."""

    day: date
    payout_ids: tuple[str, ...] | None = None


async def join_payouts(
    period: DateRange,
    payouts_of: Callable[[date], Stream[Payout]],
    transactions_of: Callable[[date, tuple[str, ...] | None], Stream[Transaction]],
    *,
    clock: Clock,
    concurrency: int,
) -> AsyncGenerator[list[ReconciliationRow], None]:
    """Yield the rows of each day; at the end those of payouts without transactions."""
    _warn_of_open_days(period, clock)
    paid: dict[str, tuple[Payout, date]] = {}
    async with aclosing(_fetch_days(period.days(), payouts_of, concurrency)) as days:
        async for day, payouts in days:
            for payout in payouts:
                paid.setdefault(payout.payout_id, (payout, day))

    seen: set[str] = set()
    without = dict(paid)
    read = _fetch_days(
        _slices(period, list(paid)), lambda each: transactions_of(each.day, each.payout_ids), concurrency
    )
    async with aclosing(read) as slices:
        async for each, transactions in slices:
            rows: list[ReconciliationRow] = []
            for transaction in transactions:
                if transaction.transaction_id is not None:
                    if transaction.transaction_id in seen:
                        continue
                    seen.add(transaction.transaction_id)
                rows.append(
                    ReconciliationRow.of(
                        transaction,
                        each.day,
                        in_period=each.payout_ids is None,
                        paid=paid.get(transaction.payout_id or ""),
                    )
                )
                without.pop(transaction.payout_id or "", None)
            yield rows
    yield [ReconciliationRow.of_payout(payout, day) for payout, day in without.values()]


def _slices(period: DateRange, payout_ids: list[str]) -> Iterator[_DayQuery]:
    """Yield what is to be read: of days before the period only what its payouts have paid."""
    for day in period.days_before():
        for at in range(0, len(payout_ids), _IDS):
            yield _DayQuery(day, tuple(payout_ids[at : at + _IDS]))
    for day in period.days():
        yield _DayQuery(day)


async def _fetch_days(
    keys: Iterator[K], stream_of: Callable[[K], Stream[T]], concurrency: int
) -> AsyncGenerator[tuple[K, list[T]], None]:
    """Yield each key with all that its stream holds, in the order of the keys, some of them read at once."""

    async def one(key: K) -> tuple[K, list[T]]:
        async with stream_of(key) as stream:
            return key, [item async for item in stream]

    async with aclosing(fan_out(keys, one, concurrency=concurrency, ordered=True)) as batches:
        async for batch in batches:
            for result in batch:
                yield result


def _warn_of_open_days(period: DateRange, clock: Clock) -> None:
    if period.last >= datetime.fromtimestamp(clock.wall(), UTC).date():
        warn("reconciliation: the last day is not over in UTC: its rows may still change")
