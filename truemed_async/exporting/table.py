"""What rows are: their model, what tells them apart, and what of them is personal."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from types import UnionType
from typing import Any, Generic, TypeVar

import attrs

from truemed_async.models import Model

M = TypeVar("M", bound=Model)


@attrs.frozen(kw_only=True)
class Table(Generic[M]):
    """A kind of rows that can be exported.

    Personal are the fields that the model masks or leaves out in its ``repr``, those that hold models with such
    fields, ``also_personal``, and whatever the server sends beyond the documented fields.

    Attributes:
        model: The class of a row.
        id: The field that tells rows apart; no two rows share a value. It is never personal.
        status: The field by whose values rows are counted, or ``None``.
        created_at: The field whose span is told, aware datetimes, or ``None``.
        also_personal: Further personal fields.
    """

    model: type[M]
    id: str
    status: str | None = "status"
    created_at: str | None = "created_at"
    also_personal: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.__name__

    @property
    def types(self) -> dict[str, Any]:
        """The documented fields in their order, each with its type, ``None`` taken off."""
        hints = typing.get_type_hints(self.model)
        return {field.name: _without_none(hints[field.name]) for field in _fields(self.model)}

    @property
    def personal(self) -> frozenset[str]:
        """The names of the personal fields."""
        return frozenset(_personal(self.model)) | self.also_personal

    def id_of(self, row: M) -> str:
        """Return what tells a row from the others."""
        return str(getattr(row, self.id))


def _fields(model: type[Any]) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(model) if field.name != "extra"]


def _personal(model: type[Any]) -> Iterator[str]:
    hints = typing.get_type_hints(model)
    for field in _fields(model):
        inside = (kind for kind in _parts(hints[field.name]) if isinstance(kind, type) and attrs.has(kind))
        if field.repr is not True or any(next(_personal(kind), None) for kind in inside):
            yield field.name


def _parts(hint: Any) -> Iterator[Any]:
    """Yield a type, and those that it is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from _parts(part)


def _without_none(hint: Any) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return kinds[0] if typing.get_origin(hint) in (typing.Union, UnionType) and len(kinds) == 1 else hint
