"""The rate limit that several processes share, and the local one while the shared one fails."""

from __future__ import annotations

import asyncio
import hashlib
import math

from yarl import URL

from truemed_async._core.rate_limiter import AdaptiveRateLimiter
from truemed_async._sensitive import Secret
from truemed_async._warnings import warn
from truemed_async.options import Reservation, SharedRateLimit

MAX_SECONDS = 3.0
"""How long an operation of the shared limit may take."""
RETRY_SECONDS = 5.0
"""How long the shared limit is left alone after it failed."""


class SharedLimitUnavailableError(Exception):
    """The shared limit fails, or failed a moment ago."""


class SharedLimiter(AdaptiveRateLimiter):
    """The local limit, which learns as always, and a shared limit that replaces it while it works."""

    def __init__(self, shared: SharedRateLimit, channel: str) -> None:
        super().__init__()
        self._shared = shared
        self._channel = channel
        self._unreported = 0
        self._retry_at = -math.inf
        self._failing = False

    @property
    def may_delay(self) -> bool:
        """Always true: other processes may have set a limit."""
        return True

    def on_success(self, now: float) -> None:
        """Record a request that was processed. The shared limit learns it with the next request."""
        super().on_success(now)
        self._unreported += 1

    async def reserve_shared(self, now: float, *, until: float, generation: int | None) -> Reservation | None:
        """Reserve the next slot of the shared limit; ``None`` if it is not before ``until``.

        Raises:
            SharedLimitUnavailableError: Use the local limit.
        """
        self._require_available(now)
        successes, self._unreported = self._unreported, 0
        try:
            async with asyncio.timeout(min(MAX_SECONDS, until - now)):
                reservation = await self._shared.reserve(
                    self._channel, within=until - now, successes=successes, generation=generation
                )
        except Exception as error:  # noqa: BLE001  # whatever a store raises, calls must go on
            self._on_failure(now, error)
            raise SharedLimitUnavailableError from None
        self._failing = False
        return reservation

    async def report_rate_limited(self, now: float, *, generation: int, retry_after: float | None) -> None:
        """Record in the shared limit a request that was rejected as one too many."""
        try:
            self._require_available(now)
            async with asyncio.timeout(MAX_SECONDS):
                await self._shared.on_rate_limited(self._channel, generation=generation, retry_after=retry_after)
        except SharedLimitUnavailableError:
            return
        except Exception as error:  # noqa: BLE001  # as above
            self._on_failure(now, error)

    async def close(self) -> None:
        """Close the connections of the shared limit."""
        await self._shared.aclose()

    def _require_available(self, now: float) -> None:
        if now < self._retry_at:
            raise SharedLimitUnavailableError

    def _on_failure(self, now: float, error: Exception) -> None:
        self._retry_at = now + RETRY_SECONDS
        if not self._failing:
            self._failing = True
            warn(f"the shared rate limit failed ({type(error).__name__}): until it works, this process limits itself")


def identify_channel(api_key: Secret, base_url: URL) -> str:
    """Return what stands for a key and a server in the shared limit; too short to tell which key it was."""
    digest = hashlib.blake2b(str(base_url.origin()).encode(), key=_digest(api_key), digest_size=8)
    return digest.hexdigest()


def _digest(api_key: Secret) -> bytes:
    return hashlib.sha256(api_key.encode()).digest()
