"""Files that hold personal data, and work that a cancellation must not leave half done."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from truemed_async._sensitive import Sensitive

T = TypeVar("T")


def check_replaceable(path: Path) -> None:
    """Refuse a directory or a device now: at the end the work would be lost, or the device replaced by a file."""
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise FileExistsError(None, "it is not a regular file")


def open_private(path: Path) -> io.FileIO:
    """Open a file to read and write, as it is or a new one that only its owner can read; nothing is buffered."""
    return io.FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o600))


def write_all(file: io.FileIO, data: Sensitive[bytes]) -> None:
    """Write all of it; the system may take less at a time."""
    rest = memoryview(data.value)
    while rest:
        rest = rest[file.write(rest) :]


async def in_thread(work: Callable[[], T]) -> T:
    """Do blocking work on a thread, to its end even if this is cancelled."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
