"""The export of reconciliations: a file of joined rows, and a report of whether they add up."""

from __future__ import annotations

import calendar
import os
import re
from collections.abc import AsyncGenerator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

import attrs

from truemed_async._core.stream import Stream
from truemed_async._sensitive import Sensitive, hidden
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting.export import Exported, Report, export
from truemed_async.exporting.formats import Format
from truemed_async.exporting.personal import Personal
from truemed_async.exporting.table import Table
from truemed_async.models import ReconciliationCheck, ReconciliationReport, ReconciliationRow
from truemed_async.options import RequestOptions

if TYPE_CHECKING:
    from truemed_async.client import AsyncTruemed

RECONCILIATION = Table(model=ReconciliationRow, id="key", status=None, created_at=None)
"""Transactions joined with their payouts. Personal: fields that are not documented."""

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})\Z")


@attrs.frozen(kw_only=True)
class ReconciliationExport:
    """What was written, and whether it adds up.

    Attributes:
        exported: Rows, requests and seconds.
        report: Each payout with the sum of its transactions, and what is in no payout.
    """

    exported: Exported
    report: ReconciliationReport


async def export_reconciliation(
    client: AsyncTruemed,
    to: str | os.PathLike[str] | BinaryIO,
    *,
    month: str | None = None,
    start_date: date | str | None = None,
    end_date: date | str | None = None,
    look_back: timedelta = timedelta(days=31),
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    personal: Personal = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    concurrency: int = 4,
    options: RequestOptions | None = None,
    on_progress: Report | None = None,
) -> ReconciliationExport:
    """Write all transactions of some days, each joined with its payout, and check that every payout is their sum.

    Amounts are whole cents and days are UTC dates; both are as Truemed gives them, or empty. The file appears when it
    is complete, and an unfinished one can be resumed; what that promises is told in
    :func:`~truemed_async.exporting.export`. The check sees all rows, those of a resumed run included. That payouts do
    not add up is no exception but the report's to say: the file is there either way.

    Args:
        client: Makes the requests.
        to: The file, or a binary stream, which cannot be resumed and stays open.
        month: The days as ``"YYYY-MM"``; or else give both of the next two.
        start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
        end_date: The last day, in UTC; it is included.
        look_back: How far before the first day to look for transactions of these payouts, in whole days.
        format: ``"csv"``, ``"jsonl"`` or ``"parquet"``; by default the file's ending tells, and a stream gets JSONL.
            CSV and Parquet hold the columns of :class:`~truemed_async.ReconciliationRow`, JSONL all that the server
            sent.
        columns: The fields to write, in this order; by default all.
        personal: What becomes of fields that are not documented, which may be personal: ``"keep"`` writes them to
            JSONL, ``"hash"`` and ``"drop"`` leave them out.
        secret: For ``"hash"``: 16 bytes or more.
        resume: Whether to go on with an unfinished file.
        concurrency: How many days are read at once, at least 1.
        options: Time-outs, retry policy and headers of each request.
        on_progress: Is told how far it is.

    Raises:
        InvalidArgumentError: An argument was refused, the file cannot be written, another export is writing it, or
            it was begun with other arguments. Nothing was read.
        ConfigurationError: The format needs a library that is not installed.
        CallError: A page could not be read.
        PaginationDriftError: Rows may be missing.
        OSError: A row could not be written, for example because the disk is full.

    Warns:
        RuntimeWarning: The last day is not over, so its rows may still change.

    Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Transactions".
    """
    first, last = _days(month, start_date, end_date)
    boxed_secret = cast("Sensitive[bytes | str | None]", hidden(secret))
    del secret  # a traceback may show the locals of this frame
    check = ReconciliationCheck()

    def read(counted: AsyncTruemed) -> Stream[ReconciliationRow]:
        rows = counted.reconciliations.reconcile(
            start_date=first, end_date=last, look_back=look_back, concurrency=concurrency, options=options
        )
        return Stream(_checked(rows, check))

    exported = await export(
        client,
        read,
        RECONCILIATION,
        to,
        format=format,
        columns=columns,
        personal=personal,
        secret=boxed_secret.value,
        resume=resume,
        chosen_by={"start_date": str(first), "end_date": str(last), "look_back": str(look_back)},
        on_progress=on_progress,
    )
    return ReconciliationExport(exported=exported, report=check.report())


async def _checked(
    rows: Stream[ReconciliationRow], check: ReconciliationCheck
) -> AsyncGenerator[Sequence[ReconciliationRow], None]:
    async with rows:
        async for batch in rows.batches():
            for row in batch:
                check.add(row)
            yield batch


def _days(month: object, start_date: date | str | None, end_date: date | str | None) -> tuple[date | str, date | str]:
    """Return the first and last day of a month, or those that were given."""
    if month is None and start_date is not None and end_date is not None:
        return start_date, end_date
    if month is None or start_date is not None or end_date is not None:
        raise InvalidArgumentError("give either month, or start_date and end_date")
    found = _MONTH.match(month) if isinstance(month, str) else None
    year, number = (int(part) for part in found.groups()) if found else (0, 0)
    if not year or not 1 <= number <= 12:
        raise InvalidArgumentError("month must be a valid 'YYYY-MM'")
    return date(year, number, 1), date(year, number, calendar.monthrange(year, number)[1])
