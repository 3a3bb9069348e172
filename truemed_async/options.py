"""The options of a client and of a call: timeouts, the retry policy, headers, hooks, and ``UNSET``."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol, cast, get_args

import attrs

from truemed_async._validation.scalars import validate_seconds
from truemed_async.errors import CallOutcome, InvalidArgumentError

Environment = Literal["production", "sandbox"]
"""One of Truemed's servers."""

Validation = Literal["strict", "lenient"]
"""What a value of another type than Truemed publishes is: an error, or ``None`` with the value in ``extra``."""


OnInvalid = Literal["raise", "skip"]
"""What an iteration does with a row that cannot be read."""


def validate_on_invalid(value: object) -> OnInvalid:
    """Return ``value`` if it is an :data:`OnInvalid`."""
    if value not in get_args(OnInvalid):
        raise InvalidArgumentError("on_invalid must be 'raise' or 'skip'")
    return cast("OnInvalid", value)


def validate_validation(value: object) -> Validation:
    """Return ``value`` if it is a :data:`Validation`."""
    if value not in get_args(Validation):
        raise InvalidArgumentError("validation must be 'strict' or 'lenient'")
    return cast("Validation", value)


class Unset(enum.Enum):
    """The type of :data:`UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""The default of an optional field: it is not sent. ``None`` is different: an explicit null."""


def _validate_seconds(_: object, field: attrs.Attribute[float], value: object) -> None:
    validate_seconds(field.name, value)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long a call may take, in seconds.

    Attributes:
        connect: Opening one connection, TLS handshake included.
        attempt: One attempt, from the connection to the last byte of the response.
        total: The whole call: all attempts and the backoff between them.
    """

    connect: float = attrs.field(default=5.0, validator=_validate_seconds)
    attempt: float = attrs.field(default=20.0, validator=_validate_seconds)
    total: float = attrs.field(default=60.0, validator=_validate_seconds)

    @classmethod
    def of(cls, value: Timeouts | float) -> Timeouts:
        """Return ``value``; a bare number is the total."""
        return value if isinstance(value, Timeouts) else cls(total=validate_seconds("timeout", value))


def _validate_attempts(_: object, field: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 1 <= value <= 10:
        raise InvalidArgumentError(f"{field.name} must be an integer from 1 to 10")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When to retry. A write is retried only with an idempotency key, or if it certainly had no effect.

    Attributes:
        max_attempts: The number of attempts, including the first, 1 to 10; with 1 nothing is retried.
        base: The first backoff, in seconds. Each further one is twice as long; half of each is random.
        cap: The longest backoff, in seconds, unless the server asks for more by ``Retry-After``.
    """

    max_attempts: int = attrs.field(default=3, validator=_validate_attempts)
    base: float = attrs.field(default=0.5, validator=_validate_seconds)
    cap: float = attrs.field(default=8.0, validator=_validate_seconds)

    @classmethod
    def of(cls, value: RetryPolicy) -> RetryPolicy:
        """Return ``value`` if it is a policy."""
        if not isinstance(value, RetryPolicy):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgumentError(f"retry must be a RetryPolicy, not {type(value).__name__}")
        return value


def _to_timeouts(value: Timeouts | float | None) -> Timeouts | None:
    return None if value is None else Timeouts.of(value)


def _to_policy(value: RetryPolicy | None) -> RetryPolicy | None:
    return None if value is None else RetryPolicy.of(value)


@attrs.frozen(kw_only=True)
class RequestOptions:
    """Options of one call. An option that is ``None`` has the client's value.

    Attributes:
        timeout: Timeouts of this call; a bare number is the total, in seconds.
        retry: The retry policy of this call.
        headers: Additional request headers. The key, the content type and framing headers cannot be set here.
    """

    timeout: Timeouts | None = attrs.field(default=None, converter=_to_timeouts)
    retry: RetryPolicy | None = attrs.field(default=None, converter=_to_policy)
    headers: Mapping[str, str] | None = attrs.field(default=None, repr=lambda value: repr(list(value or ())))


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt, as a hook receives it. It contains nothing personal: no URL, header or body.

    Attributes:
        endpoint: The endpoint's name.
        method: The HTTP method, ``"GET"`` or ``"POST"``.
        route: The path template, without ids.
        number: 1 for the first attempt.
        started_at: Wall-clock start, seconds since the epoch.
        elapsed: Duration in seconds.
        status: The HTTP status, or ``None`` if there was no response.
        error: The class name of the error, or ``None``. It is ``"CancelledError"`` if the call was canceled meanwhile.
        outcome: ``None`` on success, otherwise as on :class:`~truemed_async.errors.CallError`.
        request_id: The server's request id, if it sent one.
        retry_in: Seconds until the next attempt, or ``None`` if this was the last.
        server_address: The host of the server.
        server_port: The port of the server.
        rate_limit_wait: Seconds that the client held this attempt back after a 429, before it started.
    """

    endpoint: str
    method: str
    route: str
    number: int
    started_at: float
    elapsed: float
    status: int | None
    error: str | None
    outcome: CallOutcome | None
    request_id: str | None
    retry_in: float | None
    server_address: str
    server_port: int
    rate_limit_wait: float


Hook = Callable[[Attempt], object]
"""Called after each attempt, on the event loop: it must be quick and must not block."""


@attrs.frozen(kw_only=True)
class CallStart:
    """One call, as a :class:`CallHook` receives it before anything is sent. It contains nothing personal.

    Attributes:
        endpoint: The endpoint's name.
        method: The HTTP method, ``"GET"`` or ``"POST"``.
        route: The path template, without ids.
        server_address: The host of the server.
        server_port: The port of the server.
    """

    endpoint: str
    method: str
    route: str
    server_address: str
    server_port: int


class CallHook(Protocol):
    """A hook that is called after each attempt, like any :data:`Hook`, and also at the start and the end of a call.

    Both run in the task and context of the call, so that a context variable set at the start is visible in between.
    """

    def __call__(self, attempt: Attempt, /) -> object:
        """Receive an attempt that has ended."""
        ...

    def start_call(self, call: CallStart, /) -> Callable[[BaseException | None], object]:
        """Receive a call before it waits for a connection, and return a function that is called when it has ended.

        That function receives the call's error, also a cancellation, or ``None`` on success. It cannot change the result.
        """
        ...


@attrs.frozen
class Reservation:
    """When a request may start.

    Attributes:
        wait: The seconds until then; 0 means now.
        generation: Counts changes of the limit. A reservation of an earlier generation is void.
    """

    wait: float
    generation: int


class SharedRateLimit(Protocol):
    """A rate limit that several processes share: what one learns from a 429 holds for all.

    :class:`~truemed_async.rate_limits.FileRateLimit` and :class:`~truemed_async.rate_limits.redis.RedisRateLimit`
    implement it. If a method raises, or takes longer than three seconds, the process limits itself for a while.
    """

    async def reserve(
        self, channel: str, *, within: float, successes: int, generation: int | None
    ) -> Reservation | None:
        """Reserve the next slot.

        Args:
            channel: Stands for the API key and the server; the key cannot be computed from it.
            within: The seconds in which the request has to start. ``None`` is returned if it cannot, and nothing reserved.
            successes: How many requests succeeded since the last call.
            generation: The generation of a reservation whose time has come. If it is still the current one, the wait is 0.
        """
        ...

    async def on_rate_limited(self, channel: str, *, generation: int, retry_after: float | None) -> None:
        """Record a 429.

        Args:
            channel: As for :meth:`reserve`.
            generation: That of the request's reservation; -1 if it had none.
            retry_after: The seconds that the server asked to wait.
        """
        ...

    async def aclose(self) -> None:
        """Close what belongs to the running event loop. It is opened again if needed."""
        ...
