"""Stores of handled events on PostgreSQL, with psycopg 3 (extra ``postgres``).

:class:`PostgresInbox` and :class:`AsyncPostgresInbox` run the handler in the transaction that confirms the event: its
effect in this database and the confirmation are committed together, or not at all. :class:`PostgresDedupStore` and
:class:`AsyncPostgresDedupStore` are for handlers whose effect is elsewhere. All four use the same table, whose SQL is
:data:`SCHEMA`, and the clock of the database.
"""

import asyncio
import itertools
import os
import select
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, nullcontext
from datetime import timedelta
from typing import Any, Final, Self

from truemed_async._extras import missing_extra

try:
    from psycopg import AsyncConnection, AsyncCursor, AsyncTransaction, Connection, Cursor, Pipeline, Transaction
    from psycopg.pq import TransactionStatus
    from psycopg.rows import tuple_row
    from psycopg_pool import AsyncConnectionPool, ConnectionPool
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "postgres") from _error

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks._stores import (
    DEFAULT_LEASE,
    DEFAULT_RETENTION,
    Claim,
    claim_of_creation,
    validate_duration,
    validate_webhook_name,
)

__all__ = ["SCHEMA", "AsyncPostgresDedupStore", "AsyncPostgresInbox", "PostgresDedupStore", "PostgresInbox"]

SCHEMA: Final = """\
CREATE TABLE IF NOT EXISTS truemed_deliveries (
    webhook text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    owner text NOT NULL,
    done boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (webhook, key)
);
CREATE INDEX IF NOT EXISTS truemed_deliveries_expires_at ON truemed_deliveries (expires_at);
"""
"""The SQL of the table; ``truemed webhooks schema`` prints it. It may be executed again."""

# "IF NOT EXISTS" alone fails if two processes create the table at the same time.
_CREATE: Final = f"SELECT pg_advisory_xact_lock(hashtext('truemed_deliveries'));\n{SCHEMA}"

# One row if the event is claimed; else `_IS_DONE` tells why not. Most events are claimed, with one statement.
_CLAIM: Final = """
INSERT INTO truemed_deliveries AS delivery (webhook, key, owner, done, expires_at)
VALUES (%(webhook)s, %(key)s, %(owner)s, false, statement_timestamp() + %(lease)s)
ON CONFLICT (webhook, key) DO UPDATE
SET owner = excluded.owner, done = false, expires_at = excluded.expires_at
WHERE delivery.expires_at <= statement_timestamp()
RETURNING true
"""
# No row, if it was removed in between, counts as busy: the next delivery finds out.
_IS_DONE: Final = "SELECT done FROM truemed_deliveries WHERE webhook = %(webhook)s AND key = %(key)s"
_CONFIRM: Final = """
INSERT INTO truemed_deliveries (webhook, key, owner, done, expires_at)
VALUES (%(webhook)s, %(key)s, %(owner)s, true, statement_timestamp() + %(retention)s)
ON CONFLICT (webhook, key) DO UPDATE
SET owner = excluded.owner, done = true, expires_at = excluded.expires_at
"""
_RELEASE: Final = """
DELETE FROM truemed_deliveries WHERE webhook = %(webhook)s AND key = %(key)s AND owner = %(owner)s AND NOT done
"""
# The lock belongs to the transaction and ends with it, also if the process dies: there is no lease. It is tried and not
# waited for, so that repeated deliveries do not hold connections.
_CLAIM_AND_CONFIRM: Final = """
INSERT INTO truemed_deliveries AS delivery (webhook, key, owner, done, expires_at)
SELECT %(webhook)s, %(key)s, %(owner)s, true, statement_timestamp() + %(retention)s
WHERE pg_try_advisory_xact_lock(hashtextextended(%(webhook)s || ' ' || %(key)s, 0))
ON CONFLICT (webhook, key) DO UPDATE
SET owner = excluded.owner, done = true, expires_at = excluded.expires_at
WHERE delivery.expires_at <= statement_timestamp()
RETURNING true
"""
_FORGET: Final = """
DELETE FROM truemed_deliveries WHERE (webhook, key) IN (
    SELECT webhook, key FROM truemed_deliveries WHERE expires_at <= statement_timestamp()
    ORDER BY expires_at LIMIT 500 FOR UPDATE SKIP LOCKED
)
"""
CLEANUP_INTERVAL: Final = 100
"""Events between two removals of at most 500 expired rows: often enough to keep up, rare enough to cost nothing."""

MAX_CONNECTIONS: Final = 10
POOL_TIMEOUT: Final = 10.0
"""Seconds to wait for a connection of a pool that the store makes; the event then fails and is delivered again."""


class _Base:
    """The parameters of the statements, and when to remove expired rows."""

    def __init__(self, webhook: str, retention: timedelta) -> None:
        validate_duration("retention", retention)
        self._retention = retention
        self._parameters: dict[str, Any] = {"webhook": validate_webhook_name(webhook), "retention": retention}
        self._calls = itertools.count()

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return self._retention

    def _parameters_of(self, key: str, owner: str = "") -> dict[str, Any]:
        return {**self._parameters, "key": key, "owner": owner}

    def _is_cleanup_due(self) -> bool:
        return next(self._calls) % CLEANUP_INTERVAL == 0


def _read_refusal(row: tuple[Any, ...] | None) -> Claim:
    """Return why an event could not be claimed."""
    return Claim.DONE if row is not None and row[0] else Claim.BUSY


def _may_be_closed(connection: Connection[Any] | AsyncConnection[Any]) -> bool:
    """Whether an idle connection has something to read, as it has if the server closed it. Nothing is sent."""
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def _check(connection: Connection[Any]) -> None:
    if _may_be_closed(connection):
        ConnectionPool.check_connection(connection)


async def _check_async(connection: AsyncConnection[Any]) -> None:
    if _may_be_closed(connection):
        await AsyncConnectionPool.check_connection(connection)


def _require_open_transaction(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """Raise if the transaction failed: its commit would then roll back without an error, and the event would be lost."""
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        raise RuntimeError("the handler caught an error of the database, or ended the transaction that it was given")


def _rolled_back() -> RuntimeError:
    return RuntimeError("the handler rolled back the transaction that it was given")


class _SyncBase(_Base):
    def __init__(
        self,
        pool: str | ConnectionPool[Any],
        *,
        webhook: str = "default",
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        boxed = Sensitive[Any](pool)  # a connection string may hold a password
        del pool
        if not isinstance(boxed.value, (str, ConnectionPool)):
            raise InvalidArgumentError("pool must be a connection string or a psycopg_pool.ConnectionPool")
        super().__init__(webhook, retention)
        self._source: Sensitive[str | ConnectionPool[Any]] = boxed
        self._lock = threading.Lock()
        # By process: a child must not use, nor close, the connections of its parent.
        self._pools: dict[int, ConnectionPool[Any]] = {}

    def _pool(self) -> ConnectionPool[Any]:
        """Return the pool: the user's, or one that is made with the first call in this process."""
        if isinstance(self._source.value, ConnectionPool):
            return self._source.value
        with self._lock:
            pool = self._pools.get(os.getpid())
            if pool is None:
                pool = self._pools[os.getpid()] = ConnectionPool(
                    self._source.value,
                    kwargs={"autocommit": True},
                    min_size=1,
                    max_size=MAX_CONNECTIONS,
                    timeout=POOL_TIMEOUT,
                    check=_check,
                    open=True,
                )
            return pool

    def create_schema(self) -> None:
        """Create the table if it is missing."""
        with self._pool().connection() as connection, connection.transaction():
            connection.execute(_CREATE)

    def close(self) -> None:
        """Close the connections, unless the pool was given; a later call opens them again."""
        with self._lock:
            pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _forget_expired(self) -> None:
        if self._is_cleanup_due():
            with self._pool().connection() as connection:
                connection.execute(_FORGET)


class PostgresDedupStore(_SyncBase):
    """Remembers events in PostgreSQL: for several machines.

    An event is claimed before the handler runs and confirmed after it. If the process dies between the effect and the
    confirmation, the event is handled twice; :class:`PostgresInbox` prevents that for effects in this database.

    Threads share the store, and it may be created before a server forks. Only keys and times are stored: no body, no
    personal data. Errors of the database are those of psycopg; a receiver then responds 500, and the event is delivered
    again.

    Args:
        pool: A connection string, such as ``"postgresql://user@host/shop"``, or your own pool. With a connection string,
            up to 10 connections are opened from the first call on.
        webhook: Names the webhook, if several use this database. Each needs its own name.
        lease: How long a claim lasts that is neither confirmed nor released. Longer than the handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """

    def __init__(
        self,
        pool: str | ConnectionPool[Any],
        *,
        webhook: str = "default",
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        boxed = Sensitive(pool)
        del pool
        super().__init__(boxed.value, webhook=webhook, retention=retention)
        validate_duration("lease", lease)
        self._parameters["lease"] = lease

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        self._forget_expired()
        with self._pool().connection() as connection:
            cursor, parameters = connection.cursor(row_factory=tuple_row), self._parameters_of(key, owner)
            if cursor.execute(_CLAIM, parameters).fetchone() is not None:
                return Claim.GRANTED
            return _read_refusal(cursor.execute(_IS_DONE, parameters).fetchone())

    def confirm(self, key: str, owner: str) -> None:
        """Record that the event was handled, whichever owner holds the claim now."""
        with self._pool().connection() as connection:
            connection.execute(_CONFIRM, self._parameters_of(key, owner))

    def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        with self._pool().connection() as connection:
            connection.execute(_RELEASE, self._parameters_of(key, owner))


class PostgresInbox(_SyncBase):
    """Runs the handler in the transaction that confirms the event: exactly once for effects in this database.

    A receiver calls ``handler(event, connection)``. What the handler writes with this connection is committed together
    with the confirmation of the event. If the handler raises, the process dies, or the connection is cut, all of it is
    rolled back, and the next delivery of the event is handled; nothing has to expire first. The one condition: the effect
    is written with this ``connection``. E-mails, HTTP requests and other databases are not part of the transaction.

    The handler must neither commit nor roll back. It may use savepoints: ``with connection.transaction():``. An error of
    the database that it catches outside of a savepoint has made the transaction void: the event fails and is delivered
    again.

    Each event that is being handled holds a connection of the pool.

    Args:
        pool: As for :class:`PostgresDedupStore`.
        webhook: Names the webhook, if several use this database. Each needs its own name.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """

    def process(
        self,
        key: str,
        handle: Callable[[Connection[Any]], object],
        creation_keys: tuple[str, str] | None = None,
    ) -> Claim:
        """Call ``handle(connection)`` in a transaction, and confirm the event in it; unless it was handled before."""
        self._forget_expired()
        with ExitStack() as stack:
            connection = stack.enter_context(self._pool().connection())
            cursor = connection.cursor(row_factory=tuple_row)
            # ``connection.transaction()`` would keep the pipeline open for the handler.
            with connection.pipeline() if Pipeline.is_supported() else nullcontext():  # one round trip
                transaction = stack.enter_context(Transaction(connection))
                cursor.execute(_CLAIM_AND_CONFIRM, self._parameters_of(key))
            claim = self._read_claim(cursor, key)
            if claim is Claim.GRANTED and creation_keys is not None:
                parts = [
                    self._read_claim(cursor.execute(_CLAIM_AND_CONFIRM, self._parameters_of(each)), each)
                    for each in creation_keys
                ]
                claim = claim_of_creation(*parts)
            if claim is Claim.GRANTED:
                handle(connection)
                _require_open_transaction(connection)
            transaction.force_rollback = claim is Claim.BUSY  # some of the keys may be claimed
            return claim
        raise _rolled_back()  # psycopg.Rollback leaves the block above without an error

    def _read_claim(self, cursor: Cursor[tuple[Any, ...]], key: str) -> Claim:
        if cursor.fetchone() is not None:
            return Claim.GRANTED
        return _read_refusal(cursor.execute(_IS_DONE, self._parameters_of(key)).fetchone())


class _AsyncBase(_Base):
    def __init__(
        self,
        pool: str | AsyncConnectionPool[Any],
        *,
        webhook: str = "default",
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        boxed = Sensitive[Any](pool)
        del pool
        if not isinstance(boxed.value, (str, AsyncConnectionPool)):
            raise InvalidArgumentError("pool must be a connection string or a psycopg_pool.AsyncConnectionPool")
        super().__init__(webhook, retention)
        self._source: Sensitive[str | AsyncConnectionPool[Any]] = boxed
        # By process and event loop: connections belong to both.
        self._pools: dict[tuple[int, asyncio.AbstractEventLoop], AsyncConnectionPool[Any]] = {}

    async def _pool(self) -> AsyncConnectionPool[Any]:
        """Return the pool: the user's, or one that is made with the first call on this event loop."""
        if isinstance(self._source.value, AsyncConnectionPool):
            return self._source.value
        place = os.getpid(), asyncio.get_running_loop()
        pool = self._pools.get(place)
        if pool is None:
            pool = self._pools[place] = AsyncConnectionPool(
                self._source.value,
                kwargs={"autocommit": True},
                min_size=1,
                max_size=MAX_CONNECTIONS,
                timeout=POOL_TIMEOUT,
                check=_check_async,
                open=False,
            )
        if pool.closed:
            await pool.open()
        return pool

    async def create_schema(self) -> None:
        """Create the table if it is missing."""
        async with (await self._pool()).connection() as connection, connection.transaction():
            await connection.execute(_CREATE)

    async def close(self) -> None:
        """Close the connections, unless the pool was given; a later call opens them again."""
        pool = self._pools.pop((os.getpid(), asyncio.get_running_loop()), None)
        if pool is not None:
            await pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _forget_expired(self) -> None:
        if self._is_cleanup_due():
            async with (await self._pool()).connection() as connection:
                await connection.execute(_FORGET)


class AsyncPostgresDedupStore(_AsyncBase):
    """:class:`PostgresDedupStore` with coroutines, for an :class:`~truemed_async.webhooks.AsyncReceiver`.

    The arguments are the same, but ``pool`` is a connection string or your own
    :class:`psycopg_pool.AsyncConnectionPool`.
    """

    def __init__(
        self,
        pool: str | AsyncConnectionPool[Any],
        *,
        webhook: str = "default",
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        boxed = Sensitive(pool)
        del pool
        super().__init__(boxed.value, webhook=webhook, retention=retention)
        validate_duration("lease", lease)
        self._parameters["lease"] = lease

    async def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        await self._forget_expired()
        async with (await self._pool()).connection() as connection:
            cursor, parameters = connection.cursor(row_factory=tuple_row), self._parameters_of(key, owner)
            await cursor.execute(_CLAIM, parameters)
            if await cursor.fetchone() is not None:
                return Claim.GRANTED
            await cursor.execute(_IS_DONE, parameters)
            return _read_refusal(await cursor.fetchone())

    async def confirm(self, key: str, owner: str) -> None:
        """Record that the event was handled, whichever owner holds the claim now."""
        async with (await self._pool()).connection() as connection:
            await connection.execute(_CONFIRM, self._parameters_of(key, owner))

    async def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        async with (await self._pool()).connection() as connection:
            await connection.execute(_RELEASE, self._parameters_of(key, owner))


class AsyncPostgresInbox(_AsyncBase):
    """:class:`PostgresInbox` with coroutines: an :class:`~truemed_async.webhooks.AsyncReceiver` awaits ``handler(event, connection)``.

    The arguments are the same, but ``pool`` is a connection string or your own
    :class:`psycopg_pool.AsyncConnectionPool`.
    """

    async def process(
        self,
        key: str,
        handle: Callable[[AsyncConnection[Any]], Awaitable[object]],
        creation_keys: tuple[str, str] | None = None,
    ) -> Claim:
        """Await ``handle(connection)`` in a transaction, and confirm the event in it; unless it was handled before."""
        await self._forget_expired()
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context((await self._pool()).connection())
            cursor = connection.cursor(row_factory=tuple_row)
            async with connection.pipeline() if Pipeline.is_supported() else nullcontext():  # one round trip
                transaction = await stack.enter_async_context(AsyncTransaction(connection))
                await cursor.execute(_CLAIM_AND_CONFIRM, self._parameters_of(key))
            claim = await self._read_claim(cursor, key)
            if claim is Claim.GRANTED and creation_keys is not None:
                parts = [
                    await self._read_claim(await cursor.execute(_CLAIM_AND_CONFIRM, self._parameters_of(each)), each)
                    for each in creation_keys
                ]
                claim = claim_of_creation(*parts)
            if claim is Claim.GRANTED:
                await handle(connection)
                _require_open_transaction(connection)
            transaction.force_rollback = claim is Claim.BUSY  # some of the keys may be claimed
            return claim
        raise _rolled_back()

    async def _read_claim(self, cursor: AsyncCursor[tuple[Any, ...]], key: str) -> Claim:
        if await cursor.fetchone() is not None:
            return Claim.GRANTED
        await cursor.execute(_IS_DONE, self._parameters_of(key))
        return _read_refusal(await cursor.fetchone())
