"""What all models share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

import attrs

from truemed_async.models._converter import converter

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Model:
    """An object of the API: immutable, without a ``__dict__``, compared by value.

    Attributes:
        extra: Fields of the response that this version does not know, as plain JSON. ``repr`` and ``==`` ignore them;
            :meth:`to_dict` includes them.
    """

    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=False, repr=False)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        # attrs copies the annotation as text, which modules that do not import its names could not resolve.
        cls.__init__.__annotations__["extra"] = Mapping[str, Any]

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
    """One page of a list. It can be iterated and has a length.

    Attributes:
        items: The rows, in the server's order.
        pagination: The position of the page, or ``None``: Truemed types it "object or null".
    """

    items: tuple[T, ...]
    pagination: Pagination | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
