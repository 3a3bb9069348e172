"""The export of qualification sessions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from truemed_async._sensitive import Sensitive, hidden
from truemed_async._validation.scalars import parse_datetime
from truemed_async.exporting.export import Exported, Report, export
from truemed_async.exporting.formats import Format
from truemed_async.exporting.personal import Personal
from truemed_async.exporting.table import Table
from truemed_async.models import QualificationSession, QualificationStatus
from truemed_async.options import RequestOptions

if TYPE_CHECKING:
    from truemed_async.client import AsyncTruemed

SESSIONS = Table(
    model=QualificationSession, id="qualification_session_id", also_personal=frozenset({"user_business_id"})
)
"""Qualification sessions. Personal: ``email``, ``user_name``, ``user_id``, ``user_business_id``, unknown fields."""


async def export_sessions(
    client: AsyncTruemed,
    to: str | os.PathLike[str] | BinaryIO,
    *,
    status: QualificationStatus | str | None = None,
    user_id: str | None = None,
    expires_at: date | str | None = None,
    search: str | None = None,
    since: date | None = None,
    format: Format | None = None,
    columns: Sequence[str] | None = None,
    personal: Personal = "keep",
    secret: bytes | str | None = None,
    resume: bool = False,
    page_size: int = 100,
    prefetch: int = 4,
    options: RequestOptions | None = None,
    on_progress: Report | None = None,
) -> Exported:
    """Write every qualification session that matches to a CSV, JSONL or Parquet file.

    The file appears when it is complete, and an unfinished one can be resumed; what that promises is told in
    :func:`~truemed_async.exporting.export`. Amounts are doubles whose unit Truemed does not state.

    Args:
        client: Makes the requests.
        to: The file, or a binary stream, which cannot be resumed and stays open.
        status: As in ``client.qualification_sessions.iter``.
        user_id: As in ``iter``.
        expires_at: As in ``iter``.
        search: As in ``iter``.
        since: As in ``iter``, without looking back: only sessions that were created at this moment or later.
        format: ``"csv"``, ``"jsonl"`` or ``"parquet"``; by default the file's ending tells, and a stream gets JSONL.
        columns: The fields to write, in this order; by default all.
        personal: What becomes of ``email``, ``user_name``, ``user_id``, ``user_business_id`` and unknown fields:
            ``"keep"``, ``"hash"`` or ``"drop"``.
        secret: For ``"hash"``: 16 bytes or more, kept where the file is not.
        resume: Whether to go on with an unfinished file.
        page_size: As in ``iter``.
        prefetch: As in ``iter``.
        options: As in ``iter``.
        on_progress: Is told how far it is.

    Raises:
        InvalidArgumentError: An argument was refused, the file cannot be written, another export is writing it, or
            it was begun with other arguments. Nothing was read.
        ConfigurationError: The format needs a library that is not installed.
        CallError: A page could not be read.
        PaginationDriftError: Sessions may be missing.
        OSError: A row could not be written, for example because the disk is full.

    Source: Truemed API reference, "List Qualification Sessions".
    """
    given: dict[str, Any] = {"status": status, "user_id": user_id, "expires_at": expires_at, "search": search}
    given["since"] = None if since is None else parse_datetime("since", since)
    filters = Sensitive({name: value for name, value in given.items() if value is not None})
    boxed_secret = cast("Sensitive[bytes | str | None]", hidden(secret))
    del given, user_id, search, secret  # a traceback may show the locals of this frame
    return await export(
        client,
        lambda counted: counted.qualification_sessions.iter(
            **filters.value, look_back=timedelta(0), page_size=page_size, prefetch=prefetch, options=options
        ),
        SESSIONS,
        to,
        format=format,
        columns=columns,
        personal=personal,
        secret=boxed_secret.value,
        resume=resume,
        chosen_by=filters.value,
        on_progress=on_progress,
    )
