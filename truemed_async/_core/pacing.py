"""Slows a whole client down when the server says that it is too fast. Pure: the time comes in as an argument."""

from __future__ import annotations

FLOOR = 0.5  # requests a second, the slowest
CUT = 0.7  # of the rate that succeeded
GROWTH = 1.002  # for each success
WINDOW = 0.5  # seconds over which the rate of successes is measured
FORGET = 60.0  # seconds without a refusal after which the limit is lifted


class Pacer:
    """An additive-increase, multiplicative-decrease limit on the request rate, and a gate for ``Retry-After``.

    There is no limit until the first refusal.
    """

    def __init__(self) -> None:
        self._rate: float | None = None
        self._next = 0.0
        self._gate = 0.0
        self._cut_at = 0.0
        self._refused_at = 0.0
        self._window_start = 0.0
        self._succeeded = 0
        self._measured = 0.0

    def reserve(self, now: float) -> float:
        """Return how long the next request has to wait; its place is taken."""
        if self._rate is None and now >= self._gate:
            return 0.0
        start = max(now, self._gate, self._next)
        if self._rate is not None:
            if now - self._refused_at > FORGET:
                self._rate = None
            else:
                self._next = start + 1 / self._rate
        return start - now

    def succeeded(self, now: float) -> None:
        """Note a request that was served."""
        if now - self._window_start >= WINDOW:
            self._measured = self._succeeded / (now - self._window_start)
            self._window_start, self._succeeded = now, 0
        self._succeeded += 1
        if self._rate is not None:
            self._rate *= GROWTH

    def refused(self, now: float, *, took: float, retry_after: float | None) -> None:
        """Note a request that was refused for being one too many; ``took`` is its round trip in seconds."""
        self._refused_at = now
        if retry_after is not None:
            self._gate = max(self._gate, now + retry_after)
        if now - self._cut_at < 2 * took:  # refusals of requests sent before the last cut say nothing new
            return
        self._cut_at = now
        elapsed = now - self._window_start
        measured = max(self._measured if elapsed < WINDOW else 0.0, self._succeeded / max(elapsed, WINDOW))
        self._rate = max(FLOOR, CUT * (measured if self._rate is None else min(measured or self._rate, self._rate)))
