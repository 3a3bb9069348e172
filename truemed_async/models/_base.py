"""What all models share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from importlib import import_module
from typing import Any, Generic, SupportsIndex, TypeVar, cast, overload

import attrs

from truemed_async.models._compile import open_enum_fields
from truemed_async.models._converter import converter, iso

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Model:
    """An object of the API: immutable, without a ``__dict__``, compared by value.

    Attributes:
        extra: Fields of the response that this version does not know, as plain JSON. ``repr`` and ``==`` ignore them;
            :meth:`to_dict` includes them.
    """

    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=False, repr=False)

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

        Unlike ``repr`` this masks nothing: the result contains the personal data of the object.
        """
        return cast("dict[str, Any]", converter.unstructure(self))


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
        pagination: The position of the page, or ``None``: Truemed types it "object or null".
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
