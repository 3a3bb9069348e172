"""A server with a list that changes, in memory; it shares no code with what is tested.

Rows are ``(key, id)``. The server sorts by key, and equal keys by something that it does not show but that never
changes. Before each answer the changes that are due are made; an answer may be taken from any earlier state.
"""

from __future__ import annotations

import asyncio
import bisect
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from truemed_async._core.pagination import SortOrder, iterate_all, unordered
from truemed_async.models import Page, Pagination

Row = tuple[Any, str]
SORT_ORDER = SortOrder[Row](id=lambda row: row[1], key=lambda row: row[0])
UNORDERED = SortOrder[Row](id=lambda row: row[1], key=unordered)


@attrs.define(slots=False)
class Server:
    """A list behind a page number and a page size."""

    clamp: int = 1000
    descends: bool = True
    pagination: bool = True
    fixed: bool = False  # every page has `clamp` rows, whatever is requested
    shuffled: random.Random | None = None  # equal keys come in another order each time
    delays: Sequence[int] = (0,)  # how many turns of the loop each answer takes
    stale: Sequence[int] = (0,)  # how many states old each answer is
    periodic: bool = True  # whether that repeats forever
    changes: dict[int, list[Callable[[Server], object]]] = attrs.Factory(dict)  # before the answer of this number
    requests: list[tuple[int, int]] = attrs.Factory(list)
    response_count: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    removed: set[str] = attrs.Factory(set)
    _sorted: list[tuple[Any, int, Row]] = attrs.Factory(list)
    _states: list[list[tuple[Any, int, Row]]] = attrs.Factory(list)
    _rows_added: int = 0

    @property
    def rows(self) -> list[Row]:
        return [row for *_, row in self._sorted]

    @property
    def ids(self) -> list[str]:
        return [id for _, id in self.rows]

    def fill(self, keys: Iterable[Any]) -> Server:
        for key in keys:
            self.insert(key)
        return self

    def insert(self, key: Any) -> None:
        self._rows_added += 1
        row = (key, f"r{self._rows_added}")
        place = (float("inf") if key is None else -key if self.descends else key, self._rows_added * 7919 % 10007)
        bisect.insort(self._sorted, (*place, row))

    def insert_in_front(self, rows: int = 1) -> None:
        keys = [key for key, _ in self.rows if key is not None] or [0]
        for _ in range(rows):
            self.insert(max(keys) + 1 if self.descends else min(keys) - 1)

    def delete(self, index: int) -> None:
        if self._sorted:
            *_, (_, id) = self._sorted.pop(index % len(self._sorted))
            self.removed.add(id)

    def lose(self, index: int) -> Callable[[Server], None]:
        """Take a row out of the filter; the result brings it back."""
        if not self._sorted:
            return lambda server: None
        entry = self._sorted.pop(index % len(self._sorted))
        self.removed.add(entry[-1][1])
        return lambda server: bisect.insort(server._sorted, entry)

    async def __call__(self, page: int, page_size: int) -> Page[Row]:
        number = len(self.requests)
        self.requests.append((page, page_size))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            for _ in range(self.delays[number % len(self.delays)]):
                await asyncio.sleep(0)
            return self.respond(page, page_size)
        finally:
            self.in_flight -= 1

    def respond(self, page: int, page_size: int) -> Page[Row]:
        if not self._states:
            self._states.append(list(self._sorted))
        for change in self.changes.get(self.response_count, ()):
            change(self)
        old = (
            self.stale[self.response_count % len(self.stale)]
            if self.periodic or self.response_count < len(self.stale)
            else 0
        )
        self.response_count += 1
        if any(self.stale):
            self._states.append(list(self._sorted))
            state = self._states[max(0, len(self._states) - 1 - old)]
        else:
            state = self._sorted
        if self.shuffled is not None:
            state = sorted(state, key=lambda entry: (entry[0], self.shuffled.random()))
        size = self.clamp if self.fixed else min(page_size, self.clamp)
        page_rows = tuple(row for *_, row in state[(page - 1) * size : page * size])
        return Page(items=page_rows, pagination=self.says(page, size, len(state)) if self.pagination else None)

    def says(self, page: int, size: int, total: int) -> Pagination:
        return Pagination(count=total, current_page=page, last_page=max(1, -(-total // size)), page_size=size)


Reader = Callable[[Server, int], Any]


async def read(server: Server, page_size: int, prefetch: int = 1, sorting: SortOrder[Row] = SORT_ORDER) -> list[str]:
    """Read it all with the reader that is under test."""
    found: list[str] = []
    async for batch in iterate_all(server, sorting, page_size=page_size, prefetch=prefetch):
        found += [id for _, id in batch]
    assert len(asyncio.all_tasks()) == 1
    assert server.in_flight == 0
    assert server.max_in_flight <= prefetch
    return found


# --- five readers that lose rows: reliability of the tests is that they are caught ------------------------------------


async def forward(server: Server, page_size: int) -> list[str]:
    """Page after page, ended by the total of the current page; rows at or before the last row are skipped."""
    found: list[str] = []
    last: Any = None
    page = 0
    while True:
        page += 1
        fetched = await server(page, page_size)
        for key, id in fetched:
            if last is None or key < last or (key == last and id not in found):
                found.append(id)
                last = key
        if page * page_size >= fetched.pagination.count:
            return found


async def by_the_first_total(server: Server, page_size: int) -> list[str]:
    """Page after page, as many as the first one says there are."""
    fetched = await server(1, page_size)
    found = dict.fromkeys(id for _, id in fetched)
    for page in range(2, fetched.pagination.last_page + 1):
        found.update(dict.fromkeys(id for _, id in await server(page, page_size)))
    return list(found)


async def backward(server: Server, page_size: int) -> list[str]:
    """From the last page to the first, as the first says which is the last."""
    fetched = await server(1, page_size)
    found: dict[str, None] = {}
    for page in range(fetched.pagination.last_page, 0, -1):
        found.update(dict.fromkeys(id for _, id in await server(page, page_size)))
    return list(found)


async def at_once(server: Server, page_size: int) -> list[str]:
    """All pages at once."""
    fetched = await server(1, page_size)
    pages = await asyncio.gather(*(server(page, page_size) for page in range(1, fetched.pagination.last_page + 1)))
    return list(dict.fromkeys(id for page in pages for _, id in page))


async def with_all_ids(server: Server, page_size: int) -> list[str]:
    """Page after page, until a short one; every id is remembered."""
    found: dict[str, None] = {}
    page = 0
    while True:
        page += 1
        fetched = await server(page, page_size)
        found.update(dict.fromkeys(id for _, id in fetched))
        if len(fetched) < page_size:
            return list(found)
