"""Reads and encodes whole pages of models. Its functions are generated, for speed.

``ColumnSelection.to_row`` looks up each field by its name and makes a dictionary for each row, which takes several times
as long as to write it. Here a generated function reads all columns of a row at once, and times become text a page at a
time. The tests compare the results with those of ``to_row``. For the columns ``id: str``, ``status: Status`` and
``created_at: datetime`` the generated functions of CSV and JSONL are::

    def read(m):
        return (m.id, None if m.status is None else m.status._value_,
            m.created_at if m.created_at is None or m.created_at.tzinfo is UTC else iso(m.created_at),)

    def fill(row, m):
        row['id'] = m.id
        ...
        return row if not m.extra else with_extra(row, m.extra)
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.exports.columns import ColumnSelection, Row
from truemed_async.models import Model
from truemed_async.models._compile import is_open_enum, standard_type
from truemed_async.models._converter import converter, iso

PageEncoder = Callable[[Sequence[Model]], Sensitive[bytes]]
RowReader = Callable[[Any], tuple[Any, ...]]

_DATETIME, _DATE = standard_type(datetime), standard_type(date)
_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_TIME = "{0} if {0} is None or {0}.tzinfo is UTC else iso({0})"
"""A time in UTC stays one, because ``orjson`` writes it as ``iso`` does."""


def encode_cells(rows: Iterable[Iterable[Any]]) -> Sensitive[bytes]:
    """Write cells as CSV, of which a ``None`` is empty."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return Sensitive(text.getvalue().encode())


def to_cell(value: Any) -> Any:
    """Return lists, objects and booleans as JSON."""
    return orjson.dumps(value).decode() if isinstance(value, (dict, list, bool)) else value


def make_line_encoder(columns: ColumnSelection[Any]) -> PageEncoder:
    """Return a function that encodes models of the class of the columns as lines of JSON."""
    unstructure = converter.unstructure
    scope = {"iso": iso, "unstructure": unstructure, "with_extra": _with_extra}
    values = _compile_columns(columns, scope, time=_TIME, other="unstructure({0})")
    fill: Callable[[Row, Model], Row] = _define(
        "fill(row, m)",
        [
            *(f"row[{name!r}] = {value}" for name, value in values.items()),
            "return row if not m.extra else with_extra(row, m.extra)" if columns.include_extra else "return row",
        ],
        scope,
    )

    def encode(models: Sequence[Model]) -> Sensitive[bytes]:
        # One for all rows: to make a dictionary of so many members takes as long as to write it.
        row: Sensitive[Row] = Sensitive({})
        return Sensitive(b"".join([orjson.dumps(fill(row.value, model), unstructure, _LINE) for model in models]))

    return encode


def make_csv_encoder(columns: ColumnSelection[Any]) -> PageEncoder:
    """Return a function that encodes models of the class of the columns as lines of CSV."""
    read = make_reader(
        columns, {"iso": iso, "cell": _to_cell_of_any}, time=_TIME, other="cell({0})", plain=(str, int, float)
    )
    times = [at for at, kind in enumerate(columns.types.values()) if standard_type(kind) in (_DATETIME, _DATE)]

    def encode(models: Sequence[Model]) -> Sensitive[bytes]:
        page = Sensitive([*zip(*map(read, models), strict=True)])
        for at in times:
            page.value[at] = _format_times(page.value[at])
        return encode_cells(zip(*page.value, strict=True))

    return encode


def _to_cell_of_any(value: object) -> Any:
    return to_cell(converter.unstructure(value))


def _format_times(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return times and days as text: a page of them at once takes a fraction of the time of one by one."""
    return tuple(orjson.loads(orjson.dumps(values, converter.unstructure, orjson.OPT_UTC_Z)))


def make_reader(
    columns: ColumnSelection[Any], scope: dict[str, Any], *, time: str, other: str, plain: tuple[type, ...]
) -> RowReader:
    """Return a function that reads the values of all columns from a model.

    Args:
        columns: The columns. A hashed value is its hash, that of an enum its text, and a day stays one.
        scope: The names in the expressions.
        time: The expression for a time, ``{0}``.
        other: The expression for a value that has no other.
        plain: The types whose values stay what they are.
    """
    values = _compile_columns(columns, scope, time=time, other=other, plain=plain).values()
    reader: RowReader = _define("read(m)", [f"return ({''.join(f'{value}, ' for value in values)})"], scope)
    return reader


def _compile_columns(
    columns: ColumnSelection[Any],
    scope: dict[str, Any],
    *,
    time: str,
    other: str,
    plain: tuple[type, ...] = (str, int, float, bool),
) -> dict[str, str]:
    """Return the expression of each column, by which its value is read from the model ``m``."""

    def hash_any(value: object) -> str | None:
        return columns.hash_value(converter.unstructure(value))

    scope |= {"UTC": UTC, "hashed": hash_any}

    def choose(name: str, kind: Any) -> str:
        if name in columns.hashed:
            return "hashed({0})"
        if is_open_enum(kind):
            return "None if {0} is None else {0}._value_"
        if standard_type(kind) is _DATETIME:
            return time
        return "{0}" if kind in plain or standard_type(kind) is _DATE else other

    return {name: choose(name, kind).format(f"m.{name}") for name, kind in columns.types.items()}


def _define(declaration: str, lines: Iterable[str], scope: dict[str, Any]) -> Any:
    source = "\n".join([f"def {declaration}:", *(f"    {line}" for line in lines)])
    exec(compile(source, f"<{declaration} of an export>", "exec"), scope)  # noqa: S102  # generated from names of fields only
    return scope[declaration.partition("(")[0]]


def _with_extra(row: Row, extra: Mapping[str, Any]) -> Row:
    return row | {name: value for name, value in extra.items() if name not in row}
