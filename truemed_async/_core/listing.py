"""Reads a whole list that changes meanwhile, and misses nothing.

The list is sorted, and a page is a slice of it at some moment. **Invariant: every row that has been in the list since
the start, and stands at or before the last row yielded, has been yielded once.** A page that holds a row at or before
that one (or is the first page) keeps it: whatever stands between the two stands in the page, too. So windows are
chosen such that each shares a row with the one before; one that turns out not to (rows before it have left) waits
until a window further back has filled the gap. Nothing here orders the moments at which the pages were taken:
windows may be fetched ahead, in any order, and from replicas that lag behind.

Not promised: rows deleted before they are reached, rows added behind the last one yielded, a sort key that changes.
Where rows of equal key have no stable order, all is read if they fit on a page; if not, ``PaginationDriftError`` is
raised, provided that the list was otherwise at rest. Where the order of a list is not known, all rows are taken for
rows of equal key: every id is kept, and that the order is stable, whatever it is, has to be relied on.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Sequence
from typing import Generic, TypeVar

from truemed_async._core.listing_ahead import Ahead, FetchPage, Slot
from truemed_async._core.listing_passed import (
    NOTHING,
    Answer,
    Comparable,
    Meeting,
    Passed,
    Sorting,
    contradict,
    unknown,
)
from truemed_async._core.listing_windows import Window, Windows, around
from truemed_async.errors import PaginationDriftError
from truemed_async.models import Page

__all__ = ["FetchPage", "Sorting", "complete", "unknown"]

T = TypeVar("T")

# Pages that bring nothing and lead nowhere, since the last new row. Going back to the very start takes a few dozen.
_PATIENCE = 100
_PROBES = 100  # pages that are asked for when the order of equal rows is in doubt


async def complete(
    fetch: FetchPage[T], sorting: Sorting[T], *, page_size: int, prefetch: int, since: Comparable | None = None
) -> AsyncGenerator[Sequence[T], None]:
    """Yield every row of a list once, window by window, in the order of the list.

    Args:
        fetch: Reads one page.
        sorting: How the list is sorted and how its rows are told apart.
        page_size: Rows to ask for at most. The server may give less; it is asked accordingly from then on.
        prefetch: How many requests may be in flight.
        since: The least sort key that is wanted. A list that descends is read only down to it; one that ascends is
            read from its beginning. Rows without a key are left out.

    Raises:
        PaginationDriftError: The list is not sorted, or rows may be missing.
    """
    reading = _Reading(fetch, sorting, page_size, prefetch, since)
    try:
        while not await reading.has_ended():
            yield sorting.at_least(since, await reading.advance())
    finally:
        await reading.ahead.aclose()


class _Reading(Generic[T]):
    """One listing: where it stands, what it knows of the server, and what to do with a window that arrived."""

    def __init__(
        self, fetch: FetchPage[T], sorting: Sorting[T], page_size: int, prefetch: int, since: Comparable | None
    ) -> None:
        self._sorting = sorting
        self._since = since
        self._page_size = page_size
        self._windows = Windows(page_size)
        self.ahead = Ahead(fetch, self._windows, prefetch=prefetch)
        self.passed = Passed[T](order_is_known=sorting.is_known)
        self._index = -1  # of the last row that was read, when it was read: the next window should hold it
        self._back = 0  # how far the last window was moved back
        self._again: Window | None = None  # what to read before anything else
        self._crossing: Answer[T] | None = None  # the page beyond an edge, while the one before is read again
        self._crowd = (2, 0)  # the most rows of equal key that were at hand, if more than two, and the last one's index
        self._yielded = 0
        self._totals: set[int | None] = set()
        self._idle = 0
        self._warned: set[str] = set()

    async def has_ended(self) -> bool:
        """Whether all was read, asked before each window: what it raises or takes time for comes behind the rows so far."""
        last = self.passed.page
        if last is NOTHING:
            return False
        if self._since is not None:
            self._warn_of_left_out(last)
        if self.passed.is_before(self._since):
            # How many rows there are down to here nobody says; a page that held all the equal ones had them all.
            if self._crowd[0] >= self._windows.largest:
                await self._settle(last.total)
            return True
        if await self._is_end(last):
            if last.total is not None and self._yielded < last.total:
                await self._settle(last.total)
            return True
        self._warn(last)
        return False

    async def advance(self) -> list[T]:
        """Return the new rows of the next window that keeps the invariant."""
        while True:
            again, self._again = self._again, None
            slot = await (self.ahead.read(again) if again else self.ahead.due(self._index))
            answer = self._received(slot.window, slot.page())
            self.passed.check(answer)
            if self._keeps_invariant(slot, answer):
                return self._take(answer)
            self._lose_patience()

    def _received(self, window: Window, page: Page[T]) -> Answer[T]:
        """Locate the page by what the server says of it, and learn what the server's pages can be."""
        size, number, total = window.size, window.page, None
        if page.pagination is not None:
            said = page.pagination
            size, number, total = said.page_size or size, said.current_page, said.count
        size = max(size, len(page))
        if size > window.size:
            self._resize(size, free=False)
        elif size < window.size:
            self._resize(size)
        self._totals.add(total)
        self.ahead.total = total
        return Answer(
            items=page.items,
            ids=[self._sorting.id(item) for item in page],
            keys=[self._sorting.key(item) for item in page],
            start=0 if window.page == 1 else (number - 1) * size,
            size=size,
            total=total,
            first=window.page == 1,
        )

    def _resize(self, largest: int, *, free: bool = True) -> None:
        self._windows.largest = largest
        self._windows.free = self._windows.free and free
        self.ahead.forget()

    def _keeps_invariant(self, slot: Slot[T], answer: Answer[T]) -> bool:
        """Tell whether no row can lie unseen before this page; if not, arrange for what has to be read instead."""
        if answer.first or not self._windows.overlap:
            return True
        meeting = self.passed.meets(answer)
        if meeting is Meeting.SURE:
            return True
        if meeting is Meeting.TIED:
            return self._trusts_ties(answer)
        if answer.start == slot.window.start > self._index:
            return self._crosses(slot.window, answer)
        self._step_back(slot, answer)
        return False

    def _step_back(self, slot: Slot[T], answer: Answer[T]) -> None:
        """Look further back, twice as far each time: rows before this page have left. It may fit behind that."""
        self._crossing = None
        self._back = 2 * self._back or max(1, self._windows.largest // 4)
        self._index = max(0, answer.start - self._back)
        if answer.size == slot.window.size and not slot.kept:
            self.ahead.put_back(slot)

    def _trusts_ties(self, answer: Answer[T]) -> bool:
        """Read from before the rows of the last key, if a page can hold them all; else trust that their order is stable."""
        before = self.passed.before_ties()
        if before is not None and not self.passed.retried:
            self.passed.retried = True
            self._index = before
            return False
        if contradict(self.passed.page.ids, answer.ids):
            raise _unstable()
        return True

    def _crosses(self, window: Window, answer: Answer[T]) -> bool:
        """Step over an index that no window straddles: nothing must have moved, by this page and the one before it.

        They are read in turns: this one, the one before, this one again.
        """
        seen = self._crossing
        if seen and (seen.start, seen.total, seen.ids[:1]) == (answer.start, answer.total, answer.ids[:1]):
            return True
        self._crossing = answer
        self._again = Window(window.page - 1, window.size)
        return False

    def _take(self, answer: Answer[T]) -> list[T]:
        before = self.passed.page
        new = self.passed.take(answer)
        if new or not self._crossing or not _same_edge(before, answer, self._crossing):
            self._crossing = None
        if new:
            self._idle = self._back = 0
        elif answer.end - 1 <= self._index or answer.total is None or answer.end > answer.total:
            self._lose_patience()  # while a page that leads on, over rows added behind us, is as it should be
        # Where replicas lag behind, the same steps may fail for ever: without news the next one goes further back.
        self._back = min(self._back, 8 * self._windows.largest)
        self._index = answer.end - 1
        crowd = self.passed.remembered
        self._crowd = max(self._crowd, (crowd, self._index))
        self._yielded += len(new)
        return new

    async def _is_end(self, answer: Answer[T]) -> bool:
        """Whether the list ended with this page.

        A short page ends it if that answer's total agrees, or nothing follows. A full page does not: the total may
        have been counted a moment before the rows were read. The next window tells, unless it would start beyond.
        """
        agrees = answer.total is not None and answer.end >= answer.total
        if answer.is_full:
            return agrees and self._windows.after(self._index).start >= answer.end
        if agrees or not answer.items:
            return True
        window = Window(answer.start // answer.size + 2, answer.size)
        beyond = (await self.ahead.read(window)).page()
        if beyond.items and answer.first and answer.total is None:
            # Either the server gives smaller pages and does not say so, or the list has grown since.
            again = (await self.ahead.read(Window(1, self._windows.largest))).page()
            if len(again) == len(answer.items):
                self._resize(len(again))
        return not beyond.items

    async def _settle(self, total: int | None) -> None:
        """At the end of a list at rest that may have given too few rows: look whether equal rows have a stable order.

        Rows may also have come and gone in equal numbers. Two pages that show the same rows in different orders are
        the proof. It is looked for where most rows of equal key were met: on one page again and again, and in turn
        with it on others among those rows, for a server may order each page size in a way of its own.
        """
        most, index = self._crowd
        if most <= 2 or total is None or self._totals != {total}:
            return
        largest = self._windows.largest
        orders: list[list[str]] = []
        for probe in range(_PROBES):
            at, size = (
                (7 * probe % most, largest - probe // 2 % (1 + largest // 2)) if probe % 2 else (most // 2, largest)
            )
            page = (await self.ahead.read(around(max(0, index - at), size))).page()
            order = [self._sorting.id(item) for item in page]
            if any(contradict(order, other) for other in orders):
                raise _unstable()
            orders.append(order)
            if len(orders) > 32 and all(order == orders[0] for order in orders[::2]):
                return

    def _lose_patience(self) -> None:
        self._idle += 1
        if self._idle > _PATIENCE:
            raise PaginationDriftError(
                f"{_PATIENCE} pages brought nothing new and led nowhere: they repeat, or rows leave too fast"
            )

    def _warn(self, answer: Answer[T]) -> None:
        """Say what the server's pages cost, that they cannot overlap, and that rows lack their key: each once."""
        largest = self._windows.largest
        said: list[str] = []
        if largest < self._page_size:
            said.append(
                f"the server gives {largest} rows a page instead of {self._page_size}: more requests are needed"
            )
        if not self._windows.overlap:
            said.append("pages cannot overlap: rows that leave the list while it is read can hide others")
        if said:
            self._once(said[-1], "; ".join(said))
        if self._sorting.is_known and answer.items and all(key is None for key in answer.keys):
            self._once("keyless", "rows without a sort key are told apart by id alone: each of their ids is kept")

    def _warn_of_left_out(self, answer: Answer[T]) -> None:
        if None in answer.keys:
            self._once("left out", "rows without a sort key are left out: they cannot be compared with `since`")

    def _once(self, topic: str, said: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            warnings.warn(f"listing: {said}", RuntimeWarning, stacklevel=6)  # the caller's `async for`


def _same_edge(before: Answer[T], again: Answer[T], beyond: Answer[T]) -> bool:
    """Whether a page still ends with the row that it ended with, in a list that is as long as the page beyond said."""
    return (again.end, again.ids[-1:], again.total) == (before.end, before.ids[-1:], beyond.total)


def _unstable() -> PaginationDriftError:
    return PaginationDriftError("rows with equal sort keys change places between answers: some may be missing")
