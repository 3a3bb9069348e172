"""Many calls at once, bounded: a fixed number of workers over one shared iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar, cast

import attrs

from truemed_async.errors import TruemedError

K = TypeVar("K")
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Outcome(Generic[T]):
    """What became of one id of many.

    Attributes:
        id: The id that was asked for.
        value: What came back, or ``None`` if it failed.
        error: Why it failed, or ``None``.
    """

    id: str
    value: T | None = None
    error: TruemedError | None = None

    @property
    def ok(self) -> bool:
        """Whether it worked."""
        return self.error is None

    def unwrap(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


_TURN = 1000  # items that are passed over before others get a turn on the event loop


@attrs.frozen
class _Crash:
    """An exception that is not one id's failure; it ends the whole."""

    error: BaseException


async def outcome_of(item: str, call: Callable[[str], Awaitable[T]]) -> Outcome[T]:
    """Make one call; its failure, bad id included, stays its own."""
    try:
        return Outcome(id=item, value=await call(item))
    except TruemedError as error:
        return Outcome(id=item, error=error)


def every(_: object) -> bool:
    """Want each item."""
    return True


async def fan_out(
    items: Iterable[K] | AsyncIterable[K],
    call: Callable[[K], Awaitable[T]],
    *,
    concurrency: int,
    ordered: bool,
    wanted: Callable[[K], bool] = every,
) -> AsyncGenerator[list[T], None]:
    """Yield the results of ``call`` over ``items`` in batches of whatever is ready.

    Items are taken lazily, never more than twice ``concurrency`` ahead of what the consumer has taken, so neither a
    slow consumer nor an endless iterator fills memory. Items that are not ``wanted`` are passed over. Ending the
    generator cancels and awaits the workers.
    """
    source = _numbered(items, wanted)
    taking = asyncio.Lock()
    room = asyncio.Semaphore(2 * concurrency)
    finished: asyncio.Queue[tuple[int, T] | _Crash | None] = asyncio.Queue()

    async def work() -> None:
        while True:
            await room.acquire()
            async with taking:
                taken = await anext(source, None)
            if taken is None:
                return
            number, item = taken
            finished.put_nowait((number, await call(item)))

    def ended(worker: asyncio.Task[None]) -> None:
        """Tell the consumer, however a worker ended, lest it wait for ever."""
        error = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        finished.put_nowait(None if error is None else _Crash(error))

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    for worker in workers:
        worker.add_done_callback(ended)
    try:
        async for batch in _ready(finished, len(workers), ordered=ordered):
            yield batch
            for _ in batch:
                room.release()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await source.aclose()


async def _ready(
    finished: asyncio.Queue[tuple[int, T] | _Crash | None], working: int, *, ordered: bool
) -> AsyncGenerator[list[T], None]:
    """Yield finished results until the last of ``working`` workers has ended, in the items' order if asked for."""
    waiting: dict[int, T] = {}
    turn = 0
    while working:
        batch: list[T] = []
        arrived = await finished.get()
        while True:
            if isinstance(arrived, _Crash):
                raise arrived.error
            if arrived is None:
                working -= 1
            elif not ordered:
                batch.append(arrived[1])
            else:
                waiting[arrived[0]] = arrived[1]
                while turn in waiting:
                    batch.append(waiting.pop(turn))
                    turn += 1
            if finished.empty():
                break
            arrived = finished.get_nowait()
        if batch:
            yield batch


async def _numbered(
    items: Iterable[K] | AsyncIterable[K], wanted: Callable[[K], bool]
) -> AsyncGenerator[tuple[int, K], None]:
    number = passed_over = 0
    if isinstance(items, AsyncIterable):
        iterator: AsyncIterator[K] = aiter(items)
        async for item in iterator:
            if wanted(item):
                yield number, item
                number += 1
    else:
        for item in items:
            if wanted(item):
                yield number, item
                number += 1
            else:
                passed_over += 1
                if passed_over % _TURN == 0:
                    await asyncio.sleep(0)
