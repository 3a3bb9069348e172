"""Stores of handled events on Redis or Valkey, with redis-py (extra ``redis``).

Each step is one command or one script on one key, and therefore atomic, also in a cluster. The expiry of a key is that of
the server's clock, and the server removes expired keys itself.
"""

import inspect
from datetime import timedelta
from typing import Any, Final, Self, cast

from truemed_async._extras import missing_extra

try:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "redis") from _error

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks._stores import (
    DEFAULT_LEASE,
    DEFAULT_RETENTION,
    Claim,
    validate_duration,
    validate_webhook_name,
)

__all__ = ["AsyncRedisDedupStore", "RedisDedupStore"]

# Redis clients repeat a command whose response was lost: a claim that its owner repeats is granted again.
_CLAIM: Final = """
local value = redis.call('GET', KEYS[1])
if value == 'done' then return 1 end
if value and value ~= ARGV[1] then return 2 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0
"""
_CLAIMS: Final = (Claim.GRANTED, Claim.DONE, Claim.BUSY)
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
_DONE: Final = "done"

TIMEOUT: Final = 5.0
"""Seconds to wait for a server, for a client that the store makes; the event then fails and is delivered again."""


class _Base:
    def __init__(self, webhook: str, lease: timedelta, retention: timedelta) -> None:
        self._prefix = f"truemed:{validate_webhook_name(webhook)}:"
        self._lease = round(validate_duration("lease", lease) * 1000) or 1
        self._retention = round(validate_duration("retention", retention) * 1000) or 1

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return timedelta(milliseconds=self._retention)

    def _claim(self, key: str, owner: str) -> tuple[str, int, str, str, int]:
        return _CLAIM, 1, self._prefix + key, _held_by(owner), self._lease

    def _release(self, key: str, owner: str) -> tuple[str, int, str, str]:
        return _RELEASE, 1, self._prefix + key, _held_by(owner)


def _held_by(owner: str) -> str:
    return f"claimed:{owner}"


class RedisDedupStore(_Base):
    """Remembers events in Redis or Valkey: for several machines.

    An event is claimed before the handler runs and confirmed after it. If the process dies between the effect and the
    confirmation, the event is handled twice. So is an event that Redis forgot and that is delivered again: Redis forgets
    the last seconds if it crashes (``appendonly``), the last replication if it fails over, everything if it starts
    without its file, and any key if ``maxmemory-policy`` is not ``noeviction``. No event is lost.

    Threads share the store, and it may be created before a server forks. Only keys and owners are stored: no body, no
    personal data. Errors of Redis are those of redis-py; a receiver then responds 500, and the event is delivered again.

    Args:
        client: A URL, such as ``"redis://host:6379/0"``, or your own client, also one of a cluster or sentinel.
        webhook: Names the webhook, if several use this server. Each needs its own name. Keys begin with
            ``truemed:NAME:``.
        lease: How long a claim lasts that is neither confirmed nor released. Longer than the handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """

    def __init__(
        self,
        client: "str | Redis",
        *,
        webhook: str = "default",
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        boxed = Sensitive[Any](client)  # a URL may hold a password
        del client
        super().__init__(webhook, lease, retention)
        self._own = isinstance(boxed.value, str)
        if self._own:
            boxed.value = cast("Any", Redis).from_url(
                boxed.value, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
            )
        elif inspect.iscoroutinefunction(getattr(boxed.value, "aclose", None)) or not hasattr(boxed.value, "eval"):
            raise InvalidArgumentError("client must be a URL or a client of redis-py, not an asynchronous one")
        self._client: Sensitive[Redis] = boxed

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        return _CLAIMS[cast("int", self._client.value.eval(*self._claim(key, owner)))]

    def confirm(self, key: str, owner: str) -> None:  # noqa: ARG002
        """Record that the event was handled, whichever owner holds the claim now."""
        self._client.value.set(self._prefix + key, _DONE, px=self._retention)

    def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        self._client.value.eval(*self._release(key, owner))

    def close(self) -> None:
        """Close the connections, unless the client was given; a later call opens them again."""
        if self._own:
            self._client.value.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncRedisDedupStore(_Base):
    """:class:`RedisDedupStore` with coroutines, for an :class:`~truemed_async.webhooks.AsyncReceiver`.

    It belongs to the event loop of its first call. The arguments are the same, but ``client`` is a URL or your own client
    of ``redis.asyncio``.
    """

    def __init__(
        self,
        client: "str | AsyncRedis",
        *,
        webhook: str = "default",
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        boxed = Sensitive[Any](client)
        del client
        super().__init__(webhook, lease, retention)
        self._own = isinstance(boxed.value, str)
        if self._own:
            boxed.value = cast("Any", AsyncRedis).from_url(
                boxed.value, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
            )
        elif not inspect.iscoroutinefunction(getattr(boxed.value, "aclose", None)):
            raise InvalidArgumentError("client must be a URL or an asynchronous client of redis-py")
        self._client: Sensitive[AsyncRedis] = boxed

    async def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        number: int = await cast("Any", self._client.value.eval(*self._claim(key, owner)))
        return _CLAIMS[number]

    async def confirm(self, key: str, owner: str) -> None:  # noqa: ARG002
        """Record that the event was handled, whichever owner holds the claim now."""
        await self._client.value.set(self._prefix + key, _DONE, px=self._retention)

    async def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        await cast("Any", self._client.value.eval(*self._release(key, owner)))

    async def close(self) -> None:
        """Close the connections, unless the client was given; a later call opens them again."""
        if self._own:
            await self._client.value.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
