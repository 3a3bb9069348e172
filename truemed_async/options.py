"""What a caller may set: time-outs, the retry policy, options of one call, and ``UNSET``."""

from __future__ import annotations

import enum
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, cast

import attrs

from truemed_async.errors import CallOutcome, InvalidArgumentError


class Unset(enum.Enum):
    """The type of :data:`UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""Not given, and therefore not sent. ``None`` is something else: an explicit null."""


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Return ``value`` as a number of seconds, or refuse it: there is always a finite deadline."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgumentError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InvalidArgumentError(f"{name} must be a finite number of seconds {'>= 0' if zero else '> 0'}")
    return float(value)


def _positive(_: object, field: attrs.Attribute[float], value: object) -> None:
    seconds(field.name, value)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long a call may take, in seconds.

    Attributes:
        connect: Opening one connection, TLS handshake included.
        attempt: One attempt, from the connection to the last byte of the answer.
        total: The whole call: all attempts and the pauses between them.
    """

    connect: float = attrs.field(default=5.0, validator=_positive)
    attempt: float = attrs.field(default=20.0, validator=_positive)
    total: float = attrs.field(default=60.0, validator=_positive)

    @classmethod
    def of(cls, value: Timeouts | float) -> Timeouts:
        """Return ``value``; a bare number is the total."""
        return value if isinstance(value, Timeouts) else cls(total=seconds("timeout", value))


def _attempts(_: object, field: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 1 <= value <= 10:
        raise InvalidArgumentError(f"{field.name} must be an integer from 1 to 10")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When to try again. Writes are repeated only with an idempotency key, or if they certainly had no effect.

    Attributes:
        max_attempts: Attempts in all, the first included, 1 to 10; 1 is never to retry.
        base: The first pause, in seconds; each next one is twice as long, and half of each is drawn at random.
        cap: The longest pause, in seconds, unless the server asks for more by ``Retry-After``.
    """

    max_attempts: int = attrs.field(default=3, validator=_attempts)
    base: float = attrs.field(default=0.5, validator=_positive)
    cap: float = attrs.field(default=8.0, validator=_positive)

    @classmethod
    def of(cls, value: RetryPolicy) -> RetryPolicy:
        """Return ``value`` if it is a policy."""
        if not isinstance(value, RetryPolicy):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgumentError(f"retry must be a RetryPolicy, not {type(value).__name__}")
        return value


def _timeouts_or_none(value: Timeouts | float | None) -> Timeouts | None:
    return None if value is None else Timeouts.of(value)


def _policy_or_none(value: RetryPolicy | None) -> RetryPolicy | None:
    return None if value is None else RetryPolicy.of(value)


@attrs.frozen(kw_only=True)
class RequestOptions:
    """Options of one call; what is ``None`` is taken from the client.

    Attributes:
        timeout: Time-outs of this call; a bare number is the total, in seconds.
        retry: The retry policy of this call.
        headers: Further request headers. The key, the content type and framing headers cannot be set here.
    """

    timeout: Timeouts | None = attrs.field(default=None, converter=_timeouts_or_none)
    retry: RetryPolicy | None = attrs.field(default=None, converter=_policy_or_none)
    headers: Mapping[str, str] | None = attrs.field(default=None, repr=lambda value: repr(list(value or ())))


@attrs.frozen(kw_only=True)
class Attempt:
    """What a hook is told of one attempt. It holds nothing personal: no URL, header or body.

    Attributes:
        endpoint: The endpoint's name.
        method: The HTTP method, ``"GET"`` or ``"POST"``.
        route: The path template, ids not filled in.
        number: 1 for the first attempt.
        started_at: Wall-clock start, seconds since the epoch.
        elapsed: Seconds it took.
        status: The HTTP status, or ``None`` if no answer came.
        error: The class name of what went wrong, or ``None``.
        outcome: ``None`` on success, else as on :class:`~truemed_async.errors.CallError`.
        request_id: The server's request id, where it gave one.
        retry_in: Seconds until the next attempt, or ``None`` if this was the last.
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


Hook = Callable[[Attempt], object]
"""Called after each attempt, on the event loop: it must be quick and must not block."""


def checked_hooks(hooks: object) -> tuple[Hook, ...]:
    """Return ``hooks`` as a tuple, or refuse what cannot be called as one."""
    if not isinstance(hooks, (list, tuple)):
        raise InvalidArgumentError("hooks must be a list or tuple of callables")
    given = cast("Sequence[Any]", hooks)
    for hook in given:
        if not callable(hook) or inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__):
            raise InvalidArgumentError("each hook must be a plain callable that takes one Attempt, not a coroutine")
    return tuple(given)
