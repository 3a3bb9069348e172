"""Joins payouts with their transactions, one day per query.

The rows of one day fit into memory, past days no longer change, and the day of a row is the day of the query: the row's
own fields are undocumented.
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

# With 50 ids in one query, the URL has about 2,000 characters, which every server accepts.
_MAX_IDS_IN_QUERY = 50


@attrs.frozen(kw_only=True)
class DateRange:
    """The requested days, both inclusive, and how many days before them to search for transactions of their payouts."""

    first: date
    last: date
    look_back: int

    @classmethod
    def of(cls, days: Mapping[str, str], look_back: object) -> Self:
        """Return the range between two validated days, and validate how far to look back."""
        if not isinstance(look_back, timedelta) or look_back < timedelta(0):
            raise InvalidArgumentError("look_back must be a timedelta >= 0")
        first, last = (date.fromisoformat(days[name]) for name in ("start_date", "end_date"))
        return cls(first=first, last=last, look_back=look_back.days)

    def days(self) -> Iterator[date]:
        """Yield the requested days."""
        return _days(self.first, self.last)

    def days_before(self) -> Iterator[date]:
        """Yield the days before the requested ones, at most back to the first day of the calendar."""
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
    dates: DateRange,
    payouts_of: Callable[[date], Stream[Payout]],
    transactions_of: Callable[[date, tuple[str, ...] | None], Stream[Transaction]],
    *,
    clock: Clock,
    concurrency: int,
) -> AsyncGenerator[list[ReconciliationRow], None]:
    """Yield the rows of each day; at the end those of payouts without transactions."""
    _warn_of_open_days(dates, clock)
    paid: dict[str, tuple[Payout, date]] = {}
    async with aclosing(_fetch_days(dates.days(), payouts_of, concurrency)) as days:
        async for day, payouts in days:
            for payout in payouts:
                paid.setdefault(payout.payout_id, (payout, day))

    seen: set[str] = set()
    unmatched = dict(paid)
    queries = _day_queries(dates, list(paid))
    fetched = _fetch_days(queries, lambda query: transactions_of(query.day, query.payout_ids), concurrency)
    async with aclosing(fetched) as results:
        async for query, transactions in results:
            rows: list[ReconciliationRow] = []
            for transaction in transactions:
                if transaction.transaction_id is not None:
                    if transaction.transaction_id in seen:
                        continue
                    seen.add(transaction.transaction_id)
                rows.append(
                    ReconciliationRow.of(
                        transaction,
                        query.day,
                        in_period=query.payout_ids is None,
                        paid=paid.get(transaction.payout_id or ""),
                    )
                )
                unmatched.pop(transaction.payout_id or "", None)
            yield rows
    yield [ReconciliationRow.of_payout(payout, day) for payout, day in unmatched.values()]


def _day_queries(dates: DateRange, payout_ids: list[str]) -> Iterator[_DayQuery]:
    """Yield the queries: of the days before the range, only transactions of its payouts."""
    for day in dates.days_before():
        for at in range(0, len(payout_ids), _MAX_IDS_IN_QUERY):
            yield _DayQuery(day, tuple(payout_ids[at : at + _MAX_IDS_IN_QUERY]))
    for day in dates.days():
        yield _DayQuery(day)


async def _fetch_days(
    keys: Iterator[K], stream_of: Callable[[K], Stream[T]], concurrency: int
) -> AsyncGenerator[tuple[K, list[T]], None]:
    """Yield each key with all items of its stream, in the order of the keys, ``concurrency`` streams at a time."""

    async def one(key: K) -> tuple[K, list[T]]:
        async with stream_of(key) as stream:
            return key, [item async for item in stream]

    async with aclosing(fan_out(keys, one, concurrency=concurrency, ordered=True)) as batches:
        async for batch in batches:
            for result in batch:
                yield result


def _warn_of_open_days(dates: DateRange, clock: Clock) -> None:
    if dates.last >= datetime.fromtimestamp(clock.wall(), UTC).date():
        warn("reconciliation: the last day is not over in UTC: its rows may still change")
