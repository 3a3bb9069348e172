"""Parquet, by way of an Arrow stream: the footer of a Parquet file comes last, so none can be continued.

What is appended while the export goes on is a stream of Arrow record batches, which has the types already and can be
cut behind any of them. Parquet is made of it at the end. The only file that imports pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from importlib import import_module
from typing import Any, BinaryIO

import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import ConfigurationError
from truemed_async.exporting.projection import Row

GROUP = 65_536  # rows in a row group, all but the last: whatever the portions were, the file is the same


class Arrow:
    """Encodes rows of these columns.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._arrow = _pyarrow()
        self._schema = self._arrow.schema([(name, _arrow_type(self._arrow, kind)) for name, kind in types.items()])
        self._convert = {name: _converter(kind) for name, kind in types.items()}

    @property
    def head(self) -> bytes:
        """The schema."""
        return bytes(self._schema.serialize())

    def encode(self, rows: Sequence[Row]) -> Sensitive[bytes]:
        """Return one record batch."""
        columns = [
            self._arrow.array([None if row[name] is None else convert(row[name]) for row in rows], self._schema.field(name).type)
            for name, convert in self._convert.items()
        ]  # fmt: skip
        return Sensitive(bytes(self._arrow.record_batch(columns, schema=self._schema).serialize()))

    def to_parquet(self, source: BinaryIO, target: BinaryIO) -> None:
        """Write a stream of batches as a Parquet file, a row group at a time."""
        batches = self._arrow.ipc.open_stream(source)
        with self._arrow.parquet.ParquetWriter(target, self._schema, compression="zstd") as writer:
            for group in self._groups(batches):
                writer.write_table(group, row_group_size=GROUP)

    def _groups(self, batches: Any) -> Iterator[Any]:
        """Yield the same rows in tables of ``GROUP`` rows."""
        pending: list[Any] = []
        for batch in batches:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= GROUP:
                whole = self._arrow.Table.from_batches(pending, self._schema)
                yield whole.slice(0, GROUP).combine_chunks()
                pending = whole.slice(GROUP).to_batches()
        yield self._arrow.Table.from_batches(pending, self._schema).combine_chunks()


def _pyarrow() -> Any:
    try:
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise ConfigurationError("parquet needs one more library: pip install 'truemed-async[parquet]'") from error
    return import_module("pyarrow")


def _arrow_type(arrow: Any, kind: Any) -> Any:
    """Return the column's type; what has none of its own, such as a list or an object, is its JSON text."""
    if kind is datetime:
        return arrow.timestamp("us", tz="UTC")
    plain = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), date: arrow.date32()}
    return plain[kind] if kind in plain else arrow.string()


def _converter(kind: Any) -> Callable[[Any], Any]:
    """Return what makes a value for Arrow of one for JSON."""
    if kind in (datetime, date):
        parse: Callable[[str], Any] = kind.fromisoformat
        return parse
    if kind in (bool, int, float) or (isinstance(kind, type) and issubclass(kind, str)):
        return lambda value: value
    return lambda value: orjson.dumps(value).decode()
