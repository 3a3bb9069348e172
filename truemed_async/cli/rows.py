"""Writes models as rows for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TextIO, TypeVar

import orjson

if TYPE_CHECKING:
    from truemed_async.exporting import Table
    from truemed_async.models import Model

    M = TypeVar("M", bound=Model)

RowFormat = Literal["csv", "jsonl"]


def json_line(model: Model) -> str:
    """Return all of an object, unknown fields included, as JSON on one line."""
    return orjson.dumps(model.to_dict()).decode()


def write_rows(file: TextIO, format: RowFormat, table: Table[M], models: Iterable[M]) -> None:
    """Write models to ``file``, which must not translate line ends, as an export of all columns does."""
    from truemed_async.exporting.formats import encoding_of  # noqa: PLC0415  # loads the models: not for --help
    from truemed_async.exporting.projection import projection_of  # noqa: PLC0415

    projection = projection_of(table, None, "keep", None)
    encoding = encoding_of(format, projection.types)
    file.write((encoding.head + encoding.encode([projection.row(model) for model in models]).value).decode())
