"""What a listing has passed, in as little memory as tells the rows behind it from those ahead."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

import attrs

from truemed_async.errors import PaginationDriftError

T = TypeVar("T")

# Rows that share one value of the sort key, or have none, are told apart by their ids; so many are remembered.
MOST_IDS = 10_000
# And of a list whose order is not known at all, which would be of no use with so few.
MOST_IDS_OF_UNKNOWN_ORDER = 1_000_000


class Comparable(Protocol):
    """What a list can be sorted by."""

    def __lt__(self, other: Any, /) -> bool: ...


def unknown(_: object) -> None:
    """Stand for the key of a list whose order Truemed does not state: the ids alone tell what was read.

    All that is relied on then is that the order is stable, whatever it is.
    """


@attrs.frozen(kw_only=True)
class Sorting(Generic[T]):
    """How a list is sorted and how its rows are told apart; whether it ascends or descends is read from the data.

    Attributes:
        id: The row's id; no two rows share one.
        key: What the server sorts by. It must not change while a row exists. ``None`` where a row has none.
    """

    id: Callable[[T], str]
    key: Callable[[T], Comparable | None]

    def at_least(self, least: Comparable | None, rows: list[T]) -> list[T]:
        """Return the rows whose key is at least this; all of them for ``None``."""
        if least is None:
            return rows
        return [row for row in rows if (key := self.key(row)) is not None and not key < least]

    @property
    def is_known(self) -> bool:
        """Whether the order of the list is known; if not, every id is kept, in about 100 bytes."""
        return self.key is not unknown


@attrs.frozen
class Answer(Generic[T]):
    """One page, and where in the list it stood.

    Attributes:
        items: Its rows.
        ids: Their ids.
        keys: Their sort keys.
        start: The index of the first row.
        size: How many rows a full page of this request has.
        total: Rows in the whole list, if the server said so.
        first: Whether it is page 1.
    """

    items: Sequence[T]
    ids: Sequence[str]
    keys: Sequence[Comparable | None]
    start: int
    size: int
    total: int | None
    first: bool

    @property
    def end(self) -> int:
        """The index behind the last row."""
        return self.start + len(self.items)

    @property
    def is_full(self) -> bool:
        """Whether the page has all the rows that it could have."""
        return len(self.items) >= self.size


# Before the first page.
NOTHING: Answer[Any] = Answer(items=(), ids=(), keys=(), start=0, size=0, total=None, first=False)


class Meeting(Enum):
    """How a page touches what was passed."""

    SURE = "it holds a row from behind the last key, or begins with the very rows that were at its place before"
    TIED = "it holds only rows of the last key, and they have moved: sure only if the order of equal keys is stable"
    NONE = "it holds nothing known: rows may lie between"


class Passed(Generic[T]):
    """The last key that was passed, the ids that share it, those of rows without a key, and the last page.

    While all pages showed one key each, the direction is not known, nor which of their keys is the last: all ids are
    kept until it is.
    """

    def __init__(self, *, order_is_known: bool) -> None:
        self._order_is_known = order_is_known
        self.retried = False
        """Whether a page that covers the rows of the last key from the first on was asked for."""
        self.page: Answer[T] = NOTHING
        """The last page that was taken."""
        self._descends: bool | None = None
        self._last: Comparable | None = None
        self._ties: dict[str, Comparable] = {}
        self._keyless: set[str] = set()

    @property
    def remembered(self) -> int:
        """How many ids are kept besides the last page's."""
        return len(self._ties) + len(self._keyless)

    def check(self, answer: Answer[T]) -> None:
        """Refuse a page whose rows are not sorted; learn the direction."""
        keys = [key for key in answer.keys if key is not None]
        if self._descends is None and keys and keys[0] != keys[-1]:
            self._descends = keys[-1] < keys[0]
            if self._ties:
                self._pass(functools.reduce(self._further, self._ties.values()))
        if any(before != after and not self._precedes(before, after) for before, after in pairwise(keys)):
            raise PaginationDriftError("a page is not sorted: rows can move between pages, and some may be missing")

    def meets(self, answer: Answer[T]) -> Meeting:
        """Tell how the page touches what was passed."""
        if any(self._is_behind(key) for key in answer.keys):
            return Meeting.SURE
        if not any(id in self._ties or id in self._keyless for id in answer.ids):
            return Meeting.NONE
        return Meeting.SURE if _continues(self.page, answer) else Meeting.TIED

    def is_before(self, least: Comparable | None) -> bool:
        """Whether no row that is still to come has a key of at least this."""
        return least is not None and self._descends is True and self._last is not None and self._last < least

    def before_ties(self) -> int | None:
        """Return the index of the last row before those of the last key, if the last page showed it."""
        keys, start = self.page.keys, self.page.start
        return next((start + at for at in reversed(range(len(keys))) if self._is_behind(keys[at])), None)

    def take(self, answer: Answer[T]) -> list[T]:
        """Return the rows that were not passed yet, and pass them."""
        new = [
            item for item, id, key in zip(answer.items, answer.ids, answer.keys, strict=True) if self._is_new(id, key)
        ]
        most = MOST_IDS if self._order_is_known else MOST_IDS_OF_UNKNOWN_ORDER
        if self.remembered > most:
            raise PaginationDriftError(
                f"more than {most:,} rows have the same sort key or none: they cannot be told apart in bounded memory"
            )
        self.page = answer
        return new

    def _is_new(self, id: str, key: Comparable | None) -> bool:
        if id in self._ties or id in self._keyless or self._is_behind(key):
            return False
        if key is None:
            self._keyless.add(id)
        else:
            if self._descends is not None:
                self._pass(key)
            self._ties[id] = key
        return True

    def _pass(self, key: Comparable) -> None:
        if self._last is None or self._precedes(self._last, key):
            self._last, self.retried = key, False
            self._ties = {id: tied for id, tied in self._ties.items() if tied == key}

    def _further(self, one: Comparable, other: Comparable) -> Comparable:
        return other if self._precedes(one, other) else one

    def _is_behind(self, key: Comparable | None) -> bool:
        return key is not None and self._last is not None and self._precedes(key, self._last)

    def _precedes(self, one: Comparable, other: Comparable) -> bool:
        """Whether rows of one key stand before rows of the other."""
        return self._descends is not None and (other < one if self._descends else one < other)


def _continues(page: Answer[T], other: Answer[T]) -> bool:
    """Whether the other page begins with the very rows that the page had at its place, and no row has changed sides."""
    shared = page.end - other.start
    return (
        0 < shared <= len(page.ids) and page.ids[-shared:] == other.ids[:shared] and not contradict(page.ids, other.ids)
    )


def contradict(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether the ids that both have come in different orders: no insertion or deletion can do that."""
    left, right = dict.fromkeys(one), dict.fromkeys(other)
    return [id for id in left if id in right] != [id for id in right if id in left]
