"""Requests the windows that will be needed next while earlier ones are still in flight."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import attrs

from truemed_async._core.event_loop import running_loop
from truemed_async._core.pagination.windows import Window, Windows
from truemed_async.models._base import Page

T = TypeVar("T")

FetchPage = Callable[[int, int], Awaitable[Page[T]]]
"""``(page, page_size)`` to the page."""


@attrs.define(eq=False)
class PendingPage(Generic[T]):
    """A window, and its page once it was requested.

    Attributes:
        window: Which window.
        task: The request, once it was made.
        failed: Whether the request ended with an error.
        requeued: Whether the page was put back into the queue, to be used later.
    """

    window: Window
    task: asyncio.Task[Page[T]] | None = None
    failed: bool = False
    requeued: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether the page, or an error instead of it, is available."""
        return self.task is not None and self.task.done()

    def page(self) -> Page[T]:
        """Return the page, or raise the error of its request."""
        assert self.task is not None
        return self.task.result()


class Prefetcher(Generic[T]):
    """Returns windows in order, and requests those that follow, on the assumption that each is full.

    At most ``prefetch`` requests are in flight, and at most twice as many windows are in flight or waiting. Nothing
    is prefetched before the first window was used, so leaving the loop during the first page costs a single request.
    """

    def __init__(self, fetch: FetchPage[T], windows: Windows, *, prefetch: int) -> None:
        self.total: int | None = None
        """The rows in the list, as far as is known. Nothing beyond is prefetched; nothing at all if it is ``None``."""
        self._fetch = fetch
        self._windows = windows
        self._prefetch = prefetch
        self._max_queued = 1 if prefetch == 1 else 2 * prefetch
        self._queue: deque[PendingPage[T]] = deque()
        self._tasks: set[asyncio.Task[Page[T]]] = set()

    async def next_page(self, index: int) -> PendingPage[T]:
        """Return the window to use after everything up to this index was read, once its page is ready."""
        while self._queue and self._queue[0].window.end <= index + 1:
            self._cancel(self._queue.popleft())
        window = self._windows.window_after(index)
        if not self._queue or self._queue[0].window.start > max(index, window.start):
            self._queue.appendleft(PendingPage(window))
        return await self._first()

    async def fetch_now(self, window: Window) -> PendingPage[T]:
        """Return this window, requested now, before all others."""
        self._queue.appendleft(PendingPage(window))
        return await self._first()

    def requeue(self, pending: PendingPage[T]) -> None:
        """Put a page back that cannot be used yet because another is needed first."""
        pending.requeued = True
        self._queue.appendleft(pending)

    def discard(self) -> None:
        """Drop all prefetched windows: the assumption about the server's page size was wrong."""
        while self._queue:
            self._cancel(self._queue.pop())

    async def aclose(self) -> None:
        """Cancel the requests in flight and wait until they have ended."""
        self.discard()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _first(self) -> PendingPage[T]:
        pending = self._queue[0]
        self._launch()
        while not pending.is_ready:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        return self._queue.popleft()

    def _launch(self) -> None:
        """Queue further windows up to the limit, and request the first of those that were not requested yet."""
        while self.total is not None and self._windows.can_overlap and 0 < len(self._queue) < self._max_queued:
            window = self._windows.window_after(self._queue[-1].window.end - 1)
            if window.start >= self.total:
                break
            self._queue.append(PendingPage(window))
        for pending in self._queue:
            if pending.failed or len(self._tasks) >= self._prefetch:
                break  # the iteration ends at an error: pages after it would be wasted
            if pending.task is None:
                self._request(pending)

    def _request(self, pending: PendingPage[T]) -> None:
        async def request() -> Page[T]:
            return await self._fetch(pending.window.page, pending.window.size)

        def finish(task: asyncio.Task[Page[T]]) -> None:
            self._tasks.discard(task)
            # Reading the exception also keeps asyncio from reporting the error of a page that is not needed any more.
            pending.failed = task.cancelled() or task.exception() is not None
            self._launch()

        pending.task = running_loop().create_task(request())
        pending.task.add_done_callback(finish)
        self._tasks.add(pending.task)

    @staticmethod
    def _cancel(pending: PendingPage[T]) -> None:
        if pending.task is not None:
            pending.task.cancel()
