"""Receivers: verify a delivery, parse its event, call the handler once per event, and decide the HTTP response.

:meth:`_BaseReceiver._process` holds the order of the steps for both receivers. It awaits ``call(function, *args)`` for
everything that may block: :class:`Receiver` runs the function in the calling thread, :class:`AsyncReceiver` on the event
loop or in a worker thread.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError, PayloadError, StaleDeliveryError, SyncInAsyncError
from truemed_async.webhooks._events import Event, PaymentTokenUpdated
from truemed_async.webhooks._parse import is_test_event
from truemed_async.webhooks._results import (
    CatchUpResult,
    DeliveryHook,
    DeliveryResult,
    DeliveryStatus,
    EventScope,
    call_hook,
)
from truemed_async.webhooks._signature import Headers
from truemed_async.webhooks._stores import (
    AsyncDedupStore,
    AsyncInbox,
    Claim,
    DedupStore,
    Inbox,
    MemoryDedupStore,
    claim_of_creation,
)
from truemed_async.webhooks._verify import (
    DEFAULT_CLOCK_SKEW,
    DEFAULT_MAX_AGE,
    DEFAULT_MAX_AGE_WITHOUT_STORE,
    MAX_DELIVERY_BYTES,
    Mode,
    Verifier,
    is_verification_request,
    validate_delivery,
)

S = TypeVar("S", bound=DedupStore | AsyncDedupStore | Inbox | AsyncInbox)

logger = logging.getLogger("truemed_async.webhooks")

_CLAIM_STATUSES: Mapping[Claim, DeliveryStatus] = {
    Claim.GRANTED: DeliveryStatus.HANDLED,
    Claim.DONE: DeliveryStatus.DUPLICATE,
    Claim.BUSY: DeliveryStatus.IN_PROGRESS,
}
_LOG_LEVELS: Mapping[DeliveryStatus, int] = {
    DeliveryStatus.HANDLED: logging.DEBUG,
    DeliveryStatus.DUPLICATE: logging.DEBUG,
    DeliveryStatus.VERIFICATION: logging.INFO,
    DeliveryStatus.IN_PROGRESS: logging.INFO,
    DeliveryStatus.FAILED: logging.ERROR,
}

EventHandler = Callable[[Event], object]
"""A function or coroutine function of one event. Its return value is ignored; if it raises, Truemed delivers again.

It also receives each :class:`UnknownEvent`: an event that it returns from counts as handled.
"""

InboxHandler = Callable[[Event, Any], object]
"""A handler of an inbox that passes its connection on: ``handler(event, connection)``."""

_Call = Callable[..., Awaitable[Any]]
"""Call ``function(*args)`` and wait for it, whether it is a function or a coroutine function."""


class _BaseReceiver(Generic[S]):
    def __init__(
        self,
        handler: EventHandler | InboxHandler,
        *,
        secrets: str | Sequence[str],
        store: S | None,
        mode: Mode = "signed",
        event_type: str | None = None,
        max_age: timedelta | None = None,
        clock_skew: timedelta = DEFAULT_CLOCK_SKEW,
        hooks: Sequence[DeliveryHook] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        boxed = Sensitive[object](secrets)
        del secrets
        if not callable(handler):
            raise InvalidArgumentError("handler must be a function or a coroutine function of one event")
        if not all(callable(hook) for hook in hooks):
            raise InvalidArgumentError("hooks must be functions of one DeliveryResult")
        process = getattr(store, "process", None)
        if process is not None and _is_coroutine_function(process) != _is_coroutine_function(handler):
            kind = "a coroutine function" if _is_coroutine_function(process) else "a function, not a coroutine function"
            raise InvalidArgumentError(f"handler must be {kind}, because it runs in the transaction of this inbox")
        if max_age is None:
            max_age = DEFAULT_MAX_AGE_WITHOUT_STORE if store is None else DEFAULT_MAX_AGE
        self._verifier = Verifier.of(boxed, mode=mode, event_type=event_type, max_age=max_age, clock_skew=clock_skew)
        self._store: S | None = store
        inbox: Any = store if isinstance(store, Inbox | AsyncInbox) else None
        self._inbox: Inbox | AsyncInbox | None = inbox
        retention = self.retention
        if retention is not None and retention < max_age + clock_skew:
            raise InvalidArgumentError(
                f"the store forgets after {retention}, but deliveries are accepted for {max_age + clock_skew}: "
                "set a longer retention of the store, or a shorter max_age of the receiver"
            )
        self._handler: Callable[..., object] = handler
        self._hooks = tuple(hooks)
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[DeliveryStatus] = Counter()
        self._tasks: set[asyncio.Task[DeliveryResult]] = set()

    @property
    def retention(self) -> timedelta | None:
        """How long handled events are remembered; ``None`` if there is no store, or it does not say so."""
        retention = getattr(self._store, "retention", None)
        return retention if isinstance(retention, timedelta) else None

    @property
    def has_store(self) -> bool:
        """Whether anything remembers which events were handled."""
        return self._store is not None

    @property
    def counts(self) -> Mapping[DeliveryStatus, int]:
        """The number of deliveries and other events by status, since this receiver was created in this process."""
        with self._lock:
            return {status: self._counts[status] for status in DeliveryStatus}

    def reject_too_large(self) -> DeliveryResult:
        """Record a delivery over ``MAX_DELIVERY_BYTES``, whose body need not be read, and return its result."""
        return self._record(DeliveryResult(status=DeliveryStatus.TOO_LARGE))

    def acknowledge_verification(self) -> DeliveryResult:
        """Record a GET or HEAD request, with which Truemed may verify that the endpoint exists, and return its result."""
        return self._record(DeliveryResult(status=DeliveryStatus.VERIFICATION))

    def _record(self, result: DeliveryResult, *, delivered: bool = True) -> DeliveryResult:
        """Count and log a result, and call the hooks.

        Only the event's type and the status are logged, never a header or body. A handler's exception is logged with its
        traceback, as a web framework would do.
        """
        with self._lock:
            self._counts[result.status] += 1
        refusal = result.error if result.event is None else None  # our own error, which holds no value
        logger.log(
            _LOG_LEVELS.get(result.status, logging.WARNING),
            "webhook %s: %s, %s%s",
            "-" if result.event is None else result.event.type.name,
            result.status,
            f"responding {result.http_status}" if delivered else "without a delivery",
            "" if refusal is None else f": {refusal}",
            exc_info=result.error if result.status is DeliveryStatus.FAILED else None,
        )
        for hook in self._hooks:
            call_hook(hook, result)
        return result

    def _verify(self, delivery: Sensitive[tuple[bytes, Headers]]) -> Event | DeliveryResult:
        """Return the event to handle, or the result if there is nothing to handle."""
        if len(validate_delivery(delivery).value[0]) > MAX_DELIVERY_BYTES:
            return DeliveryResult(status=DeliveryStatus.TOO_LARGE)
        verified = self._verifier.verify(delivery, self._clock())
        if isinstance(verified, Event):
            if is_test_event(verified):
                return DeliveryResult(status=DeliveryStatus.VERIFICATION, event=verified)
            return verified
        if isinstance(verified, PayloadError):
            return DeliveryResult(status=DeliveryStatus.UNREADABLE, error=verified)
        if is_verification_request(delivery):
            return DeliveryResult(status=DeliveryStatus.VERIFICATION)
        stale = isinstance(verified, StaleDeliveryError)
        return DeliveryResult(status=DeliveryStatus.STALE if stale else DeliveryStatus.REFUSED, error=verified)

    async def _process_and_record(
        self, event: Event, call: _Call, delivery: Sensitive[tuple[bytes, Headers]] | None
    ) -> DeliveryResult:
        """Process an event, which comes from elsewhere if there is no delivery, and record its result."""
        with EventScope(self._hooks, event, delivery) as scope:
            result = scope.result = self._record(await self._process(event, call), delivered=delivery is not None)
            return result

    async def _process(self, event: Event, call: _Call) -> DeliveryResult:
        """Claim the event, call the handler, and confirm the claim; release it if the handler fails."""
        if self._inbox is not None:
            return await self._process_in_inbox(event, call, self._inbox)
        store = cast("DedupStore | AsyncDedupStore | None", self._store)
        if store is None:
            try:
                await call(self._handler, event)
            except Exception as error:  # noqa: BLE001  # the result carries it
                return DeliveryResult(status=DeliveryStatus.FAILED, event=event, error=error)
            return DeliveryResult(status=DeliveryStatus.HANDLED, event=event)

        owner = uuid.uuid4().hex
        keys: list[str] = []  # those that this call may hold
        try:
            claim = await self._claim(call, store, event, owner, keys)
            if claim == Claim.BUSY:
                await self._release(call, store, keys, owner)
                return DeliveryResult(status=DeliveryStatus.IN_PROGRESS, event=event)
            if claim == Claim.GRANTED:
                await call(self._handler, event)
        except Exception as error:  # noqa: BLE001  # the result carries it
            await self._release(call, store, keys, owner)
            return DeliveryResult(status=DeliveryStatus.FAILED, event=event, error=error)
        except BaseException:
            # Also after an interrupted claim: it may have been granted.
            await self._release(call, store, keys, owner)
            raise

        try:
            await self._confirm(call, store, keys, owner)
        except Exception as error:  # noqa: BLE001  # the result carries it
            return DeliveryResult(status=DeliveryStatus.FAILED, event=event, error=error)
        except BaseException:
            # The handler ran: confirm even if canceled or interrupted.
            await self._confirm(call, store, keys, owner)
            raise
        return DeliveryResult(status=_CLAIM_STATUSES[claim], event=event)

    async def _claim(
        self, call: _Call, store: DedupStore | AsyncDedupStore, event: Event, owner: str, keys: list[str]
    ) -> Claim:
        """Claim an event, and add the keys that this takes to ``keys``."""

        async def claim(key: str) -> Claim:
            keys.append(key)
            result: Claim = await call(store.claim, key, owner)
            if result != Claim.GRANTED:
                keys.remove(key)
            return result

        result = await claim(event.dedup_key)
        creation = _creation_keys(event)
        if result != Claim.GRANTED or creation is None:
            return result
        return claim_of_creation(*[await claim(each) for each in creation])

    async def _confirm(self, call: _Call, store: DedupStore | AsyncDedupStore, keys: Sequence[str], owner: str) -> None:
        """Confirm the event's own key last: after a crash in between, it is delivered again, and nothing is lost."""
        for key in reversed(keys):
            await call(store.confirm, key, owner)

    async def _process_in_inbox(self, event: Event, call: _Call, inbox: Inbox | AsyncInbox) -> DeliveryResult:
        """Let the inbox call the handler in its transaction."""

        def handle(*transaction: Any) -> None:
            value = self._handler(event, *transaction)
            if inspect.isawaitable(value):
                _close_coroutine(value)
                raise RuntimeError(
                    "the handler returned an awaitable, but the transaction of this inbox is synchronous"
                )

        async def handle_async(*transaction: Any) -> None:
            value = self._handler(event, *transaction)
            if inspect.isawaitable(value):
                await value

        try:
            asynchronous = _is_coroutine_function(inbox.process)
            callback = handle_async if asynchronous else handle
            claim = await call(inbox.process, event.dedup_key, callback, _creation_keys(event))
        except Exception as error:  # noqa: BLE001  # the result carries it
            return DeliveryResult(status=DeliveryStatus.FAILED, event=event, error=error)
        return DeliveryResult(status=_CLAIM_STATUSES[claim], event=event)

    async def _release(self, call: _Call, store: DedupStore | AsyncDedupStore, keys: Sequence[str], owner: str) -> None:
        for key in keys:
            try:
                await call(store.release, key, owner)
            except Exception:  # the claim expires by itself
                logger.warning("the claim of a webhook could not be released", exc_info=True)


def _creation_keys(event: Event) -> tuple[str, str] | None:
    return event.creation_keys if isinstance(event, PaymentTokenUpdated) else None


class Receiver(_BaseReceiver[DedupStore | Inbox]):
    """Receives the deliveries of one webhook in synchronous code: Flask, Django, any WSGI application.

    A receiver is thread-safe. A handler that is a coroutine function runs on a new event loop.

    Args:
        handler: Called with each event, also an :class:`UnknownEvent`, once as far as ``store`` can tell. With an inbox it
            may also get the connection, and must not be a coroutine function.
        secrets: The webhook's secret, or several while it is rotated.
        store: Remembers which events were handled: :class:`SQLiteDedupStore`, :class:`MemoryDedupStore`, one of
            :mod:`truemed_async.webhooks.postgres`, ``.redis`` or ``.django``, or your own implementation; use one store, file or name per webhook.
            ``None``: nothing is remembered, and the handler is called for every delivery of an event.
        mode: ``"signed"`` or ``"unsigned"``, as chosen when the webhook was created.
        event_type: The event that the route receives, for unsigned deliveries whose body does not name it.
        max_age: How long ago a delivery may have been signed. The default is 7 days and an hour with a store, and 5
            minutes without, where nothing else prevents a replay. Truemed redelivers for up to 7 days and may not sign
            again: without a store, genuine events can be refused as stale.
        clock_skew: How far ahead of this machine's clock a delivery may have been signed.
        hooks: Called with each :class:`DeliveryResult`, for metrics and alerts; see also :class:`EventHook`.
        clock: Returns the current time, aware; for tests.

    Raises:
        InvalidArgumentError: An argument is invalid, or the store's retention is shorter than ``max_age``.
    """

    def receive(self, body: bytes, headers: Headers) -> DeliveryResult:
        """Process one delivery and return its result, with the HTTP status to respond with.

        Exceptions of the handler and the store are not raised: they are logged, and in the result.

        Args:
            body: The raw bytes of the request.
            headers: The request's headers, as for :func:`verify_and_parse`.

        Raises:
            InvalidArgumentError: ``body`` is not ``bytes``, or ``headers`` is not a mapping.
        """
        delivery = Sensitive((body, headers))
        del body, headers
        verified = self._verify(delivery)
        if isinstance(verified, DeliveryResult):
            return self._record(verified)
        return self._process_here(verified, delivery)

    def handle_events(self, events: Iterable[Event]) -> CatchUpResult:
        """Call the handler with events that come from elsewhere than a delivery, once each, and return their results.

        ``client.catch_up`` does so with changes whose delivery was missed.

        Args:
            events: The events. One whose handler raises does not affect the others.
        """
        return CatchUpResult.of(self._process_here(event, None) for event in events)

    def _process_here(self, event: Event, delivery: Sensitive[tuple[bytes, Headers]] | None) -> DeliveryResult:
        return _run_without_loop(self._process_and_record(event, _call_in_this_thread, delivery))


async def _call_in_this_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function, and await its result on a new event loop if it is awaitable. This coroutine never suspends."""
    value = function(*args)
    if not inspect.isawaitable(value):
        return value

    async def wait() -> Any:
        return await value

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    _close_coroutine(value)
    raise SyncInAsyncError(
        "a coroutine function as handler requires AsyncReceiver here: this thread runs an event loop"
    )


def _close_coroutine(value: Awaitable[Any]) -> None:
    """Avoid the warning about a coroutine that was never awaited."""
    if inspect.iscoroutine(value):
        value.close()


T = TypeVar("T")


def _run_without_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, and return its result."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)


class AsyncReceiver(_BaseReceiver[DedupStore | AsyncDedupStore | Inbox | AsyncInbox]):
    """Receives the deliveries of one webhook on an event loop: aiohttp, FastAPI, Starlette, Django's async views.

    The arguments are those of :class:`Receiver`; ``store`` may also be an :class:`AsyncDedupStore`, or an
    :class:`AsyncInbox`, whose handler must be a coroutine function. A handler that is an ordinary function, and a store
    with ordinary methods, run in worker threads, so they may block.
    """

    async def receive(self, body: bytes, headers: Headers) -> DeliveryResult:
        """Process one delivery and return its result, with the HTTP status to respond with.

        Exceptions of the handler and the store are not raised: they are logged, and in the result. Once an event is
        verified it is processed to the end, even if this call is canceled because Truemed closed the connection. Only
        the end of the event loop interrupts it, and the claim is then released.

        Args:
            body: The raw bytes of the request.
            headers: The request's headers, as for :func:`verify_and_parse`.

        Raises:
            InvalidArgumentError: ``body`` is not ``bytes``, or ``headers`` is not a mapping.
        """
        delivery = Sensitive((body, headers))
        del body, headers
        verified = self._verify(delivery)
        if isinstance(verified, DeliveryResult):
            return self._record(verified)
        return await self._process_shielded(verified, delivery)

    async def handle_events(self, events: AsyncIterable[Event]) -> CatchUpResult:
        """Call the handler with events that come from elsewhere than a delivery, once each, and return their results.

        ``client.catch_up`` does so with changes whose delivery was missed.

        Args:
            events: The events. One whose handler raises does not affect the others; each that is begun is processed to
                the end, even if this call is canceled.
        """
        return CatchUpResult.of([await self._process_shielded(event, None) async for event in events])

    async def _process_shielded(
        self, event: Event, delivery: Sensitive[tuple[bytes, Headers]] | None
    ) -> DeliveryResult:
        call = functools.partial(_call_from_loop, getattr(self._store, "close_idle_connections", None))
        task = asyncio.create_task(self._process_and_record(event, call, delivery))
        self._tasks.add(task)  # the loop itself holds only a weak reference
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)


async def _call_from_loop(close: Callable[[], object] | None, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function, in a worker thread if it may block, and await its result if it is awaitable."""
    if _may_block(function):
        value = await asyncio.to_thread(_call_for_future, close, function, *args)
    else:
        value = function(*args)
    return await value if inspect.isawaitable(value) else value


def _call_for_future(close: Callable[[], object] | None, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function whose exception is passed on by a future, which cannot hold ``StopIteration``; then ``close``."""
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError("the handler or the store raised StopIteration") from error
    finally:
        if close is not None:
            close()


def _may_block(function: Callable[..., Any]) -> bool:
    """Whether a function must not be called on the event loop: it is neither a coroutine function nor the memory store's."""
    if isinstance(getattr(function, "__self__", None), MemoryDedupStore):
        return False
    return not _is_coroutine_function(function)


def _is_coroutine_function(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # fmt: skip
