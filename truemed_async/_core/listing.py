"""Reads a whole list, page after page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from truemed_async.models import Page

T = TypeVar("T")

FetchPage = Callable[[int, int], Awaitable[Page[T]]]
"""``(page, page_size)`` to the page."""


async def pages(fetch: FetchPage[T], *, page_size: int, key: Callable[[T], str]) -> AsyncGenerator[Sequence[T], None]:
    """Yield the rows of each page in turn, without those that the page before already had.

    The end is read off the page at hand: a total taken from an earlier page misses what was added since.
    """
    number, before = 1, frozenset[str]()
    while True:
        page = await fetch(number, page_size)
        here = frozenset(key(item) for item in page)
        yield [item for item in page if key(item) not in before]
        if _is_last(page, number, page_size):
            return
        number, before = number + 1, here


def _is_last(page: Page[T], number: int, page_size: int) -> bool:
    if not page.items:
        return True
    if page.pagination is None:
        return len(page) < page_size
    return number >= page.pagination.last_page
