"""The journal of an unfinished file: the options of the export, and a checkpoint for each batch of rows.

Each line is JSON. The first line is the manifest: the options that decide which rows the file holds and how they are
written. Each further line is a checkpoint: the length of the file after a batch, the rows of the batch, and the
checksum of its bytes. A process that is killed, or a power cut, leaves a file that is longer than the last checkpoint
says, or a torn last line. So everything up to the last valid checkpoint is intact; the rest is cut off and read again.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import attrs
import orjson

from truemed_async._files import lock_exclusively, open_owner_only, write_all
from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.columns import RowType
from truemed_async.models import Model
from truemed_async.models._columns import values_of

M = TypeVar("M", bound=Model)

FORMAT_VERSION = 1  # of the unfinished file and its journal; 0.1.0 wrote 1
ROW_DIGEST_BYTES = 16


@attrs.frozen(kw_only=True)
class Manifest:
    """The options that decide which rows an export holds and how they are written.

    Attributes:
        server: The base URL; ``None`` for rows that come from elsewhere.
        rows: The name of the row type.
        format: The format.
        columns: The columns in their order; ``"*"`` at the end stands for undocumented fields.
        pii: What happens to personal data.
        filters: The filters as JSON; they may name a person.
        secret: The secret of hashes.
        bom: Whether a CSV file begins with a byte order mark.
    """

    server: str | None
    rows: str
    format: str
    columns: list[str]
    pii: str
    filters: Sensitive[bytes] | None
    secret: Sensitive[bytes] | None
    bom: bool = False

    def to_dict(self, salt: str) -> dict[str, Any]:
        """Return the first line of the journal.

        Of the filters and the secret only slow, salted hashes are written, so that trying all likely values is
        expensive.
        """
        return {
            "version": FORMAT_VERSION,
            "server": self.server,
            "rows": self.rows,
            "format": self.format,
            "columns": self.columns,
            "personal": self.pii,
            "filters": _fingerprint(self.filters, salt),
            "secret": _fingerprint(self.secret, salt),
            "salt": salt,
            **({"bom": True} if self.bom else {}),
        }

    def check(self, recorded: Mapping[str, Any], partial: Path) -> None:
        """Refuse to resume ``partial`` if it was begun with other options or another format version."""
        version = recorded.get("version")
        if version != FORMAT_VERSION:
            raise InvalidArgumentError(
                f"{partial} was written by another version of truemed-async: its format version is {version}, this one "
                f"resumes version {FORMAT_VERSION}; export again without resuming"
            )
        current = self.to_dict(str(recorded.get("salt")))
        if different := [
            _OPTION_NAMES.get(name, name) for name in current | {"bom": None} if recorded.get(name) != current.get(name)
        ]:
            raise InvalidArgumentError(
                f"{partial} was begun with different {', '.join(different)}: resume with the same options, or export "
                "again without resuming"
            )


_OPTION_NAMES: Mapping[str, str] = {"personal": "pii"}  # format version 1 uses the older name


def _fingerprint(value: Sensitive[bytes] | None, salt: str) -> str | None:
    if value is None:
        return None
    return hashlib.scrypt(value.value, salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()


def digest_rows(ids: Iterable[str]) -> list[bytes]:
    """Return what the journal says of each row: a hash of its id."""
    digests: list[bytes] = []
    empty = hashlib.blake2b(digest_size=ROW_DIGEST_BYTES)
    for id in ids:
        digest = empty.copy()  # takes two thirds of the time of making one
        digest.update(id.encode())
        digests.append(digest.digest())
    return digests


@attrs.define
class RowCounts:
    """The number of rows, of rows of each status, and the first and last time of creation."""

    rows: int = 0
    statuses: Counter[str] = attrs.field(factory=Counter[str])
    earliest: datetime | None = None
    latest: datetime | None = None

    def add(self, row_type: RowType[M], rows: Sequence[M]) -> None:
        """Count rows."""
        self.rows += len(rows)
        if row_type.status is not None:
            self.statuses.update(map(str, values_of(rows, row_type.status)))
        created: list[datetime | None] = []
        if row_type.created_at is not None:
            created = [self.earliest, self.latest, *values_of(rows, row_type.created_at)]
        if times := [moment for moment in created if moment is not None]:
            self.earliest, self.latest = min(times), max(times)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {"rows": self.rows, "statuses": self.statuses, "earliest": self.earliest, "latest": self.latest}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return what :meth:`to_dict` wrote."""
        times = {name: data[name] and datetime.fromisoformat(data[name]) for name in ("earliest", "latest")}
        return cls(rows=data["rows"], statuses=Counter(data["statuses"]), **times)


@attrs.frozen(kw_only=True)
class Checkpoint:
    """The state of the file after a batch.

    Attributes:
        end: The length of the file.
        checksum: The CRC-32 of the bytes of the batch.
        digests: The rows of the batch: ``ROW_DIGEST_BYTES`` bytes each.
        counts: The counts of all rows up to here.
    """

    end: int
    checksum: int
    digests: bytes
    counts: RowCounts

    def to_line(self) -> bytes:
        """Return a line of JSON."""
        data = {
            "end": self.end,
            "checksum": self.checksum,
            "digests": self.digests.hex(),
            "tally": self.counts.to_dict(),
        }
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Return what :meth:`to_line` wrote; anything else is a ValueError, KeyError or TypeError."""
        data = orjson.loads(line)
        counts = RowCounts.from_dict(data["tally"])
        digests = bytes.fromhex(data["digests"])
        return cls(end=data["end"], checksum=data["checksum"], digests=digests, counts=counts)


class Journal:
    """An open journal, locked against other processes.

    Raises:
        InvalidArgumentError: Another export has locked it.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_owner_only(path)
        try:
            self._lock()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            # The export that had locked it may have removed it meanwhile.
            locked = lock_exclusively(self._file) and os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            locked = False
        if not locked:
            raise InvalidArgumentError("another export is writing this file")

    def read_manifest(self) -> dict[str, Any] | None:
        """Return the first line, or ``None`` if it is incomplete."""
        first = next(self._lines(), None)
        return None if first is None else orjson.loads(first)

    def checkpoints(self) -> Iterator[tuple[Checkpoint, int]]:
        """Yield the valid checkpoints, each with the length of the journal up to its end."""
        lines = self._lines()
        end = len(next(lines, b""))
        for line in lines:
            end += len(line)
            try:
                checkpoint = Checkpoint.from_line(line)
            except (ValueError, KeyError, TypeError):
                return
            yield checkpoint, end

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as lines:
            yield from (line for line in lines if line.endswith(b"\n"))

    def begin(self, manifest: dict[str, Any]) -> None:
        """Replace everything by this manifest."""
        self.truncate(0)
        write_all(self._file, Sensitive(orjson.dumps(manifest, option=orjson.OPT_APPEND_NEWLINE)))

    def truncate(self, end: int) -> None:
        """Drop everything after this length, and continue there."""
        self._file.truncate(end)
        self._file.seek(end)

    def add(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint."""
        write_all(self._file, Sensitive(checkpoint.to_line()))

    def remove(self) -> None:
        """Remove the journal of a complete file; on POSIX while it is still locked, which Windows does not allow."""
        unlink = self._path.unlink
        for step in (self.close, unlink) if os.name == "nt" else (unlink, self.close):
            step()

    def close(self) -> None:
        """Close and unlock the file. Idempotent."""
        self._file.close()
