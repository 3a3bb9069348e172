"""Receives deliveries whole: verified, read, handled once, and answered so that Truemed comes again if need be.

What happens to a delivery is decided in one place, :meth:`_Core._course`, which does nothing itself: it yields each step
and is sent what came of it. The two receivers only take the steps, one in the calling thread, one on the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError, SignatureError, StaleDeliveryError, SyncInAsyncError
from truemed_async.webhooks._dedup import AsyncDedupStore, Claim, DedupStore, MemoryDedupStore
from truemed_async.webhooks._events import Event, UnknownEvent
from truemed_async.webhooks._receipt import Receipt, ReceiptHook, Result, report
from truemed_async.webhooks._verify import CLOCK_SKEW, REDELIVERED, REPLAYED, Mode, Verifier, checked

S = TypeVar("S", bound=DedupStore | AsyncDedupStore)

EventHandler = Callable[[Event], object]
"""Your handler: a function or a coroutine function. What it returns is not used; if it raises, Truemed comes again."""


@attrs.frozen
class _Step:
    """Something to be done: a call of the store or the handler. ``undo`` is due if it is broken off."""

    call: Callable[..., Any]
    args: tuple[Any, ...]
    undo: _Step | None = None

    def run(self) -> Any:
        """Do it; what it raises is its result."""
        try:
            return self.call(*self.args)
        except Exception as error:  # noqa: BLE001  # it is not lost: the receipt carries it
            return _Raised(error)


@attrs.frozen
class _Raised:
    error: Exception


class _Core(Generic[S]):
    def __init__(
        self,
        handler: EventHandler,
        *,
        secrets: str | Sequence[str],
        store: S | None,
        mode: Mode = "signed",
        event_type: str | None = None,
        max_age: timedelta | None = None,
        clock_skew: timedelta = CLOCK_SKEW,
        hooks: Sequence[ReceiptHook] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        boxed = Sensitive[object](secrets)
        del secrets
        if not callable(handler):
            raise InvalidArgumentError("handler must be a function or a coroutine function of one event")
        if not all(callable(hook) for hook in hooks):
            raise InvalidArgumentError("hooks must be functions of one receipt")
        age = max_age if max_age is not None else REPLAYED if store is None else REDELIVERED
        self._verifier = Verifier.of(boxed, mode=mode, event_type=event_type, max_age=age, clock_skew=clock_skew)
        kept = getattr(store, "retention", None)
        if isinstance(kept, timedelta) and kept < age + clock_skew:
            raise InvalidArgumentError(
                f"the store forgets after {kept}, but deliveries are accepted for {age + clock_skew}: "
                "give it a longer retention, or a shorter max_age here"
            )
        self._handler = handler
        self._store: S | None = store
        self._hooks = tuple(hooks)
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[Result] = Counter()
        self._begun: set[asyncio.Task[Receipt]] = set()

    @property
    def counts(self) -> Mapping[Result, int]:
        """How many deliveries had which result, since this receiver was made in this process."""
        with self._lock:
            return {result: self._counts[result] for result in Result}

    def too_large(self) -> Receipt:
        """Return the receipt of a delivery over ``BODY_LIMIT`` bytes, whose body need not be read to its end."""
        return self._told(Receipt(result=Result.TOO_LARGE))

    def _told(self, receipt: Receipt) -> Receipt:
        with self._lock:
            self._counts[receipt.result] += 1
        report(receipt, self._hooks)
        return receipt

    def _opened(self, given: Sensitive[tuple[bytes, Mapping[str, str]]]) -> Event | Receipt:
        """Return the event to handle, or what became of the delivery already."""
        opened = self._verifier.open(checked(given), self._clock())
        if isinstance(opened, UnknownEvent):
            return Receipt(result=Result.UNKNOWN_EVENT, event=opened)
        if isinstance(opened, Event):
            return opened
        if isinstance(opened, StaleDeliveryError):
            return Receipt(result=Result.STALE, error=opened)
        refused = isinstance(opened, SignatureError)
        return Receipt(result=Result.REFUSED if refused else Result.UNREADABLE, error=opened)

    def _course(self, event: Event) -> Generator[_Step, Any, Receipt]:
        """Yield what is to be done with an event, and return what became of it."""
        handle, store = (self._handler, (event,)), self._store
        if store is None:
            done = yield _Step(*handle)
            return _receipt(event, done)
        mine = (event.dedup_key, uuid.uuid4().hex)
        release = _Step(store.release, mine)
        claim = yield _Step(store.claim, mine, undo=release)
        if isinstance(claim, _Raised):
            return _receipt(event, claim)
        if claim != Claim.GRANTED:
            return Receipt(result=Result.DUPLICATE if claim == Claim.DONE else Result.IN_PROGRESS, event=event)
        done = yield _Step(*handle, undo=release)
        if isinstance(done, _Raised):
            yield release  # if that fails too, the claim ends by itself
            return _receipt(event, done)
        confirm = _Step(store.confirm, mine)
        return _receipt(event, (yield attrs.evolve(confirm, undo=confirm)))  # broken off, it is due all the more


def _receipt(event: Event, result: Any) -> Receipt:
    if isinstance(result, _Raised):
        return Receipt(result=Result.FAILED, event=event, error=result.error)
    return Receipt(result=Result.HANDLED, event=event)


class Receiver(_Core[DedupStore]):
    """Receives the deliveries of one webhook in synchronous code: Flask, Django, any WSGI application.

    It may be used by any number of threads. A handler that is a coroutine function is run on an event loop of its own.

    Args:
        handler: Your code, called with each known event: once, as far as ``store`` can tell.
        secrets: The webhook's secret, or several while you change it.
        store: What remembers the events that were handled: :class:`SQLiteDedupStore`, :class:`MemoryDedupStore`, one of
            your own; one store, file or prefix for each webhook. ``None``: nothing does, and your handler sees an event
            each time it is delivered.
        mode: ``"signed"`` or ``"unsigned"``, as the webhook was made.
        event_type: What the route receives, for unsigned deliveries whose body does not say.
        max_age: How long ago a delivery may have been signed. By default 7 days and an hour with a store, and 5
            minutes without, where nothing else stops a repetition. Truemed repeats for up to 7 days and may not
            sign again: without a store, real events can be refused as stale.
        clock_skew: How far ahead of this machine's clock it may have been signed.
        hooks: Functions that are called with each :class:`Receipt`, for your metrics and alarms.
        clock: The time, aware; for tests.

    Raises:
        InvalidArgumentError: An argument is none of those above, or the store forgets too early for ``max_age``.
    """

    def receive(self, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Take one delivery in and return how to answer it.

        Nothing that your handler or the store raises comes out: it is logged, and in the receipt.

        Raises:
            InvalidArgumentError: ``body`` is not ``bytes``, or ``headers`` is no mapping.
        """
        given = Sensitive((body, headers))
        del body, headers  # a traceback may show this frame
        opened = self._opened(given)
        return self._told(opened if isinstance(opened, Receipt) else self._taken(self._course(opened)))

    def _taken(self, course: Generator[_Step, Any, Receipt]) -> Receipt:
        result: Any = None
        while True:
            try:
                step = course.send(result)
            except StopIteration as end:
                return cast("Receipt", end.value)
            try:
                result = _Step(_finished, (step,)).run()
            except BaseException:
                if step.undo is not None:
                    step.undo.run()
                raise


def _finished(step: _Step) -> Any:
    """Take a step to its end, on an event loop of its own if it is a coroutine."""
    value = step.call(*step.args)
    if not inspect.isawaitable(value):
        return value

    async def awaited() -> Any:
        return await value

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(awaited())
    if inspect.iscoroutine(value):
        value.close()  # else it would complain of never having been awaited
    raise SyncInAsyncError("a coroutine as a handler needs AsyncReceiver here: an event loop runs in this thread")


class AsyncReceiver(_Core[DedupStore | AsyncDedupStore]):
    """Receives the deliveries of one webhook on an event loop: aiohttp, FastAPI, Starlette, Django's async views.

    The arguments are those of :class:`Receiver`; ``store`` may be an :class:`AsyncDedupStore` too. A handler that is an
    ordinary function, and a store whose methods are, run in worker threads, so that they may block.
    """

    async def receive(self, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Take one delivery in and return how to answer it.

        Nothing that your handler or the store raises comes out: it is logged, and in the receipt. An event
        that was begun is handled to its end, even if this call is cancelled because Truemed has hung up; only the end
        of the event loop breaks it off, and then it is given back.

        Raises:
            InvalidArgumentError: ``body`` is not ``bytes``, or ``headers`` is no mapping.
        """
        given = Sensitive((body, headers))
        del body, headers  # a traceback may show this frame
        opened = self._opened(given)
        if isinstance(opened, Receipt):
            return self._told(opened)
        task = asyncio.create_task(self._handled(opened))
        self._begun.add(task)  # the loop itself would not keep it
        task.add_done_callback(self._begun.discard)
        return await asyncio.shield(task)

    async def _handled(self, event: Event) -> Receipt:
        return self._told(await self._taken(self._course(event)))

    async def _taken(self, course: Generator[_Step, Any, Receipt]) -> Receipt:
        result: Any = None
        while True:
            try:
                step = course.send(result)
            except StopIteration as end:
                return cast("Receipt", end.value)
            try:
                result = await self._finished(step)
            except BaseException:
                if step.undo is not None:
                    await self._finished(step.undo)
                raise

    async def _finished(self, step: _Step) -> Any:
        value = await asyncio.to_thread(step.run) if _may_block(step.call) else step.run()
        if not inspect.isawaitable(value):
            return value
        try:
            return await value
        except Exception as error:  # noqa: BLE001  # it is not lost: the receipt carries it
            return _Raised(error)


def _may_block(call: Callable[..., Any]) -> bool:
    """Whether a call must not be made on the event loop: it is neither a coroutine's nor the store's in memory."""
    if isinstance(getattr(call, "__self__", None), MemoryDedupStore):
        return False
    return not (inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None)))  # noqa: B004
