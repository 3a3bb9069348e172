"""Slows a whole client down when the server says that it is too fast. Pure: the time comes in as an argument."""

from __future__ import annotations

import math

from truemed_async._core.retry import RETRY_AFTER_LIMIT

FLOOR = 0.5  # requests a second, the slowest
START = 10.0  # requests a second, where the first refusal comes before anything could be measured
CUT = 0.7  # of the rate that succeeded
DOUBLING = 2.0  # seconds in which the rate doubles while nothing is refused
FIRST_DOUBLING = 0.25  # the same after the first refusal, when there is hardly a measurement to go by
WINDOW = 0.5  # seconds over which the rate of successes is measured
FORGET = 60.0  # seconds without a refusal after which the limit is lifted


class Pacer:
    """An additive-increase, multiplicative-decrease limit on the request rate, and a gate for ``Retry-After``.

    There is no limit until the first refusal.
    """

    def __init__(self) -> None:
        self.regime = 0
        """Counts changes of pace. A turn given under an earlier regime is void, and a refusal from then is no news."""
        self._rate: float | None = None
        self._next = 0.0
        self._gate = 0.0
        self._refused_at = 0.0
        self._doubling = FIRST_DOUBLING
        self._window_start = 0.0
        self._succeeded = 0
        self._measured = 0.0

    def reserve(self, now: float, *, until: float = math.inf) -> float | None:
        """Return how long the next request has to wait, its turn being taken; ``None`` if not before ``until``."""
        if self._rate is not None and now - self._refused_at > FORGET:
            self._rate, self._next = None, 0.0
        start = max(now, self._gate, self._next)
        if start >= until:
            return None
        if self._rate is not None:
            self._next = start + 1 / self._rate
        return start - now

    def succeeded(self, now: float) -> None:
        """Note a request that was served."""
        if now - self._window_start >= WINDOW:
            self._measured = self._succeeded / (now - self._window_start)
            self._window_start, self._succeeded = now, 0
        self._succeeded += 1
        # A rate far above what is really sent would only be a surprise later.
        if self._rate is not None and self._rate < 2 * self._seen(now):
            self._rate += math.log(2) / self._doubling  # as often as the rate says, so it grows by a constant share

    def refused(self, now: float, *, regime: int, retry_after: float | None) -> None:
        """Note a request that was refused for being one too many; ``regime`` is that of its turn."""
        self._refused_at = now
        known, gate = regime != self.regime, self._gate
        if retry_after is not None:
            self._gate = max(gate, now + min(retry_after, RETRY_AFTER_LIMIT))
        if not known or self._gate > gate:
            self.regime += 1
        if known:
            return
        seen = self._seen(now)
        if self._rate is None:
            self._doubling, self._rate = FIRST_DOUBLING, max(START, CUT * seen)
        else:
            self._doubling, self._rate = DOUBLING, max(FLOOR, CUT * min(seen or self._rate, self._rate))
        self._next = now + 1 / self._rate

    def _seen(self, now: float) -> float:
        """Return the rate of successes: of the last full window, or of the present one if that is higher."""
        fresh = now - self._window_start < 2 * WINDOW
        return max(self._measured if fresh else 0.0, self._succeeded / max(now - self._window_start, WINDOW))
