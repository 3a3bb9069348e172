"""One rate limit for several processes that use the same API key: here, the processes of one machine, by a file.

:mod:`truemed_async.rate_limits.redis` has the one for several machines.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from truemed_async._core.rate_limiter import AdaptiveRateLimiter, reserve_after
from truemed_async._files import open_owner_only
from truemed_async._validation.scalars import validate_max_rate
from truemed_async.errors import ConfigurationError
from truemed_async.options import Reservation

if TYPE_CHECKING:
    import io

__all__ = ["FileRateLimit"]

T = TypeVar("T")

MAX_IDLE_SECONDS: Final = 3600.0
"""After this time without a request, what was learned about a key is forgotten."""
MAX_STEP_BACK: Final = 1.0
"""By how many seconds this machine's clock may be set back without forgetting everything."""
_RETRY_LOCK_SECONDS: Final = (0.0005, 0.002)


class FileRateLimit:
    """A rate limit that all processes of one machine share, by a small file that they lock for some microseconds.

    Pass the same path in each process. The first one creates the file, for its owner only; no API key is in it. A lock
    ends with the process that holds it, also if that is killed. If the file cannot be used, a
    :class:`~truemed_async.TruemedWarning` says so, and each process limits itself as without this option.

    Clients, threads and event loops may share one, and it may be created before a server forks.

    Args:
        path: The file, on a local disk.
        max_rate: Requests per second that all processes together never exceed. Without it there is no limit until the
            first 429.

    Raises:
        ConfigurationError: The system has no such locks, as Windows.
        InvalidArgumentError: ``max_rate`` is not a positive number.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_rate: float | None = None) -> None:
        if os.name == "nt":
            raise ConfigurationError("FileRateLimit needs flock, which Windows does not have: use RedisRateLimit")
        self._path = Path(path)
        self._max_rate = validate_max_rate(max_rate)

    def __repr__(self) -> str:
        return f"FileRateLimit({str(self._path)!r}, max_rate={self._max_rate})"

    async def reserve(
        self, channel: str, *, within: float, successes: int, generation: int | None
    ) -> Reservation | None:
        """Reserve the next slot: see :class:`~truemed_async.options.SharedRateLimit`."""
        return await self._update(
            channel,
            lambda limiter, now: reserve_after(limiter, now, within=within, successes=successes, generation=generation),
        )

    async def on_rate_limited(self, channel: str, *, generation: int, retry_after: float | None) -> None:
        """Record a 429: see :class:`~truemed_async.options.SharedRateLimit`."""
        await self._update(
            channel,
            lambda limiter, now: limiter.on_rate_limited(now, generation=generation, retry_after=retry_after),
        )

    async def aclose(self) -> None:
        """Do nothing: the file is open only while it is used."""

    async def _update(self, channel: str, change: Callable[[AdaptiveRateLimiter, float], T]) -> T:
        """Apply a change under the lock. It is tried, not waited for: a stopped process must not stop the event loop."""
        import fcntl  # noqa: PLC0415  # Windows has none

        while True:
            # Opened each time: a lock belongs to the open file, which a forked process would share.
            with open_owner_only(self._path) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass
                else:
                    return self._apply(file, channel, change)
            await asyncio.sleep(random.uniform(*_RETRY_LOCK_SECONDS))  # noqa: S311  # spreads attempts; nothing secret

    def _apply(self, file: io.FileIO, channel: str, change: Callable[[AdaptiveRateLimiter, float], T]) -> T:
        now = self._now()
        states = _parse(file.readall(), now)
        limiter = AdaptiveRateLimiter(self._max_rate)
        if channel in states:
            limiter.load(states[channel][1:])
        result = change(limiter, now)
        states[channel] = [now, *limiter.dump()]
        content = json.dumps(states).encode()
        file.seek(0)
        file.write(content)
        file.truncate()
        return result

    @staticmethod
    def _now() -> float:
        return time.time()


def _parse(content: bytes, now: float) -> dict[str, list[Any]]:
    """Return what is known of each key. What is old, from the future or damaged is forgotten: it is learned again."""
    try:
        found = json.loads(content)
        return {
            str(channel): _validate_state(state)
            for channel, state in found.items()
            if now - MAX_IDLE_SECONDS < state[0] < now + MAX_STEP_BACK
        }
    except (ValueError, TypeError, AttributeError, LookupError):
        return {}


def _validate_state(state: list[Any]) -> list[Any]:
    """Return a state that can be loaded."""
    AdaptiveRateLimiter().load(cast("list[float | None]", state[1:]))
    return state
