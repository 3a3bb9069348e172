"""Turns rows into CSV, JSONL or Parquet.

The footer of a Parquet file comes last, so an unfinished one cannot be continued. While an export runs, its rows are
appended to an Arrow stream, which has the same types and can be cut after any of its record batches. The Parquet file
is made of that stream at the end. pyarrow is imported here and nowhere else.
"""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import attrs
import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import ConfigurationError, InvalidArgumentError
from truemed_async.exports.columns import Row

Format = Literal["csv", "jsonl", "parquet"]
"""The formats of exports."""

ROW_GROUP_SIZE = 65_536  # of all row groups but the last, so that the file does not depend on the size of pages


@attrs.frozen(kw_only=True)
class Encoding:
    """How rows become bytes, batch by batch.

    Attributes:
        head: The bytes before the first row.
        encode: Turns a batch of rows into bytes that can be appended.
        convert: Makes the final file, the second argument, of all those bytes; ``None`` if they are the final file.
    """

    head: bytes
    encode: Callable[[Sequence[Row]], Sensitive[bytes]]
    convert: Callable[[BinaryIO, BinaryIO], object] | None = None


def resolve_format(format: object, path: Path | None) -> Format:
    """Return the given format, else that of the file's suffix, else JSONL."""
    formats: tuple[Format, ...] = get_args(Format)
    if format is None:
        format = "jsonl" if path is None else path.suffix.lower().removeprefix(".")
        if format not in formats:
            raise InvalidArgumentError("the file name must end in .csv, .jsonl or .parquet, unless format is given")
    for known in formats:
        if format == known:
            return known
    raise InvalidArgumentError("format must be 'csv', 'jsonl' or 'parquet'")


def make_encoding(format: Format, types: Mapping[str, Any], *, bom: bool = False) -> Encoding:
    """Return how rows with these columns are written.

    With ``bom`` a CSV file begins with a byte order mark, by which Excel recognizes UTF-8.

    Raises:
        ConfigurationError: The library that the format needs is not installed.
    """
    if format == "jsonl":
        return Encoding(head=b"", encode=_encode_json_lines)
    if format == "csv":
        return Encoding(
            head=(BOM_UTF8 if bom else b"") + _encode_csv([list(types)]).value,
            encode=lambda rows: _encode_csv(_to_cells(rows, list(types))),
        )
    arrow = ArrowStream(types)
    return Encoding(head=arrow.head, encode=arrow.encode, convert=arrow.to_parquet)


def _encode_json_lines(rows: Sequence[Row]) -> Sensitive[bytes]:
    return Sensitive(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def _encode_csv(rows: Sequence[Sequence[Any]]) -> Sensitive[bytes]:
    """Write cells unchanged; a null is an empty cell.

    A leading ``=`` or ``@`` is data: escaping it for spreadsheets would change it for every other program.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return Sensitive(text.getvalue().encode())


def _to_cells(rows: Sequence[Row], columns: Sequence[str]) -> list[list[Any]]:
    return [[_to_cell(row[name]) for name in columns] for row in rows]


def _to_cell(value: Any) -> Any:
    """Return lists, objects and booleans as JSON."""
    return orjson.dumps(value).decode() if isinstance(value, (dict, list, bool)) else value


class ArrowStream:
    """Encodes rows as an Arrow stream and makes Parquet of it.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._arrow = _import_pyarrow()
        self._schema = self._arrow.schema([(name, _arrow_type(self._arrow, kind)) for name, kind in types.items()])
        self._convert = {name: _make_converter(kind) for name, kind in types.items()}

    @property
    def head(self) -> bytes:
        """The schema."""
        return bytes(self._schema.serialize())

    def encode(self, rows: Sequence[Row]) -> Sensitive[bytes]:
        """Return one record batch."""
        columns = [self._encode_column(name, rows) for name in self._convert]
        return Sensitive(bytes(self._arrow.record_batch(columns, schema=self._schema).serialize()))

    def _encode_column(self, name: str, rows: Sequence[Row]) -> Any:
        convert = self._convert[name]
        try:
            values = [None if row[name] is None else convert(row[name]) for row in rows]
            return self._arrow.array(values, self._schema.field(name).type)
        except (OverflowError, self._arrow.ArrowInvalid):
            pass  # raise outside the handler, so that the value is not chained
        raise InvalidArgumentError(f"format 'parquet' cannot hold a value of {name}: export to CSV or JSONL instead")

    def to_parquet(self, source: BinaryIO, target: BinaryIO) -> None:
        """Write a stream of record batches as a Parquet file, a row group at a time."""
        batches = self._arrow.ipc.open_stream(source)
        with self._arrow.parquet.ParquetWriter(target, self._schema, compression="zstd") as writer:
            for group in self._regroup(batches):
                writer.write_table(group, row_group_size=ROW_GROUP_SIZE)

    def _regroup(self, batches: Any) -> Iterator[Any]:
        """Yield the same rows in tables of ``ROW_GROUP_SIZE`` rows."""
        pending: list[Any] = []
        for batch in batches:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= ROW_GROUP_SIZE:
                table = self._arrow.Table.from_batches(pending, self._schema)
                yield table.slice(0, ROW_GROUP_SIZE).combine_chunks()
                pending = table.slice(ROW_GROUP_SIZE).to_batches()
        yield self._arrow.Table.from_batches(pending, self._schema).combine_chunks()


def _import_pyarrow() -> Any:
    try:
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise ConfigurationError("Parquet requires pyarrow: pip install 'truemed-async[parquet]'") from error
    return import_module("pyarrow")


def _arrow_type(arrow: Any, kind: Any) -> Any:
    """Return the type of a column; what has no type of its own, such as a list or an object, is JSON text."""
    if kind is datetime:
        return arrow.timestamp("us", tz="UTC")
    plain = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), date: arrow.date32()}
    return plain[kind] if kind in plain else arrow.string()


def _make_converter(kind: Any) -> Callable[[Any], Any]:
    """Return the function that turns a JSON value into one for Arrow."""
    if kind in (datetime, date):
        parse: Callable[[str], Any] = kind.fromisoformat
        return parse
    if kind in (bool, int, float) or (isinstance(kind, type) and issubclass(kind, str)):
        return lambda value: value
    return lambda value: orjson.dumps(value).decode()
