"""Writes sessions as rows for programs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TextIO

import attrs
import orjson

import truemed_async

if TYPE_CHECKING:
    from truemed_async import Model, QualificationSession

RowFormat = Literal["csv", "jsonl"]
WriteRow = Callable[["QualificationSession"], object]


def json_line(model: Model) -> str:
    """Return all of an object, unknown fields included, as JSON on one line."""
    return orjson.dumps(model.to_dict()).decode()


def row_writer(file: TextIO, format: RowFormat) -> WriteRow:
    """Return what writes one session to ``file``, which must not translate line ends.

    CSV begins with a header; its columns are the documented fields in their order, and a null is an empty cell. Cells
    are written as they are: a leading ``=`` or ``@`` is data, and an escape for spreadsheets would change it for
    every other reader.
    """
    if format == "jsonl":
        return lambda session: file.write(f"{json_line(session)}\n")
    columns = [field.name for field in attrs.fields(truemed_async.QualificationSession) if field.name != "extra"]
    table = csv.DictWriter(file, columns, extrasaction="ignore")
    table.writeheader()
    return lambda session: table.writerow(session.to_dict())
