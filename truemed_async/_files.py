"""Writes all of the data, to any stream, and opens files that only their owner can read."""

from __future__ import annotations

import errno
import io
import os
import selectors
from pathlib import Path
from typing import Any

from truemed_async._sensitive import Sensitive


def open_owner_only(path: Path) -> io.FileIO:
    """Open a file unbuffered for reading and writing; a new one is readable by its owner alone."""
    return io.FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o600))


def write_all(stream: Any, data: Sensitive[bytes]) -> None:
    """Write all bytes to a binary stream, however few it takes at a time.

    Raw streams, such as those of ``python -u``, may take fewer bytes than they are given, and non-blocking ones none at
    all while their reader is slow.

    Raises:
        OSError: The stream takes no more.
    """
    rest = memoryview(data.value)
    while rest:
        try:
            written = stream.write(rest)
        except BlockingIOError as error:  # a buffered stream: its buffer is full
            rest = rest[error.characters_written :]
            _wait_until_writable(stream)
            continue
        if written is None:
            if not isinstance(stream, io.RawIOBase):
                return  # a stream of another kind, which writes everything and does not count
            _wait_until_writable(stream)
        elif written == 0:
            raise OSError(errno.EIO, "the stream takes no more data")
        else:
            rest = rest[written:]


def flush_all(stream: Any) -> None:
    """Flush a stream, waiting for a slow reader."""
    while True:
        try:
            stream.flush()
        except BlockingIOError:
            _wait_until_writable(stream)
        else:
            return


def _wait_until_writable(stream: Any) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(stream.fileno(), selectors.EVENT_WRITE)
        selector.select()
