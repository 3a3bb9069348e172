"""How much of a list a command shows: one page, some rows, or all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Parameter

import truemed_async
from truemed_async._validation import scalars
from truemed_async.cli.options import LITERAL, Flag
from truemed_async.cli.output import pluralize
from truemed_async.cli.progress import ShowProgress, progress_bar
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from truemed_async import Page, Stream
    from truemed_async.cli.rows import RowTarget

DEFAULT_PAGE_SIZE = 30  # fits on a screen
MAX_PAGE_SIZE = 100  # of requests for several pages, as in the library

Number = Annotated[int | None, LITERAL]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Paging:
    """How much of a list is shown. Default: its first page.

    Attributes:
        limit: At most this many rows, from as many pages as necessary.
        all: All rows. To write a long list into a file that can be resumed, use export.
        page: One page, from 1.
        page_size: The number of rows on a page, at least 1; the server may return fewer. Default: 30.
    """

    limit: Number = None
    all: Flag = False
    page: Number = None
    page_size: Number = None

    @property
    def is_single_page(self) -> bool:
        """Whether one page is shown, and not a number of rows."""
        return self.limit is None and not self.all

    def validate(self) -> None:
        """Refuse options that exclude each other."""
        for name in ("limit", "page", "page_size"):
            if (value := getattr(self, name)) is not None:
                scalars.validate_positive_int(name, value)
        if (self.limit, self.all, self.page).count(None) + (not self.all) < 2:
            raise InvalidArgumentError("pass only one of --limit, --all and --page")


FIRST_PAGE = Paging()

GetPage = Callable[[int, int], Awaitable["Page[Any]"]]
"""``await get_page(page, page_size)`` reads one page."""


@attrs.frozen(kw_only=True)
class Listing:
    """A list of the server.

    Attributes:
        get_page: Reads a page.
        read_all: Returns the stream of all rows; the arguments are those of ``iter`` of a resource.
        noun: What a row is called.
        filters: The options that select rows.
        is_filtered_here: Whether the client selects rows, so that the pages of the server say nothing about them.
    """

    get_page: GetPage
    read_all: Callable[..., Stream[Any]]
    noun: str
    filters: Collection[str] = ()
    is_filtered_here: bool = False

    async def show(self, target: RowTarget, paging: Paging) -> None:
        """Write the rows, and tell a person how many of how many they are."""
        if paging.is_single_page:
            await self._show_page(target, paging.page or 1, paging.page_size or DEFAULT_PAGE_SIZE)
        else:
            await self._show_rows(target, paging.limit, paging.page_size)

    async def count(self) -> int | None:
        """Return how many rows there are, if the server says so."""
        if self.is_filtered_here:
            return None
        first = await self.get_page(1, 1)
        return first.pagination.count if first.pagination else None

    async def _show_page(self, target: RowTarget, number: int, size: int) -> None:
        page = await (self._select_page(number, size) if self.is_filtered_here else self.get_page(number, size))
        target.write(list(page), empty=self._describe_empty(number))
        if page and target.streams.err.isatty():
            target.streams.print_message(self._describe_page(page, number, size))

    async def _select_page(self, number: int, size: int) -> Page[Any]:
        """Return a page of the rows that the client selects; how many there are is not known."""
        rows: list[Any] = []
        async with self.read_all() as stream:
            async for row in stream:
                rows.append(row)
                if len(rows) == number * size:
                    break
        return truemed_async.Page(items=tuple(rows[(number - 1) * size :]))

    async def _show_rows(self, target: RowTarget, limit: int | None, page_size: int | None) -> None:
        # Of rows that the client selects, a page of the server may have none.
        fitting = MAX_PAGE_SIZE if limit is None or self.is_filtered_here else min(limit, MAX_PAGE_SIZE)
        size = page_size or fitting
        is_watched = target.streams.err.isatty()
        total = await self.count() if is_watched else None
        goal = total if limit is None or total is None else min(limit, total)
        stream = self.read_all(page_size=size, **({} if limit is None or limit > size else {"prefetch": 1}))
        bar: AbstractContextManager[ShowProgress] = progress_bar(target.streams, goal)
        if target.is_shown and target.format in ("csv", "jsonl"):
            bar = nullcontext(lambda _: None)
        number = 0
        with target.open() as writer:
            async with stream:
                with bar as show:
                    async for batch in stream.batches():
                        rows = batch if limit is None else batch[: limit - number]
                        writer.add(rows)
                        number += len(rows)
                        show(number)
                        if number == limit:
                            break
        if not number:
            target.report_empty(self._describe_empty(1))
        elif is_watched:
            target.streams.print_message(self._describe_rows(number, total, limit))

    def _describe_page(self, page: Page[Any], number: int, size: int) -> str:
        if page.pagination is None:
            more = "; there may be more: --limit N or --all" if len(page) >= size else ""
            return f"{pluralize(len(page), self.noun)}{more}"
        total, last = page.pagination.count, page.pagination.last_page
        if len(page) >= total:
            return pluralize(total, self.noun)
        more = f"; --limit N, --all or --page {number + 1} shows more" if number < last else ""
        return f"{len(page):,} of {pluralize(total, self.noun)}, page {number:,} of {last:,}{more}"

    def _describe_rows(self, number: int, total: int | None, limit: int | None) -> str:
        if total is None or total <= number:
            more = "; there may be more" if total is None and number == limit else ""
            return f"{pluralize(number, self.noun)}{more}"
        return f"{number:,} of {pluralize(total, self.noun)}"

    def _describe_empty(self, number: int) -> str:
        if number > 1:
            return f"page {number:,} has no {self.noun}s: try --page 1"
        if self.filters:
            return f"no {self.noun} matches: try without {' or '.join(self.filters)}"
        return f"there are no {self.noun}s"
