"""The fields of rows: which can be selected by name, and what is at a name."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast, get_args

import attrs

import truemed_async
from truemed_async.cli.output import find_similar
from truemed_async.errors import InvalidArgumentError

Path = tuple[str, ...]
"""The name of a field, and those of fields within it."""
FieldTree: TypeAlias = "Mapping[str, FieldTree | None]"
"""The names of fields, each with those of the object that it holds, or ``None``."""

_ANY: Mapping[str, FieldTree | None] = {}  # of an object whose fields are not known


@attrs.frozen(kw_only=True)
class RowLayout:
    """What rows consist of.

    Attributes:
        columns: The columns of a table; by default all fields.
        model: The name of the model of a row; ``None`` for mappings with exactly these columns.
        id: The field for which ``id`` stands, too.
        dollars: The fields that are dollars; other amounts are cents.
    """

    columns: tuple[str, ...] = ()
    model: str | None = None
    id: str | None = None
    dollars: frozenset[str] = frozenset()

    def fields(self) -> FieldTree:
        """Return the names that can be selected."""
        columns: FieldTree = dict.fromkeys(self.columns)
        return columns if self.model is None else {**_fields_of_model(getattr(truemed_async, self.model)), **columns}

    def names(self) -> list[str]:
        """Return the columns of a complete CSV file."""
        return [name for name in self.fields() if name != "id" or self.id in (None, "id")]


def parse_fields(option: str, text: str, layout: RowLayout) -> list[Path]:
    """Return the fields that an option names.

    Raises:
        InvalidArgumentError: One is unknown or named twice. The message lists those that exist.
    """
    known = layout.fields()
    known = known if layout.id is None else {"id": None, **known}
    paths = [tuple(part.strip() for part in name.split(".")) for name in text.split(",")]
    for path in paths:
        _validate_path(option, path, known)
    if len(set(paths)) < len(paths):
        raise InvalidArgumentError(f"{option} names a field twice")
    return paths


def _validate_path(option: str, path: Path, known: FieldTree) -> None:
    within = ""
    for at, name in enumerate(path):
        if name not in known:
            close = find_similar(name, known)
            hint = f'; did you mean "{close}"?' if close else "."
            raise InvalidArgumentError(f"{option} has an unknown field{hint} Fields{within}: {', '.join(known)}")
        nested = known[name]
        if nested is _ANY:
            return
        if nested is None and at + 1 < len(path):
            raise InvalidArgumentError(f"{option}: {'.'.join(path[: at + 1])} has no fields of its own")
        known, within = nested or {}, f" of {'.'.join(path[: at + 1])}"


def _fields_of_model(model: type[Any]) -> FieldTree:
    hints = typing.get_type_hints(model)
    return {field.name: _fields_of_type(hints[field.name]) for field in attrs.fields(model) if field.name != "extra"}


def _fields_of_type(hint: Any) -> FieldTree | None:
    if isinstance(hint, type) and attrs.has(hint):
        return _fields_of_model(hint)
    if hint is Any or typing.get_origin(hint) in (dict, Mapping):
        return _ANY
    return next((fields for fields in map(_fields_of_type, get_args(hint)) if fields is not None), None)


def select_fields(data: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """Return the parts of a JSON object that paths lead to, in the same structure."""
    selected: dict[str, Any] = {}
    for name in dict.fromkeys(path[0] for path in paths):
        nested = [path[1:] for path in paths if path[0] == name]
        selected[name] = data.get(name) if () in nested else _select_within(data.get(name), nested)
    return selected


def _select_within(data: Any, paths: Sequence[Path]) -> Any:
    if isinstance(data, list):
        parts: list[Any] = [*data]
        return [_select_within(each, paths) for each in parts]
    return select_fields(cast("Mapping[str, Any]", data), paths) if isinstance(data, Mapping) else data


def value_at(data: Any, path: Sequence[str]) -> Any:
    """Return the JSON value at a path; of a list, the values of its elements."""
    if not path or data is None:
        return data
    if isinstance(data, list):
        parts: list[Any] = [*data]
        return [value_at(each, path) for each in parts]
    return value_at(cast("Mapping[str, Any]", data).get(path[0]), path[1:]) if isinstance(data, Mapping) else None
