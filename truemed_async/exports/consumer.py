"""Reads the streams of both clients: awaited on the event loop, or as a plain call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import aclosing, closing
from typing import Any, Protocol, TypeVar

from truemed_async._core.stream import Stream, StreamSource
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.columns import ROW_TYPES, RowType

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


class SyncBatches(Protocol[T_co]):
    """A stream of the synchronous client, :class:`~truemed_async.SyncStream`."""

    @property
    def source(self) -> StreamSource | None:
        """The listing that it reads."""
        ...

    def batches(self) -> Generator[Sequence[T_co], None, None]:
        """Return the rows in batches."""
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


class Consumer(Protocol[T_contra, R_co]):
    """Receives the rows of a stream. ``open`` and ``complete`` may block; ``close`` is always called at the end."""

    def open(self) -> None:
        """Prepare to receive rows."""
        ...

    def add(self, rows: Sequence[T_contra]) -> None:
        """Receive a batch; the first one is empty."""
        ...

    def complete(self) -> R_co:
        """Finish after the last batch and return the result."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


def consume(stream: Stream[T] | SyncBatches[T], consumer: Consumer[T, R]) -> R | Coroutine[Any, Any, R]:
    """Pass all rows of a stream to a consumer: a coroutine for the asynchronous client, else a plain call."""
    return _consume_async(stream, consumer) if isinstance(stream, Stream) else _consume_sync(stream, consumer)


async def _consume_async(stream: Stream[T], consumer: Consumer[T, R]) -> R:
    with closing(consumer):
        await run_uncancelled(consumer.open)
        consumer.add(())
        async with aclosing(stream):
            async for batch in stream.batches():
                consumer.add(batch)
        return await run_uncancelled(consumer.complete)


def _consume_sync(stream: SyncBatches[T], consumer: Consumer[T, R]) -> R:
    with closing(consumer):
        consumer.open()
        consumer.add(())
        with closing(stream):
            for batch in stream.batches():
                consumer.add(batch)
        return consumer.complete()


async def run_uncancelled(work: Callable[[], T]) -> T:
    """Run blocking work in a thread; a cancellation waits until it is done."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def source_of(stream: object) -> StreamSource | None:
    """Return the listing that a stream reads; refuse what is not a stream."""
    if not hasattr(stream, "batches"):
        raise InvalidArgumentError("stream must be a stream of rows, such as client.qualification_sessions.iter()")
    source: StreamSource | None = getattr(stream, "source", None)
    return source


def resolve_row_type(source: StreamSource | None, row_type: RowType[Any] | None) -> RowType[Any]:
    """Return the given row type, else that of the listing."""
    if row_type is not None:
        return row_type
    if source is None or source.model not in ROW_TYPES:
        raise InvalidArgumentError("row_type is required: the stream does not come from a listing of this library")
    return ROW_TYPES[source.model]
