"""The journal of an unfinished file: what was asked for, and what each portion of it holds.

A line of JSON each. The first says what was asked for; each other one that the file was whole up to a byte, which rows
the portion before it holds, and the checksum of its bytes. A process that is killed, or a power cut, leaves a file
that is longer than its journal says, or a last line that is torn; so all that the journal vouches for is true, and
what it does not vouch for is cut off and read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import attrs
import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting.files import open_private, write_all
from truemed_async.exporting.tally import Tally

DIGEST = 16  # bytes that tell rows apart


@attrs.frozen(kw_only=True)
class Entry:
    """One portion.

    Attributes:
        end: The length of the file with it.
        checksum: CRC-32 of its bytes.
        digests: Which rows it holds: ``DIGEST`` bytes each.
        tally: What can be said of all rows up to its end.
    """

    end: int
    checksum: int
    digests: bytes
    tally: Tally

    def to_line(self) -> bytes:
        """Return it as a line of JSON."""
        data = {
            "end": self.end,
            "checksum": self.checksum,
            "digests": self.digests.hex(),
            "tally": self.tally.to_dict(),
        }
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Return what :meth:`to_line` wrote; ValueError, KeyError or TypeError if it did not."""
        data = orjson.loads(line)
        tally = Tally.from_dict(data["tally"])
        digests = bytes.fromhex(data["digests"])
        return cls(end=data["end"], checksum=data["checksum"], digests=digests, tally=tally)


class Journal:
    """A journal that is open, and locked against every other process.

    Raises:
        InvalidArgumentError: Another export has it.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_private(path)
        try:
            self._lock()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl  # noqa: PLC0415
        except ImportError:  # Windows: it refuses to replace or remove a file that is open
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:  # or it was removed by the one that had it until now, and the next one makes its own
            raise InvalidArgumentError("the file is being written by another export")

    def asked(self) -> dict[str, Any] | None:
        """Return what was asked for, or ``None`` if that was not written as a whole."""
        first = next(self._lines(), None)
        return None if first is None else orjson.loads(first)

    def entries(self) -> Iterator[tuple[Entry, int]]:
        """Yield the portions, each with the length of the journal up to it, until the first that is not whole."""
        lines = self._lines()
        end = len(next(lines, b""))
        for line in lines:
            end += len(line)
            try:
                entry = Entry.from_line(line)
            except (ValueError, KeyError, TypeError):
                return
            yield entry, end

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as lines:
            yield from (line for line in lines if line.endswith(b"\n"))

    def begin(self, asked: dict[str, Any]) -> None:
        """Forget everything and write what was asked for."""
        self.cut(0)
        write_all(self._file, Sensitive(orjson.dumps(asked, option=orjson.OPT_APPEND_NEWLINE)))

    def cut(self, end: int) -> None:
        """Drop what is behind this length, and go on there."""
        self._file.truncate(end)
        self._file.seek(end)

    def add(self, entry: Entry) -> None:
        """Write one portion's line."""
        write_all(self._file, Sensitive(entry.to_line()))

    def remove(self) -> None:
        """Remove it: the file is complete. On POSIX while it is still locked, which Windows would refuse."""
        unlink = self._path.unlink
        for step in (self.close, unlink) if os.name == "nt" else (unlink, self.close):
            step()

    def close(self) -> None:
        """Let go of it; what is there stays. May be called again."""
        self._file.close()
