"""Summaries of listings, counted while they are read: only the counts are held in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Generic, TypeVar, overload

import attrs

from truemed_async._core.stream import Stream
from truemed_async.exports.columns import RowType, to_utc
from truemed_async.exports.consumer import SyncBatches, consume, resolve_row_type, source_of
from truemed_async.models import Model

M = TypeVar("M", bound=Model)

EXPIRY_DAYS = (30, 60, 90)


@attrs.frozen(kw_only=True)
class ListingSummary:
    """The rows of a listing in numbers. It holds nothing personal.

    Attributes:
        as_of: The time from which expiry is counted, in UTC.
        rows: The number of rows.
        statuses: The number of rows of each status, the most frequent first: for catalog items by eligibility, for
            transactions by type. Empty for rows that have none of these.
        days: The number of rows of each status that were created on each day in UTC, the earliest day first; rows that
            have no status are under ``"all"``. Days without rows, and rows without ``created_at``, are left out.
        expiring: The number of approved Letters of Medical Necessity that expire within 30, 60 and 90 days of
            ``as_of``. Each number includes those before it, and none includes expired Letters. Empty for rows that
            have no Letters.
    """

    as_of: datetime
    rows: int
    statuses: Mapping[str, int]
    days: Mapping[date, Mapping[str, int]]
    expiring: Mapping[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data: days as ``YYYY-MM-DD``, all keys as strings."""
        return {
            "as_of": self.as_of.isoformat(),
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "days": {day.isoformat(): dict(statuses) for day, statuses in self.days.items()},
            "expiring_within_days": {str(within): number for within, number in self.expiring.items()},
        }


@overload
def summarize(stream: Stream[M], *, row_type: RowType[M] | None = None) -> Coroutine[Any, Any, ListingSummary]: ...
@overload
def summarize(stream: SyncBatches[M], *, row_type: RowType[M] | None = None) -> ListingSummary: ...
def summarize(
    stream: Stream[M] | SyncBatches[M], *, row_type: RowType[M] | None = None
) -> ListingSummary | Coroutine[Any, Any, ListingSummary]:
    """Read every row of a listing and count the rows.

    Awaited with a stream of :class:`~truemed_async.AsyncTruemed`, a plain call with one of
    :class:`~truemed_async.Truemed`::

        summary = await summarize(client.qualification_sessions.iter(status="approved"))

    Args:
        stream: The rows, such as ``client.qualification_sessions.iter()``.
        row_type: The type of the rows, for streams that do not come from a listing of this library.

    Raises:
        InvalidArgumentError: The stream was refused; nothing was read.
        CallError: A page could not be read.
        PaginationDriftError: Rows may be missing.
    """
    source = source_of(stream)
    resolved: RowType[M] = resolve_row_type(source, row_type)
    return consume(stream, _Counter(resolved, _read_utc_clock if source is None else source.read_clock))


def _read_utc_clock() -> float:
    return datetime.now(UTC).timestamp()


class _Counter(Generic[M]):
    """Counts the rows of a stream."""

    def __init__(self, row_type: RowType[M], read_clock: Callable[[], float]) -> None:
        self._row_type = row_type
        self._read_clock = read_clock
        self._as_of = datetime.min.replace(tzinfo=UTC)
        self._rows = 0
        self._statuses: Counter[str] = Counter()
        self._days: defaultdict[date, Counter[str]] = defaultdict(Counter[str])
        self._expiring: Counter[int] = Counter()

    def open(self) -> None:
        self._as_of = datetime.fromtimestamp(self._read_clock(), UTC)

    def add(self, rows: Sequence[M]) -> None:
        row_type = self._row_type
        for row in rows:
            self._rows += 1
            status = "all" if row_type.status is None else str(getattr(row, row_type.status))
            if row_type.status is not None:
                self._statuses[status] += 1
            created: datetime | None = None if row_type.created_at is None else getattr(row, row_type.created_at)
            if created is not None:
                self._days[to_utc(created).date()][status] += 1
            if row_type.letter_expires_at is not None:
                self._add_letter(row_type.letter_expires_at(row))

    def _add_letter(self, expires_at: datetime | None) -> None:
        if expires_at is not None:
            left = expires_at - self._as_of
            self._expiring.update(days for days in EXPIRY_DAYS if timedelta(0) <= left < timedelta(days=days))

    def complete(self) -> ListingSummary:
        has_letters = self._row_type.letter_expires_at is not None
        return ListingSummary(
            as_of=self._as_of,
            rows=self._rows,
            statuses=dict(self._statuses.most_common()),
            days={day: dict(self._days[day].most_common()) for day in sorted(self._days)},
            expiring={days: self._expiring[days] for days in EXPIRY_DAYS} if has_letters else {},
        )

    def close(self) -> None:
        """Nothing is open."""
