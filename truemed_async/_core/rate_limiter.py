"""Slows a client down when the server responds that it is too fast. Pure: the time is an argument.

``rate_limits/redis.lua`` is the same in Lua.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from truemed_async._core.retry import MAX_RETRY_AFTER
from truemed_async.options import Reservation

MIN_RATE = 0.5
"""Requests per second."""
INITIAL_RATE = 10.0
"""Requests per second, if the first 429 arrives before a rate could be measured."""
BACKOFF_FACTOR = 0.7
"""The new rate, as a share of the rate that succeeded."""
DOUBLING_SECONDS = 2.0
"""The time in which the rate doubles while no request is rejected."""
INITIAL_DOUBLING_SECONDS = 0.25
"""The same after the first 429, when there is hardly any measurement."""
MEASUREMENT_WINDOW = 0.5
"""The time over which the rate of successes is measured, in seconds."""
RECOVERY_SECONDS = 60.0
"""The time without a 429 after which the limit is removed."""

MAX_SUCCESSES = 1000
"""The most successes that one process reports at once to a shared limit."""


class AdaptiveRateLimiter:
    """An additive-increase, multiplicative-decrease (AIMD) limit on the request rate, and a gate for ``Retry-After``.

    There is no limit until the first 429, unless a ``max_rate`` in requests per second is given.
    """

    def __init__(self, max_rate: float | None = None) -> None:
        self._max_rate = max_rate
        self.generation: int = 0
        """Counts changes of the rate. A reservation of an earlier generation is void; a 429 from then is outdated."""
        self._rate: float | None = max_rate
        self._next = 0.0
        self._gate = 0.0
        self._limited_at = 0.0
        self._doubling = INITIAL_DOUBLING_SECONDS
        self._window_start = 0.0
        self._window_count = 0
        self._measured = 0.0

    @property
    def may_delay(self) -> bool:
        """Whether a request may have to wait. It is false until there is a limit or a ``Retry-After``."""
        return self._rate is not None or self._next > 0 or self._gate > 0

    def reserve(self, now: float, *, until: float = math.inf) -> float | None:
        """Reserve the next slot and return the seconds to wait for it; ``None`` if it is not before ``until``."""
        if self._rate is not None and now - self._limited_at > RECOVERY_SECONDS:
            self._rate = self._max_rate
            if self._rate is None:
                self._next = 0.0
        start = max(now, self._gate, self._next)
        if start >= until:
            return None
        if self._rate is not None:
            self._next = start + 1 / self._rate
        return start - now

    def on_success(self, now: float) -> None:
        """Record a request that was processed."""
        if now - self._window_start >= MEASUREMENT_WINDOW:
            self._measured = self._window_count / (now - self._window_start)
            self._window_start, self._window_count = now, 0
        self._window_count += 1
        # A limit far above the actual rate would have no effect until it suddenly had a large one.
        if self._rate is not None and self._rate < 2 * self._success_rate(now):
            self._rate += math.log(2) / self._doubling  # once per success, so the rate grows exponentially
            if self._max_rate is not None:
                self._rate = min(self._rate, self._max_rate)

    def on_rate_limited(self, now: float, *, generation: int, retry_after: float | None) -> None:
        """Record a request that was rejected as one too many; ``generation`` is that of its reservation."""
        self._limited_at = now
        outdated, gate = generation != self.generation, self._gate
        if retry_after is not None:
            self._gate = max(gate, now + min(retry_after, MAX_RETRY_AFTER))
        if not outdated or self._gate > gate:
            self.generation += 1
        if outdated:
            return
        success_rate = self._success_rate(now)
        if self._rate is None:
            self._doubling, self._rate = INITIAL_DOUBLING_SECONDS, max(INITIAL_RATE, BACKOFF_FACTOR * success_rate)
        else:
            rate = min(success_rate or self._rate, self._rate)
            self._doubling, self._rate = DOUBLING_SECONDS, max(MIN_RATE, BACKOFF_FACTOR * rate)
        if self._max_rate is not None:
            self._rate = min(self._rate, self._max_rate)
        self._next = now + 1 / self._rate

    def dump(self) -> list[float | None]:
        """Return the state, apart from ``max_rate``."""
        return [getattr(self, name) for name in _STATE]

    def load(self, state: Sequence[float | None]) -> None:
        """Replace the state by one that was dumped.

        Raises:
            ValueError: It is not one.
        """
        for name, value in zip(_STATE, state, strict=True):
            if not ((name == "_rate" and value is None) or _is_number(value)):
                raise ValueError("not a state of a rate limiter")
            setattr(self, name, value)
        if self._max_rate is not None:
            self._rate = min(self._rate or self._max_rate, self._max_rate)

    def _success_rate(self, now: float) -> float:
        """Return the rate of successes in the last complete window, or in the current one if that is higher."""
        is_recent = now - self._window_start < 2 * MEASUREMENT_WINDOW
        current = self._window_count / max(now - self._window_start, MEASUREMENT_WINDOW)
        return max(self._measured if is_recent else 0.0, current)


_STATE: Final = (
    "generation",
    "_rate",
    "_next",
    "_gate",
    "_limited_at",
    "_doubling",
    "_window_start",
    "_window_count",
    "_measured",
)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def reserve_after(
    limiter: AdaptiveRateLimiter, now: float, *, within: float, successes: int, generation: int | None
) -> Reservation | None:
    """Do what :meth:`~truemed_async.options.SharedRateLimit.reserve` does."""
    for _ in range(min(successes, MAX_SUCCESSES)):
        limiter.on_success(now)
    if generation == limiter.generation:
        return Reservation(0.0, limiter.generation)
    wait = limiter.reserve(now, until=now + within)
    return None if wait is None else Reservation(wait, limiter.generation)
