"""Rows of a listing that cannot be read: an export keeps them whole, in a file beside its own."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from truemed_async._files import create_owner_only, open_owner_only, sync_to_disk, write_all
from truemed_async._sensitive import Sensitive
from truemed_async._warnings import warn
from truemed_async.exports.files import partial_path
from truemed_async.models import Model
from truemed_async.models._reading import UnreadableRow


class RejectedRows:
    """Counts rows that cannot be read, and writes them to ``FILE.rejected.jsonl``.

    Each line is an object: ``mismatches`` are the paths of the fields that cannot be read, and ``row`` is the row as
    the server sent it; or, where personal data is not kept, the columns of the export that can be read. As with the
    export itself, the name of an unfinished file ends with ``.partial``. A run that resumes meets the same rows again
    and writes only those that are not in the file yet.

    Args:
        target: The file of the export; ``None`` for a stream, which has no place for such rows.
        to_row: Returns the columns of a row; ``None`` if personal data is kept.
    """

    def __init__(self, target: Path | None, to_row: Callable[[Any], dict[str, Any]] | None, *, resume: bool) -> None:
        self.count: int = 0
        """The rows that could not be read, those of the resumed run included."""
        self._path = None if target is None else target.with_name(f"{target.name}.rejected.jsonl")
        self._to_row = to_row
        self._resume = resume
        self._file: io.FileIO | None = None
        self._earlier: Counter[bytes] = Counter()
        self._has_warned = False

    def open(self) -> None:
        """Drop what an earlier run left, or continue it."""
        if self._path is None:
            return
        partial = partial_path(self._path)
        if not self._resume:
            partial.unlink(missing_ok=True)
        elif partial.exists():
            self._file = open_owner_only(partial)
            end = 0
            for digest, length in _complete_lines(self._file):
                self._earlier[digest] += 1
                self.count += 1
                end += length
            self._file.truncate(end)
            self._file.seek(end)

    def add(self, rows: Sequence[UnreadableRow]) -> None:
        """Count and write rows, and warn of the first."""
        for row in rows:
            self._add(Sensitive(self._to_line(row)))

    def _add(self, line: Sensitive[bytes]) -> None:
        digest = _digest(line.value)
        if self._earlier[digest]:
            self._earlier[digest] -= 1
            return
        self.count += 1
        if self._path is not None:
            if self._file is None:
                self._file = create_owner_only(partial_path(self._path))
            write_all(self._file, line)
        if not self._has_warned:
            self._has_warned = True
            where = "it is counted in the result" if self._path is None else f"it goes to {self._path.name}"
            warn(f"export: a row cannot be read: {where}")

    def _to_line(self, row: UnreadableRow) -> bytes:
        return orjson.dumps(
            {
                "mismatches": row.mismatches,
                "row": row.data.value if self._to_row is None else self._known_fields(row.model),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )

    def _known_fields(self, model: Model | None) -> dict[str, Any] | None:
        return None if model is None or self._to_row is None else self._to_row(model)

    def complete(self) -> None:
        """Give the file its name; without rows, remove that of an earlier export to the same name."""
        if self._path is None:
            return
        if self._file is None:
            self._path.unlink(missing_ok=True)
        else:
            sync_to_disk(self._file)
            self._file.close()
            partial_path(self._path).replace(self._path)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _complete_lines(file: io.FileIO) -> Iterator[tuple[bytes, int]]:
    """Yield the digest and the length of each line; the last one may be torn, and is left out."""
    for line in file:
        if line.endswith(b"\n"):
            yield _digest(line), len(line)


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()
