"""Rows by id, kept in the order in which Truemed lists them."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar


class Row(Protocol):
    """What can be listed: it has an id and, mostly, a time of creation (aware, UTC)."""

    @property
    def id(self) -> str:
        """An opaque string."""
        ...

    @property
    def created_at(self) -> datetime | None:
        """Aware, in UTC."""
        ...


R = TypeVar("R", bound=Row)

# A row without a time of creation is listed after all others.
_UNKNOWN = datetime.min.replace(tzinfo=UTC)


def _key(row: Row) -> tuple[datetime, str]:
    # The id settles ties: the order is total, hence the same on each request.
    return row.created_at or _UNKNOWN, row.id


class NewestFirst(Generic[R]):
    """Rows by id, iterated from the newest `created_at` to the oldest; equal times are ordered by descending id.

    The order is kept, never remade: a page costs what it holds, however many rows there are.
    """

    def __init__(self, rows: Iterable[R]) -> None:
        """Take the first rows at once: sorting them together beats inserting them one by one."""
        self._rows = {row.id: row for row in rows}
        self._oldest_first = sorted(map(_key, self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def __getitem__(self, id: str) -> R:
        return self._rows[id]

    def __iter__(self) -> Iterator[R]:
        return (self._rows[id] for _, id in reversed(self._oldest_first))

    def slice(self, start: int, stop: int) -> list[R]:
        """Return the rows at positions `start` to `stop` (exclusive), counted from the newest."""
        total = len(self._oldest_first)
        keys = self._oldest_first[max(0, total - stop) : max(0, total - start)]
        return [self._rows[id] for _, id in reversed(keys)]

    def add(self, row: R) -> None:
        """Insert a row where its `created_at` belongs."""
        insort(self._oldest_first, _key(row))
        self._rows[row.id] = row

    def replace(self, row: R) -> None:
        """Put `row` in place of the one with its id and `created_at`."""
        self._rows[row.id] = row

    def remove(self, id: str) -> None:
        """Take the row out."""
        del self._oldest_first[bisect_left(self._oldest_first, _key(self._rows.pop(id)))]
