"""Fetches the windows that will be needed while those before them are still on their way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import attrs

from truemed_async._core.listing_windows import Window, Windows
from truemed_async.models import Page

T = TypeVar("T")

FetchPage = Callable[[int, int], Awaitable[Page[T]]]
"""``(page, page_size)`` to the page."""


@attrs.define(eq=False)
class Slot(Generic[T]):
    """A window, and its page once that was asked for.

    Attributes:
        window: Which one.
        task: The request, once it is made.
        failed: Whether it ended with an error.
        kept: Whether its page was put back, to be looked at again.
    """

    window: Window
    task: asyncio.Task[Page[T]] | None = None
    failed: bool = False
    kept: bool = False

    @property
    def arrived(self) -> bool:
        """Whether the page, or an error in its place, is there."""
        return self.task is not None and self.task.done()

    def page(self) -> Page[T]:
        """Return the page that arrived, or raise the error."""
        assert self.task is not None
        return self.task.result()


class Ahead(Generic[T]):
    """Hands out windows in order, and guesses those to come: each is expected to be full.

    At most ``prefetch`` requests are in flight, and at most twice as many windows are in flight or waiting. Nothing
    is asked for before the first window was used, so who leaves during the first page has made one request.
    """

    def __init__(self, fetch: FetchPage[T], windows: Windows, *, prefetch: int) -> None:
        self.total: int | None = None
        """Rows in the list, as far as is known: no guess goes beyond. ``None``: no guesses."""
        self._fetch = fetch
        self._windows = windows
        self._prefetch = prefetch
        self._room = 1 if prefetch == 1 else 2 * prefetch
        self._queue: deque[Slot[T]] = deque()
        self._tasks: set[asyncio.Task[Page[T]]] = set()

    async def due(self, index: int) -> Slot[T]:
        """Return the window to look at when all up to this index has been read, once its page is there."""
        while self._queue and self._queue[0].window.end <= index + 1:
            self._cancel(self._queue.popleft())
        window = self._windows.after(index)
        if not self._queue or self._queue[0].window.start > max(index, window.start):
            self._queue.appendleft(Slot(window))
        return await self._first()

    async def read(self, window: Window) -> Slot[T]:
        """Return this window, asked for now, before all others."""
        self._queue.appendleft(Slot(window))
        return await self._first()

    def put_back(self, slot: Slot[T]) -> None:
        """Keep a page that is of no use yet: another is needed before it."""
        slot.kept = True
        self._queue.appendleft(slot)

    def forget(self) -> None:
        """Give up all guesses: what was known of the server's pages was wrong."""
        while self._queue:
            self._cancel(self._queue.pop())

    async def aclose(self) -> None:
        """Cancel what is in flight, and wait until it has gone."""
        self.forget()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _first(self) -> Slot[T]:
        slot = self._queue[0]
        self._launch()
        while not slot.arrived:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        return self._queue.popleft()

    def _launch(self) -> None:
        """Guess windows as far as there is room, and ask for the first of those that are not asked for yet."""
        while self.total is not None and self._windows.overlap and 0 < len(self._queue) < self._room:
            window = self._windows.after(self._queue[-1].window.end - 1)
            if window.start >= self.total:
                break
            self._queue.append(Slot(window))
        for slot in self._queue:
            if slot.failed or len(self._tasks) >= self._prefetch:
                break  # behind an error nothing is worth a request
            if slot.task is None:
                self._ask(slot)

    def _ask(self, slot: Slot[T]) -> None:
        async def request() -> Page[T]:
            return await self._fetch(slot.window.page, slot.window.size)

        def done(task: asyncio.Task[Page[T]]) -> None:
            self._tasks.discard(task)
            # Asking for the exception also keeps asyncio from reporting one that nobody needs to hear of.
            slot.failed = task.cancelled() or task.exception() is not None
            self._launch()

        slot.task = asyncio.create_task(request())
        slot.task.add_done_callback(done)
        self._tasks.add(slot.task)

    @staticmethod
    def _cancel(slot: Slot[T]) -> None:
        if slot.task is not None:
            slot.task.cancel()
