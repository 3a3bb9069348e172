"""Rows as Arrow: tables for pandas, Polars and DuckDB, and the encoder of Parquet exports. It imports pyarrow.

Columns are read from the models directly: dictionaries of 200,000 sessions would take ten times as long, and the
memory of all of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence
from contextlib import aclosing, closing
from datetime import date, datetime
from typing import Any, Generic, TypeVar, cast, overload

import orjson

from truemed_async._extras import missing_extra

try:
    import pyarrow as pa
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "arrow") from _error

from truemed_async._core.stream import Stream
from truemed_async._sensitive import Sensitive, wrap
from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.columns import ColumnSelection, RowType, select_columns
from truemed_async.exports.consumer import SyncBatches, consume, resolve_row_type, source_of
from truemed_async.exports.pages import make_reader
from truemed_async.exports.pii import Pii, validate_pii
from truemed_async.models import Model
from truemed_async.models._columns import Column
from truemed_async.models._converter import converter

__all__ = ["record_batches", "to_arrow"]

M = TypeVar("M", bound=Model)

DEFAULT_BATCH_SIZE = 8_192
"""Rows of a record batch. While it is filled, they are held as models, of about 2 KiB each."""


class ArrowEncoder(Generic[M]):
    """Turns models into record batches with the columns of an export.

    Attributes:
        schema: The columns: times are ``timestamp[us, UTC]``, days ``date32``, amounts as documented, and what has no
            type of its own, such as a list or an object, is JSON text.
    """

    def __init__(self, columns: ColumnSelection[M]) -> None:
        self._types = {name: _arrow_type(kind) for name, kind in columns.types.items()}
        self.schema: pa.Schema = pa.schema([pa.field(name, type) for name, type in self._types.items()])
        self._read = make_reader(columns, time=lambda values: values, other=lambda values: [*map(_encode_json, values)])

    def encode(self, models: Sequence[M]) -> pa.RecordBatch:
        """Return a record batch.

        Raises:
            InvalidArgumentError: Arrow cannot hold a value, such as an integer of more than 64 bits.
        """
        columns = [
            _encode_column(name, type, Sensitive(values))
            for (name, type), values in zip(self._types.items(), self._read(models).value, strict=True)
        ]
        return pa.record_batch(columns, schema=self.schema)


def _encode_column(name: str, type: pa.DataType, values: Sensitive[Column]) -> pa.Array[Any]:
    try:
        return cast("pa.Array[Any]", pa.array(values.value, type))
    except (OverflowError, pa.ArrowInvalid):
        pass  # raise outside the handler, so that the value is not chained
    raise InvalidArgumentError(
        f"Arrow and Parquet cannot hold a value of {name}: export to CSV or JSONL, or choose other columns"
    )


def _arrow_type(kind: Any) -> pa.DataType:
    """Return the type of a column; what has no type of its own, such as a list or an object, is JSON text."""
    if kind is datetime:
        return pa.timestamp("us", tz="UTC")
    plain: dict[Any, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), date: pa.date32()}
    return plain.get(kind, pa.string())


def _encode_json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(converter.unstructure(value)).decode()


class _TableBuilder(Generic[M]):
    """Collects the rows of a stream in a table."""

    def __init__(self, batcher: _Batcher[M]) -> None:
        self._batcher = batcher
        self._batches: list[pa.RecordBatch] = []

    def open(self) -> None:
        """Nothing is to be opened."""

    def add(self, rows: Sequence[M]) -> None:
        self._batches.extend(self._batcher.add(rows))

    def complete(self) -> pa.Table:
        self._batches.extend(self._batcher.flush())
        return pa.Table.from_batches(self._batches, self._batcher.schema)

    def close(self) -> None:
        self._batches.clear()


class _Batcher(Generic[M]):
    """Fills record batches of one size with pages of any size."""

    def __init__(self, encoder: ArrowEncoder[M], size: int) -> None:
        self.schema = encoder.schema
        self._encoder = encoder
        self._size = size
        self._pending: list[M] = []

    def add(self, rows: Sequence[M]) -> Generator[pa.RecordBatch, None, None]:
        """Add rows, and yield the batches that are full."""
        self._pending.extend(rows)
        while len(self._pending) >= self._size:
            full, self._pending = self._pending[: self._size], self._pending[self._size :]
            yield self._encoder.encode(full)

    def flush(self) -> Generator[pa.RecordBatch, None, None]:
        """Yield the last batch, if there are rows for one."""
        if self._pending:
            yield self._encoder.encode(self._pending)


@overload
def to_arrow(
    stream: Stream[M],
    *,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    row_type: RowType[M] | None = None,
) -> Coroutine[Any, Any, pa.Table]: ...
@overload
def to_arrow(
    stream: SyncBatches[M],
    *,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    row_type: RowType[M] | None = None,
) -> pa.Table: ...
def to_arrow(
    stream: Stream[M] | SyncBatches[M],
    *,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    row_type: RowType[M] | None = None,
) -> pa.Table | Coroutine[Any, Any, pa.Table]:
    """Read every row of a listing into an Arrow table.

    Awaited with a stream of :class:`~truemed_async.AsyncTruemed`, a plain call with one of
    :class:`~truemed_async.Truemed`::

        table = await to_arrow(client.qualification_sessions.iter(status="approved"))

    The columns and their types are those of a Parquet export: times are ``timestamp[us, UTC]``, days ``date32``,
    amounts as documented (cents are ``int64``), lists and objects JSON text. The whole table is held in memory; use
    :func:`record_batches` for more rows than fit.

    Args:
        stream: The rows, such as ``client.payment_sessions.iter()``.
        columns: The fields to read, in this order; by default all documented ones.
        pii: What happens to personal data: ``"keep"``, ``"hash"`` (HMAC-SHA256 in hex) or ``"drop"`` (the columns are
            left out).
        secret: For ``"hash"``: 16 bytes or more. The same secret gives the same hashes.
        row_type: The type of the rows, for streams that do not come from a listing of this library.

    Raises:
        InvalidArgumentError: An argument was refused; nothing was read. Or Arrow cannot hold a value, such as an
            integer of more than 64 bits.
        CallError: A page could not be read.
        PaginationDriftError: Rows may be missing.
    """
    boxed_secret = cast("Sensitive[bytes | str | None]", wrap(secret))
    del secret
    encoder = _make_encoder(stream, columns, pii, boxed_secret, row_type)
    return consume(stream, _TableBuilder(_Batcher(encoder, DEFAULT_BATCH_SIZE)))


@overload
def record_batches(
    stream: Stream[M],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    row_type: RowType[M] | None = None,
) -> AsyncGenerator[pa.RecordBatch, None]: ...
@overload
def record_batches(
    stream: SyncBatches[M],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    row_type: RowType[M] | None = None,
) -> Generator[pa.RecordBatch, None, None]: ...
def record_batches(
    stream: Stream[M] | SyncBatches[M],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: bytes | str | None = None,
    row_type: RowType[M] | None = None,
) -> AsyncGenerator[pa.RecordBatch, None] | Generator[pa.RecordBatch, None, None]:
    """Read a listing as record batches, of which one at a time is in memory.

    An asynchronous iterator with a stream of :class:`~truemed_async.AsyncTruemed`, a plain one with a stream of
    :class:`~truemed_async.Truemed`::

        for batch in record_batches(client.payment_sessions.iter()):
            writer.write_batch(batch)

    Each batch but the last has ``batch_size`` rows; a listing without rows has no batch. The other arguments, the
    columns and the errors are those of :func:`to_arrow`.

    Args:
        stream: The rows.
        batch_size: The rows of a batch, at least 1.
        columns: The fields to read.
        pii: What happens to personal data.
        secret: For ``"hash"``.
        row_type: The type of the rows, for streams that do not come from a listing of this library.

    Raises:
        InvalidArgumentError: An argument was refused; nothing was read.
    """
    boxed_secret = cast("Sensitive[bytes | str | None]", wrap(secret))
    del secret
    scalars.validate_positive_int("batch_size", batch_size)
    batcher = _Batcher(_make_encoder(stream, columns, pii, boxed_secret, row_type), batch_size)
    return _read_async(stream, batcher) if isinstance(stream, Stream) else _read_sync(stream, batcher)


def _make_encoder(
    stream: object,
    columns: Sequence[str] | None,
    pii: Pii,
    secret: Sensitive[bytes | str | None],
    row_type: RowType[M] | None,
) -> ArrowEncoder[M]:
    resolved: RowType[M] = resolve_row_type(source_of(stream), row_type)
    return ArrowEncoder(select_columns(resolved, columns, pii, validate_pii(pii, secret)))


async def _read_async(stream: Stream[M], batcher: _Batcher[M]) -> AsyncGenerator[pa.RecordBatch, None]:
    async with aclosing(stream):
        async for rows in stream.batches():
            for batch in batcher.add(rows):
                yield batch
        for batch in batcher.flush():
            yield batch


def _read_sync(stream: SyncBatches[M], batcher: _Batcher[M]) -> Generator[pa.RecordBatch, None, None]:
    with closing(stream):
        for rows in stream.batches():
            yield from batcher.add(rows)
        yield from batcher.flush()
