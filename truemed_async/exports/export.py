"""Writes the rows of a stream to a file: each row once, also when a killed run is resumed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, cast, overload

import attrs
import orjson

from truemed_async._core.stream import RequestCounter, Stream, StreamSource
from truemed_async._sensitive import Sensitive, wrap
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.columns import RowType, select_columns
from truemed_async.exports.consumer import SyncBatches, consume, resolve_row_type, source_of
from truemed_async.exports.files import (
    Destination,
    OpenedStream,
    ResumableFile,
    StreamDestination,
    is_stream,
    resolve_target,
)
from truemed_async.exports.formats import Format, make_encoding, resolve_format
from truemed_async.exports.journal import Manifest, digest_rows
from truemed_async.exports.pii import Pii, validate_pii
from truemed_async.exports.rejected import RejectedRows
from truemed_async.models import Model
from truemed_async.models._columns import select
from truemed_async.models._reading import UnreadableRow, has_unreadable

M = TypeVar("M", bound=Model)


@attrs.frozen(kw_only=True)
class ExportProgress:
    """The progress of an export.

    Attributes:
        read: Rows of the listing that this run has read.
        rows: Rows that are written, including those of a resumed run; without those that cannot be read.
    """

    read: int
    rows: int


ProgressCallback = Callable[[ExportProgress], object]
"""Called once when the file is open, and after each page: on the event loop, where it must not block, or on the thread
of a plain call."""


@attrs.frozen(kw_only=True)
class ExportResult:
    """What an export has written.

    Attributes:
        rows: The number of rows.
        rejected: The number of rows that could not be read: they are not in the file, but in ``FILE.rejected.jsonl``.
        resumed: How many of them the resumed run had written.
        statuses: The number of rows of each status, the most frequent first.
        earliest: When the oldest row was created; ``None`` if no row states it.
        latest: When the newest row was created; ``None`` if no row states it.
        requests: The requests of this run, retries included.
        retries: How many of them were retries.
        seconds: The duration of this run.
    """

    rows: int
    rejected: int
    resumed: int
    statuses: Mapping[str, int]
    earliest: datetime | None
    latest: datetime | None
    requests: int
    retries: int
    seconds: float


@overload
def export(
    stream: Stream[M],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    bom: bool = False,
    row_type: RowType[M] | None = None,
    on_progress: ProgressCallback | None = None,
) -> Coroutine[Any, Any, ExportResult]: ...
@overload
def export(
    stream: SyncBatches[M],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    bom: bool = False,
    row_type: RowType[M] | None = None,
    on_progress: ProgressCallback | None = None,
) -> ExportResult: ...
def export(
    stream: Stream[M] | SyncBatches[M],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    bom: bool = False,
    row_type: RowType[M] | None = None,
    on_progress: ProgressCallback | None = None,
) -> ExportResult | Coroutine[Any, Any, ExportResult]:
    """Write every row of a listing to a file or a binary stream.

    Awaited with a stream of :class:`~truemed_async.AsyncTruemed`, a plain call with one of
    :class:`~truemed_async.Truemed`::

        result = await export(client.payment_sessions.iter(search="ada"), "payments.csv")

    Rows are written in the order of the listing. While the export runs they are in ``FILE.partial``, with a journal in
    ``FILE.partial.journal``; ``FILE`` appears, or is replaced, when it is complete. All three are readable by their
    owner alone. A run that is killed, fails or is canceled leaves the first two. With ``resume`` the listing is read
    again from its start, rows that are in the file are skipped, and the others are appended: each row once, as it was
    when it was read. If the data has not changed, the file is byte for byte that of an uninterrupted run. Rows that
    appeared in the meantime are among those that the resumed run appends; rows that were deleted remain.

    A row that cannot be read does not end the export. It goes to ``FILE.rejected.jsonl``, for its owner alone, whole
    or, unless ``pii`` is ``"keep"``, with the columns of the export that can be read; ``rejected`` of the result counts
    such rows, and a :class:`~truemed_async.TruemedWarning` reports the first. A stream has no place for them.

    Args:
        stream: The rows, such as ``client.payment_sessions.iter()``.
        to: A file, or a binary stream, which cannot be resumed and stays open. A symbolic link remains, and the file
            that it points to is replaced. ``/dev/stdout``, other devices and named pipes are written as streams.
        format: ``"csv"``, ``"jsonl"`` or ``"parquet"``; by default the suffix of the file decides, and a stream gets
            JSONL. CSV and Parquet hold the documented fields, JSONL everything that the server sent.
        columns: The fields to write, in this order; by default all.
        pii: What happens to personal data: ``"keep"``, ``"hash"`` (HMAC-SHA256 in hex) or ``"drop"`` (the columns are
            left out). Undocumented fields are only written with ``"keep"``.
        secret: For ``"hash"``: 16 bytes or more, stored apart from the file. The same secret gives the same hashes.
        resume: Whether to continue an unfinished file. If there is none, the export begins from the start.
        bom: Whether a CSV file begins with a byte order mark, by which Excel recognizes UTF-8.
        row_type: The type of the rows, for streams that do not come from a listing of this library.
        on_progress: Called with the progress.

    Raises:
        InvalidArgumentError: An argument was refused, the file cannot be written, another export is writing it, or
            it was begun with other options or by another format version; nothing was read. Or Parquet cannot hold a
            value, such as an integer of more than 64 bits.
        ConfigurationError: The format needs a library that is not installed.
        CallError: A page could not be read.
        PaginationDriftError: Rows may be missing.
        OSError: A row could not be written, for example because the disk is full.
    """
    boxed_secret = cast("Sensitive[bytes | str | None]", wrap(secret))
    del secret
    writer = RowWriter(
        source_of(stream),
        to,
        format=format,
        columns=columns,
        pii=pii,
        secret=boxed_secret,
        resume=resume,
        bom=bom,
        row_type=row_type,
        on_progress=on_progress,
    )
    return consume(stream, writer)


class RowWriter(Generic[M]):
    """Writes the rows of a stream; raises what :func:`export` raises."""

    def __init__(
        self,
        source: StreamSource | None,
        to: str | os.PathLike[str] | BinaryIO,
        *,
        format: Format | None,
        columns: Sequence[str] | None,
        pii: Pii,
        secret: Sensitive[bytes | str | None],
        resume: bool,
        bom: bool,
        row_type: RowType[M] | None,
        on_progress: ProgressCallback | None,
    ) -> None:
        key = validate_pii(pii, secret)
        name = os.fsdecode(to) if isinstance(to, (str, os.PathLike)) else None
        target = None if name is None else resolve_target(name)
        path = Path(name) if name is not None and target is not None and not is_stream(target) else None
        self._format = resolve_format(format, path)
        if bom and self._format != "csv":
            raise InvalidArgumentError("bom requires format 'csv'")
        self._source = source
        self._row_type: RowType[M] = resolve_row_type(source, row_type)
        self._columns = select_columns(self._row_type, columns, pii, key)
        self._encoding = make_encoding(self._format, self._columns, bom=bom)
        self._destination: Destination
        if path is not None:
            manifest = self._make_manifest(pii, key, bom=bom)
            self._destination = ResumableFile(path, cast("Path", target), self._encoding, manifest, resume=resume)
        elif resume:
            raise InvalidArgumentError("a stream cannot be resumed: export to a file")
        elif name is not None and target is not None:
            self._destination = OpenedStream(Path(name), target, self._encoding)
        else:
            self._destination = StreamDestination(cast("BinaryIO", to), self._encoding)
        if source is not None:
            source.invalid.handling = "yield"
        self._rejected = RejectedRows(
            cast("Path", target) if path is not None else None,
            None if pii == "keep" else self._columns.to_row,
            resume=resume,
        )
        self._on_progress = on_progress
        self._read = self._resumed = 0
        self._started = 0.0

    def _make_manifest(self, pii: Pii, secret: Sensitive[bytes] | None, *, bom: bool) -> Manifest:
        source = self._source
        filters = None
        if source is not None and source.filters.value:
            filters = Sensitive(orjson.dumps(source.filters.value, option=orjson.OPT_SORT_KEYS, default=str))
        return Manifest(
            server=None if source is None else source.server,
            rows=self._row_type.name,
            format=self._format,
            columns=[*self._columns.types, *(["*"] if self._columns.include_extra else [])],
            pii=pii,
            filters=filters,
            secret=secret,
            bom=bom,
        )

    def open(self) -> None:
        """Open the destination."""
        self._started = time.monotonic()
        self._destination.open()
        self._rejected.open()
        self._resumed = self._destination.counts.rows

    def add(self, rows: Sequence[M]) -> None:
        """Write the rows that are not written yet, and report the progress."""
        destination = self._destination
        self._read += len(rows)
        if has_unreadable(rows):
            rows = self._reject_unreadable(rows)
        digests: Sequence[bytes] = digest_rows(self._row_type.ids_of(rows))
        if destination.written:
            new = [digest not in destination.written for digest in digests]
            destination.written.difference_update(digests)  # a listing yields each row once
            rows, digests = select(rows, new), select(digests, new)
        if rows:
            destination.counts.add(self._row_type, rows)
            destination.add(self._encoding.encode(rows), digests)
        if self._on_progress is not None:
            self._on_progress(ExportProgress(read=self._read, rows=destination.counts.rows))

    def _reject_unreadable(self, rows: Sequence[M | UnreadableRow]) -> list[M]:
        self._rejected.add([row for row in rows if isinstance(row, UnreadableRow)])
        return [row for row in rows if not isinstance(row, UnreadableRow)]

    def complete(self) -> ExportResult:
        """Complete the destination and return the result."""
        self._rejected.complete()
        self._destination.complete()
        counts = self._destination.counts
        counter = RequestCounter() if self._source is None else self._source.counter
        return ExportResult(
            rows=counts.rows,
            rejected=self._rejected.count,
            resumed=self._resumed,
            statuses=dict(counts.statuses.most_common()),
            earliest=counts.earliest,
            latest=counts.latest,
            requests=counter.requests,
            retries=counter.retries,
            seconds=time.monotonic() - self._started,
        )

    def close(self) -> None:
        """Close the destination."""
        self._destination.close()
        self._rejected.close()
