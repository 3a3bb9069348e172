"""Where an export goes: a file that can be resumed and appears when it is complete, or a stream."""

from __future__ import annotations

import io
import os
import secrets
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting.files import check_replaceable, open_private, write_all
from truemed_async.exporting.formats import Encoding
from truemed_async.exporting.journal import DIGEST, Entry, Journal
from truemed_async.exporting.parameters import Parameters
from truemed_async.exporting.tally import Tally


class Sink(Protocol):
    """Takes portions of rows. ``open`` and ``complete`` may take long; ``close`` may be called at any time."""

    kept: set[bytes]
    """The digests of the rows that it holds from a run before."""
    tally: Tally
    """What can be said of all rows in it."""

    def open(self) -> None:
        """Get ready to take rows."""
        ...

    def add(self, data: Sensitive[bytes], digests: Sequence[bytes]) -> None:
        """Append a portion; the tally counts it already."""
        ...

    def complete(self) -> None:
        """Make the whole of what was added."""
        ...

    def close(self) -> None:
        """Let go of everything; what is not complete stays unfinished."""
        ...


class Pipe:
    """A stream that is written once, such as standard output."""

    def __init__(self, stream: BinaryIO, encoding: Encoding) -> None:
        self.kept: set[bytes] = set()
        self.tally: Tally = Tally()
        self._stream = stream
        self._convert = encoding.convert
        self._head = encoding.head
        self._file = stream

    def open(self) -> None:
        """Write what comes before all rows."""
        if self._convert is not None:  # it needs the whole
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self._file.write(self._head)

    def add(self, data: Sensitive[bytes], digests: Sequence[bytes]) -> None:
        """Write a portion."""
        del digests
        self._file.write(data.value)

    def complete(self) -> None:
        """Hand everything on."""
        if self._convert is not None:
            self._file.seek(0)
            self._convert(self._file, self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Close what is not the caller's."""
        if self._file is not self._stream:
            self._file.close()


class Partial:
    """``FILE.partial`` and its journal, which become ``FILE``.

    Raises:
        InvalidArgumentError: It cannot be written, is being written by another export, or cannot be resumed so.
    """

    def __init__(self, path: Path, encoding: Encoding, parameters: Parameters, *, resume: bool) -> None:
        self.kept: set[bytes] = set()
        self.tally: Tally = Tally()
        self._path = path
        self._partial = partial_of(path)
        self._encoding = encoding
        self._parameters = parameters
        self._resume = resume
        self._journal: Journal | None = None
        self._file: io.FileIO | None = None
        self._end = 0

    def open(self) -> None:
        """Open the files; what is there is dropped, or taken over where it is whole."""
        try:
            check_replaceable(self._path)
            beside = self._partial.with_name(f"{self._partial.name}.journal")
            resumes = self._resume and self._partial.exists()
            if resumes and not beside.exists():
                raise InvalidArgumentError(f"{beside} is missing, so {self._partial} cannot be resumed: export anew")
            self._journal = Journal(beside)
            asked = self._journal.asked() if resumes else None
            if asked is not None:
                self._check(asked)
            self._file = open_private(self._partial)
            if asked is None or not self._take_over(self._journal, self._file):
                self._begin(self._journal, self._file)
        except OSError as error:
            raise InvalidArgumentError(f"{self._path} cannot be written: {error.strerror or error}") from error

    def _check(self, asked: dict[str, object]) -> None:
        if others := self._parameters.differences(asked):
            raise InvalidArgumentError(
                f"{self._partial} was begun with other {', '.join(others)}: resume with the same, or export anew"
            )

    def _begin(self, journal: Journal, file: io.FileIO) -> None:
        journal.begin(self._parameters.record(secrets.token_hex(16)))
        file.truncate(0)
        file.seek(0)
        self.add(Sensitive(self._encoding.head), ())

    def _take_over(self, journal: Journal, file: io.FileIO) -> bool:
        """Keep the portions that are whole in both files, and cut both behind them."""
        kept = 0
        for entry, end in journal.entries():
            size = entry.end - self._end
            data = memoryview(_read(file, size))
            if len(data) != size or zlib.crc32(data) != entry.checksum:
                break
            digests = entry.digests
            self.kept.update(digests[at : at + DIGEST] for at in range(0, len(digests), DIGEST))
            self.tally, self._end, kept = entry.tally, entry.end, end
        if not kept:
            return False
        journal.cut(kept)
        file.truncate(self._end)
        file.seek(self._end)
        return True

    def add(self, data: Sensitive[bytes], digests: Sequence[bytes]) -> None:
        """Append a portion, then vouch for it."""
        assert self._file is not None
        assert self._journal is not None
        write_all(self._file, data)
        self._end += len(data.value)
        checksum = zlib.crc32(data.value)
        self._journal.add(Entry(end=self._end, checksum=checksum, digests=b"".join(digests), tally=self.tally))

    def complete(self) -> None:
        """Give the file its name, once all of it is on the disk, and remove what was beside it."""
        assert self._file is not None
        assert self._journal is not None
        os.fsync(self._file.fileno())  # or a power cut could leave the name without the rows
        self._file.close()
        whole = self._partial
        if self._encoding.convert is not None:
            whole = self._partial.with_name(f"{self._partial.name}.converting")
            self._convert_to(whole)
        whole.replace(self._path)
        self._partial.unlink(missing_ok=True)
        self._journal.remove()

    def _convert_to(self, whole: Path) -> None:
        assert self._encoding.convert is not None
        whole.unlink(missing_ok=True)
        with self._partial.open("rb") as source, open_private(whole) as raw, io.BufferedWriter(raw) as target:
            self._encoding.convert(source, target)
            target.flush()
            os.fsync(raw.fileno())

    def close(self) -> None:
        """Close both files, and unlock them."""
        for opened in (self._file, self._journal):
            if opened is not None:
                opened.close()


def partial_of(path: Path) -> Path:
    """Return the name of an unfinished file."""
    return path.with_name(f"{path.name}.partial")


def _read(file: io.FileIO, size: int) -> bytes:
    """Read so much, or what there is; the system may give less at a time."""
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
