"""Reading a whole list, page after page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from truemed_async._core.listing import pages
from truemed_async.models import Page, Pagination


class Server:
    """A list, newest first, that may change between two requests; ``clamp`` is the largest page it gives."""

    def __init__(self, size: int, *, clamp: int = 1000, pagination: bool = True) -> None:
        self.rows = [str(number) for number in reversed(range(size))]
        self.clamp = clamp
        self.pagination = pagination
        self.asked: list[tuple[int, int]] = []
        self.before: list[Any] = []

    def insert(self) -> None:
        self.rows.insert(0, f"new {len(self.rows)}")

    async def __call__(self, page: int, page_size: int) -> Page[str]:
        if len(self.before) > len(self.asked):
            for change in self.before[len(self.asked)]:
                change()
        self.asked.append((page, page_size))
        size = min(page_size, self.clamp)
        pagination = Pagination(
            count=len(self.rows), current_page=page, last_page=max(1, -(-len(self.rows) // size)), page_size=size
        )
        here = tuple(self.rows[(page - 1) * size : page * size])
        return Page(items=here, pagination=pagination if self.pagination else None)


async def listed(server: Server, page_size: int) -> list[str]:
    return [row async for batch in pages(server, page_size=page_size, key=str) for row in batch]


@pytest.mark.parametrize("pagination", [True, False], ids=["pagination", "null"])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 21, 95])
async def test_every_row_of_a_list_at_rest_comes_once_and_in_order(size, pagination):
    """Truemed API reference, "List Qualification Sessions": sorted by created_at; pagination is "object or null"."""
    server = Server(size, pagination=pagination)
    assert await listed(server, 10) == server.rows


async def test_an_empty_list_takes_one_request():
    server = Server(0)
    assert await listed(server, 10) == []
    assert len(server.asked) == 1


async def test_the_pages_are_asked_for_only_as_they_are_needed():
    server = Server(95)
    stream = pages(server, page_size=10, key=str)
    assert len(await anext(stream)) == 10
    assert len(server.asked) == 1
    await stream.aclose()


@pytest.mark.parametrize("pagination", [True, False], ids=["pagination", "null"])
async def test_a_server_that_gives_smaller_pages_than_asked_for_loses_nothing(pagination):
    """Truemed does not say how large a page may be, so the server may apply less than was asked for."""
    server = Server(95, clamp=30, pagination=pagination)
    assert await listed(server, 100) == server.rows


@settings(max_examples=300)
@given(st.integers(0, 60), st.lists(st.integers(0, 7), max_size=12))
def test_rows_that_are_added_meanwhile_neither_hide_nor_double_the_others(size, bursts):
    server = Server(size)
    server.before = [[], *([server.insert] * burst for burst in bursts)]
    at_first = list(server.rows)
    found = asyncio.run(listed(server, 10))
    assert len(found) == len(set(found))
    assert set(at_first) <= set(found)


async def test_the_end_is_read_off_the_page_at_hand():
    server = Server(15)
    server.before = [[], [server.insert] * 10]  # the first page said that the second is the last
    assert set(await listed(server, 10)) >= {str(number) for number in range(15)}
    assert server.asked == [(1, 10), (2, 10), (3, 10)]


async def test_an_error_of_a_page_is_raised_after_the_rows_before_it():
    server = Server(25)

    def fail() -> None:
        raise ZeroDivisionError("mine")

    server.before = [[], [], [fail]]
    found: list[str] = []
    with pytest.raises(ZeroDivisionError, match="mine"):
        async for batch in pages(server, page_size=10, key=str):
            found += batch
    assert found == server.rows[:20]
