"""Writes a whole listing to a file that appears only when it is complete."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import AsyncIterable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import attrs

if TYPE_CHECKING:
    from truemed_async import QualificationSession
    from truemed_async.cli.rows import WriteRow

Report = Callable[[int], object]
"""Is told the number of rows written so far."""


@attrs.frozen(kw_only=True)
class Summary:
    """What was written: rows, how many of each status (the most frequent first), and how many seconds it took."""

    rows: int
    statuses: Mapping[str, int]
    seconds: float


async def export(sessions: AsyncIterable[QualificationSession], write: WriteRow, report: Report) -> Summary:
    """Write every session, and report after each."""
    started = time.monotonic()
    statuses: Counter[str] = Counter()
    rows = 0
    async for session in sessions:
        write(session)
        statuses[session.status] += 1
        rows += 1
        report(rows)
    return Summary(rows=rows, statuses=dict(statuses.most_common()), seconds=time.monotonic() - started)


@contextmanager
def complete_or_partial(path: Path, left: Callable[[Path], object]) -> Generator[TextIO]:
    """Open ``FILE.partial`` for UTF-8 text; it becomes ``FILE`` if the block ends well, else ``left`` is told of it.

    Raises:
        OSError: The file cannot be opened, or ``FILE`` is something that must not be replaced.
    """
    _check_replaceable(path)
    partial = path.with_name(f"{path.name}.partial")
    file = partial.open("w", encoding="utf-8", newline="")
    complete = False
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the name without the rows
        partial.replace(path)
        complete = True
    finally:
        if not complete:
            left(partial)


def _check_replaceable(path: Path) -> None:
    """Refuse a directory or a device now: at the end the work would be lost, or the device replaced by a file."""
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise FileExistsError(None, "it is not a regular file")
