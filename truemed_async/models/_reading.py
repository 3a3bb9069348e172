"""Reads the JSON of a response: strictly or leniently, a page by what its members mean, and its rows one by one."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.models._base import Model, Page, Pagination
from truemed_async.models._columns import ColumnarRows, make_column_reader
from truemed_async.models._compile import MismatchedExtra, Structure, StructureError
from truemed_async.models._converter import converter, tolerant_converter

T = TypeVar("T")

# Where a list may have its rows instead of the documented name.
_ROW_NAMES = ("data", "results", "items")

# Only spellings with one meaning: "limit", "size" and "offset" have several.
_PAGINATION_NAMES: Mapping[str, str] = {
    "count": "count",
    "total": "count",
    "total_count": "count",
    "total_items": "count",
    "total_results": "count",
    "current_page": "current_page",
    "page": "current_page",
    "page_number": "current_page",
    "last_page": "last_page",
    "pages": "last_page",
    "page_count": "last_page",
    "num_pages": "last_page",
    "total_pages": "last_page",
    "page_size": "page_size",
    "per_page": "page_size",
}
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIGITS = re.compile(r"[0-9]{1,15}\Z")


@attrs.frozen(kw_only=True, eq=False)
class UnreadableRow:
    """A row of a list that is not what is published.

    Attributes:
        data: The row as the server sent it.
        model: What could be read of it, the rest is ``None``, even where the model has no ``None``; or ``None`` if it
            is not an object.
    """

    data: Sensitive[Any]
    model: Model | None = attrs.field(repr=False)

    @property
    def mismatches(self) -> tuple[str, ...]:
        """The paths of the fields that cannot be read."""
        return () if self.model is None else self.model.mismatches

    @property
    def created_at(self) -> datetime | None:
        """When the row was created, if it has such a field that can be read."""
        return getattr(self.model, "created_at", None)


class TolerantPage(Page[T], Generic[T]):
    """A page in which an :class:`UnreadableRow` stands for each row that cannot be read."""

    __slots__ = ()


class ColumnarPage(TolerantPage[T], Generic[T]):
    """The same page; its items are :class:`~truemed_async.models._columns.ColumnarRows` if it is regular."""

    __slots__ = ()


def has_unreadable(rows: Iterable[Any]) -> bool:
    """Whether one of the rows cannot be read."""
    return not isinstance(rows, ColumnarRows) and UnreadableRow in {*map(type, rows)}


@cache
def structurer(kind: Any, items: str | None = None) -> Callable[[Any], Any]:
    """Return the function that builds ``kind`` from parsed JSON, or raises :class:`StructureError`.

    ``items`` is the key of the rows in the response of a list.
    """
    return _make_structurer(kind, items, lenient=False)


@cache
def lenient_structurer(kind: Any, items: str | None = None) -> Callable[[Any], Any]:
    """Return the same function, but for it a value of the wrong type is an error in a required field only."""
    return _make_structurer(kind, items, lenient=True)


def _make_structurer(kind: Any, items: str | None, *, lenient: bool) -> Callable[[Any], Any]:
    origin = typing.get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, Page):
        return _page_reader(
            typing.cast("Any", origin), (*typing.get_args(kind), Any)[0], items or "items", lenient=lenient
        )
    hook = _hook(kind, lenient=lenient)
    return lambda data: hook(data, kind)


def _hook(kind: Any, *, lenient: bool) -> Structure:
    """Return the strict function for ``kind``, or one that reads leniently what the strict one rejects."""
    strict: Structure = converter.get_structure_hook(kind)
    if not lenient:
        return strict
    tolerant: Structure = tolerant_converter("lenient").get_structure_hook(kind)

    def read(data: Any, kind: Any) -> Any:
        try:
            return strict(data, kind)
        except StructureError:
            return tolerant(data, kind)

    return read


def _page_reader(cls: type[Page[Any]], row: Any, items: str, *, lenient: bool) -> Callable[[Any], Page[Any]]:
    read_row = _hook(row, lenient=lenient)
    if issubclass(cls, TolerantPage):
        read_row = _accept_unreadable(read_row)
    read_columns = make_column_reader(row) if issubclass(cls, ColumnarPage) else None

    def read(data: Any) -> Page[Any]:
        if data.__class__ is not dict:
            raise StructureError("an object")
        name = items if items in data else _find_rows(data, items)
        columns = None if read_columns is None else read_columns(data[name])
        rows: Any = _read_rows(data[name], row, read_row, name) if columns is None else columns
        raw_pagination = data.get("pagination")
        pagination = None if raw_pagination is None else _read_pagination(raw_pagination, len(rows))
        extra = {key: value for key, value in data.items() if key not in (name, "pagination")}
        if raw_pagination is not None and pagination is None:
            extra = MismatchedExtra(extra, {"pagination": raw_pagination})
        return cls(items=rows, pagination=pagination, extra=extra)

    return read


def _read_rows(values: Any, row: Any, read_row: Structure, name: str) -> tuple[Any, ...]:
    if values.__class__ is not list:
        raise StructureError("a list", name)
    rows: list[Any] = []
    try:
        for value in values:
            rows.append(read_row(value, row))  # noqa: PERF401  # the length tells which row is wrong
    except StructureError as mismatch:
        raise mismatch.with_prefix(f"[{len(rows)}]").with_prefix(name)  # noqa: B904  # the same exception with a longer path
    return tuple(rows)


def _find_rows(data: Mapping[str, Any], items: str) -> str:
    """Return where the rows are if they are not under the documented name and only one other is in question."""
    names = [name for name in _ROW_NAMES if data.get(name).__class__ is list]
    if len(names) != 1:
        raise StructureError("a value, but it is missing", items)
    return names[0]


def _accept_unreadable(read_row: Structure) -> Structure:
    def read(data: Any, kind: Any) -> Any:
        try:
            return read_row(data, kind)
        except StructureError:
            return UnreadableRow(data=Sensitive(data), model=_salvage(data, kind))

    return read


def _salvage(data: Any, kind: Any) -> Model | None:
    try:
        return typing.cast("Model", tolerant_converter("salvage").structure(data, kind))
    except StructureError:
        return None


def _read_pagination(raw_pagination: Any, rows: int) -> Pagination | None:
    """Return the position of a page by what its members mean; ``None`` if that is uncertain."""
    try:
        return typing.cast("Pagination", structurer(Pagination)(raw_pagination))
    except StructureError:
        pass
    numbers: dict[str, int] = {}
    extra: dict[str, Any] = {}
    for name, value in raw_pagination.items() if raw_pagination.__class__ is dict else ():
        meaning = _PAGINATION_NAMES.get(_WORD_START.sub("_", name).lower().replace("-", "_"))
        if meaning is None:
            extra[name] = value
        else:
            number = int(value) if value.__class__ is int or (value.__class__ is str and _DIGITS.match(value)) else -1
            if number < 0 or numbers.setdefault(meaning, number) != number:
                return None
    count, page, size = (numbers.get(name) for name in ("count", "current_page", "page_size"))
    # A count of fewer rows than were sent counts something else.
    if count is None or not page or not size or (rows and count < (page - 1) * size + rows):
        return None
    last_page = numbers.get("last_page", max(1, -(-count // size)))
    return Pagination(count=count, current_page=page, last_page=last_page, page_size=size, extra=extra)
