"""Options of commands that show rows or an object, and how these are written: as a table, CSV, JSON or JSON lines."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, TypeAlias, cast

import attrs
import orjson
from cyclopts import Parameter

from truemed_async.cli.fields import Path, RowLayout, parse_fields, select_fields, value_at
from truemed_async.cli.files import FileOutput, open_output
from truemed_async.cli.options import LITERAL, Text
from truemed_async.cli.output import Streams
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from rich.console import Console

    from truemed_async import Model

RowFormat = Literal["table", "csv", "json", "jsonl"]
Row: TypeAlias = "Model | Mapping[str, Any]"
_SUFFIXES: Mapping[str, RowFormat] = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".txt": "table"}


@attrs.frozen(kw_only=True)
class FieldOptions(FileOutput):
    """Base class of the options of commands that show rows: which fields, and where."""

    json: Text = None
    columns: Text = None

    def prepare_rows(self, streams: Streams, layout: RowLayout, format: RowFormat | None) -> "RowTarget":
        """Return where and how rows are written, before any request is sent.

        Raises:
            InvalidArgumentError: Options contradict each other, or name an unknown field.
        """
        format = format or self._default_format(is_terminal=streams.is_terminal)
        if self.json is not None and format not in ("json", "jsonl"):
            raise InvalidArgumentError(f"--json does not apply to {format}: choose fields with --columns")
        if self.columns is not None and format not in ("table", "csv"):
            raise InvalidArgumentError(f"--columns does not apply to {format}: choose fields with --json")
        option, text = ("--json", self.json) if self.columns is None else ("--columns", self.columns)
        return RowTarget(
            streams=streams,
            output=self,
            layout=layout,
            format=format,
            paths=None if text is None else parse_fields(option, text, layout),
        )

    def _default_format(self, *, is_terminal: bool) -> RowFormat:
        if self.output is not None and not self.is_stdout:
            suffix = PurePath(self.output).suffix.lower()
            if suffix not in _SUFFIXES:
                raise InvalidArgumentError(f"--output must end in {', '.join(_SUFFIXES)}, unless --format is given")
            return _SUFFIXES[suffix]
        if self.json is not None:
            return "jsonl"
        if is_terminal:
            return "table"
        return "jsonl" if self.columns is None else "csv"


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class RowOutput(FieldOptions):
    """How rows or an object are written.

    Attributes:
        format: table, csv, json (indented), or jsonl: one object a line. Default: by the suffix of --output (.txt, \
.csv, .json, .jsonl), else table on a terminal and jsonl in a pipe. Amounts are dollars in tables, and cents \
elsewhere.
        json: Write these fields as JSON: their names, separated by commas; a field of a nested object with a dot, such \
as order_items.sku.
        columns: The columns of a table or of CSV: names as for --json, in this order.
        output: The file to write; - is standard output.
        force: Overwrite the file if it exists.
    """

    format: Annotated[RowFormat | None, LITERAL] = None

    def prepare(self, streams: Streams, layout: RowLayout) -> "RowTarget":
        """Return where and how rows are written; raises what :meth:`prepare_rows` raises."""
        return self.prepare_rows(streams, layout, self.format)


ROW_OUTPUT = RowOutput()


@attrs.frozen(kw_only=True)
class RowTarget:
    """Where and how rows are written.

    Attributes:
        streams: The standard streams.
        output: The user's options.
        layout: What the rows consist of.
        format: The format.
        paths: The selected fields; ``None`` for all, or for the usual columns of a table.
    """

    streams: Streams
    output: FileOutput
    layout: RowLayout
    format: RowFormat
    paths: Sequence[Path] | None = None

    @property
    def is_shown(self) -> bool:
        """Whether rows appear on the terminal while they are written, where a progress bar would be in their way."""
        return self.output.is_stdout and self.streams.is_terminal

    @contextmanager
    def open(self) -> "Generator[RowPrinter]":
        """Open a writer; a file appears when the block ends without an error."""
        with open_output(self.streams, self.output) as file:
            writer = RowPrinter(self, file)
            yield writer
            writer.finish()

    def write(self, rows: Sequence[Row], *, empty: str) -> None:
        """Write a list of rows; if there is none, tell a person so with ``empty``."""
        with self.open() as writer:
            writer.add(rows)
        if not rows:
            self.report_empty(empty)

    def report_empty(self, message: str) -> None:
        """Say why there are no rows, unless a program reads the output."""
        if self.format == "table" or self.streams.err.isatty():
            self.streams.print_message(message)

    def write_object(self, row: Row) -> None:
        """Write one object."""
        with self.open() as writer:
            writer.add_object(row)


@attrs.define
class RowPrinter:
    """Writes rows in the order in which they come: JSON lines and CSV at once, tables and JSON arrays at the end."""

    target: RowTarget
    file: BinaryIO
    _pending: list[Row] = attrs.field(init=False, factory=list[Any])
    _has_head: bool = attrs.field(init=False, default=False)
    _is_list: bool = attrs.field(init=False, default=True)

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows of a list."""
        match self.target.format:
            case "jsonl":
                self._write(b"".join(_dump(self._select(row)) for row in rows))
            case "csv":
                self._write_csv(rows)
            case _:
                self._pending += rows

    def add_object(self, row: Row) -> None:
        """Add an object that is shown by itself: all its fields, unless some are selected."""
        self._is_list = False
        match self.target.format:
            case "table" if self.target.paths is None:
                dollars = self.target.layout.dollars
                from truemed_async.cli.tables import print_object  # noqa: PLC0415  # loads rich: only to draw

                self._print(lambda console: print_object(console, row, dollars))
            case "json":
                self._write(_dump(self._select(row), orjson.OPT_INDENT_2))
            case _:
                self.add([row])

    def finish(self) -> None:
        """Write what is only complete with the last row."""
        match self.target.format:
            case "json" if self._is_list:
                self._write(_dump([self._select(row) for row in self._pending], orjson.OPT_INDENT_2))
            case "csv":
                self._write_csv([])
            case "table" if self._pending:
                from truemed_async.cli.tables import make_table  # noqa: PLC0415  # loads rich: only to draw

                layout, paths = self.target.layout, self._paths(self.target.layout.columns)
                rows = [[_value_at(row, self._resolve(path)) for path in paths] for row in self._pending]
                names = [".".join(path) for path in paths]
                self._print(
                    lambda console: console.print(make_table(rows, names, console.width, layout.dollars), crop=False)
                )
            case _:
                pass

    def _paths(self, columns: Sequence[str]) -> Sequence[Path]:
        return self.target.paths or [(name,) for name in columns or self.target.layout.names()]

    def _resolve(self, path: Path) -> Path:
        """Replace ``id`` by the field for which it stands."""
        return (self.target.layout.id or "id", *path[1:]) if path[0] == "id" else path

    def _select(self, row: Row) -> dict[str, Any]:
        data, paths = _to_json(row), self.target.paths
        if paths is None:
            return data
        return select_fields({path[0]: _top_level(row, data, self._resolve(path)[0]) for path in paths}, paths)

    def _write_csv(self, rows: Iterable[Row]) -> None:
        from truemed_async.exports.formats import encode_csv  # noqa: PLC0415  # loads the models

        paths = self._paths(self.target.layout.names())
        head = [] if self._has_head else [[".".join(path) for path in paths]]
        self._has_head = True
        self._write(encode_csv([*head, *([self._cell(row, path) for path in paths] for row in rows)]).value)

    def _cell(self, row: Row, path: Path) -> Any:
        name, *rest = self._resolve(path)
        return value_at(_top_level(row, _to_json(row), name), rest)

    def _print(self, render: "Callable[[Console], object]") -> None:
        if self.target.output.is_stdout:
            render(self.target.streams.console())
            return
        from truemed_async.cli.consoles import PIPE_WIDTH, render_text  # noqa: PLC0415  # loads rich: only to draw

        self._write(render_text(render, PIPE_WIDTH))

    def _write(self, data: bytes) -> None:
        self.file.write(data)


# --- values -------------------------------------------------------------------------------------------------------


def _to_json(row: Row) -> dict[str, Any]:
    """Return JSON-ready data; times of mappings become UTC."""
    if not isinstance(row, Mapping):
        return row.to_dict()
    return cast("dict[str, Any]", orjson.loads(orjson.dumps(dict(row), default=str, option=orjson.OPT_UTC_Z)))


def _top_level(row: Row, data: Mapping[str, Any], name: str) -> Any:
    """Return a field, or a property that a table shows, such as the amount of a payout."""
    return data[name] if name in data else orjson.loads(orjson.dumps(getattr(row, name, None)))


def _value_at(value: Any, path: Sequence[str]) -> Any:
    """Return the value at a path of a row, which is no JSON yet."""
    if not path or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [_value_at(each, path) for each in cast("Sequence[Any]", value)]
    if isinstance(value, Mapping):
        return _value_at(cast("Mapping[str, Any]", value).get(path[0]), path[1:])
    return _value_at(getattr(value, path[0], None), path[1:])


def _dump(data: Any, option: int = 0) -> bytes:
    return orjson.dumps(data, option=option | orjson.OPT_APPEND_NEWLINE)
