"""What all models share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from importlib import import_module
from typing import Any, Generic, SupportsIndex, TypeVar, cast, overload

import attrs

from truemed_async.models._compile import MismatchedExtra, open_enum_fields
from truemed_async.models._converter import converter, iso

T = TypeVar("T")

MAX_HTML_ROWS = 100
"""The rows of a page that a notebook shows."""


@attrs.frozen(kw_only=True)
class Model:
    """An object of the API: immutable, without a ``__dict__``, compared by value.

    Attributes:
        extra: Fields of the response that this version does not know, as plain JSON. ``repr`` and ``==`` ignore them;
            :meth:`to_dict` includes them. It also holds the values of :attr:`mismatches`.
    """

    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=False, repr=False)

    @property
    def mismatches(self) -> tuple[str, ...]:
        """The paths of fields whose value in the response had another type than is published.

        Each such field has its default, mostly ``None``, and ``extra`` of the same object has the value. Only a client
        with ``validation="lenient"`` reads such values.
        """
        return tuple(_find_mismatches(self))

    def __attrs_post_init__(self) -> None:
        cls: Any = type(self)  # Any: mypy takes the class of a frozen model for not hashable
        for name, kind in open_enum_fields(cls).items():
            value: object = getattr(self, name)
            if value.__class__ is str:  # models that are read from JSON do not come here
                object.__setattr__(self, name, kind(value))

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        # attrs copies the annotation as text, which modules that do not import its names could not resolve.
        cls.__init__.__annotations__["extra"] = Mapping[str, Any]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Let pydantic and FastAPI take instances, and serialize them with :meth:`to_dict`."""
        core_schema = import_module("pydantic_core").core_schema
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(Model.to_dict)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, Any]:
        """Describe the model as an object in an OpenAPI document."""
        return {"title": cls.__name__, "type": "object"}

    def to_dict(self) -> dict[str, Any]:
        """Return the object as JSON-ready data: ISO 8601 strings for times, plain strings for enums, unknown fields too.

        Fields in :attr:`mismatches` have their default: their values are in ``extra`` only.

        Unlike ``repr`` this masks nothing: the result contains the personal data of the object.
        """
        return cast("dict[str, Any]", converter.unstructure(self))

    def _repr_html_(self) -> str:
        """Return a table of the fields for a notebook, which masks and leaves out what ``repr`` does."""
        return _html_table(None, [(name, _format_field(self, name)) for name in _visible_fields(type(self))])


def _find_mismatches(model: Model) -> Iterator[str]:
    if isinstance(model.extra, MismatchedExtra):
        yield from model.extra.names
    for field in attrs.fields(type(model)):
        value: object = getattr(model, field.name)
        if isinstance(value, Model):
            yield from (f"{field.name}.{path}" for path in _find_mismatches(value))
        elif isinstance(value, tuple):
            for at, part in enumerate(cast("tuple[object, ...]", value)):
                if isinstance(part, Model):
                    yield from (f"{field.name}[{at}].{path}" for path in _find_mismatches(part))


@attrs.frozen(kw_only=True)
class Pagination(Model):
    """The position of a page in its list.

    Attributes:
        count: Rows in the whole list.
        current_page: This page, from 1.
        last_page: The last page that has rows.
        page_size: The page size that the server applied.
    """

    count: int
    current_page: int
    last_page: int
    page_size: int


@attrs.frozen(kw_only=True)
class Page(Model, Generic[T]):
    """One page of a list. Like a sequence, it can be iterated and indexed, and has a length.

    Attributes:
        items: The rows, in the server's order.
        pagination: The position of the page, or ``None``: Truemed types it "object or null". Its members are published
            for one list only; other common spellings are read, too. What cannot be read is in ``extra``.
    """

    items: tuple[T, ...]
    pagination: Pagination | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> tuple[T, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> T | tuple[T, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def _repr_html_(self) -> str:
        """Return a table of the rows for a notebook, which masks and leaves out what ``repr`` does."""
        rows = [row for row in self.items if isinstance(row, Model)][:MAX_HTML_ROWS]
        names = [
            name
            for name in (_visible_fields(type(rows[0])) if rows else [])
            if any(getattr(row, name) is not None for row in rows)
        ]
        table = _html_table(names, [[_format_field(row, name) for name in names] for row in rows])
        total = "" if self.pagination is None else f" of {self.pagination.count:,}"
        return f"{table}<p>{len(self.items):,}{total} rows</p>"


def _visible_fields(model: type[Any]) -> list[str]:
    return [field.name for field in attrs.fields(model) if field.repr is not False]


def _format_field(model: Model, name: str) -> str:
    """Return a field as ``repr`` shows it, but text and times without quotes and class names."""
    show, value = getattr(attrs.fields(type(model)), name).repr, getattr(model, name)
    if value is None:
        return ""
    if callable(show):
        return str(show(value))
    return str(value) if isinstance(value, (str, date)) else repr(value)


def _html_table(head: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> str:
    from html import escape  # noqa: PLC0415  # only a notebook needs it, and it loads a table of all entities

    cells = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    if head is not None:
        cells.insert(0, f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>")
    return f"<table>{''.join(cells)}</table>"


def json_default(value: object) -> Any:
    """Serialize models, dates and times for ``json.dumps(data, default=json_default)``.

    Like :meth:`Model.to_dict` it masks nothing.

    Raises:
        TypeError: The value is of another type.
    """
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
