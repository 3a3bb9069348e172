"""What of a row is written: which columns, and what becomes of personal values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting.personal import Hash, Personal, hasher
from truemed_async.exporting.table import Table
from truemed_async.models import Model

M = TypeVar("M", bound=Model)

Row = dict[str, Any]
"""JSON-ready data by column."""


@attrs.frozen(kw_only=True)
class Projection(Generic[M]):
    """From a model to a row.

    Attributes:
        types: The columns in their order, each with the type of its values.
        whole: Whether fields that are not documented come too, where a format has room for them.
        hashed: The columns whose values are hashed.
        hash: How.
    """

    types: Mapping[str, Any]
    whole: bool
    hashed: frozenset[str] = frozenset()
    hash: Hash | None = None

    def row(self, model: M) -> Row:
        """Return what is written of a model."""
        data = model.to_dict()
        row = data if self.whole else {name: data[name] for name in self.types}
        for name in self.hashed:
            if row[name] is not None:
                row[name] = cast("Hash", self.hash)(row[name])
        return row


def projection_of(
    table: Table[M], columns: Sequence[str] | None, personal: Personal, secret: Sensitive[bytes] | None
) -> Projection[M]:
    """Return what was asked for.

    Raises:
        InvalidArgumentError: A column is unknown, given twice, or personal where personal data is left out.
    """
    types, of_persons = table.types, table.personal
    if personal == "drop":
        types = {name: kind for name, kind in types.items() if name not in of_persons}
    if columns is not None:
        types = {name: types[name] for name in _checked(columns, types)}
    if secret is None:
        return Projection(types=types, whole=columns is None and personal == "keep")
    hashed = of_persons & types.keys()
    return Projection(types=types | dict.fromkeys(hashed, str), whole=False, hashed=hashed, hash=hasher(secret))


def _checked(columns: Any, types: Mapping[str, Any]) -> list[str]:
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        raise InvalidArgumentError("columns must be a sequence of names")
    names: list[Any] = [*columns]
    if not names or len(set(names)) < len(names) or any(name not in types for name in names):
        raise InvalidArgumentError(f"columns must be some of these, each once: {', '.join(types)}")
    return names
