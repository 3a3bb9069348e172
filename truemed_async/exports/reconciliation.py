"""The export of reconciliations: a file of joined rows, and a report of whether they add up."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Sequence
from typing import Any, BinaryIO, cast, overload

import attrs

from truemed_async._core.stream import Stream, StreamSource
from truemed_async._sensitive import Sensitive, wrap
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.consumer import SyncBatches, consume, source_of
from truemed_async.exports.export import ExportResult, ProgressCallback, RowWriter
from truemed_async.exports.formats import Format
from truemed_async.exports.pii import Pii
from truemed_async.models import ReconciliationCheck, ReconciliationReport, ReconciliationRow


@attrs.frozen(kw_only=True)
class ReconciliationExport:
    """What was written, and whether it adds up.

    Attributes:
        result: Rows, requests and seconds.
        report: Each payout with the sum of its transactions, and the transactions without a payout.
    """

    result: ExportResult
    report: ReconciliationReport


@overload
def export_reconciliation(
    stream: Stream[ReconciliationRow],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    bom: bool = False,
    on_progress: ProgressCallback | None = None,
) -> Coroutine[Any, Any, ReconciliationExport]: ...
@overload
def export_reconciliation(
    stream: SyncBatches[ReconciliationRow],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    bom: bool = False,
    on_progress: ProgressCallback | None = None,
) -> ReconciliationExport: ...
def export_reconciliation(
    stream: Stream[ReconciliationRow] | SyncBatches[ReconciliationRow],
    to: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    bom: bool = False,
    on_progress: ProgressCallback | None = None,
) -> ReconciliationExport | Coroutine[Any, Any, ReconciliationExport]:
    """Write transactions joined with their payouts, and check that every payout is the sum of its transactions.

    Awaited with a stream of :class:`~truemed_async.AsyncTruemed`, a plain call with one of
    :class:`~truemed_async.Truemed`::

        done = await export_reconciliation(client.reconciliations.reconcile(month="2026-10"), "october.csv")

    Amounts are whole cents and days are UTC dates; both are as Truemed sends them, or empty. Files, ``resume`` and
    errors are those of :func:`~truemed_async.export`. The report covers all rows, including those of a resumed run.
    Payouts that do not add up raise no exception: read the report. The file is written in any case.

    Args:
        stream: The rows: ``client.reconciliations.reconcile(…)``.
        to: A file, or a binary stream, which cannot be resumed and stays open.
        format: ``"csv"``, ``"jsonl"`` or ``"parquet"``; by default the suffix of the file decides, and a stream gets
            JSONL. CSV and Parquet hold the columns of :class:`~truemed_async.ReconciliationRow`, JSONL everything that
            the server sent.
        columns: The fields to write, in this order; by default all.
        pii: What happens to undocumented fields, which may be personal: ``"keep"`` writes them to JSONL, ``"hash"``
            and ``"drop"`` leave them out.
        secret: For ``"hash"``: 16 bytes or more.
        resume: Whether to continue an unfinished file.
        bom: Whether a CSV file begins with a byte order mark, by which Excel recognizes UTF-8.
        on_progress: Called with the progress.

    Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Transactions".
    """
    boxed_secret = cast("Sensitive[bytes | str | None]", wrap(secret))
    del secret
    source = source_of(stream)
    if source is None or source.model is not ReconciliationRow:
        raise InvalidArgumentError("stream must come from client.reconciliations.reconcile()")
    writer = _CheckingWriter(
        source,
        to,
        format=format,
        columns=columns,
        pii=pii,
        secret=boxed_secret,
        resume=resume,
        bom=bom,
        on_progress=on_progress,
    )
    return consume(stream, writer)


class _CheckingWriter:
    """Writes rows and adds them up."""

    def __init__(self, source: StreamSource, to: str | os.PathLike[str] | BinaryIO, **options: Any) -> None:
        self._check = ReconciliationCheck()
        self._writer = RowWriter[ReconciliationRow](source, to, row_type=None, **options)
        self.open = self._writer.open
        self.close = self._writer.close

    def add(self, rows: Sequence[ReconciliationRow]) -> None:
        for row in rows:
            self._check.add(row)
        self._writer.add(rows)

    def complete(self) -> ReconciliationExport:
        return ReconciliationExport(result=self._writer.complete(), report=self._check.report())
