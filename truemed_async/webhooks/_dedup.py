"""So that an event has its effect once: which deliveries were handled, and which are being handled.

A delivery is claimed before it is handled, confirmed after, and released if its handler failed. A claim whose process
died ends by itself, so that a later delivery of the same event is handled: nothing is lost. If the process dies between
the effect and the confirmation, the effect comes twice; no store can prevent that, so let your handler bear it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from truemed_async.errors import InvalidArgumentError

LEASE = timedelta(minutes=5)
RETENTION = timedelta(days=8)


class Claim(StrEnum):
    """What a store answers to a claim."""

    GRANTED = "granted"
    """Nobody has handled it, and nobody else is: go on."""
    DONE = "done"
    """It was handled before."""
    BUSY = "busy"
    """Somebody is handling it now, or died while doing so and the claim has not ended yet."""


class DedupStore(Protocol):
    """Which deliveries were handled; a store of your own has these three methods.

    They may be called from several threads at once, and each must be atomic for all processes that share the store.
    :class:`AsyncReceiver` calls them in a worker thread, so they may block; it also takes an :class:`AsyncDedupStore`.
    If it has an attribute ``retention`` too, a ``timedelta``, receivers check that it remembers for long enough.
    """

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key``, up to 255 characters, for ``owner``, a string made for this one delivery."""
        ...

    def confirm(self, key: str, owner: str) -> None:
        """Note that the event was handled; also if the claim has ended, or belongs to somebody else by now."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Give the claim back, if it is still this owner's and not confirmed."""
        ...


class AsyncDedupStore(Protocol):
    """The same as :class:`DedupStore`, with coroutines: for a database or cache with an ``asyncio`` client."""

    async def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        ...

    async def confirm(self, key: str, owner: str) -> None:
        """Note that the event was handled."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Give the claim back, if it is still this owner's and not confirmed."""
        ...


def duration(name: str, value: Any) -> float:
    """Return a positive timedelta in seconds."""
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidArgumentError(f"{name} must be a timedelta > 0")
    return value.total_seconds()


class MemoryDedupStore:
    """Remembers in this process, and forgets when it ends: for one process, and for tests.

    With several processes (gunicorn's workers, several machines) each would handle the same event once: use a store
    that they share.

    Args:
        lease: How long a claim lasts that is neither confirmed nor released. Longer than your handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.
        limit: How many handled events are remembered at most; beyond, the oldest are forgotten. Each takes about
            200 bytes.
        clock: Seconds that only grow.

    Raises:
        InvalidArgumentError: A duration is not positive, or ``limit`` is not a whole number from 1.
    """

    def __init__(
        self,
        *,
        lease: timedelta = LEASE,
        retention: timedelta = RETENTION,
        limit: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if type(limit) is not int or limit < 1:
            raise InvalidArgumentError("limit must be a whole number >= 1")
        self._lease = duration("lease", lease)
        self._kept = duration("retention", retention)
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        # Both in the order in which their entries end.
        self._claims: dict[str, tuple[float, str]] = {}
        self._done: dict[str, float] = {}

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return timedelta(seconds=self._kept)

    def __len__(self) -> int:
        """Return how many handled events are remembered."""
        return len(self._done)

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            if key in self._done:
                return Claim.DONE
            if key in self._claims:
                return Claim.BUSY
            self._claims[key] = (now + self._lease, owner)
            return Claim.GRANTED

    def confirm(self, key: str, owner: str) -> None:  # noqa: ARG002
        """Note that the event was handled; the effect is there, whoever holds the claim now."""
        with self._lock:
            self._claims.pop(key, None)
            self._done.pop(key, None)
            now = self._clock()
            self._done[key] = now + self._kept
            self._forget(now)

    def release(self, key: str, owner: str) -> None:
        """Give the claim back, if it is still this owner's."""
        with self._lock:
            if self._claims.get(key, (0.0, None))[1] == owner:
                del self._claims[key]

    def _forget(self, now: float) -> None:
        while self._claims and self._claims[key := next(iter(self._claims))][0] <= now:
            del self._claims[key]
        while self._done and (self._done[key := next(iter(self._done))] <= now or len(self._done) > self._limit):
            del self._done[key]
