"""The loop over the pages of a list: which to read next, whether it may be used, and where the list ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Generic, TypeVar

from truemed_async._core.pagination.prefetch import FetchPage, PendingPage, Prefetcher
from truemed_async._core.pagination.watermark import (
    EMPTY_PAGE,
    Comparable,
    FetchedPage,
    Overlap,
    SortOrder,
    Watermark,
    orders_conflict,
)
from truemed_async._core.pagination.windows import Window, Windows, window_around
from truemed_async._warnings import warn
from truemed_async.errors import PaginationDriftError
from truemed_async.models._base import Page

T = TypeVar("T")

MAX_PAGES_WITHOUT_PROGRESS = 100
"""Consecutive pages without a new row. Going back to the very start takes a few dozen."""
MAX_PROBES = 10
"""Extra requests at the end of a list when the order of rows with equal keys is in doubt."""
MIN_PROBE_SIZE = 100
"""Rows to request with each of them, even if the caller's pages are smaller: only pages that share rows are a proof."""


async def iterate_all(
    fetch: FetchPage[T], order: SortOrder[T], *, page_size: int, prefetch: int, since: Comparable | None = None
) -> AsyncGenerator[Sequence[T], None]:
    """Yield every row of a list once, page by page, in the order of the list.

    Args:
        fetch: Requests one page.
        order: How the list is sorted and how its rows are identified.
        page_size: The most rows to request at once. If the server returns fewer, the request is adjusted.
        prefetch: The most requests in flight.
        since: The smallest sort key to return. A descending list is read only down to it; an ascending list is read
            from its beginning. Rows without a key are left out.

    Raises:
        PaginationDriftError: The list is not sorted, or rows may be missing.
    """
    paginator = _Paginator(fetch, order, page_size, prefetch, since)
    try:
        while not await paginator.has_ended():
            yield order.rows_from(since, await paginator.next_rows())
    finally:
        await paginator.prefetcher.aclose()


class _Paginator(Generic[T]):
    """The state of one iteration: its position, what it knows of the server, and what to do with a page."""

    def __init__(
        self, fetch: FetchPage[T], order: SortOrder[T], page_size: int, prefetch: int, since: Comparable | None
    ) -> None:
        self._order = order
        self._since = since
        self._page_size = page_size
        self._windows = Windows(page_size)
        self.prefetcher = Prefetcher(fetch, self._windows, prefetch=prefetch)
        self.watermark = Watermark[T](order_is_known=order.is_known)
        self._index = -1  # of the last row, when it was read: the next window should contain it
        self._rows_back = 0  # how far the last window was moved back
        self._reread: Window | None = None  # what to read before anything else
        self._beyond: FetchedPage[T] | None = None  # the page after a boundary, while the one before is read again
        self._largest_tie_group = 2  # the most rows with equal keys at once
        self._tie_group_end = 0  # the index of that group's last row
        self._tie_group_ids: Sequence[str] = ()  # the page with that group's last row
        self._yielded = 0
        self._totals: set[int | None] = set()
        self._size_was_checked = False
        self._pages_without_progress = 0
        self._warned: set[str] = set()

    async def has_ended(self) -> bool:
        """Whether everything was read. It is called after the rows so far were yielded, since it may raise or wait."""
        last = self.watermark.page
        if last is EMPTY_PAGE:
            return False
        if self._since is not None:
            self._warn_unsortable_rows(last)
        if self.watermark.is_past(self._since):
            # The number of rows down to here is unknown. A page that can hold a whole tie group held all of it.
            if self._largest_tie_group >= self._windows.max_size:
                await self._detect_unstable_ties(last.total)
            return True
        if await self._is_end(last):
            if last.total is not None and self._yielded < last.total:
                await self._detect_unstable_ties(last.total)
            return True
        self._warn_about_server(last)
        return False

    async def next_rows(self) -> Sequence[T]:
        """Return the new rows of the next page that preserves the invariant."""
        while True:
            reread, self._reread = self._reread, None
            pending = await (self.prefetcher.fetch_now(reread) if reread else self.prefetcher.next_page(self._index))
            page = self._locate(pending.window, pending.page())
            self.watermark.check_sorted(page)
            if self._preserves_invariant(pending, page):
                return self._accept(page)
            self._note_no_progress()
            if page.total is None and not self._size_was_checked:
                await self._detect_ignored_size(pending.window.size)

    async def _detect_ignored_size(self, size: int) -> None:
        """Go on page after page if the server ignores the requested size: without a total, the first page shows it."""
        self._size_was_checked = True
        first = (await self.prefetcher.fetch_now(Window(1, size))).page()
        if len(first) > size:
            self._resize(len(first), adjustable=False)
            self._index, self._rows_back = self.watermark.page.end - 1, 0
            self._reread = self._beyond = None

    def _locate(self, window: Window, page: Page[T]) -> FetchedPage[T]:
        """Find the page's position from what the server says about it, and learn the server's page size."""
        size, number, total = window.size, window.page, None
        if page.pagination is not None:
            reported = page.pagination
            size, number, total = reported.page_size or size, reported.current_page, reported.count
        size = max(size, len(page))
        if size > window.size:
            self._resize(size, adjustable=False)
        elif size < window.size:
            self._resize(size)
        self._totals.add(total)
        self.prefetcher.total = total
        return FetchedPage(
            items=page.items,
            ids=self._order.ids_of(page.items),
            keys=self._order.keys_of(page.items),
            start=0 if window.page == 1 else (number - 1) * size,
            size=size,
            total=total,
            is_first=window.page == 1,
        )

    def _resize(self, max_size: int, *, adjustable: bool = True) -> None:
        self._windows.max_size = max_size
        self._windows.adjustable = self._windows.adjustable and adjustable
        self.prefetcher.discard()

    def _preserves_invariant(self, pending: PendingPage[T], page: FetchedPage[T]) -> bool:
        """Whether no row can be missing before this page. If one can, arrange for what has to be read instead."""
        if page.is_first or not self._windows.can_overlap:
            return True
        overlap = self.watermark.overlap_with(page)
        if overlap is Overlap.CERTAIN:
            return True
        if overlap is Overlap.TIES_ONLY:
            return self._ties_are_contiguous(page)
        if page.start == pending.window.start > self._index:
            return self._step_across_boundary(pending.window, page)
        self._step_back(pending, page)
        return False

    def _step_back(self, pending: PendingPage[T], page: FetchedPage[T]) -> None:
        """Go back, twice as far each time: rows before this page were deleted. The page may fit after that."""
        self._beyond = None
        self._rows_back = 2 * self._rows_back or max(1, self._windows.max_size // 4)
        self._index = max(0, page.start - self._rows_back)
        if page.size == pending.window.size and not pending.requeued:
            self.prefetcher.requeue(pending)

    def _ties_are_contiguous(self, page: FetchedPage[T]) -> bool:
        """Reread from before the rows of the last key if one page can hold them; otherwise rely on a stable order."""
        before = self.watermark.index_before_ties()
        if before is not None and not self.watermark.ties_were_reread:
            self.watermark.ties_were_reread = True
            self._index = before
            return False
        if orders_conflict(self.watermark.page.ids, page.ids):
            raise _unstable_order_error()
        return True

    def _step_across_boundary(self, window: Window, page: FetchedPage[T]) -> bool:
        """Step over an index that no window contains in its middle, if nothing has moved around it.

        This page and the one before are read in turn: this page, the one before, this page again.
        """
        seen = self._beyond
        if seen and (seen.start, seen.total, seen.ids[:1]) == (page.start, page.total, page.ids[:1]):
            return True
        self._beyond = page
        self._reread = Window(window.page - 1, window.size)
        return False

    def _accept(self, page: FetchedPage[T]) -> Sequence[T]:
        before = self.watermark.page
        new = self.watermark.accept(page)
        if new or not self._beyond or not _boundary_unchanged(before, page, self._beyond):
            self._beyond = None
        if new:
            self._pages_without_progress = self._rows_back = 0
        elif page.end - 1 <= self._index or page.total is None or page.end > page.total:
            self._note_no_progress()  # while a page that reaches further, over rows inserted behind us, is progress
        # With replicas that lag behind, the same steps may fail forever: each failure makes the next one go further.
        self._rows_back = min(self._rows_back, 8 * self._windows.max_size)
        self._index = page.end - 1
        if self.watermark.id_count >= self._largest_tie_group:
            self._largest_tie_group, self._tie_group_end = self.watermark.id_count, self._index
            self._tie_group_ids = page.ids
        self._yielded += len(new)
        return new

    async def _is_end(self, page: FetchedPage[T]) -> bool:
        """Whether the list ended with this page.

        A short page is the end if its own total agrees, or if nothing follows. A full page is not: the total may have
        been counted a moment before the rows were read. The next window shows it, unless it would start beyond.
        """
        agrees = page.total is not None and page.end >= page.total
        if page.is_full:
            return agrees and self._windows.window_after(self._index).start >= page.end
        if agrees or not page.items:
            return True
        window = Window(page.start // page.size + 2, page.size)
        beyond = (await self.prefetcher.fetch_now(window)).page()
        if beyond.items and page.is_first and page.total is None:
            # Either the server returns smaller pages without saying so, or the list has grown since.
            again = (await self.prefetcher.fetch_now(Window(1, self._windows.max_size))).page()
            if len(again) == len(page.items):
                self._resize(len(again))
        return not beyond.items

    async def _detect_unstable_ties(self, total: int | None) -> None:
        """Raise an error if rows with equal keys have no stable order, since rows may then be missing.

        It is called at the end of a list that had the same total throughout and may have yielded too few rows; rows
        may also have come and gone in equal numbers. Two pages with the same rows in different orders are the proof.
        The probes look where most rows with equal keys were seen: every other one at the same page, and those in
        between at other pages of that group with other sizes, because a server may sort each page size differently.
        """
        group = self._largest_tie_group
        if group <= 2 or total is None or self._totals != {total}:
            return
        max_size = self._windows.max_size
        if max_size == self._page_size:  # otherwise the server has a limit of its own
            max_size = max(max_size, MIN_PROBE_SIZE)
        orders: list[Sequence[str]] = [self._tie_group_ids, self.watermark.page.ids]
        for probe in range(MAX_PROBES):
            rows_before_end, size = group // 2, max_size
            if probe % 2:
                rows_before_end, size = 7 * probe % group, max_size - probe // 2 % (1 + max_size // 2)
            window = window_around(max(0, self._tie_group_end - rows_before_end), size)
            page = (await self.prefetcher.fetch_now(window)).page()
            ids = self._order.ids_of(page.items)
            if any(orders_conflict(ids, other) for other in orders):
                raise _unstable_order_error()
            orders.append(ids)

    def _note_no_progress(self) -> None:
        self._pages_without_progress += 1
        if self._pages_without_progress > MAX_PAGES_WITHOUT_PROGRESS:
            raise PaginationDriftError(
                f"{MAX_PAGES_WITHOUT_PROGRESS} pages contained no new row: the pages repeat, or rows are deleted too fast"
            )

    def _warn_about_server(self, page: FetchedPage[T]) -> None:
        """Warn, once each, that pages are small, that they cannot overlap, and that rows have no sort key."""
        max_size = self._windows.max_size
        reasons: list[str] = []
        if max_size < self._page_size:
            reasons.append(
                f"the server gives {max_size} rows a page instead of {self._page_size}: more requests are needed"
            )
        if not self._windows.can_overlap:
            reasons.append("pages cannot overlap: rows deleted while the list is read can hide others")
        if reasons:
            self._warn_once(reasons[-1], "; ".join(reasons))
        if self._order.is_known and page.items and all(key is None for key in page.keys):
            self._warn_once("no key", "rows without a sort key are identified by id alone: each id is remembered")

    def _warn_unsortable_rows(self, page: FetchedPage[T]) -> None:
        if None in page.keys:
            self._warn_once("left out", "rows without a sort key are left out: they cannot be compared with `since`")

    def _warn_once(self, topic: str, message: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            warn(f"listing: {message}")


def _boundary_unchanged(before: FetchedPage[T], again: FetchedPage[T], beyond: FetchedPage[T]) -> bool:
    """Whether a page still ends with the same row, in a list that is as long as the page beyond reported."""
    return (again.end, again.ids[-1:], again.total) == (before.end, before.ids[-1:], beyond.total)


def _unstable_order_error() -> PaginationDriftError:
    return PaginationDriftError("rows with equal sort keys change places between responses: some may be missing")
