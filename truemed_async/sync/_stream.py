"""Iterators for synchronous callers, fed by an async stream batch by batch."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from truemed_async._core.stream import Stream
from truemed_async.errors import ClientClosedError
from truemed_async.sync._runner import runner

T = TypeVar("T")


class SyncStream(Iterator[T], Generic[T]):
    """What ``iter`` and ``get_many`` of the synchronous client return: ``for item in stream``.

    Work starts with the first item. From the second page on, the next page is read while you work on the one before.
    Leaving the loop early stops the work and frees everything soon after; ``with`` or :meth:`close` does so at once.
    An error, Ctrl-C included, ends the iteration.
    """

    __slots__ = ("__weakref__", "_feed", "_here", "_pump")

    def __init__(self, stream: Stream[T], feed: Feed | None = None, *, ahead: bool = True) -> None:
        self._pump = _Pump(stream, feed, ahead=ahead)
        self._feed = feed
        self._here: Iterator[T] = iter(())
        weakref.finalize(self, self._pump.give_up).atexit = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._here:
            return item
        self._fetch()
        for item in self._here:  # not `next`: an interruption on its way back would lose the item
            return item
        raise StopIteration

    def _fetch(self) -> None:
        """Get the next batch that holds something, or nothing at the end."""
        batch: Sequence[T] | None = ()
        try:
            while batch is not None and not batch:  # a page may hold nothing new
                self._pump.check()
                if self._feed is not None:
                    self._feed.fill()
                batch = runner.run(self._pump.take)
            if batch and self._feed is not None:
                self._feed.taken(len(batch))
            self._here = iter(batch or ())
        except BaseException:
            self._pump.give_up()  # what was on its way is lost, and nothing may follow what is lost
            raise

    def close(self) -> None:
        """Stop, and free connections and tasks. May be called again."""
        self._here = iter(())
        if self._pump.begun:
            self._pump.check()
            runner.run(self._pump.close)
        self._pump.ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Pump(Generic[T]):
    """The end of a stream that is on the loop thread: takes its batches, one of them ahead."""

    def __init__(self, stream: Stream[T], feed: Feed | None, *, ahead: bool) -> None:
        self.ended = False
        self._stream = stream
        self._feed = feed
        self._ahead = ahead
        self._loop: asyncio.AbstractEventLoop | None = None  # since the first batch
        self._next: asyncio.Task[Sequence[T] | None] | None = None

    @property
    def begun(self) -> bool:
        """Whether there is something to stop."""
        return self._loop is not None and not self.ended

    def check(self) -> None:
        """Refuse to go on with what the parent of a forked process began: its loop is not here."""
        if self.begun and self._loop is not runner.loop:
            raise ClientClosedError("this iteration was begun before the process forked: begin another")

    async def take(self) -> Sequence[T] | None:
        """Return the next batch, or ``None`` at the end."""
        if self.ended:
            return None
        if self._feed is not None:
            self._feed.filled.set()
        first, self._loop = self._loop is None, asyncio.get_running_loop()
        task, self._next = self._next or asyncio.create_task(self._advance()), None
        batch = await task
        if batch is None:
            self.ended = True
        elif self._ahead and not first:  # who leaves during the first page has made one request
            self._next = asyncio.create_task(self._advance())
            self._next.add_done_callback(_noted)
        return batch

    async def _advance(self) -> Sequence[T] | None:
        return await anext(self._stream.batches(), None)

    async def close(self) -> None:
        """Stop what runs, and wait until it has."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
        await self._stream.aclose()

    def give_up(self) -> None:
        """Stop what runs, soon. A finaliser may call this, from any thread."""
        if self.begun:
            self.ended = True
            runner.post(self._loop, self.close)


def _noted(task: asyncio.Task[Any]) -> None:
    """Keep asyncio from reporting an error that nobody came for."""
    if not task.cancelled():
        task.exception()


class Feed(AsyncIterator[Any]):
    """Carries a caller's iterable to the loop thread without ever running the caller's code there.

    The caller's generator may itself make synchronous calls, or use a database connection of its own thread. So the
    calling thread takes the items, a bounded number ahead, each time that it comes for results.
    """

    def __init__(self, items: Iterable[Any], ahead: int) -> None:
        self.filled: asyncio.Event = asyncio.Event()
        self._items = iter(items)
        self._ahead = ahead
        self._ready: deque[Any] = deque()
        self._outstanding = 0
        self._exhausted = False

    def fill(self) -> None:
        """Take items until enough are outstanding. Called on the caller's thread."""
        while not self._exhausted and self._outstanding < self._ahead:
            try:
                item = next(self._items)
            except StopIteration:
                self._exhausted = True
            else:
                self._ready.append(item)
                self._outstanding += 1

    def taken(self, results: int) -> None:
        """Note results that the caller has received: as many items may follow."""
        self._outstanding -= results

    async def __anext__(self) -> Any:
        while not self._ready:
            if self._exhausted:
                raise StopAsyncIteration
            self.filled.clear()
            await self.filled.wait()
        return self._ready.popleft()
