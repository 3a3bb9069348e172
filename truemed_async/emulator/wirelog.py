"""What reached the server: the judge of how many times something was really sent."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import overload

import attrs

API_KEY_HEADER = "x-truemed-api-key"

# Never kept, not even for asserts: `authenticated` says all that a test may want to know.
_SECRET_HEADERS = frozenset({API_KEY_HEADER, "authorization", "cookie"})

_ANSWERS_KEPT = 200


def _redacted(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, "REDACTED" if name.lower() in _SECRET_HEADERS else value) for name, value in headers)


@attrs.define(eq=False, kw_only=True)
class WireRequest:
    """One request as it came in, and how it was answered.

    `path` and `query` are as on the wire (percent-encoded, without the `?`). `headers` are pairs in their order, as
    many times as sent. `status` is None while there is no answer, and stays None when the request was cut off.
    `answer` is the body of the answer, of the newest requests only; empty where a fault replaced it.
    `time` is in seconds, comparable with `time.monotonic()` of this process. The repr shows neither body, headers,
    path nor query: any of them can hold what belongs in no log.
    """

    method: str
    path: str = attrs.field(repr=False)
    query: str = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False, converter=_redacted)
    route: str | None
    authenticated: bool
    body: bytes = attrs.field(default=b"", repr=False)
    answer: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None
    time: float = attrs.field(factory=time.monotonic, repr=False)

    def header(self, name: str) -> list[str]:
        """Return every value of the header, in any case of its name."""
        return [value for given, value in self.headers if given.lower() == name.lower()]


class WireLog:
    """The requests that reached the server, oldest first; safe to read from any thread.

    It keeps the newest `size` requests; `count` counts all since the last `clear`, kept or not.
    """

    def __init__(self, size: int = 100_000) -> None:
        """Keep at most `size` requests."""
        self.on_answer: list[Callable[[WireRequest], None]] = []  # who is told of each request when it was answered
        self._lock = threading.Lock()
        self._kept: deque[WireRequest] = deque(maxlen=size)
        self._answered: deque[WireRequest] = deque()
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._in_flight = 0
        self._most_in_flight = 0

    def __repr__(self) -> str:
        return f"<WireLog of {self.count()} requests>"

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[WireRequest]:
        with self._lock:
            return iter(tuple(self._kept))

    @overload
    def __getitem__(self, index: int) -> WireRequest: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[WireRequest]: ...

    def __getitem__(self, index: int | slice) -> WireRequest | Sequence[WireRequest]:
        with self._lock:
            return self._kept[index] if isinstance(index, int) else tuple(self._kept)[index]

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now."""
        return self._in_flight

    @property
    def most_in_flight(self) -> int:
        """The largest number of requests that were being answered at one moment since the last `clear`."""
        return self._most_in_flight

    def newest(self, number: int) -> Sequence[WireRequest]:
        """Return the last requests, the newest first, and at most so many."""
        with self._lock:
            return tuple(islice(reversed(self._kept), number))

    def count(self, *, route: str | None = None, method: str | None = None) -> int:
        """Return how many requests came in: all, or those of a route (by its name), of a method, or of both."""
        with self._lock:
            return sum(
                number
                for (of_route, of_method), number in self._counts.items()
                if route in {None, of_route} and method in {None, of_method}
            )

    def clear(self) -> None:
        """Forget all requests and counts; requests being answered now stay in flight."""
        with self._lock:
            self._kept.clear()
            self._answered.clear()
            self._counts.clear()
            self._most_in_flight = self._in_flight

    def opened(self, request: WireRequest) -> None:
        """Take in a request that is about to be answered."""
        with self._lock:
            self._kept.append(request)
            self._counts[request.route, request.method] += 1
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def answered(self, request: WireRequest, body: bytes) -> None:
        """Keep the body of an answer; that of an old one goes, for answers are larger than requests."""
        with self._lock:
            request.answer = body
            self._answered.append(request)
            if len(self._answered) > _ANSWERS_KEPT:
                self._answered.popleft().answer = b""

    def closed(self, request: WireRequest) -> None:
        """Take note that a request is no longer being answered, and tell those who watch."""
        with self._lock:
            self._in_flight -= 1
        for tell in tuple(self.on_answer):
            tell(request)
