"""One rate limit for several machines that use the same API key, on Redis or Valkey, with redis-py (extra ``redis``)."""

import asyncio
import inspect
from importlib.resources import files
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from truemed_async._core import rate_limiter
from truemed_async._core.retry import MAX_RETRY_AFTER
from truemed_async._sensitive import Sensitive
from truemed_async._validation.scalars import validate_max_rate
from truemed_async.errors import InvalidArgumentError
from truemed_async.options import Reservation

__all__ = ["RedisRateLimit"]

TIMEOUT: Final = 1.0
"""Seconds to wait for a server, for a client that is made from a URL."""
_IDLE_MILLISECONDS: Final = 3_600_000
_SCRIPT: Final = files("truemed_async.rate_limits").joinpath("redis.lua").read_text(encoding="utf-8")
_CONSTANTS: Final = (
    rate_limiter.MIN_RATE,
    rate_limiter.INITIAL_RATE,
    rate_limiter.BACKOFF_FACTOR,
    rate_limiter.MEASUREMENT_WINDOW,
    rate_limiter.RECOVERY_SECONDS,
    rate_limiter.DOUBLING_SECONDS,
    rate_limiter.INITIAL_DOUBLING_SECONDS,
    _IDLE_MILLISECONDS,
)


class RedisRateLimit:
    """A rate limit that processes of several machines share, in Redis or Valkey.

    Each request costs one round trip to it. A step is one script on one key, and therefore atomic, also in a cluster. Its
    clock is that of the server. Keys are ``truemed:rate:`` and a digest that does not reveal the API key; they expire an
    hour after the last request. If the server cannot be used, a :class:`~truemed_async.TruemedWarning` says so, and each
    process limits itself as without this option.

    Clients, threads and event loops may share one that was made from a URL, and it may be created before a server forks.

    Args:
        client: A URL, such as ``"redis://host:6379/0"``, or your own client of ``redis.asyncio``, also one of a cluster or
            sentinel. Your own belongs to the event loop of its first call.
        max_rate: Requests per second that all processes together never exceed. Without it there is no limit until the
            first 429.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """

    def __init__(self, client: "str | Redis", *, max_rate: float | None = None) -> None:
        boxed = Sensitive[Any](client)  # a URL may hold a password
        del client
        if not isinstance(boxed.value, str) and not inspect.iscoroutinefunction(getattr(boxed.value, "aclose", None)):
            raise InvalidArgumentError("client must be a URL or an asynchronous client of redis-py")
        self._client = boxed
        self._max_rate = validate_max_rate(max_rate)
        self._own: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()
        if isinstance(boxed.value, str):
            self._make_client()  # refuses an invalid URL before the first call

    async def reserve(
        self, channel: str, *, within: float, successes: int, generation: int | None
    ) -> Reservation | None:
        """Reserve the next slot: see :class:`~truemed_async.options.SharedRateLimit`."""
        result = await self._run(channel, "reserve", within, min(successes, rate_limiter.MAX_SUCCESSES), generation)
        return None if result is None else Reservation(float(result[0]), result[1])

    async def on_rate_limited(self, channel: str, *, generation: int, retry_after: float | None) -> None:
        """Record a 429: see :class:`~truemed_async.options.SharedRateLimit`."""
        wait = None if retry_after is None else min(retry_after, MAX_RETRY_AFTER)
        await self._run(channel, "rate_limited", generation, wait)

    async def aclose(self) -> None:
        """Close the connections of the running event loop, unless the client was given; a later call opens them again."""
        client = self._own.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _run(self, channel: str, operation: str, *arguments: float | None) -> Any:
        script = cast("Any", self._current_client()).register_script(_SCRIPT)
        values = (operation, self._now(), self._max_rate, *_CONSTANTS, *arguments)
        return await script(keys=[f"truemed:rate:{channel}"], args=["" if value is None else value for value in values])

    def _current_client(self) -> Redis:
        if not isinstance(self._client.value, str):
            return cast("Redis", self._client.value)
        loop = asyncio.get_running_loop()
        client = self._own.get(loop)
        if client is None:
            client = self._own[loop] = self._make_client()
        return client

    def _make_client(self) -> Redis:
        # One retry: the server may have closed an idle connection.
        client: Redis = cast("Any", Redis).from_url(
            self._client.value,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 1),
        )
        return client

    @staticmethod
    def _now() -> float | None:
        """Return the time; ``None`` is that of the server."""
        return None
