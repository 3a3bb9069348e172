"""Writes models as rows for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TextIO, TypeVar

import orjson

if TYPE_CHECKING:
    from truemed_async.models import Model

    M = TypeVar("M", bound=Model)

RowFormat = Literal["csv", "jsonl"]


def json_line(model: Model) -> str:
    """Return all of an object, unknown fields included, as JSON on one line."""
    return orjson.dumps(model.to_dict()).decode()


def write_rows(file: TextIO, format: RowFormat, model: type[M], rows: Iterable[M]) -> None:
    """Write rows to ``file``, which must not translate line ends, as an export of all columns does."""
    from truemed_async.exports.columns import ROW_TYPES, select_columns  # noqa: PLC0415  # loads the models
    from truemed_async.exports.formats import make_encoding  # noqa: PLC0415

    columns = select_columns(ROW_TYPES[model])
    encoding = make_encoding(format, columns.types)
    file.write((encoding.head + encoding.encode([columns.to_row(row) for row in rows]).value).decode())
