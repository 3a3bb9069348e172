"""A table of all qualification sessions in SQLite that is kept current: see ``changes`` for what a run reads."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, cast, overload

import attrs
import orjson

from truemed_async._core.bulk import Outcome
from truemed_async._core.stream import Stream, StreamSource
from truemed_async._files import open_owner_only, resolve_links
from truemed_async._sensitive import Sensitive, wrap
from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.changes import ReadPlan, Reread, latest_creation, plan_run
from truemed_async.exports.columns import ROW_TYPES, RowType, select_columns
from truemed_async.exports.consumer import SyncBatches, run_uncancelled
from truemed_async.exports.export import ExportProgress, ProgressCallback
from truemed_async.exports.journal import Manifest
from truemed_async.exports.pii import Pii, validate_pii
from truemed_async.models import QualificationSession

TABLE = "qualification_sessions"
LOCK_TIMEOUT = 30.0  # seconds to wait for a reader or for another run

_SQL_TYPES: Mapping[Any, str] = {bool: "INTEGER", int: "INTEGER", float: "REAL"}


class AsyncSessions(Protocol):
    """``client.qualification_sessions`` of :class:`~truemed_async.AsyncTruemed`."""

    def iter(
        self, *, since: date | None = None, look_back: timedelta = ..., page_size: int = ..., prefetch: int = ...
    ) -> Stream[QualificationSession]:
        """Iterate over the sessions."""
        ...

    def get_many(self, ids: Iterable[str], /) -> Stream[Outcome[QualificationSession]]:
        """Get sessions by their ids."""
        ...


class SyncSessions(Protocol):
    """``client.qualification_sessions`` of :class:`~truemed_async.Truemed`."""

    def iter(
        self, *, since: date | None = None, look_back: timedelta = ..., page_size: int = ..., prefetch: int = ...
    ) -> SyncBatches[QualificationSession]:
        """Iterate over the sessions."""
        ...

    def get_many(self, ids: Iterable[str], /) -> SyncBatches[Outcome[QualificationSession]]:
        """Get sessions by their ids."""
        ...


@attrs.frozen(kw_only=True)
class MirrorResult:
    """What a run has done, and what it could not see.

    Attributes:
        rows: The rows of the table.
        added: How many of them are new.
        changed: How many have other values than before.
        removed: The rows that Truemed does not know any more, and that were deleted from the table.
        failed: The rows that could not be got again; the next run tries them again.
        unseen: The rows that were not read, because they were final: only a sweep sees changes and deletions of them.
        sweep: Whether everything was read.
        last_sweep: When everything was last read completely, in UTC.
        requests: The requests of the listing, retries included, and of the rows that were got again.
        seconds: The duration.
    """

    rows: int
    added: int
    changed: int
    removed: int
    failed: int
    unseen: int
    sweep: bool
    last_sweep: datetime | None
    requests: int
    seconds: float


@overload
def mirror(
    sessions: AsyncSessions,
    to: str | os.PathLike[str],
    *,
    sweep: bool = False,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    look_back: timedelta = timedelta(minutes=5),
    page_size: int = 100,
    prefetch: int = 4,
    on_progress: ProgressCallback | None = None,
) -> Coroutine[Any, Any, MirrorResult]: ...
@overload
def mirror(
    sessions: SyncSessions,
    to: str | os.PathLike[str],
    *,
    sweep: bool = False,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    look_back: timedelta = timedelta(minutes=5),
    page_size: int = 100,
    prefetch: int = 4,
    on_progress: ProgressCallback | None = None,
) -> MirrorResult: ...
def mirror(
    sessions: AsyncSessions | SyncSessions,
    to: str | os.PathLike[str],
    *,
    sweep: bool = False,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    look_back: timedelta = timedelta(minutes=5),
    page_size: int = 100,
    prefetch: int = 4,
    on_progress: ProgressCallback | None = None,
) -> MirrorResult | Coroutine[Any, Any, MirrorResult]:
    """Bring a table of all qualification sessions in an SQLite file up to date.

    Awaited with the sessions of :class:`~truemed_async.AsyncTruemed`, a plain call with those of
    :class:`~truemed_async.Truemed`::

        result = await mirror(client.qualification_sessions, "sessions.db")

    The first run reads everything. Each further run reads the sessions that are new, and gets each session again that
    was not approved or rejected. It does not see changes and deletions of sessions that were, nor sessions without
    ``created_at``, nor sessions that became visible more than ``look_back`` after a newer one: ``sweep`` reads
    everything and sees them. A run that would need more requests than a sweep becomes one.

    The table is ``qualification_sessions``, with the documented fields as columns: times are text in ISO 8601 UTC. Rows
    are committed page by page. A run that is killed leaves a table that the next run completes. Only the owner can read
    the file.

    Args:
        sessions: ``client.qualification_sessions``.
        to: The file. It is created, or was created by this function with the same server, ``pii`` and ``secret``.
        sweep: Whether to read everything.
        pii: What happens to personal data: ``"keep"``, ``"hash"`` (HMAC-SHA256 in hex) or ``"drop"`` (the columns are
            left out). Undocumented fields are never written.
        secret: For ``"hash"``: 16 bytes or more, stored apart from the file.
        look_back: How far before the newest session of the last run to read again.
        page_size: The most rows to request at once.
        prefetch: The most pages in flight.
        on_progress: Called with the rows that were read and those of the table.

    Raises:
        InvalidArgumentError: An argument was refused, or the file cannot be opened, is no mirror, or was made with
            other options; nothing was read. Or another run has begun on the file.
        CallError: A page could not be read.
        PaginationDriftError: Rows may be missing.
        sqlite3.OperationalError: The table could not be written, for example because the disk is full.
    """
    boxed_secret = cast("Sensitive[bytes | str | None]", wrap(secret))
    del secret
    scalars.validate_bool("sweep", sweep)
    key = validate_pii(pii, boxed_secret)
    options: dict[str, Any] = {"look_back": look_back, "page_size": page_size, "prefetch": prefetch}
    listing = sessions.iter(**options) if hasattr(sessions, "iter") else None
    source = None if listing is None else listing.source
    if source is None or source.model is not QualificationSession:
        raise InvalidArgumentError("sessions must be client.qualification_sessions")
    run = _Run(_SessionTable(to, source, pii, key), source, sweep=sweep, page_size=page_size, on_progress=on_progress)
    if isinstance(listing, Stream):
        return _mirror_async(cast("AsyncSessions", sessions), run, options)
    return _mirror_sync(cast("SyncSessions", sessions), run, options)


async def _mirror_async(sessions: AsyncSessions, run: _Run, options: dict[str, Any]) -> MirrorResult:
    with closing(run):
        plan = await run_uncancelled(run.open)
        async with aclosing(sessions.iter(since=plan.since, **options)) as listing:
            run.count(listing.source)
            async for rows in listing.batches():
                run.add(rows)
        stale = await run_uncancelled(run.end_listing)
        async with aclosing(sessions.get_many(stale)) as outcomes:
            async for batch in outcomes.batches():
                run.add_again(batch)
        return await run_uncancelled(run.complete)


def _mirror_sync(sessions: SyncSessions, run: _Run, options: dict[str, Any]) -> MirrorResult:
    with closing(run):
        plan = run.open()
        with closing(sessions.iter(since=plan.since, **options)) as listing:
            run.count(listing.source)
            for rows in listing.batches():
                run.add(rows)
        with closing(sessions.get_many(run.end_listing())) as outcomes:
            for batch in outcomes.batches():
                run.add_again(batch)
        return run.complete()


class _Run:
    """One run: the plan, the counts, and what is written to the table."""

    def __init__(
        self,
        table: _SessionTable,
        source: StreamSource,
        *,
        sweep: bool,
        page_size: int,
        on_progress: ProgressCallback | None,
    ) -> None:
        self._table = table
        self._source = source
        self._sweep = sweep
        self._page_size = page_size
        self._on_progress = on_progress
        self._plan = ReadPlan(since=None)
        self._watermark: datetime | None = None
        self._started = 0.0
        self._rows = self._read = self._added = self._changed = self._removed = self._failed = self._gets = 0

    def open(self) -> ReadPlan:
        """Open the table, begin a run and return what it reads."""
        self._started = time.monotonic()
        self._watermark = self._table.open()
        self._rows = self._table.count()
        self._plan = plan_run(
            watermark=self._watermark,
            rows=self._rows,
            unfinished=self._table.count("NOT _final"),
            sweep=self._sweep,
            page_size=self._page_size,
            now=self._source.read_clock(),
        )
        return self._plan

    def count(self, source: StreamSource | None) -> None:
        """Count the requests of this listing."""
        self._source = source or self._source

    def add(self, rows: Sequence[QualificationSession]) -> None:
        """Write rows of the listing."""
        self._watermark = latest_creation(self._table.row_type, rows, self._watermark)
        self._write(rows, ())

    def end_listing(self) -> list[str]:
        """Store how far the list was read, and return the ids to get again."""
        self._table.store_watermark(self._watermark)
        return self._table.stale_ids(final_too=self._plan.is_sweep)

    def add_again(self, outcomes: Sequence[Outcome[QualificationSession]]) -> None:
        """Write rows that were got again, and delete those that are gone."""
        again = Reread[QualificationSession].of(outcomes)
        self._failed += again.failed
        self._gets += len(outcomes)
        self._write(again.rows, again.gone)

    def _write(self, rows: Sequence[QualificationSession], gone: Sequence[str]) -> None:
        added, changed = self._table.write(rows, gone)
        self._read += len(rows) + len(gone)
        self._added += added
        self._changed += changed
        self._removed += len(gone)
        self._rows += added - len(gone)
        if self._on_progress is not None:
            self._on_progress(ExportProgress(read=self._read, rows=self._rows))

    def complete(self) -> MirrorResult:
        """Store when everything was read, and return what was done."""
        if self._plan.is_sweep and not self._failed:
            self._table.store_sweep(datetime.fromtimestamp(self._source.read_clock(), UTC))
        return MirrorResult(
            rows=self._rows,
            added=self._added,
            changed=self._changed,
            removed=self._removed,
            failed=self._failed,
            unseen=len(self._table.stale_ids(final_too=True)) - self._failed,
            sweep=self._plan.is_sweep,
            last_sweep=self._table.last_sweep(),
            requests=self._source.counter.requests + self._gets,
            seconds=time.monotonic() - self._started,
        )

    def close(self) -> None:
        """Close the table."""
        self._table.close()


class _SessionTable:
    """The table of the sessions, and one of a single row that says how far it was read.

    Beside the columns of a session a row has ``_final``, and ``_run``, the number of the run that read it last. Each
    write checks that no other run has begun.
    """

    def __init__(
        self, to: str | os.PathLike[str], source: StreamSource, pii: Pii, secret: Sensitive[bytes] | None
    ) -> None:
        self.row_type: RowType[QualificationSession] = ROW_TYPES[QualificationSession]
        self._path = Path(to)
        self._columns = select_columns(self.row_type, pii=pii, secret=secret)
        names = list(self._columns.types)
        self._manifest = Manifest(
            server=source.server,
            rows=self.row_type.name,
            format="sqlite",
            columns=names,
            pii=pii,
            filters=None,
            secret=secret,
        )
        self._names = names
        updates = ", ".join(f"{name} = excluded.{name}" for name in [*names, "_final", "_run"])
        self._upsert = (
            f"INSERT INTO {TABLE} ({', '.join(names)}, _final, _run) VALUES ({', '.join('?' for _ in names)}, ?, ?) "  # noqa: S608  # only names of fields
            f"ON CONFLICT (qualification_session_id) DO UPDATE SET {updates}"
        )
        self._connection: sqlite3.Connection | None = None
        self._run = 0

    def open(self) -> datetime | None:
        """Open or create the file, begin a run, and return how far the list was read.

        Raises:
            InvalidArgumentError: The file cannot be opened, is no mirror, or was made with other options.
        """
        try:
            target = resolve_links(self._path)
            if isinstance(target, int):
                raise InvalidArgumentError(f"{self._path} is not a regular file")
            open_owner_only(target).close()
        except OSError as error:
            raise InvalidArgumentError(f"{self._path} cannot be written: {error.strerror or error}") from error
        # Threads take turns: a call that blocks runs beside the event loop.
        self._connection = sqlite3.connect(target, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")  # readers and this run do not wait for each other
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with self._transaction() as connection:
                return self._begin_run(connection)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise InvalidArgumentError(f"{self._path} is not a SQLite database") from error

    def _begin_run(self, connection: sqlite3.Connection) -> datetime | None:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "truemed_mirror" not in tables:
            if tables:
                raise InvalidArgumentError(f"{self._path} is a database of something else")
            self._create(connection)
        manifest, watermark, run = connection.execute("SELECT manifest, watermark, run FROM truemed_mirror").fetchone()
        recorded = orjson.loads(manifest)
        if self._manifest.to_dict(recorded["salt"]) != recorded:
            raise InvalidArgumentError(
                f"{self._path} was made with another server, pii, secret or version: use the same options, or another "
                "file"
            )
        self._run = run + 1
        connection.execute("UPDATE truemed_mirror SET run = ?", (self._run,))
        return None if watermark is None else datetime.fromisoformat(watermark)

    def _create(self, connection: sqlite3.Connection) -> None:
        columns = ", ".join(f"{name} {_SQL_TYPES.get(kind, 'TEXT')}" for name, kind in self._columns.types.items())
        connection.execute(
            f"CREATE TABLE {TABLE} ({columns}, _final INTEGER, _run INTEGER, PRIMARY KEY (qualification_session_id)) "
            "WITHOUT ROWID"
        )
        connection.execute(f"CREATE INDEX truemed_unfinished ON {TABLE} (_final) WHERE NOT _final")
        connection.execute("CREATE TABLE truemed_mirror (manifest TEXT, watermark TEXT, last_sweep TEXT, run INTEGER)")
        manifest = orjson.dumps(self._manifest.to_dict(secrets.token_hex(16))).decode()
        connection.execute("INSERT INTO truemed_mirror VALUES (?, NULL, NULL, 0)", (manifest,))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        connection = self._require_connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._check_run(connection)
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _check_run(self, connection: sqlite3.Connection) -> None:
        if self._run and connection.execute("SELECT run FROM truemed_mirror").fetchone() != (self._run,):
            raise InvalidArgumentError(f"another run has begun on {self._path}")

    def _require_connection(self) -> sqlite3.Connection:
        return cast("sqlite3.Connection", self._connection)

    def write(self, rows: Sequence[QualificationSession], gone: Sequence[str]) -> tuple[int, int]:
        """Insert or replace rows and delete others; return how many were added and changed."""
        added = changed = 0
        select = f"SELECT {', '.join(self._names)} FROM {TABLE} WHERE qualification_session_id = ?"  # noqa: S608  # only names of fields
        with self._transaction() as connection:
            for row in rows:
                data = self._columns.to_row(row)
                values = Sensitive(tuple(_to_sql(data[name]) for name in self._names))
                del data
                before = Sensitive(connection.execute(select, (row.qualification_session_id,)).fetchone())
                added += before.value is None
                changed += before.value is not None and before.value != values.value
                connection.execute(self._upsert, (*values.value, row.status.is_final, self._run))
            connection.executemany(
                f"DELETE FROM {TABLE} WHERE qualification_session_id = ?",  # noqa: S608  # a constant
                [(id,) for id in gone],
            )
        return added, changed

    def count(self, condition: str = "TRUE") -> int:
        """Return the number of rows."""
        return int(self._require_connection().execute(f"SELECT count(*) FROM {TABLE} WHERE {condition}").fetchone()[0])  # noqa: S608  # constants

    def stale_ids(self, *, final_too: bool) -> list[str]:
        """Return the ids of the rows that this run has not read; those that were final only with ``final_too``."""
        select = f"SELECT qualification_session_id FROM {TABLE} WHERE _run != ? AND (? OR NOT _final)"  # noqa: S608  # a constant
        return [id for (id,) in self._require_connection().execute(select, (self._run, final_too))]

    def store_watermark(self, watermark: datetime | None) -> None:
        """Store how far the list was read."""
        with self._transaction() as connection:
            connection.execute("UPDATE truemed_mirror SET watermark = ?", (watermark and watermark.isoformat(),))

    def store_sweep(self, moment: datetime) -> None:
        """Store when everything was read."""
        with self._transaction() as connection:
            connection.execute("UPDATE truemed_mirror SET last_sweep = ?", (moment.isoformat(),))

    def last_sweep(self) -> datetime | None:
        """Return when everything was last read."""
        (moment,) = self._require_connection().execute("SELECT last_sweep FROM truemed_mirror").fetchone()
        return None if moment is None else datetime.fromisoformat(moment)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._connection is not None:
            self._connection.close()


def _to_sql(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value
