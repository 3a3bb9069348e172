"""Reads the rows of a page by column, without building a model of each. One of the clever files, for speed.

An export needs the values of a page, not its models: to check a column of values at once and to keep it takes a third of
the time of building the models. Only a regular page is read so: all of its rows are objects with the same keys in the
same order, all values are what is published, and all times are in UTC. Any other page is read row by row. The tests
compare both ways.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import compress
from operator import attrgetter
from typing import Any, Generic, SupportsIndex, TypeVar, overload

import attrs

from truemed_async._sensitive import MASK
from truemed_async.models._compile import (
    StructureError,
    datetime_from,
    field_types,
    is_open_enum,
    omit_none,
    standard_type,
)
from truemed_async.models._converter import converter

T = TypeVar("T")

Column = Sequence[Any]
ReadColumn = Callable[[Column], Column]

_FACTORY: type[Any] = typing.cast("Any", attrs.Factory)  # a class, although it is annotated as a function
_read_zone = attrgetter("tzinfo")
_values_of_dict: Any = typing.cast("Any", dict).values


class ColumnarRows(Sequence[T], Generic[T]):
    """The rows of a page by column: a sequence of models, which builds each model on access.

    Attributes:
        model: The class of the rows.
    """

    __slots__ = ("_columns", "_documented", "_records", "_replaced", "model")

    def __init__(
        self,
        model: type[T],
        columns: dict[str, Column],
        documented: int,
        records: Sequence[dict[str, Any]] | None,
        replaced: Sequence[str],
    ) -> None:
        self.model = model
        self._columns = columns
        self._documented = documented  # how many of them, before those that are undocumented
        self._records = records  # as they were sent, if their keys are in the order of the columns
        self._replaced = replaced  # the columns whose values are not those that were sent

    def __repr__(self) -> str:
        return MASK

    def column(self, name: str) -> Column:
        """Return the values of a documented field. Those of an enum are text."""
        return self._columns[name]

    def records(self) -> Sequence[dict[str, Any]]:
        """Return each row as a dictionary for ``orjson``: documented fields in their order, then the others."""
        if self._records is None:
            return [
                dict(zip(self._columns, values, strict=True)) for values in zip(*self._columns.values(), strict=True)
            ]
        for name in self._replaced:
            for record, value in zip(self._records, self._columns[name], strict=True):
                record[name] = value
        return self._records

    def select(self, flags: Sequence[bool]) -> ColumnarRows[T]:
        """Return the rows for which ``flags`` is true."""
        return self._map(lambda values: [*compress(values, flags)])

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[T]:
        model: Any = self.model
        names = [*self._columns]
        known, others = names[: self._documented], names[self._documented :]
        for values in zip(*self._columns.values(), strict=True):
            extra = dict(zip(others, values[self._documented :], strict=True))
            yield model(**dict(zip(known, values, strict=False)), extra=extra)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> ColumnarRows[T]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> T | ColumnarRows[T]:
        if isinstance(index, slice):
            return self if index == slice(0, None) else self._map(lambda values: values[index])
        at = range(len(self))[index]
        return next(iter(self[at : at + 1]))

    def _map(self, change: Callable[[Sequence[Any]], Sequence[Any]]) -> ColumnarRows[T]:
        return ColumnarRows(
            self.model,
            {name: change(values) for name, values in self._columns.items()},
            self._documented,
            None if self._records is None else change(self._records),
            self._replaced,
        )


def values_of(rows: Iterable[Any], getter: str | Callable[[Any], Any]) -> list[Any]:
    """Return a value of each row: that of a field, or the result of a function."""
    if isinstance(getter, str):
        if isinstance(rows, ColumnarRows):
            return [*rows.column(getter)]
        getter = attrgetter(getter)
    return [*map(getter, rows)]


def select(rows: Sequence[T], flags: Sequence[bool]) -> Sequence[T]:
    """Return the rows for which ``flags`` is true."""
    return rows.select(flags) if isinstance(rows, ColumnarRows) else [*compress(rows, flags)]


def types_of(rows: Iterable[Any]) -> set[type[Any]]:
    """Return the classes of rows."""
    return {rows.model} if isinstance(rows, ColumnarRows) else {*map(type, rows)}


def make_column_reader(model: Any) -> Callable[[Any], ColumnarRows[Any] | None]:
    """Return the function that reads parsed JSON as rows of a model, or returns ``None`` if the page is not regular."""
    if hasattr(model, "_adapt_structure"):  # it is read in a way of its own
        return lambda _: None
    hints = field_types(model, model)
    defaults = {name: field.default for name, field in attrs.fields_dict(model).items() if name != "extra"}
    readers = {name: _make_field_reader(hints[name]) for name in defaults}

    def read_field(name: str, column: Column | None, rows: int) -> Column:
        if column is not None:
            return readers[name](column)
        default: Any = defaults[name]
        if default is attrs.NOTHING:
            raise StructureError("a value, but it is missing", name)
        return [default.factory() if isinstance(default, _FACTORY) else default for _ in range(rows)]

    def read(rows: Any) -> ColumnarRows[Any] | None:
        try:
            (keys,) = {*map(tuple, rows)}
            columns_by_name = dict(zip(keys, zip(*map(_values_of_dict, rows), strict=True), strict=True))
            columns = {name: read_field(name, columns_by_name.get(name), len(rows)) for name in defaults}
        except (StructureError, TypeError, ValueError):
            return None
        replaced = [name for name, values in columns.items() if values is not columns_by_name.get(name)]
        columns |= {name: values for name, values in columns_by_name.items() if name not in columns}
        return ColumnarRows(model, columns, len(defaults), rows if keys == (*columns,) else None, replaced)

    return read


def _make_field_reader(hint: Any) -> ReadColumn:
    """Return the function that checks and converts a column of values as they were sent, or raises an error."""
    kind, nullable = omit_none(hint)
    or_none = {None} if nullable else set[None]()
    types = frozenset({kind, *map(type, or_none)})
    if kind in (str, int, bool):
        return lambda values: _require(types.issuperset(map(type, values)), values)
    if kind is float:
        return lambda values: values if types.issuperset(map(type, values)) else _read_numbers(values, types)
    if is_open_enum(kind):
        known = frozenset(kind._value2member_map_) | or_none
        texts = frozenset({str, *map(type, or_none)})
        return lambda values: values if known.issuperset(values) else _read_enum(values, kind, texts)
    if standard_type(kind) is standard_type(datetime):
        return lambda values: _read_times(values, nullable=nullable)
    hook = converter.get_structure_hook(kind)
    return lambda values: [None if value is None and nullable else hook(value, kind) for value in values]


def _require(condition: bool, values: Column) -> Column:
    if not condition:
        raise TypeError
    return values


def _read_numbers(values: Column, types: frozenset[type[Any]]) -> Column:
    """Read whole numbers, which JSON writes without a point, as floats."""
    _require(types.union({int}).issuperset(map(type, values)), values)
    return [float(value) if value.__class__ is int else value for value in values]


def _read_enum(values: Column, kind: Any, types: frozenset[type[Any]]) -> Column:
    """Return the values of an enum, some of which are unknown or known ones in another case."""
    _require(types.issuperset(map(type, values)), values)
    return [None if value is None else kind(value)._value_ for value in values]


def _read_times(values: Column, *, nullable: bool) -> Column:
    if None not in values:
        times: list[Any] = [*map(datetime_from, values)]
        return _require({*map(_read_zone, times)} == {UTC}, times)
    times = [None if value is None else datetime_from(value) for value in values]
    return _require(nullable and {UTC}.issuperset([time.tzinfo for time in times if time is not None]), times)
