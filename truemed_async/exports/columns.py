"""Rows and their columns: what identifies a row, which fields are personal, and which columns are written."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Generic, TypeVar, cast

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.pii import Hasher, Pii, make_hasher
from truemed_async.models import (
    CatalogItem,
    Model,
    PaymentSession,
    PaymentToken,
    Payout,
    QualificationSession,
    QualificationStatus,
    ReconciliationRow,
    Transaction,
)
from truemed_async.models._columns import values_of
from truemed_async.resources.reconciliations import TRANSACTION_ORDER

M = TypeVar("M", bound=Model)

Row = dict[str, Any]
"""JSON-ready data by column."""


@attrs.frozen(kw_only=True)
class RowType(Generic[M]):
    """A kind of rows that can be exported and summarized.

    Personal are the fields that the model masks or leaves out in its ``repr``, those that hold models with such
    fields, ``extra_pii``, and whatever the server sends beyond the documented fields.

    Attributes:
        model: The class of a row.
        id: The field, or a function, that identifies a row; no two rows share a value.
        status: The field by whose values rows are counted, or ``None``.
        created_at: The field with the time of creation, an aware datetime; or ``None``.
        letter_expires_at: Returns when the Letter of Medical Necessity of a row expires; ``None`` for rows without one.
        extra_pii: Further personal fields.
    """

    model: type[M]
    id: str | Callable[[M], str]
    status: str | None = "status"
    created_at: str | None = "created_at"
    letter_expires_at: Callable[[M], datetime | None] | None = None
    extra_pii: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.__name__

    @property
    def types(self) -> dict[str, Any]:
        """The documented fields in their order, each with its type without ``None``."""
        hints = typing.get_type_hints(self.model)
        return {field.name: _remove_none(hints[field.name]) for field in _documented_fields(self.model)}

    @property
    def pii(self) -> frozenset[str]:
        """The names of the personal fields."""
        return frozenset(_find_pii(self.model)) | self.extra_pii

    def ids_of(self, rows: Iterable[M]) -> list[str]:
        """Return what identifies each row."""
        return [*map(str, values_of(rows, self.id))]


ROW_TYPES: Mapping[type[Model], RowType[Any]] = {
    row_type.model: row_type
    for row_type in (
        RowType(
            model=QualificationSession,
            id="qualification_session_id",
            letter_expires_at=lambda row: row.expires_at if row.status == QualificationStatus.APPROVED else None,
            extra_pii=frozenset({"user_business_id"}),
        ),
        RowType(model=PaymentSession, id="id", extra_pii=frozenset({"business_id"})),
        RowType(model=PaymentToken, id="payment_token", status=None, letter_expires_at=lambda row: row.lmn_expires_at),
        RowType(model=CatalogItem, id="sku", status="eligibility"),
        RowType(model=Payout, id="payout_id", status=None, created_at=None),
        RowType(model=Transaction, id=TRANSACTION_ORDER.id, status="type", created_at=None),
        RowType(model=ReconciliationRow, id="key", status=None, created_at=None),
    )
}
"""The rows of Truemed's listings, by model."""


def _documented_fields(model: type[Any]) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(model) if field.name != "extra"]


def _find_pii(model: type[Any]) -> Iterator[str]:
    hints = typing.get_type_hints(model)
    for field in _documented_fields(model):
        nested = (kind for kind in _nested_types(hints[field.name]) if isinstance(kind, type) and attrs.has(kind))
        if field.repr is not True or any(next(_find_pii(kind), None) for kind in nested):
            yield field.name


def _nested_types(hint: Any) -> Iterator[Any]:
    """Yield a type and its arguments, recursively."""
    yield hint
    for argument in typing.get_args(hint):
        yield from _nested_types(argument)


def _remove_none(hint: Any) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return kinds[0] if typing.get_origin(hint) in (typing.Union, UnionType) and len(kinds) == 1 else hint


@attrs.frozen(kw_only=True)
class ColumnSelection(Generic[M]):
    """The columns that are written, and how a model becomes a row of them.

    Attributes:
        model: The class of the rows.
        types: The columns in their order, each with the type of its values.
        include_extra: Whether undocumented fields are written too, where the format has room for them.
        hashed: The columns whose values are hashed.
        hasher: Hashes a value.
    """

    model: type[M]
    types: Mapping[str, Any]
    include_extra: bool
    hashed: frozenset[str] = frozenset()
    hasher: Hasher | None = None

    def to_row(self, model: M) -> Row:
        """Return the row of a model."""
        data = model.to_dict()
        row = data if self.include_extra else {name: data[name] for name in self.types}
        for name in self.hashed:
            row[name] = self.hash_value(row[name])
        return row

    def hash_value(self, value: Any) -> str | None:
        """Return the hash of a JSON value of a hashed column."""
        return None if value is None else cast("Hasher", self.hasher)(value)


def select_columns(
    row_type: RowType[M],
    columns: Sequence[str] | None = None,
    pii: Pii = "keep",
    secret: Sensitive[bytes] | None = None,
) -> ColumnSelection[M]:
    """Return the columns that are written.

    Raises:
        InvalidArgumentError: A column is unknown, named twice, or personal where personal data is dropped.
    """
    types, pii_columns = row_type.types, row_type.pii
    if pii == "drop":
        types = {name: kind for name, kind in types.items() if name not in pii_columns}
    if columns is not None:
        types = {name: types[name] for name in _validate_columns(columns, types)}
    if secret is None:
        return ColumnSelection(model=row_type.model, types=types, include_extra=columns is None and pii == "keep")
    hashed = pii_columns & types.keys()
    return ColumnSelection(
        model=row_type.model,
        types=types | dict.fromkeys(hashed, str),
        include_extra=False,
        hashed=hashed,
        hasher=make_hasher(secret),
    )


def _validate_columns(columns: Any, types: Mapping[str, Any]) -> list[str]:
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        raise InvalidArgumentError("columns must be a sequence of names")
    names: list[Any] = [*columns]
    if not names or len(set(names)) < len(names) or any(name not in types for name in names):
        raise InvalidArgumentError(f"columns must be names from this list, each at most once: {', '.join(types)}")
    return names


def to_utc(moment: datetime) -> datetime:
    """Return an aware time in UTC; at the ends of the calendar the closest time that exists."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if moment.year > 1 else datetime.min.replace(tzinfo=UTC)
