"""Destinations of an export: a file that can be resumed and appears when it is complete, or a stream."""

from __future__ import annotations

import io
import os
import secrets
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from truemed_async._files import (
    CompleteStream,
    create_owner_only,
    flush_all,
    open_owner_only,
    resolve_links,
    sync_to_disk,
    write_all,
)
from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.formats import Encoding
from truemed_async.exports.journal import ROW_DIGEST_BYTES, Checkpoint, Journal, Manifest, RowCounts


class Destination(Protocol):
    """Receives batches of rows. ``open`` and ``complete`` may block; ``close`` may be called at any time."""

    written: set[bytes]
    """The digests of the rows that an earlier run has written and that this run has not yet passed."""
    counts: RowCounts
    """The counts of all rows."""

    def open(self) -> None:
        """Prepare to receive rows."""
        ...

    def add(self, data: Sensitive[bytes], digests: Sequence[bytes]) -> None:
        """Append a batch, which ``counts`` already includes."""
        ...

    def complete(self) -> None:
        """Finish after the last batch."""
        ...

    def close(self) -> None:
        """Release everything; an incomplete file stays unfinished."""
        ...


class StreamDestination:
    """A stream that is written once, such as standard output."""

    def __init__(self, stream: BinaryIO, encoding: Encoding) -> None:
        self.written: set[bytes] = set()
        self.counts: RowCounts = RowCounts()
        self._stream = stream
        self._convert = encoding.convert
        self._head = encoding.head
        self._file = stream

    def open(self) -> None:
        """Write what precedes the rows."""
        if self._convert is not None:  # it needs all rows at once
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        write_all(self._file, Sensitive(self._head))

    def add(self, data: Sensitive[bytes], digests: Sequence[bytes]) -> None:
        """Write a batch."""
        del digests
        write_all(self._file, data)

    def complete(self) -> None:
        """Write everything that is still buffered."""
        if self._convert is not None:
            self._file.seek(0)
            self._convert(self._file, cast("BinaryIO", CompleteStream(self._stream)))
        flush_all(self._stream)

    def close(self) -> None:
        """Close the temporary file; the stream belongs to the caller."""
        if self._file is not self._stream:
            self._file.close()


class OpenedStream(StreamDestination):
    """A device, a named pipe or a descriptor of this process, such as ``/dev/stdout``.

    Raises:
        InvalidArgumentError: It cannot be opened.
    """

    def __init__(self, path: Path, target: Path | int, encoding: Encoding) -> None:
        self._path = path
        self._target = target
        super().__init__(cast("BinaryIO", None), encoding)

    def open(self) -> None:
        """Open it, and write what precedes the rows."""
        try:
            file = os.dup(self._target) if isinstance(self._target, int) else self._target
            self._stream = self._file = open(file, "wb", buffering=0)  # noqa: PTH123, SIM115  # closed by close()
        except OSError as error:
            raise _unwritable(self._path, error) from error
        super().open()

    def close(self) -> None:
        """Close it."""
        super().close()
        if self._stream is not None:  # pyright: ignore[reportUnnecessaryComparison]  # until it is opened
            self._stream.close()


class ResumableFile:
    """``FILE.partial`` and its journal, which become ``FILE``.

    Raises:
        InvalidArgumentError: It cannot be written, another export is writing it, or it cannot be resumed this way.
    """

    def __init__(self, path: Path, target: Path, encoding: Encoding, manifest: Manifest, *, resume: bool) -> None:
        self.written: set[bytes] = set()
        self.counts: RowCounts = RowCounts()
        self._path = path
        self._target = target
        self._partial = partial_path(target)
        self._encoding = encoding
        self._manifest = manifest
        self._resume = resume
        self._journal: Journal | None = None
        self._file: io.FileIO | None = None
        self._end = 0

    def open(self) -> None:
        """Open the files. Their content is dropped, or kept up to the last valid checkpoint."""
        try:
            journal_path = self._partial.with_name(f"{self._partial.name}.journal")
            resumes = self._resume and self._partial.exists()
            if resumes and not journal_path.exists():
                raise InvalidArgumentError(
                    f"{self._partial} cannot be resumed because {journal_path} is missing: export again without resuming"
                )
            self._journal = Journal(journal_path)
            recorded = self._journal.read_manifest() if resumes else None
            if recorded is not None:
                self._manifest.check(recorded, self._partial)
            self._file = create_owner_only(self._partial) if recorded is None else open_owner_only(self._partial)
            if recorded is None or not self._restore(self._journal, self._file):
                self._begin(self._journal, self._file)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _begin(self, journal: Journal, file: io.FileIO) -> None:
        journal.begin(self._manifest.to_dict(secrets.token_hex(16)))
        file.truncate(0)
        file.seek(0)
        self.add(Sensitive(self._encoding.head), ())

    def _restore(self, journal: Journal, file: io.FileIO) -> bool:
        """Keep the batches that are intact in both files, and truncate both after them."""
        journal_end = 0
        for checkpoint, end in journal.checkpoints():
            size = checkpoint.end - self._end
            data = memoryview(_read(file, size))
            if len(data) != size or zlib.crc32(data) != checkpoint.checksum:
                break
            digests = checkpoint.digests
            self.written.update(digests[at : at + ROW_DIGEST_BYTES] for at in range(0, len(digests), ROW_DIGEST_BYTES))
            self.counts, self._end, journal_end = checkpoint.counts, checkpoint.end, end
        if not journal_end:
            return False
        journal.truncate(journal_end)
        file.truncate(self._end)
        file.seek(self._end)
        return True

    def add(self, data: Sensitive[bytes], digests: Sequence[bytes]) -> None:
        """Append a batch, then its checkpoint."""
        assert self._file is not None
        assert self._journal is not None
        write_all(self._file, data)
        self._end += len(data.value)
        checksum = zlib.crc32(data.value)
        self._journal.add(Checkpoint(end=self._end, checksum=checksum, digests=b"".join(digests), counts=self.counts))

    def complete(self) -> None:
        """Give the file its name once all of it is on the disk, and remove the journal."""
        assert self._file is not None
        assert self._journal is not None
        sync_to_disk(self._file)  # or a power cut could leave the name without the rows
        self._file.close()
        complete = self._partial
        if self._encoding.convert is not None:
            complete = self._partial.with_name(f"{self._partial.name}.converting")
            self._convert_to(complete)
        complete.replace(self._target)
        self._partial.unlink(missing_ok=True)
        self._journal.remove()

    def _convert_to(self, path: Path) -> None:
        assert self._encoding.convert is not None
        with self._partial.open("rb") as source, create_owner_only(path) as raw, io.BufferedWriter(raw) as target:
            self._encoding.convert(source, target)
            target.flush()
            sync_to_disk(raw)

    def close(self) -> None:
        """Close both files, and release the lock."""
        for file in (self._file, self._journal):
            if file is not None:
                file.close()


def partial_path(path: Path) -> Path:
    """Return the name of the unfinished file."""
    return path.with_name(f"{path.name}.partial")


def resolve_target(name: str) -> Path | int:
    """Return the file that an export to ``name`` replaces, or the descriptor of this process that it stands for.

    Raises:
        InvalidArgumentError: It names no file, or one that cannot be written.
    """
    path = Path(name)
    if path.name in ("", "..") or name.endswith(("/", os.sep)) or "\0" in name:
        raise InvalidArgumentError(f"{name!r} is not the name of a file")
    try:
        target = resolve_links(path)
        if isinstance(target, Path) and target.exists() and not (target.is_file() or is_stream(target)):
            raise FileExistsError(None, "it is not a regular file")
    except OSError as error:
        raise _unwritable(path, error) from error
    return target


def is_stream(target: Path | int) -> bool:
    """Whether a target is written as a stream: a descriptor, a device or a named pipe."""
    return isinstance(target, int) or target.is_char_device() or target.is_fifo()


def _unwritable(path: Path, error: OSError) -> InvalidArgumentError:
    return InvalidArgumentError(f"{path} cannot be written: {error.strerror or error}")


def _read(file: io.FileIO, size: int) -> bytes:
    """Read ``size`` bytes, or fewer at the end of the file; the system may return fewer at a time."""
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
