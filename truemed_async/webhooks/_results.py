"""What becomes of a delivery: its status and result, and the hooks that receive the result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.webhooks._events import Event
from truemed_async.webhooks._signature import Headers, single_header

logger = logging.getLogger("truemed_async.webhooks")


class DeliveryStatus(StrEnum):
    """The outcome of a delivery."""

    HANDLED = "handled"
    """The handler returned. Responds 204."""
    DUPLICATE = "duplicate"
    """The event was handled before; the handler was not called. Responds 204."""
    VERIFICATION = "verification"
    """Truemed verified the endpoint, and there is no event; the handler was not called. Responds 204."""
    UNREADABLE = "unreadable"
    """The delivery is authentic, but its body is not the event that it names. Responds 400."""
    REFUSED = "refused"
    """The signature or secret is missing or wrong. Responds 401."""
    STALE = "stale"
    """The signature is valid, but too old or in the future. Responds 401."""
    TOO_LARGE = "too_large"
    """The body is over 1 MiB. Responds 413."""
    IN_PROGRESS = "in_progress"
    """Another delivery of the event holds the claim. Responds 500, so that Truemed delivers the event again."""
    FAILED = "failed"
    """The handler or the store raised. Responds 500, so that Truemed delivers the event again."""


_HTTP_STATUSES: Mapping[DeliveryStatus, int] = {
    DeliveryStatus.HANDLED: 204,
    DeliveryStatus.DUPLICATE: 204,
    DeliveryStatus.VERIFICATION: 204,
    DeliveryStatus.UNREADABLE: 400,
    DeliveryStatus.REFUSED: 401,
    DeliveryStatus.STALE: 401,
    DeliveryStatus.TOO_LARGE: 413,
    DeliveryStatus.IN_PROGRESS: 500,
    DeliveryStatus.FAILED: 500,
}


@attrs.frozen(kw_only=True)
class DeliveryResult:
    """The outcome of a delivery and the HTTP status to respond with. The response has no body.

    Attributes:
        status: The outcome.
        event: The event, if the delivery was verified and parsed.
        error: Why the delivery was refused, or what the handler or the store raised.
    """

    status: DeliveryStatus
    event: Event | None = None
    error: Exception | None = attrs.field(default=None, eq=False)

    @property
    def http_status(self) -> int:
        """The status code of the HTTP response."""
        return _HTTP_STATUSES[self.status]


@attrs.frozen(kw_only=True)
class CatchUpResult:
    """What became of the events that were handed to a receiver without a delivery.

    Attributes:
        counts: The number of events by status: ``handled``, ``duplicate``, ``in_progress`` and ``failed``.
        failures: The results of those whose handler or store raised. They are not remembered as handled.
    """

    counts: Mapping[DeliveryStatus, int]
    failures: tuple[DeliveryResult, ...] = attrs.field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether every event is handled: none failed, and none is being handled by a delivery."""
        return not (self.counts[DeliveryStatus.FAILED] or self.counts[DeliveryStatus.IN_PROGRESS])

    @classmethod
    def of(cls, results: Iterable[DeliveryResult]) -> Self:
        """Count results."""
        counts, failures = dict.fromkeys(_EVENT_STATUSES, 0), list[DeliveryResult]()
        for result in results:
            counts[result.status] += 1
            if result.status is DeliveryStatus.FAILED:
                failures.append(result)
        return cls(counts=counts, failures=tuple(failures))

    @classmethod
    def merge(cls, results: Sequence[Self]) -> Self:
        """Add results up."""
        counts = {status: sum(each.counts[status] for each in results) for status in _EVENT_STATUSES}
        return cls(counts=counts, failures=tuple(failure for each in results for failure in each.failures))


_EVENT_STATUSES: Sequence[DeliveryStatus] = (
    DeliveryStatus.HANDLED,
    DeliveryStatus.DUPLICATE,
    DeliveryStatus.IN_PROGRESS,
    DeliveryStatus.FAILED,
)

DeliveryHook = Callable[[DeliveryResult], object]
"""Called with the result of each delivery, before the response is sent."""


class EventHook(Protocol):
    """A hook that is called with each result, like any ``DeliveryHook``, and also before an event is handled.

    Both methods run in the context in which the handler is called, so that it sees a context variable set at the start.
    """

    def __call__(self, result: DeliveryResult, /) -> object:
        """Receive the result of a delivery."""
        ...

    def start_event(
        self, event: Event, trace_headers: Mapping[str, str], /
    ) -> Callable[[DeliveryResult | BaseException], object]:
        """Receive a verified event, and return a function that is called with its result once it is processed.

        Args:
            event: The event, which contains personal data.
            trace_headers: ``traceparent`` and ``tracestate`` of the delivery, if it has them (W3C Trace Context).

        If the processing is interrupted, the function is called with the exception instead, such as a cancellation.
        """
        ...


class EventScope:
    """Surrounds the processing of an event with the hooks that have ``start_event``."""

    def __init__(
        self, hooks: Sequence[DeliveryHook], event: Event, delivery: Sensitive[tuple[bytes, Headers]] | None
    ) -> None:
        self._hooks = hooks
        self._event = event
        self._delivery = delivery
        self._ends: list[Callable[[DeliveryResult | BaseException], object]] = []
        self.result: DeliveryResult | None = None

    def __enter__(self) -> Self:
        for hook in self._hooks:
            start_event = getattr(hook, "start_event", None)
            if start_event is not None:
                end = call_hook(start_event, self._event, _trace_headers(self._delivery))
                if end is not None:
                    self._ends.append(end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in reversed(self._ends):
            call_hook(end, self.result if error is None else error)


def call_hook(hook: Callable[..., Any], *arguments: object) -> Any:
    """Call a hook. If it raises, log the exception, and return ``None``."""
    try:
        return hook(*arguments)
    except Exception:  # a broken hook must not turn a handled event into a failure
        logger.exception("a hook of truemed_async.webhooks raised")
        return None


def _trace_headers(delivery: Sensitive[tuple[bytes, Headers]] | None) -> Mapping[str, str]:
    if delivery is None:
        return {}
    found = {name: single_header(delivery.value[1], name) for name in ("traceparent", "tracestate")}
    return {name: value for name, value in found.items() if value is not None}
