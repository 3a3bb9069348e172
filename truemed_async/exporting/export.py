"""Writes a whole listing: each row once, and nothing that a killed run has written a second time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, closing
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

import attrs

from truemed_async._sensitive import Sensitive, hidden as boxed
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting.files import in_thread
from truemed_async.exporting.formats import Encoding, Format, encoding_of, format_of
from truemed_async.exporting.journal import DIGEST
from truemed_async.exporting.parameters import Parameters, hidden
from truemed_async.exporting.personal import Personal, check_personal, secret_bytes
from truemed_async.exporting.projection import Projection, projection_of
from truemed_async.exporting.requests import Requests
from truemed_async.exporting.sinks import Partial, Pipe, Sink
from truemed_async.exporting.table import Table
from truemed_async.models import Model

if TYPE_CHECKING:
    from truemed_async._core.stream import Stream
    from truemed_async.client import AsyncTruemed

M = TypeVar("M", bound=Model)

VERSION = 1  # of the unfinished file and its journal


@attrs.frozen(kw_only=True)
class Progress:
    """How far an export is.

    Attributes:
        read: Rows of the listing that this run has passed.
        rows: Rows that were written, those of a resumed run included.
    """

    read: int
    rows: int


Report = Callable[[Progress], object]
"""Called once when the file is open, and after each page, on the event loop: it must not block."""


@attrs.frozen(kw_only=True)
class Exported:
    """What was written.

    Attributes:
        rows: How many rows.
        resumed: How many of them were there from the run that this one resumed.
        statuses: How many of each status, the most frequent first.
        earliest: When the oldest row was created; ``None`` if no row says.
        latest: When the newest row was created; ``None`` if no row says.
        requests: Requests that this run made, retries included.
        retries: How many of them were retries.
        seconds: How long this run took.
    """

    rows: int
    resumed: int
    statuses: Mapping[str, int]
    earliest: datetime | None
    latest: datetime | None
    requests: int
    retries: int
    seconds: float


async def export(
    client: AsyncTruemed,
    read: Callable[[AsyncTruemed], Stream[M]],
    table: Table[M],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    personal: Personal = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    chosen_by: Mapping[str, object] | None = None,
    on_progress: Report | None = None,
) -> Exported:
    """Write every row of a listing to a file or a stream.

    Rows stand in the order of the listing. While the export goes on they are in ``FILE.partial``, and what resuming
    needs in ``FILE.partial.journal``; ``FILE`` appears when it is complete, in place of one that was there. All three
    can be read by their owner alone. A killed run, or one that failed or was cancelled, leaves the two. ``resume``
    then reads the listing again from its start, passes over the rows that are in the file, and writes the others
    behind them: each row once, as it was when it was read. Where the data were at rest, the file is the one that an
    uninterrupted run would have made, byte by byte. Rows that appeared meanwhile stand, in the order of the listing,
    among those that the resumed run added; rows that were deleted meanwhile stay.

    Args:
        client: Makes the requests.
        read: Makes the listing of a client.
        table: What its rows are.
        to: The file, or a binary stream, which cannot be resumed and stays open.
        format: ``"csv"``, ``"jsonl"`` or ``"parquet"``; by default the file's ending tells, and a stream gets JSONL.
            CSV and Parquet hold the documented fields, JSONL all that the server sent.
        columns: The fields to write, in this order; by default all.
        personal: What becomes of personal values: ``"keep"``, ``"hash"`` (HMAC-SHA256 in hex) or ``"drop"`` (their
            columns are left out). Fields that are not documented are written with ``"keep"`` alone.
        secret: For ``"hash"``: 16 bytes or more. The same secret gives the same hashes.
        resume: Whether to go on with an unfinished file. If there is none, the export begins from the start.
        chosen_by: What chose the rows, such as filters: only an export with the same can be resumed.
        on_progress: Is told how far it is.

    Raises:
        InvalidArgumentError: An argument was refused, the file cannot be written, another export is writing it, or
            it was begun with other arguments. Nothing was read.
        ConfigurationError: The format needs a library that is not installed.
        CallError: A page could not be read.
        PaginationDriftError: Rows may be missing.
        OSError: A row could not be written, for example because the disk is full.
    """
    boxed_secret = cast("Sensitive[bytes | str | None]", boxed(secret))
    choice = hidden(dict(chosen_by)) if chosen_by else None
    del secret, chosen_by  # a traceback may show the locals of this frame
    started = time.monotonic()
    check_personal(personal)
    key = secret_bytes(boxed_secret, personal)
    path = Path(to) if isinstance(to, (str, os.PathLike)) else None
    form = format_of(format, path)
    projection = projection_of(table, columns, personal, key)
    encoding = encoding_of(form, projection.types)
    requests = Requests()
    stream = read(requests.counting(client))
    if path is None:
        if resume:
            raise InvalidArgumentError("a stream cannot be resumed: give a file")
        sink: Sink = Pipe(cast("BinaryIO", to), encoding)
    else:
        shown = {"version": VERSION, "server": client.base_url, "rows": table.name, "format": form}
        written = {"columns": [*projection.types, *(["*"] if projection.whole else [])], "personal": personal}
        unseen = {"filters": choice, "secret": key}
        sink = Partial(path, encoding, Parameters(shown=shown | written, hidden=unseen), resume=resume)
    with closing(sink):
        await in_thread(sink.open)
        resumed, passed = sink.tally.rows, 0
        report = on_progress or _nobody
        report(Progress(read=0, rows=resumed))
        async with aclosing(stream):
            async for batch in stream.batches():
                _write(batch, table, projection, encoding, sink)
                passed += len(batch)
                report(Progress(read=passed, rows=sink.tally.rows))
        await in_thread(sink.complete)
    return Exported(
        rows=sink.tally.rows,
        resumed=resumed,
        statuses=dict(sink.tally.statuses.most_common()),
        earliest=sink.tally.earliest,
        latest=sink.tally.latest,
        requests=requests.made,
        retries=requests.retries,
        seconds=time.monotonic() - started,
    )


def _nobody(_: Progress) -> None:
    """Stand in for who would be told."""


def _write(rows: Sequence[M], table: Table[M], projection: Projection[M], encoding: Encoding, sink: Sink) -> None:
    """Write those rows that are not there yet."""
    digests = [blake2b(table.id_of(row).encode(), digest_size=DIGEST).digest() for row in rows]
    new = [(row, digest) for row, digest in zip(rows, digests, strict=True) if digest not in sink.kept]
    sink.kept.difference_update(digests)  # none comes again
    if new:
        sink.tally.add(table, (row for row, _ in new))
        sink.add(encoding.encode([projection.row(row) for row, _ in new]), [digest for _, digest in new])
