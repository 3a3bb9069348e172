"""What has to be read so that a copy of a listing is current again: the plan of mirrors and of the dlt source.

Truemed has no list of changes. A run reads what is new since the last one, with a look-back, and gets each row again
that was not final. Everything else is only seen by a sweep, which reads the whole list: changes of final rows,
deletions of final rows, and rows without a time of creation. If so many rows are not final that getting them one by one
takes more requests than the whole list, the run becomes a sweep.

A row that the copy has and the list did not show is got by its id, so that only what Truemed answers with 404 is
removed, and not what a lagging machine has not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

import attrs

from truemed_async._core.bulk import Outcome
from truemed_async.errors import NotFoundError
from truemed_async.exports.columns import RowType
from truemed_async.models import Model

M = TypeVar("M", bound=Model)


@attrs.frozen(kw_only=True)
class ReadPlan:
    """What one run reads.

    Attributes:
        since: The time of creation from which the list is read; ``None`` for a sweep.
    """

    since: datetime | None

    @property
    def is_sweep(self) -> bool:
        """Whether the whole list is read, and every row that it does not show is got by its id."""
        return self.since is None


def plan_run(
    *, watermark: datetime | None, rows: int, unfinished: int, sweep: bool, page_size: int, now: float
) -> ReadPlan:
    """Decide what a run reads.

    Args:
        watermark: The newest time of creation up to which the list was read; ``None`` before the first complete run.
        rows: The number of rows of the copy.
        unfinished: How many of them are not final.
        sweep: Whether everything is to be read.
        page_size: The rows of a page.
        now: The time, in seconds since the epoch. A machine of Truemed may be ahead of it.
    """
    if sweep or watermark is None or unfinished > rows / page_size + 1:
        return ReadPlan(since=None)
    return ReadPlan(since=min(watermark, datetime.fromtimestamp(now, UTC)))


def latest_creation(row_type: RowType[M], rows: Iterable[M], watermark: datetime | None) -> datetime | None:
    """Return the latest time of creation of these rows and of those before them."""
    times = [] if row_type.created_at is None else [getattr(row, row_type.created_at) for row in rows]
    return max((time for time in (watermark, *times) if time is not None), default=None)


@attrs.frozen(kw_only=True)
class Reread(Generic[M]):
    """What became of rows that were got again by their ids.

    Attributes:
        rows: The rows as they are now.
        gone: The ids that Truemed does not know any more.
        failed: How many could not be got; the next run tries them again.
    """

    rows: Sequence[M]
    gone: Sequence[str]
    failed: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome[M]]) -> Reread[M]:
        """Sort outcomes of ``get_many``."""
        rows = [outcome.unwrap() for outcome in outcomes if outcome.ok]
        gone = [outcome.id for outcome in outcomes if isinstance(outcome.error, NotFoundError)]
        return cls(rows=rows, gone=gone, failed=len(outcomes) - len(rows) - len(gone))
