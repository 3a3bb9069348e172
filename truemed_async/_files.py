"""Writes files that only their owner can read, and writes all of the data."""

from __future__ import annotations

import io
import os
from pathlib import Path

from truemed_async._sensitive import Sensitive


def open_owner_only(path: Path) -> io.FileIO:
    """Open a file unbuffered for reading and writing; a new one is readable by its owner alone."""
    return io.FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o600))


def write_all(file: io.FileIO, data: Sensitive[bytes]) -> None:
    """Write all bytes; the system may take fewer at a time."""
    rest = memoryview(data.value)
    while rest:
        rest = rest[file.write(rest) :]
