"""Iterators for synchronous callers, fed by an async stream batch by batch."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from truemed_async._core.bulk import accept_all
from truemed_async._core.stream import Stream, StreamSource
from truemed_async.errors import ClientClosedError
from truemed_async.sync._runner import runner

T = TypeVar("T")

ABANDON_POLL_SECONDS = 0.25
"""How often the loop thread checks whether an iteration was abandoned."""
MAX_READY_BATCHES = 4
"""The most batches to take from the loop thread at once: each switch between threads costs as much as several rows."""


class SyncStream(Iterator[T], Generic[T]):
    """The result of ``iter`` and ``get_many`` of the synchronous client: ``for item in stream``.

    Work starts with the first item. From the second page on, the next page is read while you work on the one before, and
    pages that have arrived are taken together.
    Leaving the loop early stops the work and frees everything soon after; ``with`` or :meth:`close` does so at once.
    An error, Ctrl-C included, ends the iteration.
    """

    __slots__ = ("__weakref__", "_batch", "_bridge", "_reader", "_ready", "_rows", "source")

    source: StreamSource | None
    """The listing that it reads; ``None`` for rows that come from elsewhere."""

    def __init__(self, stream: Stream[T], bridge: IterableBridge | None = None, *, ahead: bool = True) -> None:
        self._reader = _BatchReader(stream, bridge, ahead=ahead)
        self._bridge = bridge
        self._rows: Sequence[T] = ()
        self._batch: Iterator[T] = iter(self._rows)
        self._ready: deque[Sequence[T]] = deque()  # the batches that follow it
        self.source = stream.source
        self._reader.consumer = weakref.ref(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._batch:
            return item
        self._fetch()
        for item in self._batch:  # not `next`: an interruption while it returns would lose the item
            return item
        raise StopIteration

    @property
    def skipped(self) -> int:
        """How many rows could not be read and were skipped so far, with ``on_invalid="skip"``."""
        return 0 if self.source is None else self.source.invalid.skipped

    def batches(self) -> Generator[Sequence[T], None, None]:
        """Return the same items in batches, as they arrive. Use either this or the stream itself."""
        while True:
            self._fetch()
            self._batch = iter(())
            if not self._rows:
                return
            yield self._rows

    def _fetch(self) -> None:
        """Get the next batch that is not empty, or nothing at the end."""
        batch: Sequence[T] | None = ()
        try:
            while batch is not None and not batch:  # a page may hold nothing new
                self._reader.check()
                if not self._ready:
                    if self._bridge is not None:
                        self._bridge.fill()
                    self._ready.extend(runner.run(self._reader.take))
                batch = self._ready.popleft() if self._ready else None
            if batch and self._bridge is not None:
                self._bridge.release(len(batch))
            if self._reader.report is not None:
                self._reader.report(batch or ())
            self._rows = batch or ()
            self._batch = iter(self._rows)
        except BaseException:
            self._reader.abandoned = True  # the current batch is lost, and nothing may follow it
            self._ready.clear()
            raise

    def close(self) -> None:
        """Stop, and free connections. Idempotent."""
        self._batch = iter(())
        self._ready.clear()
        if not self._reader.abandoned:
            self._reader.check()
            runner.run(self._reader.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _BatchReader(Generic[T]):
    """Reads the batches of a stream on the loop thread, one ahead.

    It polls whether the iterator still exists. A finalizer would be faster, but it would run where the iterator is
    dropped, and an interruption (Ctrl-C) during a finalizer is lost.
    """

    def __init__(self, stream: Stream[T], bridge: IterableBridge | None, *, ahead: bool) -> None:
        self.abandoned = False
        self.consumer: weakref.ref[SyncStream[T]] | None = None
        self._batches, self.report = stream.unreported()  # the progress function runs on the caller's thread
        self._bridge = bridge
        self._ahead = ahead
        self._loop: asyncio.AbstractEventLoop | None = None  # since the first batch
        self._poll_timer: asyncio.TimerHandle | None = None
        self._next: asyncio.Task[Sequence[T] | None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Reject an iteration that was started before a fork: its loop belongs to the parent process."""
        if self._loop is not None and self._loop is not runner.loop and not self.abandoned:
            raise ClientClosedError("this iteration was begun before the process forked: begin another")

    async def take(self) -> list[Sequence[T]]:
        """Return the next batch, and those after it that are ready; nothing at the end."""
        if self.abandoned:
            return []
        if self._bridge is not None:
            self._bridge.filled.set()
        first, self._loop = self._loop is None, asyncio.get_running_loop()
        if first:
            self._poll_consumer()
        task, self._next = self._next or asyncio.create_task(self._advance()), None
        batch = await task
        if batch is None:
            await self.close()
            return []
        batches = [batch]
        while self._ahead and not first:  # leaving the loop in the first page costs only one request
            self._next = asyncio.create_task(self._advance())
            self._next.add_done_callback(_mark_retrieved)
            await asyncio.sleep(0)  # for its first step, which ends it if the batch has arrived
            batch = _ready_batch(self._next)
            if batch is None or len(batches) == MAX_READY_BATCHES:
                break
            batches.append(batch)
        return batches

    async def _advance(self) -> Sequence[T] | None:
        return await anext(self._batches, None)

    def _poll_consumer(self) -> None:
        if runner.ended:
            return  # the runner closes the rest
        if self.abandoned or self.consumer is None or self.consumer() is None:
            self._closing = asyncio.create_task(self.close())
        else:
            self._poll_timer = asyncio.get_running_loop().call_later(ABANDON_POLL_SECONDS, self._poll_consumer)

    async def close(self) -> None:
        """Stop the running task, and wait until it has stopped."""
        self.abandoned = True
        if self._poll_timer is not None:
            self._poll_timer.cancel()
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
        await self._batches.aclose()


def _ready_batch(task: asyncio.Task[Sequence[T] | None]) -> Sequence[T] | None:
    """Return the batch of a task that has one, and nothing if it is still waiting, has failed, or is at the end."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return None
    return task.result()


def _mark_retrieved(task: asyncio.Task[Any]) -> None:
    """Mark the exception as retrieved, so that asyncio does not report it."""
    if not task.cancelled():
        task.exception()


class IterableBridge(AsyncIterator[Any]):
    """Passes the items of a caller's iterable to the loop thread without running the caller's code there.

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
        self._accept: Callable[[Any], bool] = accept_all

    def set_filter(self, accept: Callable[[Any], bool]) -> None:
        """Take only the items for which this is true. The consumer must not skip any of them."""
        self._accept = accept

    def fill(self) -> None:
        """Take items until enough are outstanding. Called on the caller's thread."""
        while not self._exhausted and self._outstanding < self._ahead:
            try:
                item = next(self._items)
            except StopIteration:
                self._exhausted = True
                return
            if self._accept(item):
                self._ready.append(item)
                self._outstanding += 1

    def release(self, results: int) -> None:
        """Allow as many further items as the caller has received results."""
        self._outstanding -= results

    async def __anext__(self) -> Any:
        while not self._ready:
            if self._exhausted:
                raise StopAsyncIteration
            self.filled.clear()
            await self.filled.wait()
        return self._ready.popleft()


class SizedIterableBridge(IterableBridge):
    """An :class:`IterableBridge` with the length of the iterable."""

    def __init__(self, items: Iterable[Any], ahead: int, length: int) -> None:
        super().__init__(items, ahead)
        self._length = length

    def __len__(self) -> int:
        return self._length
