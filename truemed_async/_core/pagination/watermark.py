"""The watermark: which rows were already yielded, in bounded memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

import attrs

from truemed_async.errors import PaginationDriftError
from truemed_async.models._columns import select, values_of

T = TypeVar("T")

MAX_TIED_IDS = 10_000
"""How many ids are remembered of rows that share one sort key, or have none; only their ids distinguish them."""
MAX_UNORDERED_IDS = 1_000_000
"""How many ids are remembered of a list whose order is unknown, where each id is needed."""


class Comparable(Protocol):
    """A value that a list can be sorted by."""

    def __lt__(self, other: Any, /) -> bool: ...


def unordered(_: object) -> None:
    """Return no sort key, for a list whose order Truemed does not document: only the ids tell which rows were read.

    The order, whatever it is, must then be stable.
    """


@attrs.frozen(kw_only=True)
class SortOrder(Generic[T]):
    """How a list is sorted and how its rows are identified. The direction is learned from the data.

    Attributes:
        id: The row's id, as the name of a field or a function; no two rows have the same.
        key: What the server sorts by, also as one of them. It must not change while a row exists. ``None`` for a row
            without one.
    """

    id: str | Callable[[T], str]
    key: str | Callable[[T], Comparable | None]

    def ids_of(self, rows: Sequence[T]) -> list[str]:
        """Return the ids of rows."""
        return values_of(rows, self.id)

    def keys_of(self, rows: Sequence[T]) -> list[Comparable | None]:
        """Return the sort keys of rows."""
        return values_of(rows, self.key)

    def id_of(self, row: T) -> str:
        """Return the id of a row."""
        return self.ids_of([row])[0]

    def key_of(self, row: T) -> Comparable | None:
        """Return the sort key of a row."""
        return self.keys_of([row])[0]

    def rows_from(self, minimum: Comparable | None, rows: Sequence[T]) -> Sequence[T]:
        """Return the rows whose key is at least ``minimum``; all of them if it is ``None``."""
        if minimum is None:
            return rows
        return select(rows, [key is not None and not key < minimum for key in self.keys_of(rows)])

    @property
    def has_fields(self) -> bool:
        """Whether ids and keys are fields of the rows, so that no model is needed to know them."""
        return isinstance(self.id, str) and (isinstance(self.key, str) or not self.is_known)

    @property
    def is_known(self) -> bool:
        """Whether the order of the list is known. If not, every id is remembered, in about 100 bytes each."""
        return self.key is not unordered


@attrs.frozen
class FetchedPage(Generic[T]):
    """One page and its position in the list.

    Attributes:
        items: Its rows.
        ids: Their ids.
        keys: Their sort keys.
        start: The index of the first row.
        size: The number of rows in a full page of this request.
        total: The number of rows in the list, if the server states it.
        is_first: Whether it is page 1.
    """

    items: Sequence[T]
    ids: Sequence[str]
    keys: Sequence[Comparable | None]
    start: int
    size: int
    total: int | None
    is_first: bool

    @property
    def end(self) -> int:
        """The index after the last row."""
        return self.start + len(self.items)

    @property
    def is_full(self) -> bool:
        """Whether the page has as many rows as it can have."""
        return len(self.items) >= self.size


# The last page before the first was read.
EMPTY_PAGE: FetchedPage[Any] = FetchedPage(items=(), ids=(), keys=(), start=0, size=0, total=None, is_first=False)


class Overlap(Enum):
    """How a page overlaps with the rows that were already yielded."""

    CERTAIN = "it has a row before the last key, or begins with the same rows that were at its position before"
    TIES_ONLY = "it only has rows of the last key, and they have moved: reliable only if the order of ties is stable"
    NONE = "it has no row that is known: rows may be missing in between"


class Watermark(Generic[T]):
    """The last key that was yielded, the ids of rows with that key or without any, and the last page.

    While every page so far had a single key, the direction of the list is unknown, and with it which of these keys is
    the last: until then all ids are remembered.
    """

    def __init__(self, *, order_is_known: bool) -> None:
        self._order_is_known = order_is_known
        self.ties_were_reread = False
        """Whether a page was requested that starts before the first row of the last key."""
        self.page: FetchedPage[T] = EMPTY_PAGE
        """The last page that was accepted."""
        self._descends: bool | None = None
        self._last_key: Comparable | None = None
        self._tied: dict[str, Comparable] = {}
        self._without_key: set[str] = set()

    @property
    def id_count(self) -> int:
        """How many ids are remembered besides those of the last page."""
        return len(self._tied) + len(self._without_key)

    def check_sorted(self, page: FetchedPage[T]) -> None:
        """Raise an error if the rows of a page are not sorted; learn the direction of the list."""
        keys = [key for key in page.keys if key is not None]
        if self._descends is None and keys and keys[0] != keys[-1]:
            self._descends = keys[-1] < keys[0]
            if self._tied:
                self._move_to(functools.reduce(self._further, self._tied.values()))
        # Before the direction is known, the first key equals the last: such a list is only sorted if all are equal.
        if keys != sorted(keys, reverse=bool(self._descends)):
            raise PaginationDriftError("a page is not sorted: rows can move between pages, and some may be missing")

    def overlap_with(self, page: FetchedPage[T]) -> Overlap:
        """Return how the page overlaps with the rows that were already yielded."""
        if any(self._is_behind(key) for key in page.keys):
            return Overlap.CERTAIN
        if not any(id in self._tied or id in self._without_key for id in page.ids):
            return Overlap.NONE
        return Overlap.CERTAIN if _is_next_in_order(self.page, page) else Overlap.TIES_ONLY

    def is_past(self, minimum: Comparable | None) -> bool:
        """Whether no row that is still to come has a key of at least ``minimum``."""
        return (
            minimum is not None and self._descends is True and self._last_key is not None and self._last_key < minimum
        )

    def index_before_ties(self) -> int | None:
        """Return the index of the last row before those of the last key, if the last page has it."""
        keys, start = self.page.keys, self.page.start
        return next((start + at for at in reversed(range(len(keys))) if self._is_behind(keys[at])), None)

    def accept(self, page: FetchedPage[T]) -> Sequence[T]:
        """Move the watermark to the end of the page and return its new rows."""
        new = self._accept_end(page)
        if new is None:
            new = select(page.items, [self._is_new(id, key) for id, key in zip(page.ids, page.keys, strict=True)])
        limit = MAX_TIED_IDS if self._order_is_known else MAX_UNORDERED_IDS
        if self.id_count > limit:
            raise PaginationDriftError(
                f"more than {limit:,} rows have the same sort key or none: they cannot be distinguished in bounded memory"
            )
        self.page = page
        return new

    def _accept_end(self, page: FetchedPage[T]) -> Sequence[T] | None:
        """Accept a page of which all rows from the first new one on are new; ``None`` if it may be another.

        Nearly all pages are so, and to ask this of the page takes a fraction of the time of asking it of each row.
        """
        keys, ids = [key for key in page.keys if key is not None], page.ids
        if self._descends is None or not keys or len(keys) < len(ids):
            return None
        rows = enumerate(zip(ids, keys, strict=True))
        start = next((at for at, (id, key) in rows if id not in self._tied and not self._is_behind(key)), len(ids))
        new = {*ids[start:]}
        if len(new) < len(ids) - start or not (new.isdisjoint(self._tied) and new.isdisjoint(self._without_key)):
            return None
        if new:
            self._move_to(keys[-1])
            at = len(keys) - 1
            while at >= start and keys[at] == keys[-1]:
                self._tied[ids[at]] = keys[at]
                at -= 1
        return page.items[start:]

    def _is_new(self, id: str, key: Comparable | None) -> bool:
        if id in self._tied or id in self._without_key or self._is_behind(key):
            return False
        if key is None:
            self._without_key.add(id)
        else:
            if self._descends is not None:
                self._move_to(key)
            self._tied[id] = key
        return True

    def _move_to(self, key: Comparable) -> None:
        if self._last_key is None or self._sorts_before(self._last_key, key):
            self._last_key, self.ties_were_reread = key, False
            self._tied = {id: tied for id, tied in self._tied.items() if tied == key}

    def _further(self, one: Comparable, other: Comparable) -> Comparable:
        return other if self._sorts_before(one, other) else one

    def _is_behind(self, key: Comparable | None) -> bool:
        return key is not None and self._last_key is not None and self._sorts_before(key, self._last_key)

    def _sorts_before(self, one: Comparable, other: Comparable) -> bool:
        """Whether rows of one key stand before rows of the other."""
        return self._descends is not None and (other < one if self._descends else one < other)


def _is_next_in_order(page: FetchedPage[T], other: FetchedPage[T]) -> bool:
    """Whether the other page begins with the rows that the page had at its position, and no row has changed sides."""
    shared = page.end - other.start
    return (
        0 < shared <= len(page.ids)
        and page.ids[-shared:] == other.ids[:shared]
        and not orders_conflict(page.ids, other.ids)
    )


def orders_conflict(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether the ids that both contain are in different orders. No insertion or deletion can cause that."""
    left, right = dict.fromkeys(one), dict.fromkeys(other)
    return [id for id in left if id in right] != [id for id in right if id in left]
