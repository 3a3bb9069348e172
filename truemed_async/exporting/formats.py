"""From rows to bytes: CSV, JSONL and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import attrs
import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting import parquet
from truemed_async.exporting.projection import Row

Format = Literal["csv", "jsonl", "parquet"]
"""The formats that there are."""


@attrs.frozen(kw_only=True)
class Encoding:
    """How rows become bytes, portion by portion.

    Attributes:
        head: What comes before all rows.
        encode: A portion of rows to bytes that can be appended to what is there.
        convert: Makes the file from all those bytes, from the first stream to the second; ``None`` if they are it.
    """

    head: bytes
    encode: Callable[[Sequence[Row]], Sensitive[bytes]]
    convert: Callable[[BinaryIO, BinaryIO], object] | None = None


def format_of(format: object, path: Path | None) -> Format:
    """Return the format that was given, or that of the file's ending; without a file it is JSONL."""
    formats: tuple[Format, ...] = get_args(Format)
    if format is None:
        format = "jsonl" if path is None else path.suffix.lower().removeprefix(".")
        if format not in formats:
            raise InvalidArgumentError("the file must end in .csv, .jsonl or .parquet, or the format must be given")
    for known in formats:
        if format == known:
            return known
    raise InvalidArgumentError("format must be 'csv', 'jsonl' or 'parquet'")


def encoding_of(format: Format, types: Mapping[str, Any]) -> Encoding:
    """Return how rows of these columns are written.

    Raises:
        ConfigurationError: The library that the format needs is not installed.
    """
    if format == "jsonl":
        return Encoding(head=b"", encode=_json_lines)
    if format == "csv":
        return Encoding(head=_csv([list(types)]).value, encode=lambda rows: _csv(_cells(rows, list(types))))
    arrow = parquet.Arrow(types)
    return Encoding(head=arrow.head, encode=arrow.encode, convert=arrow.to_parquet)


def _json_lines(rows: Sequence[Row]) -> Sensitive[bytes]:
    return Sensitive(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def _csv(rows: Sequence[Sequence[Any]]) -> Sensitive[bytes]:
    """Write cells as they are: a leading ``=`` or ``@`` is data, and an escape for spreadsheets would change it.

    A null is an empty cell.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return Sensitive(text.getvalue().encode())


def _cells(rows: Sequence[Row], columns: Sequence[str]) -> list[list[Any]]:
    return [[_cell(row[name]) for name in columns] for row in rows]


def _cell(value: Any) -> Any:
    """Return what is not one value as JSON, and a truth as JSON writes it."""
    return orjson.dumps(value).decode() if isinstance(value, (dict, list, bool)) else value
