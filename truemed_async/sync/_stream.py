"""Iterators for synchronous callers, fed by an async stream batch by batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from truemed_async._core.stream import Stream
from truemed_async.sync._runner import runner

T = TypeVar("T")


class SyncStream(Iterator[T], Generic[T]):
    """What ``iter`` and ``get_many`` of the synchronous client return: ``for item in stream``.

    Work starts with the first item. Leaving the loop early frees everything soon after; ``with`` or :meth:`close`
    frees it at once.
    """

    __slots__ = ("_batches", "_feed", "_here", "_stream")

    def __init__(self, stream: Stream[T], feed: Feed | None = None) -> None:
        self._stream = stream
        self._batches = stream.batches()
        self._feed = feed
        self._here: Iterator[T] = iter(())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._here:
            return item
        return self._next_batch()

    def _next_batch(self) -> T:
        batch: Sequence[T] | None = ()
        while not batch:  # a page may hold nothing new
            if self._feed is not None:
                self._feed.fill()
            batch = runner.run(_next_of(self._batches, self._feed))
            if batch is None:
                raise StopIteration
        if self._feed is not None:
            self._feed.taken(len(batch))
        self._here = iter(batch)
        return next(self._here)

    def close(self) -> None:
        """Stop, and free connections and tasks. May be called again."""
        self._here = iter(())
        runner.run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _next_of(batches: AsyncIterator[Sequence[T]], feed: Feed | None) -> Sequence[T] | None:
    """Return the next batch, or ``None`` at the end."""
    if feed is not None:
        feed.filled.set()
    return await anext(batches, None)


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
