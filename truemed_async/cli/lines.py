"""Options of commands that write what happens while they run, a line at once: for people, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import attrs
import orjson
from cyclopts import Parameter
from rich.text import Text as StyledText

from truemed_async.cli.fields import Path, RowLayout, parse_fields, select_fields
from truemed_async.cli.options import LITERAL, Text
from truemed_async.cli.output import Streams
from truemed_async.errors import InvalidArgumentError

LineFormat = Literal["text", "jsonl"]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class LineOutput:
    """How lines are written.

    Attributes:
        format: text, or jsonl: one object a line. Default: text on a terminal, else jsonl.
        json: Write these fields as JSON: their names, separated by commas.
    """

    format: Annotated[LineFormat | None, LITERAL] = None
    json: Text = None

    def prepare(self, streams: Streams, layout: RowLayout) -> LineTarget:
        """Return where and how lines are written.

        Raises:
            InvalidArgumentError: Options contradict each other, or name an unknown field.
        """
        if self.json is not None and self.format == "text":
            raise InvalidArgumentError("--json does not apply to text")
        default: LineFormat = "text" if streams.is_terminal and self.json is None else "jsonl"
        paths = None if self.json is None else parse_fields("--json", self.json, layout)
        return LineTarget(streams=streams, format=self.format or default, paths=paths)


LINE_OUTPUT = LineOutput()


@attrs.frozen(kw_only=True)
class LineTarget:
    """Where and how lines are written; ``paths`` are the selected fields, ``None`` for all."""

    streams: Streams
    format: LineFormat
    paths: Sequence[Path] | None = None

    def write(self, row: Mapping[str, Any], text: StyledText) -> None:
        """Write a row, which ``text`` says for people, at once: the reader waits for it."""
        if self.format == "text":
            self.streams.console().print(text, soft_wrap=True)
        else:
            data = row if self.paths is None else select_fields(row, self.paths)
            self.streams.print_data(orjson.dumps(data).decode())
        self.streams.out.flush()
