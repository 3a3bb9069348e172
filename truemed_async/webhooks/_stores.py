"""De-duplication stores: which events were handled, and which are being handled.

An event is claimed before it is handled, confirmed after, and released if its handler failed. The claim of a process that
died expires, so that a later delivery of the event is handled and nothing is lost. If the process dies between the effect
and the confirmation, the event is handled twice, so handlers must tolerate it. Only an inbox prevents that: it runs the
handler in the database transaction that confirms the event.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from truemed_async.errors import InvalidArgumentError

logger = logging.getLogger("truemed_async.webhooks")

DEFAULT_LEASE = timedelta(minutes=5)
DEFAULT_RETENTION = timedelta(days=8)


class Claim(StrEnum):
    """The result of a claim."""

    GRANTED = "granted"
    """The event is not handled and not claimed: handle it."""
    DONE = "done"
    """The event was handled before."""
    BUSY = "busy"
    """Another owner holds the claim; it is handling the event, or it died and the claim has not expired yet."""


class DedupStore(Protocol):
    """Remembers which events were handled. Your own store has these three methods.

    They may be called from several threads at once, and each must be atomic for all processes that share the store.
    :class:`AsyncReceiver` calls them in a worker thread, so they may block; it also accepts an :class:`AsyncDedupStore`.
    If the store has an attribute ``retention``, a ``timedelta``, receivers check that it is long enough. If it has a method
    ``close_idle_connections``, an ``AsyncReceiver`` calls it in a worker thread after each call in this thread.
    """

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key``, up to 255 characters, for ``owner``, a string that is unique to this delivery.

        A claim that its owner repeats may be granted again.
        """
        ...

    def confirm(self, key: str, owner: str) -> None:
        """Record that the event was handled; also if the claim has expired or another owner holds it by now."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        ...


class AsyncDedupStore(Protocol):
    """:class:`DedupStore` with coroutines, for a database or cache with an ``asyncio`` client."""

    async def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        ...

    async def confirm(self, key: str, owner: str) -> None:
        """Record that the event was handled."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        ...


@runtime_checkable
class Inbox(Protocol):
    """A store that runs the handler in the database transaction that confirms the event: see ``PostgresInbox``."""

    def process(self, key: str, handle: Callable[..., object], creation_keys: tuple[str, str] | None = None) -> Claim:
        """Call ``handle``, and confirm the event ``key`` in the same transaction, unless it was handled before.

        If ``handle`` raises, the transaction is rolled back and the error is raised. ``BUSY``: another delivery of the
        event is being handled.

        Args:
            key: Identifies the event, up to 255 characters.
            handle: Calls the receiver's handler with the event, followed by the arguments of this call: the connection,
                if the handler needs it.
            creation_keys: Two keys that the creation of a token has besides, to be confirmed in the same transaction.
                The event was also handled before if the second is done and the first is not; if either is busy, nothing
                may remain claimed.
        """
        ...


@runtime_checkable
class AsyncInbox(Protocol):
    """:class:`Inbox` with coroutines."""

    async def process(
        self, key: str, handle: Callable[..., Awaitable[object]], creation_keys: tuple[str, str] | None = None
    ) -> Claim:
        """Await ``handle``, and confirm the event ``key`` in the same transaction, unless it was handled before."""
        ...


def claim_of_creation(with_origin: Claim, without_origin: Claim) -> Claim:
    """Return the claim of a token's creation whose own key is granted, from those of its ``creation_keys``.

    ``client.catch_up`` may hand a creation over without its origin. The first event with an origin is then the same one,
    and later ones are updates of the token.
    """
    if with_origin == Claim.DONE:
        return Claim.GRANTED
    return with_origin if with_origin == Claim.BUSY else without_origin


def validate_webhook_name(value: Any) -> str:
    """Return the name that tells the webhooks of one database apart."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
        raise InvalidArgumentError("webhook must be 1 to 100 letters, digits, dots, hyphens or underscores")
    return value


def validate_duration(name: str, value: Any) -> float:
    """Return a positive timedelta in seconds."""
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidArgumentError(f"{name} must be a timedelta > 0")
    return value.total_seconds()


class MemoryDedupStore:
    """Remembers events in this process until it ends: for a single process, and for tests.

    Several processes (gunicorn workers, several machines) would each handle the same event once: use a store that they
    share.

    Args:
        lease: How long a claim lasts that is neither confirmed nor released. Longer than the handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.
        limit: The largest number of handled events to remember; beyond it, the oldest are forgotten. Each takes about
            200 bytes.
        clock: Returns seconds that only increase.

    Raises:
        InvalidArgumentError: A duration is not positive, or ``limit`` is not an integer >= 1.
    """

    def __init__(
        self,
        *,
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
        limit: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if type(limit) is not int or limit < 1:
            raise InvalidArgumentError("limit must be an integer >= 1")
        self._lease = validate_duration("lease", lease)
        self._retention = validate_duration("retention", retention)
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        # Both are sorted by the time at which their entries expire.
        self._claims: dict[str, tuple[float, str]] = {}
        self._done: dict[str, float] = {}

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return timedelta(seconds=self._retention)

    def __len__(self) -> int:
        """Return the number of handled events that are remembered."""
        return len(self._done)

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        with self._lock:
            now = self._clock()
            self._evict_expired(now)
            if key in self._done:
                return Claim.DONE
            if key in self._claims:
                return Claim.BUSY
            self._claims[key] = (now + self._lease, owner)
            return Claim.GRANTED

    def confirm(self, key: str, owner: str) -> None:  # noqa: ARG002
        """Record that the event was handled, whichever owner holds the claim now."""
        with self._lock:
            self._claims.pop(key, None)
            self._done.pop(key, None)
            now = self._clock()
            self._done[key] = now + self._retention
            self._evict_expired(now)

    def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it."""
        with self._lock:
            if self._claims.get(key, (0.0, None))[1] == owner:
                del self._claims[key]

    def _evict_expired(self, now: float) -> None:
        while self._claims and self._claims[key := next(iter(self._claims))][0] <= now:
            del self._claims[key]
        while self._done and (self._done[key := next(iter(self._done))] <= now or len(self._done) > self._limit):
            del self._done[key]


_LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process's transaction; each takes about a millisecond."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS truemed_deliveries
    (key TEXT PRIMARY KEY, owner TEXT NOT NULL, ends REAL NOT NULL, done INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS truemed_deliveries_ends ON truemed_deliveries (ends)",
)


class SQLiteDedupStore:
    """Remembers events in a SQLite file: across restarts, and for all processes of one machine.

    The file must not be on a network file system. A connection lasts for one call, so the store may be created before a
    server forks, and used by any thread. Only event keys and times are stored: no body, no personal data.

    Args:
        path: The file, relative to the working directory at this time. It is created if it is missing, its directory is
            not. If it is removed later, it is created again, and the events in it are forgotten.
        lease: How long a claim lasts that is neither confirmed nor released. Longer than the handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.
        clock: Returns seconds since 1970, the same for all processes.

    Raises:
        InvalidArgumentError: A duration is not positive, or ``path`` does not name a file.
        sqlite3.OperationalError: The file cannot be opened.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        *,
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            name = os.fsdecode(path)
        except TypeError:
            name = ""
        if not name or "\0" in name or name.startswith((":", "file:")):
            raise InvalidArgumentError("path must name a file: processes cannot share anything else")
        self._path = str(Path(name).absolute())  # the working directory may change later
        self._lease = validate_duration("lease", lease)
        self._retention = validate_duration("retention", retention)
        self._clock = clock
        self._created = False
        # No write-ahead log: two processes that switch to it at the same time do not wait for each other, and one fails.
        # With a connection per call it would gain nothing.
        with self._transaction():
            self._created = True

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return timedelta(seconds=self._retention)

    def __len__(self) -> int:
        """Return the number of handled events that are remembered."""
        with self._transaction() as connection:
            return int(connection.execute("SELECT count(*) FROM truemed_deliveries WHERE done").fetchone()[0])

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        now = self._clock()
        with self._transaction() as connection:
            connection.execute("DELETE FROM truemed_deliveries WHERE ends <= ?", (now,))
            inserted = connection.execute(
                "INSERT OR IGNORE INTO truemed_deliveries VALUES (?, ?, ?, 0)", (key, owner, now + self._lease)
            )
            if inserted.rowcount:
                return Claim.GRANTED
            (done,) = connection.execute("SELECT done FROM truemed_deliveries WHERE key = ?", (key,)).fetchone()
            return Claim.DONE if done else Claim.BUSY

    def confirm(self, key: str, owner: str) -> None:
        """Record that the event was handled, whichever owner holds the claim now."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO truemed_deliveries VALUES (?, ?, ?, 1)",
                (key, owner, self._clock() + self._retention),
            )

    def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM truemed_deliveries WHERE key = ? AND owner = ? AND NOT done", (key, owner))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        """Hold the file's write lock, so that reading and writing are one step for all processes."""
        with closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'truemed_deliveries'").fetchone():
                    if self._created:
                        logger.warning("the file of a SQLiteDedupStore was removed: its handled events are forgotten")
                    for statement in _SCHEMA:
                        connection.execute(statement)
                yield connection
