"""Time limits of attempts, with one timer for all of them.

``asyncio.timeout`` starts and cancels a timer for each attempt, which is a fifteenth of the cost of a whole call. Nearly
all attempts end long before their limit. So an attempt only notes when its time is over, and one timer, which is due at
the earliest of these times, looks for those whose time is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType

_RESOLUTION = 0.001
"""Seconds by which timers may be early: those of uvloop count in milliseconds."""


class TimeLimiter:
    """Ends attempts that take too long. It belongs to one event loop."""

    __slots__ = ("_due", "_loop", "_running", "_timer", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._loop = loop
        self._running: set[TimeLimit] = set()
        self._due = math.inf  # when the timer looks
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, seconds: float) -> TimeLimit:
        """Return a context manager whose body is canceled, and which raises ``TimeoutError``, after ``seconds``."""
        return TimeLimit(self, seconds)

    def add(self, limit: TimeLimit) -> None:
        """Watch a limit."""
        self._running.add(limit)
        if limit.end < self._due:
            self._schedule(limit.end)

    def discard(self, limit: TimeLimit) -> None:
        """Forget a limit. The timer stays, because the next attempt would have to start it again."""
        self._running.discard(limit)

    def _schedule(self, end: float) -> None:
        self._cancel_timer()
        self._due = end
        self._timer = self._loop.call_later(max(0.0, end - self.now()), self._look)

    def _look(self) -> None:
        """End the attempts whose time is over, and look again at the end of the next one."""
        self._timer, self._due = None, math.inf
        now = self.now() + _RESOLUTION
        for limit in [limit for limit in self._running if limit.end <= now]:
            self._running.discard(limit)
            limit.expire()
        if self._running:
            self._schedule(min(limit.end for limit in self._running))

    def close(self) -> None:
        """Cancel the timer, unless an attempt is still running."""
        if not self._running:
            self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due = None, math.inf


class TimeLimit:
    """The limit of one attempt: the body of the ``with`` statement. It treats cancellations as ``asyncio.timeout`` does."""

    __slots__ = ("_cancellations", "_is_expired", "_limiter", "_seconds", "_task", "end")

    def __init__(self, limiter: TimeLimiter, seconds: float) -> None:
        self._limiter = limiter
        self._seconds = seconds
        self._is_expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancellations = task.cancelling()
        self.end = self._limiter.now() + self._seconds
        self._limiter.add(self)

    def expire(self) -> None:
        """Cancel the body."""
        self._is_expired = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.discard(self)
        # If somebody else has canceled the task as well, that cancellation has to reach its end.
        if self._is_expired and self._task.uncancel() <= self._cancellations and kind is asyncio.CancelledError:
            raise TimeoutError from error
