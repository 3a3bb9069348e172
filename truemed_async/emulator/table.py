"""The rows of one resource: looked up, listed, and followed by copies that lag behind."""

import weakref
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from truemed_async.emulator.newest_first import NewestFirst, Row

R = TypeVar("R", bound=Row)
R_contra = TypeVar("R_contra", contravariant=True)

# Filtered listings are kept until something changes, so that reading one page by page filters once.
_KEPT_LISTINGS = 32


class Filters(Hashable, Protocol[R_contra]):
    """What a listing is narrowed by: equal filters find the same."""

    def match(self, row: R_contra, /) -> bool:
        """Tell whether the row belongs in the listing."""
        ...


class Table(Generic[R]):
    """Immutable rows by id, newest first; not safe from other threads by itself: its store holds the lock."""

    def __init__(self, rows: Iterable[R] = ()) -> None:
        """Start with these rows."""
        self._rows = NewestFirst(rows)
        self._listings: dict[Filters[R], Sequence[R]] = {}
        self._replicas: weakref.WeakSet[Replica[R]] = weakref.WeakSet()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def __getitem__(self, id: str) -> R:
        return self._rows[id]

    def rows(self) -> tuple[R, ...]:
        """Return all rows as they are now, newest first."""
        return tuple(self._rows)

    def matching(self, filters: Filters[R] | None) -> Sequence[R]:
        """Return the matching rows, newest first."""
        if filters is None:
            return self.rows()
        found = self._listings.get(filters)
        if found is None:
            found = [row for row in self._rows if filters.match(row)]
            if len(self._listings) == _KEPT_LISTINGS:
                self._listings.clear()
            self._listings[filters] = found
        return found

    def slice(self, filters: Filters[R] | None, start: int, stop: int) -> tuple[Sequence[R], int]:
        """Return the matching rows at positions `start` to `stop`, newest first, and how many match in all."""
        if filters is None:
            return self._rows.slice(start, stop), len(self._rows)
        found = self.matching(filters)
        return found[start:stop], len(found)

    def put(self, row: R) -> None:
        """Put the row in place of the one with its id and `created_at`, or add it."""
        if row.id in self._rows:
            self._rows.replace(row)
        else:
            self._rows.add(row)
        self._changed(row)

    def remove(self, id: str) -> None:
        """Take the row out; KeyError when there is none."""
        if id not in self._rows:
            raise KeyError(id)
        self._rows.remove(id)
        self._changed(id)

    def load(self, rows: Iterable[R]) -> None:
        """Have these rows and no others; copies have them at once."""
        kept = tuple(rows)
        self._rows = NewestFirst(kept)
        self._listings.clear()
        for replica in self._replicas:
            replica.load(kept)

    def replica(self, *, behind: int) -> "Replica[R]":
        """Return a copy that follows this table, always so many writes behind it."""
        replica = Replica(self._rows, behind=behind)
        self._replicas.add(replica)
        return replica

    def _changed(self, write: R | str) -> None:
        self._listings.clear()
        for replica in self._replicas:
            replica.hear(write)


class Replica(Table[R]):
    """A copy of a table, a number of writes behind it."""

    def __init__(self, rows: Iterable[R], *, behind: int) -> None:
        """Start with these rows, and keep this number of writes for later."""
        super().__init__(rows)
        self._behind = behind
        self._ahead: deque[R | str] = deque()  # the row that is put, or the id of one that is removed

    def load(self, rows: Iterable[R]) -> None:
        """Have these rows and no others, and forget the writes that were not due."""
        self._ahead.clear()
        super().load(rows)

    def hear(self, write: R | str) -> None:
        """Take note of a write, and do those that are due."""
        self._ahead.append(write)
        while len(self._ahead) > self._behind:
            due = self._ahead.popleft()
            if isinstance(due, str):
                self.remove(due)
            else:
                self.put(due)
