"""Encodes whole pages of rows, column by column.

``ColumnSelection.to_row`` looks up each field by its name and makes a dictionary for each row, which takes several times
as long as to write it. Here the values of a column are converted together, and those of a regular page, which is read by
column, are not even read from models. The tests compare the results with those of ``to_row``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import repeat
from operator import attrgetter
from typing import Any, cast

import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.exports.columns import ColumnSelection, Row
from truemed_async.models import Model
from truemed_async.models._columns import Column, ColumnarRows
from truemed_async.models._compile import is_open_enum, standard_type
from truemed_async.models._converter import converter, iso

PageEncoder = Callable[[Sequence[Model]], Sensitive[bytes]]
ReadPage = Callable[[Sequence[Any]], Sensitive[list[Column]]]
ConvertColumn = Callable[[Column], Column]

_DATETIME, _DATE = standard_type(datetime), standard_type(date)
_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_NEEDS_QUOTES = re.compile('[",\r\n]')


def encode_cells(rows: Iterable[Iterable[Any]]) -> Sensitive[bytes]:
    """Write cells as CSV, of which a ``None`` is empty."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return Sensitive(text.getvalue().encode())


def to_cell(value: Any) -> Any:
    """Return lists, objects and booleans as JSON."""
    return orjson.dumps(value).decode() if isinstance(value, (dict, list, bool)) else value


def make_line_encoder(columns: ColumnSelection[Any]) -> PageEncoder:
    """Return a function that encodes rows of the class of the columns as lines of JSON."""
    read = make_reader(columns, time=_convert_times, other=_each(converter.unstructure))

    def read_records(rows: Sequence[Any]) -> Sequence[Row]:
        if columns.include_extra and isinstance(rows, ColumnarRows):
            return rows.records()
        records = [dict(zip(columns.types, values, strict=True)) for values in zip(*read(rows).value, strict=True)]
        if columns.include_extra:
            return [_with_extra(record, row.extra) for record, row in zip(records, rows, strict=True)]
        return records

    def encode(rows: Sequence[Model]) -> Sensitive[bytes]:
        records = Sensitive(read_records(rows))
        # No frame of its own has a row, which an exception would show.
        return Sensitive(b"".join(map(orjson.dumps, records.value, repeat(converter.unstructure), repeat(_LINE))))

    return encode


def _with_extra(row: Row, extra: Mapping[str, Any]) -> Row:
    return row | {name: value for name, value in extra.items() if name not in row}


def make_csv_encoder(columns: ColumnSelection[Any]) -> PageEncoder:
    """Return a function that encodes rows of the class of the columns as lines of CSV."""
    read = make_reader(
        columns,
        time=lambda values: _format_times(_convert_times(values)),
        other=_each(_to_cell_of_any),
        day=_format_times,
        plain=(str, int, float),
    )
    texts = [
        kind is str or is_open_enum(kind) or standard_type(kind) in (_DATETIME, _DATE)
        for kind in columns.types.values()
    ]

    def encode(rows: Sequence[Model]) -> Sensitive[bytes]:
        page = read(rows)
        if len(page.value) == 1:  # an empty cell of a single column has quotes
            return encode_cells(zip(*page.value, strict=True))
        cells = Sensitive(
            [_to_text(values, is_text=is_text) for values, is_text in zip(page.value, texts, strict=True)]
        )
        lines = Sensitive("\r\n".join(map(",".join, zip(*cells.value, strict=True))))
        breaks = len(rows) - 1
        if '"' in lines.value or (lines.value.count(","), lines.value.count("\r"), lines.value.count("\n")) != (
            (len(cells.value) - 1) * len(rows), breaks, breaks,
        ):  # fmt: skip
            quoted = Sensitive([*map(_quote, cells.value)])
            lines = Sensitive("\r\n".join(map(",".join, zip(*quoted.value, strict=True))))
        return Sensitive(f"{lines.value}\r\n".encode())

    return encode


def _to_text(values: Column, *, is_text: bool) -> Sequence[str]:
    if not is_text:
        return ["" if value is None else str(value) for value in values]
    return ["" if value is None else value for value in values] if None in values else values


def _quote(cells: Sequence[str]) -> Sequence[str]:
    """Quote the cells of a column that need it, as ``csv`` does."""
    if not _NEEDS_QUOTES.search("".join(cells)):
        return cells
    return [f'"{cell.replace(chr(34), chr(34) * 2)}"' if _NEEDS_QUOTES.search(cell) else cell for cell in cells]


def _to_cell_of_any(value: object) -> Any:
    return to_cell(converter.unstructure(value))


def _convert_times(values: Column) -> Column:
    """Return times in UTC as they are, which ``orjson`` writes as ``iso`` does, and others as text."""
    return [value if value is None or value.tzinfo is UTC else iso(value) for value in values]


def _format_times(values: Column) -> Column:
    """Return times and days as text: a page of them at once takes a fraction of the time of one by one."""
    return cast("Column", orjson.loads(orjson.dumps(values, converter.unstructure, orjson.OPT_UTC_Z)))


def make_reader(
    columns: ColumnSelection[Any],
    *,
    time: ConvertColumn,
    other: ConvertColumn,
    day: ConvertColumn | None = None,
    plain: tuple[type, ...] = (str, int, float, bool),
) -> ReadPage:
    """Return a function that reads the columns of a page: hashed values as their hashes, those of enums as text.

    Args:
        columns: The columns.
        time: Converts a column of times.
        other: Converts a column whose type has no other conversion.
        day: Converts a column of days; by default they stay what they are.
        plain: The types whose values stay what they are.
    """

    def hash_any(value: object) -> str | None:
        return columns.hash_value(converter.unstructure(value))

    def choose(name: str, kind: Any) -> ConvertColumn | None:
        if name in columns.hashed:
            return _each(hash_any)
        if is_open_enum(kind):
            return _each(_to_text_of_enum)
        if standard_type(kind) is _DATETIME:
            return time
        if standard_type(kind) is _DATE:
            return day
        return None if kind in plain else other

    names, conversions = [*columns.types], [choose(*each) for each in columns.types.items()]

    def read(rows: Sequence[Any]) -> Sensitive[list[Column]]:
        return Sensitive(
            [
                values if convert is None else convert(values)
                for convert, values in zip(conversions, _read_columns(rows, names).value, strict=True)
            ]
        )

    return read


def _read_columns(rows: Sequence[Any], names: Sequence[str]) -> Sensitive[list[Column]]:
    if isinstance(rows, ColumnarRows):
        return Sensitive([rows.column(name) for name in names])
    if not rows or len(names) == 1:
        return Sensitive([[getattr(row, name) for row in rows] for name in names])
    return Sensitive([*zip(*map(attrgetter(*names), rows), strict=True)])


def _each(convert: Callable[[Any], Any]) -> ConvertColumn:
    return lambda values: [*map(convert, values)]


def _to_text_of_enum(value: object) -> str | None:
    return None if value is None else str(value)
