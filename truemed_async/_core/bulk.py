"""Many calls at once, bounded: a fixed number of workers over one shared iterator, de-duplication and progress."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence, Sized
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable

import attrs

from truemed_async._core.event_loop import running_loop
from truemed_async.errors import InvalidArgumentError, TruemedError

K = TypeVar("K")
T = TypeVar("T")

MAX_REMEMBERED_IDS = 100_000
"""How many ids are remembered to skip repeats, about 15 MiB."""
_YIELD_EVERY = 1000  # skipped items after which other tasks get a turn on the event loop


@attrs.frozen(kw_only=True)
class Outcome(Generic[T]):
    """The result of one call of many.

    Attributes:
        id: The id of the call.
        value: The result, or ``None`` if the call failed.
        error: Why it failed, or ``None``.
    """

    id: str
    value: T | None = None
    error: TruemedError | None = None

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.error is None

    def unwrap(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


async def outcome_of(item: str, call: Callable[[str], Awaitable[T]]) -> Outcome[T]:
    """Make one call. Its failure, including an invalid id, becomes its outcome."""
    try:
        return Outcome(id=item, value=await call(item))
    except TruemedError as error:
        return Outcome(id=item, error=error)


# --- workers ------------------------------------------------------------------------------------------------------


@attrs.frozen
class _WorkerFailure:
    """An exception that does not belong to a single item. It ends the whole operation."""

    error: BaseException


def accept_all(_: object) -> bool:
    """Accept every item."""
    return True


async def fan_out(
    items: Iterable[K] | AsyncIterable[K],
    call: Callable[[K], Awaitable[T]],
    *,
    concurrency: int,
    ordered: bool,
    accept: Callable[[K], bool] = accept_all,
) -> AsyncGenerator[list[T], None]:
    """Yield the results of ``call`` over ``items`` in batches of those that are ready.

    Items are taken lazily, never more than twice ``concurrency`` ahead of the consumer, so neither a slow consumer nor
    an endless iterator fills memory. Items that ``accept`` rejects are skipped. Closing the generator cancels the
    workers and waits for them.
    """
    source = _enumerate(items, accept)
    source_lock = asyncio.Lock()
    capacity = asyncio.Semaphore(2 * concurrency)
    finished: asyncio.Queue[tuple[int, T] | _WorkerFailure | None] = asyncio.Queue()

    async def work() -> None:
        while True:
            await capacity.acquire()
            async with source_lock:
                numbered = await anext(source, None)
            if numbered is None:
                return
            number, item = numbered
            finished.put_nowait((number, await call(item)))

    def report_end(worker: asyncio.Task[None]) -> None:
        """Notify the consumer of the end of a worker, so that it never waits for one that has ended."""
        error = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        finished.put_nowait(None if error is None else _WorkerFailure(error))

    loop = running_loop()
    workers = [loop.create_task(work()) for _ in range(concurrency)]
    for worker in workers:
        worker.add_done_callback(report_end)
    try:
        async for batch in _collect(finished, len(workers), ordered=ordered):
            yield batch
            for _ in batch:
                capacity.release()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await source.aclose()


async def _collect(
    finished: asyncio.Queue[tuple[int, T] | _WorkerFailure | None], workers: int, *, ordered: bool
) -> AsyncGenerator[list[T], None]:
    """Yield finished results until the last worker has ended; if ``ordered``, in the order of the items."""
    waiting: dict[int, T] = {}
    next_number = 0
    while workers:
        batch: list[T] = []
        result = await finished.get()
        while True:
            if isinstance(result, _WorkerFailure):
                raise result.error
            if result is None:
                workers -= 1
            elif not ordered:
                batch.append(result[1])
            else:
                waiting[result[0]] = result[1]
                while next_number in waiting:
                    batch.append(waiting.pop(next_number))
                    next_number += 1
            if finished.empty():
                break
            result = finished.get_nowait()
        if batch:
            yield batch


async def _enumerate(
    items: Iterable[K] | AsyncIterable[K], accept: Callable[[K], bool]
) -> AsyncGenerator[tuple[int, K], None]:
    number = skipped = 0
    if isinstance(items, AsyncIterable):
        async for item in items:
            if accept(item):
                yield number, item
                number += 1
    else:
        for item in items:
            if accept(item):
                yield number, item
                number += 1
            else:
                skipped += 1
                if skipped % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)


# --- de-duplication -----------------------------------------------------------------------------------------------


class RecentIds:
    """Accepts each id once, among the last :data:`MAX_REMEMBERED_IDS` different ones."""

    def __init__(self) -> None:
        self.skipped = 0
        """How many repeats there were."""
        self._ids: set[str] = set()
        self._oldest: deque[str] = deque()

    def is_new(self, id: object) -> bool:
        """Whether the id was not seen before. Non-strings are always new: their validation fails later."""
        if not isinstance(id, str):
            return True
        if id in self._ids:
            self.skipped += 1
            return False
        if len(self._oldest) == MAX_REMEMBERED_IDS:
            self._ids.remove(self._oldest.popleft())
        self._ids.add(id)
        self._oldest.append(id)
        return True


@runtime_checkable
class SupportsFilter(Protocol):
    """An iterable that filters its items itself, because it counts those that it returns, as the sync facade does."""

    def set_filter(self, accept: Callable[[Any], bool], /) -> None:
        """Return only the items for which ``accept`` is true."""
        ...


def filter_repeats(items: object, ids: RecentIds) -> Callable[[object], bool]:
    """Return the filter for :func:`fan_out`. An iterable that filters itself gets it instead."""
    if isinstance(items, SupportsFilter):
        items.set_filter(ids.is_new)
        return accept_all
    return ids.is_new


# --- progress -----------------------------------------------------------------------------------------------------


class ProgressReporter:
    """Counts outcomes, and calls the caller's function when there are more."""

    def __init__(self, progress: object, items: object, ids: RecentIds | None) -> None:
        if not callable(progress) or inspect.iscoroutinefunction(progress):
            raise InvalidArgumentError("progress must be a plain function of (done, failed, total)")
        self._progress: Callable[[int, int, int | None], object] = progress
        self._ids = ids
        self._total = len(items) if isinstance(items, Sized) else None
        self._done = self._failed = 0
        self._last_reported = (0, 0)

    def __call__(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Count these. Skipped repeats count as done: otherwise the total would never be reached."""
        self._done += len(outcomes)
        self._failed += sum(not outcome.ok for outcome in outcomes)
        now = (self._done + (0 if self._ids is None else self._ids.skipped), self._failed)
        if now != self._last_reported:
            self._last_reported = now
            self._progress(*now, self._total)
