"""The request log: what reached the emulator, and how often it was sent."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from datetime import datetime
from itertools import count, islice
from typing import overload

import attrs

API_KEY_HEADER = "x-truemed-api-key"

# Never stored, not even for assertions: tests read ``authenticated`` instead.
_SECRET_HEADERS = frozenset({API_KEY_HEADER, "authorization", "cookie"})

_MAX_RESPONSE_BODIES = 200


def _redact(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, "REDACTED" if name.lower() in _SECRET_HEADERS else value) for name, value in headers)


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class LoggedRequest:
    """One received request and the status of its response.

    ``path`` and ``query`` are raw (percent-encoded, without the ``?``). ``headers`` are pairs in the order sent,
    repeated names included; values of secret headers are redacted. ``status`` is None until there is a response, and
    stays None if the connection was aborted. ``response_body`` is stored for the newest requests only, and is empty
    where a fault sent its own bytes. ``time`` is in seconds, comparable with ``time.monotonic()`` of this process; ``at``
    is the same moment by the emulator's clock, and ``seconds`` is how long the response took, None until there is one.
    ``number`` is the position since the emulator began, from 1. ``sales_channel`` is the number of the sales channel to
    which the key belongs, from 1; None if it belongs to none.
    The repr omits path, query, headers and bodies: each of them can hold personal data.
    """

    method: str
    path: str = attrs.field(repr=False)
    query: str = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False, converter=_redact)
    route: str | None
    authenticated: bool
    body: bytes = attrs.field(default=b"", repr=False)
    response_body: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None
    time: float = attrs.field(factory=time.monotonic, repr=False)
    at: datetime | None = attrs.field(default=None, repr=False)
    seconds: float | None = attrs.field(default=None, repr=False)
    number: int = attrs.field(default=0, repr=False)
    sales_channel: int | None = attrs.field(default=None, repr=False)

    def header(self, name: str) -> list[str]:
        """Return every value of a header; the name is case-insensitive."""
        return [value for header, value in self.headers if header.lower() == name.lower()]


# The request that is being handled, by which transitions know their cause.
CURRENT_REQUEST: ContextVar[LoggedRequest | None] = ContextVar("truemed_emulator_request", default=None)


class RequestLog:
    """The requests that reached the emulator, oldest first. Thread-safe.

    Stores the newest ``size`` requests; ``count`` counts every request since the last ``clear``.
    """

    def __init__(self, size: int = 100_000) -> None:
        """Create an empty log of at most ``size`` requests."""
        self.on_response: list[Callable[[LoggedRequest], None]] = []  # called after each response
        self._lock = threading.Lock()
        self._requests: deque[LoggedRequest] = deque(maxlen=size)
        self._finished: deque[LoggedRequest] = deque(maxlen=size)
        self._finished_count = 0  # of all since the emulator began
        self._with_body: deque[LoggedRequest] = deque()
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._numbers = count(1)
        self._in_flight = 0
        self._max_in_flight = 0

    def __repr__(self) -> str:
        return f"<RequestLog of {self.count()} requests>"

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[LoggedRequest]:
        with self._lock:
            return iter(tuple(self._requests))

    @overload
    def __getitem__(self, index: int) -> LoggedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LoggedRequest]: ...

    def __getitem__(self, index: int | slice) -> LoggedRequest | Sequence[LoggedRequest]:
        with self._lock:
            return self._requests[index] if isinstance(index, int) else tuple(self._requests)[index]

    @property
    def in_flight(self) -> int:
        """The number of requests in progress."""
        return self._in_flight

    @property
    def max_in_flight(self) -> int:
        """The largest number of concurrent requests since the last ``clear``."""
        return self._max_in_flight

    def newest(self, number: int) -> Sequence[LoggedRequest]:
        """Return the last ``number`` requests, newest first."""
        with self._lock:
            return tuple(islice(reversed(self._requests), number))

    def get(self, number: int) -> LoggedRequest:
        """Return the request with this ``number``; KeyError if it is not stored."""
        with self._lock:
            index = number - self._requests[0].number if self._requests else -1
            if not 0 <= index < len(self._requests):
                raise KeyError(number)
            return self._requests[index]

    def finished(self, *, after: int | None = None, limit: int) -> tuple[Sequence[LoggedRequest], int]:
        """Return finished requests in the order in which they finished, and the position of the last one.

        Those that follow the position ``after``; without it the newest. A request in flight is not listed yet, and so
        none is left out, whatever the order in which they finish. The position is less than ``after`` in an emulator that
        began after it was returned.
        """
        with self._lock:
            stored, count = len(self._finished), self._finished_count
            start = stored - limit if after is None else after - (count - stored)
            first = min(stored, max(0, start))
            found = tuple(islice(self._finished, first, first + limit))
            return found, count - stored + first + len(found)

    def count(self, *, route: str | None = None, method: str | None = None) -> int:
        """Return the number of requests received, optionally of one route (by its name) or method only."""
        with self._lock:
            return sum(
                number
                for (counted_route, counted_method), number in self._counts.items()
                if route in {None, counted_route} and method in {None, counted_method}
            )

    def clear(self) -> None:
        """Remove all requests and reset the counts; requests in progress stay in flight."""
        with self._lock:
            self._requests.clear()
            self._finished.clear()
            self._with_body.clear()
            self._counts.clear()
            self._max_in_flight = self._in_flight

    def record_start(self, request: LoggedRequest) -> None:
        """Add a request that is about to be handled."""
        with self._lock:
            request.number = next(self._numbers)
            self._requests.append(request)
            self._counts[request.route, request.method] += 1
            self._in_flight += 1
            self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def record_response_body(self, request: LoggedRequest, body: bytes) -> None:
        """Store the body of a response and drop the oldest stored one: responses are larger than requests."""
        with self._lock:
            request.response_body = body
            self._with_body.append(request)
            if len(self._with_body) > _MAX_RESPONSE_BODIES:
                self._with_body.popleft().response_body = b""

    def record_end(self, request: LoggedRequest) -> None:
        """Mark a request as finished and call the ``on_response`` callbacks."""
        request.seconds = time.monotonic() - request.time
        with self._lock:
            self._in_flight -= 1
            self._finished.append(request)
            self._finished_count += 1
        for callback in tuple(self.on_response):
            callback(request)
