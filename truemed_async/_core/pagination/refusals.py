"""Pages that a server refuses: those that are larger than it allows, and those beyond the end of the list."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from truemed_async._core.pagination.prefetch import FetchPage
from truemed_async.errors import APIError, BadRequestError, NotFoundError, UnprocessableError
from truemed_async.models import Page

T = TypeVar("T")

SAFE_PAGE_SIZE = 30
"""The page size that Truemed documents; it documents no largest one."""

_REFUSALS = (BadRequestError, NotFoundError, UnprocessableError)


class RefusalHandler(Generic[T]):
    """Requests pages so that a server that refuses some of them looks like one that returns smaller or empty pages.

    A refusal is never taken for the end of the list by itself: the first page, requested in the same way, must succeed,
    and not say that there are more rows.
    """

    def __init__(self, fetch: FetchPage[T]) -> None:
        self._fetch = fetch
        self._max_size: int | None = None

    async def fetch(self, page: int, size: int) -> Page[T]:
        """Return the page; it is smaller if the size is refused, and empty if only its number is refused."""
        size = size if self._max_size is None else min(size, self._max_size)
        try:
            return await self._fetch(page, size)
        except _REFUSALS as error:
            refusal: APIError = error
        first = None if page == 1 else await self._fetch_or_none(1, size)
        if first is not None:
            position = first.pagination
            if position is not None and position.count > (page - 1) * position.page_size:
                raise refusal
            return Page(items=(), pagination=None if position is None else attrs.evolve(position, current_page=page))
        if size > SAFE_PAGE_SIZE and await self._fetch_or_none(1, SAFE_PAGE_SIZE) is not None:
            self._max_size = SAFE_PAGE_SIZE
            return await self.fetch(page, size)
        raise refusal

    async def _fetch_or_none(self, page: int, size: int) -> Page[T] | None:
        try:
            return await self._fetch(page, size)
        except _REFUSALS:
            return None
