"""A store that the processes of one machine share: a SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta

from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks._dedup import LEASE, RETENTION, Claim, duration

_WAIT = 30.0
"""Seconds to wait for another process's transaction; each takes about a millisecond."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS truemed_deliveries
    (key TEXT PRIMARY KEY, owner TEXT NOT NULL, ends REAL NOT NULL, done INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS truemed_deliveries_ends ON truemed_deliveries (ends)",
)


class SQLiteDedupStore:
    """Remembers in a file: over restarts, and for all processes of one machine. Not for a network file system.

    A connection lives as long as one call, so the store may be made before a server forks, and used by any thread.
    Only keys of events and times are stored: no body, no personal data.

    Args:
        path: The file; it is made if it is missing, its directory is not.
        lease: How long a claim lasts that is neither confirmed nor released. Longer than your handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.
        clock: Seconds since 1970, the same for all processes.

    Raises:
        InvalidArgumentError: A duration is not positive, or ``path`` names no file.
        sqlite3.OperationalError: The file cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease: timedelta = LEASE,
        retention: timedelta = RETENTION,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = os.fspath(path)
        if not self._path or self._path.startswith((":", "file:")):
            raise InvalidArgumentError("path must name a file: nothing else can be shared")
        self._lease = duration("lease", lease)
        self._kept = duration("retention", retention)
        self._clock = clock
        # No write-ahead log: two processes that switch to it at once do not wait for each other, and one fails; and with
        # a connection for each call it gains nothing.
        with self._transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return timedelta(seconds=self._kept)

    def __len__(self) -> int:
        """Return how many handled events are remembered."""
        with closing(self._connect()) as connection:
            return int(connection.execute("SELECT count(*) FROM truemed_deliveries WHERE done").fetchone()[0])

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        now = self._clock()
        with self._transaction() as connection:
            connection.execute("DELETE FROM truemed_deliveries WHERE ends <= ?", (now,))
            made = connection.execute(
                "INSERT OR IGNORE INTO truemed_deliveries VALUES (?, ?, ?, 0)", (key, owner, now + self._lease)
            )
            if made.rowcount:
                return Claim.GRANTED
            (done,) = connection.execute("SELECT done FROM truemed_deliveries WHERE key = ?", (key,)).fetchone()
            return Claim.DONE if done else Claim.BUSY

    def confirm(self, key: str, owner: str) -> None:
        """Note that the event was handled; the effect is there, whoever holds the claim now."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO truemed_deliveries VALUES (?, ?, ?, 1)",
                (key, owner, self._clock() + self._kept),
            )

    def release(self, key: str, owner: str) -> None:
        """Give the claim back, if it is still this owner's and not confirmed."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM truemed_deliveries WHERE key = ? AND owner = ? AND NOT done", (key, owner))

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        """Hold the file's write lock, so that looking and writing are one step for all processes."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection
