"""Reading a whole list that changes meanwhile, seen from outside: what the server is asked, and what comes out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from truemed_async._core.pagination import SortOrder, iterate_all
from truemed_async.models import Page, Pagination

SORT_ORDER: SortOrder[int] = SortOrder(id=str, key=lambda row: row)


class Server:
    """Numbers, newest first, that may change between two requests; ``clamp`` is the largest page it gives."""

    def __init__(self, size: int, *, clamp: int = 1000, pagination: bool = True) -> None:
        self.rows = list(reversed(range(size)))
        self.newest = size
        self.clamp = clamp
        self.pagination = pagination
        self.requests: list[tuple[int, int]] = []
        self.before: list[Any] = []

    def insert(self) -> None:
        self.rows.insert(0, self.newest)
        self.newest += 1

    def delete(self, index: int) -> None:
        if self.rows:
            del self.rows[index % len(self.rows)]

    async def __call__(self, page: int, page_size: int) -> Page[int]:
        for change in self.before[len(self.requests)] if len(self.before) > len(self.requests) else ():
            change()
        self.requests.append((page, page_size))
        await asyncio.sleep(0)
        size = min(page_size, self.clamp)
        last = max(1, -(-len(self.rows) // size))
        pagination = Pagination(count=len(self.rows), current_page=page, last_page=last, page_size=size)
        here = tuple(self.rows[(page - 1) * size : page * size])
        return Page(items=here, pagination=pagination if self.pagination else None)


async def read_rows(server: Server, page_size: int, prefetch: int = 1) -> list[int]:
    stream = iterate_all(server, SORT_ORDER, page_size=page_size, prefetch=prefetch)
    return [row async for batch in stream for row in batch]


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("pagination", [True, False], ids=["pagination", "null"])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 21, 95])
async def test_every_row_of_a_list_at_rest_comes_once_and_in_order(size, pagination, prefetch):
    """Truemed API reference, "List Qualification Sessions": sorted by created_at; pagination is "object or null"."""
    server = Server(size, pagination=pagination)
    assert await read_rows(server, 10, prefetch) == server.rows


async def test_empty_list_takes_one_request():
    server = Server(0)
    assert await read_rows(server, 10) == []
    assert len(server.requests) == 1


async def test_pages_are_requested_on_demand():
    server = Server(95)
    stream = iterate_all(server, SORT_ORDER, page_size=10, prefetch=1)
    await asyncio.sleep(0)
    assert server.requests == []
    assert len(await anext(stream)) == 10
    assert server.requests == [(1, 10)]
    await stream.aclose()


@pytest.mark.filterwarnings("ignore:listing. the server gives:RuntimeWarning")
@pytest.mark.parametrize("pagination", [True, False], ids=["pagination", "null"])
async def test_smaller_pages_lose_no_row(pagination):
    """The largest page is undocumented, so the server may apply a smaller one."""
    server = Server(95, clamp=30, pagination=pagination)
    assert await read_rows(server, 100) == server.rows


CHANGES = st.lists(st.lists(st.none() | st.integers(0, 100), max_size=6), max_size=15)


@settings(max_examples=300)
@given(st.integers(0, 60), CHANGES, st.sampled_from([1, 4]))
def test_rows_that_come_and_go_meanwhile_neither_hide_nor_double_the_others(size, changes, prefetch):
    server = Server(size)
    at_first = list(server.rows)
    server.before = [[]] + [
        [server.insert if index is None else lambda index=index: server.delete(index) for index in each]
        for each in changes
    ]
    found = asyncio.run(read_rows(server, 10, prefetch))
    assert len(found) == len(set(found))
    assert set(at_first) & set(server.rows) <= set(found)


async def test_error_of_a_page_is_raised_after_the_rows_before_it():
    server = Server(25)

    def fail() -> None:
        raise ZeroDivisionError("mine")

    server.before = [[], [fail]]
    found: list[int] = []
    with pytest.raises(ZeroDivisionError, match="mine"):
        async for batch in iterate_all(server, SORT_ORDER, page_size=10, prefetch=1):
            found += batch
    assert found == server.rows[:10]
    assert len(asyncio.all_tasks()) == 1


async def test_leaving_early_cancels_prefetched_requests():
    server = Server(1000)
    stream = iterate_all(server, SORT_ORDER, page_size=10, prefetch=4)
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    assert len(asyncio.all_tasks()) == 1
    assert len(server.requests) <= 2 + 2 * 4
