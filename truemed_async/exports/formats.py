"""Turns rows into CSV, JSONL or Parquet.

The footer of a Parquet file comes last, so an unfinished one cannot be continued. While an export runs, its rows are
appended to an Arrow stream, which has the same types and can be cut after any of its record batches. The Parquet file
is made of that stream at the end. pyarrow is imported only if it is needed.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import attrs
import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import ConfigurationError, InvalidArgumentError
from truemed_async.exports.columns import ColumnSelection, Row
from truemed_async.exports.pages import PageEncoder, encode_cells, make_csv_encoder, make_line_encoder, to_cell
from truemed_async.models import Model
from truemed_async.models._columns import types_of

Format = Literal["csv", "jsonl", "parquet"]
"""The formats of exports."""

ROW_GROUP_SIZE = 65_536  # of all row groups but the last, so that the file does not depend on the size of pages


_CELLS = frozenset({str, int, float, type(None)})  # what nearly all cells are, which the writer takes as it is


@attrs.frozen(kw_only=True)
class Encoding:
    """How rows become bytes, batch by batch.

    Attributes:
        head: The bytes before the first row.
        encode: Turns a batch of models into bytes that can be appended.
        convert: Makes the final file, the second argument, of all those bytes; ``None`` if they are the final file.
    """

    head: bytes
    encode: Callable[[Sequence[Model]], Sensitive[bytes]]
    convert: Callable[[BinaryIO, BinaryIO], object] | None = None


def resolve_format(format: object, path: Path | None) -> Format:
    """Return the given format, else that of the file's suffix, else JSONL."""
    formats: tuple[Format, ...] = get_args(Format)
    if format is None:
        format = "jsonl" if path is None else path.suffix.lower().removeprefix(".")
        if format not in formats:
            raise InvalidArgumentError("format is required, unless the file name ends in .csv, .jsonl or .parquet")
    for known in formats:
        if format == known:
            return known
    raise InvalidArgumentError("format must be 'csv', 'jsonl' or 'parquet'")


def make_encoding(format: Format, columns: ColumnSelection[Any], *, bom: bool = False) -> Encoding:
    """Return how rows with these columns are written.

    With ``bom`` a CSV file begins with a byte order mark, by which Excel recognizes UTF-8.

    Raises:
        ConfigurationError: The library that the format needs is not installed.
    """
    if format == "jsonl":
        simple = partial(_encode_models_as_json_lines, columns)
        return Encoding(head=b"", encode=_for_pages(columns, make_line_encoder(columns), simple))
    if format == "csv":
        head = (BOM_UTF8 if bom else b"") + encode_csv([columns.types]).value
        simple = partial(_encode_models_as_csv, columns)
        return Encoding(head=head, encode=_for_pages(columns, make_csv_encoder(columns), simple))
    arrow = ArrowStream(columns)
    return Encoding(head=arrow.head, encode=arrow.encode, convert=arrow.to_parquet)


def _for_pages(columns: ColumnSelection[Any], encode_page: PageEncoder, encode_rows: PageEncoder) -> PageEncoder:
    """Encode a page at once where all of its rows are of the class of the columns, and not of one derived from it."""

    def encode(models: Sequence[Model]) -> Sensitive[bytes]:
        return (encode_page if columns.types and types_of(models) == {columns.model} else encode_rows)(models)

    return encode


def _encode_models_as_json_lines(columns: ColumnSelection[Any], models: Sequence[Model]) -> Sensitive[bytes]:
    return _encode_json_lines(map(columns.to_row, models))


def _encode_models_as_csv(columns: ColumnSelection[Any], models: Sequence[Model]) -> Sensitive[bytes]:
    return encode_csv([row[name] for name in columns.types] for row in map(columns.to_row, models))


def _encode_json_lines(rows: Iterable[Row]) -> Sensitive[bytes]:
    return Sensitive(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def encode_csv(rows: Iterable[Iterable[Any]]) -> Sensitive[bytes]:
    """Write JSON values unchanged: a null is an empty cell; lists, objects and booleans are JSON.

    A leading ``=`` or ``@`` is data: escaping it for spreadsheets would change it for every other program.
    """
    return encode_cells([value if value.__class__ in _CELLS else to_cell(value) for value in row] for row in rows)


class ArrowStream:
    """Encodes rows as an Arrow stream and makes Parquet of it.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, columns: ColumnSelection[Any]) -> None:
        self._arrow = _import_pyarrow()
        self._encoder = import_module("truemed_async.exports.arrow").ArrowEncoder(columns)

    @property
    def head(self) -> bytes:
        """The schema."""
        return bytes(self._encoder.schema.serialize())

    def encode(self, models: Sequence[Model]) -> Sensitive[bytes]:
        """Return one record batch."""
        return Sensitive(bytes(self._encoder.encode(models).serialize()))

    def to_parquet(self, source: BinaryIO, target: BinaryIO) -> None:
        """Write a stream of record batches as a Parquet file, a row group at a time."""
        batches = self._arrow.ipc.open_stream(source)
        with self._arrow.parquet.ParquetWriter(target, self._encoder.schema, compression="zstd") as writer:
            for group in self._regroup(batches):
                writer.write_table(group, row_group_size=ROW_GROUP_SIZE)

    def _regroup(self, batches: Any) -> Iterator[Any]:
        """Yield the same rows in tables of ``ROW_GROUP_SIZE`` rows."""
        pending: list[Any] = []
        for batch in batches:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= ROW_GROUP_SIZE:
                table = self._arrow.Table.from_batches(pending, self._encoder.schema)
                yield table.slice(0, ROW_GROUP_SIZE).combine_chunks()
                pending = table.slice(ROW_GROUP_SIZE).to_batches()
        yield self._arrow.Table.from_batches(pending, self._encoder.schema).combine_chunks()


def _import_pyarrow() -> Any:
    try:
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise ConfigurationError("Parquet requires pyarrow: pip install 'truemed-async[arrow]'") from error
    return import_module("pyarrow")
