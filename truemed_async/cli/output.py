"""Output of commands: streams, exit codes, tables, rows and progress."""

from __future__ import annotations

import csv
import errno
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TextIO, TypeVar, cast

import attrs
import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from truemed_async._files import flush_all, write_all
from truemed_async._sensitive import Sensitive
from truemed_async.errors import APIError, CallError, ConfigurationError, InvalidArgumentError, TruemedError

T = TypeVar("T")

if TYPE_CHECKING:
    from truemed_async import Model, Outcome, Page, Stream

    M = TypeVar("M", bound=Model)

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

MIN_HELP_WIDTH = 40
COLUMN_GAP = 3  # between two columns of a table


def exit_code_of(error: TruemedError) -> int:
    """Return the exit code: of a failed call, or of wrong usage or configuration."""
    return EXIT_USAGE if isinstance(error, (ConfigurationError, InvalidArgumentError)) else EXIT_FAILURE


# --- streams ------------------------------------------------------------------------------------------------------


@attrs.frozen
class Streams:
    """Standard output for data, standard error for messages, standard input for confirmations.

    ``has_details`` is whether errors include the server's messages, which may quote personal data, without a terminal.
    """

    out: TextIO
    err: TextIO
    source: TextIO | None = attrs.field(factory=lambda: sys.stdin)
    has_details: bool = False

    @classmethod
    def standard(cls) -> Streams:
        """Return the streams of the process."""
        out, err = (_complete_output(stream) for stream in (sys.stdout, sys.stderr))
        out = out or cast("TextIO", _ClosedOutput("standard output is closed"))
        return cls(out, err or cast("TextIO", _ClosedOutput(None)))

    @property
    def is_terminal(self) -> bool:
        """Whether data goes to a terminal."""
        return self.out.isatty()

    def console(self) -> Console:
        """Return the console that draws tables; in a pipe they are as wide as their content."""
        return _PipeConsole(file=self.out, width=None if self.is_terminal else 10_000, markup=False, highlight=False)

    def help_console(self) -> Console:
        """Return the console that shows help texts, which cannot be wrapped to less than ``MIN_HELP_WIDTH``."""
        console = _PipeConsole(file=self.out)
        return _PipeConsole(file=self.out, width=max(console.width, MIN_HELP_WIDTH))

    def print_data(self, text: str) -> None:
        """Write a line of data."""
        self.write_data(f"{text}\n")

    def write_data(self, text: str) -> None:
        """Write data; on a terminal with escapes in place of characters that could steer it."""
        self.out.write(printable(text.replace("\r\n", "\n"), keep="\n") if self.is_terminal else text)

    def print_message(self, text: str, end: str = "\n") -> None:
        """Write a line for people to standard error."""
        self.err.write(f"{printable(text)}{end}")
        self.err.flush()

    def print_server_message(self, error: APIError) -> None:
        """Write what the server said of an error: on a terminal, or if it was asked for."""
        if error.message and (self.has_details or self.err.isatty()):
            self.print_message(f"  server: {error.message}")

    def discard(self) -> None:
        """Drop buffered output that cannot be written, or the interpreter would complain at its exit."""
        for stream in (self.out, self.err):
            try:
                stream.flush()
            except OSError:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


class _PipeConsole(Console):
    """A console that leaves a pipe without a reader to :func:`truemed_async.cli.app.run`, as other output does."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _CompleteOutput:
    """Writes text to a standard stream of the process, with :func:`~truemed_async._files.write_all`.

    A pipe receives UTF-8 and unchanged line ends on every system; a terminal shows what it cannot encode as escapes.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        with suppress(OSError):  # what cannot be written stays in the buffer, and fails again when that is flushed
            stream.flush()
        self._stream = stream
        self.encoding = stream.encoding if stream.isatty() else "utf-8"

    @property
    def buffer(self) -> BinaryIO:
        return cast("BinaryIO", self._stream.buffer)

    def write(self, text: str) -> int:
        write_all(self.buffer, Sensitive(text.encode(self.encoding, "backslashreplace")))
        if self.isatty():
            self.flush()
        return len(text)

    def flush(self) -> None:
        flush_all(self.buffer)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class _ClosedOutput:
    """Stands for a closed standard stream: writing fails with a message, or does nothing without one."""

    def __init__(self, message: str | None) -> None:
        self.encoding = "utf-8"
        self._message = message

    @property
    def buffer(self) -> BinaryIO:
        return cast("BinaryIO", self)

    def write(self, text: str) -> int:
        if self._message is not None:
            raise OSError(errno.EBADF, self._message)
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        return False


def _complete_output(stream: TextIO | None) -> TextIO | None:
    if stream is None or stream.closed:
        return None
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return cast("TextIO", _CompleteOutput(cast("io.TextIOWrapper", stream)))


# --- objects, pages and outcomes ----------------------------------------------------------------------------------


def render_object(streams: Streams, model: Model) -> None:
    """Show all fields of an object: a table on a terminal, else JSON on one line."""
    if streams.is_terminal:
        streams.console().print(_details_table(model))
    else:
        streams.print_data(orjson.dumps(model.to_dict()).decode())


def render_rows(
    streams: Streams, rows: Sequence[Mapping[str, Any]], format: str | None, columns: Sequence[str]
) -> None:
    """Show rows that are no objects of the API, such as those of a report.

    Args:
        streams: Where to write.
        rows: The rows, each with all columns.
        format: table, json, jsonl or csv; ``None`` is a table on a terminal, else jsonl.
        columns: The columns, in their order.
    """
    match format or ("table" if streams.is_terminal else "jsonl"):
        case "table":
            console = streams.console()
            console.print(make_table([[row[name] for name in columns] for row in rows], columns, console.width))
        case "json":
            streams.print_data(orjson.dumps(rows, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
        case "csv":
            streams.write_data(format_csv(rows, columns))
        case _:
            for row in rows:
                streams.print_data(orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z).decode())


def format_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return a CSV file with a head."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(columns)
    table.writerows([[row[name] for name in columns] for row in rows])
    return text.getvalue()


def render_page(
    streams: Streams, page: Page[M], format: str | None, *, model: type[M], columns: Sequence[str], noun: str
) -> None:
    """Show one page of a list, and its position.

    Args:
        streams: Where to write.
        page: The page.
        format: table, json, jsonl or csv; ``None`` is a table on a terminal, else jsonl.
        model: The class of a row.
        columns: The columns of the table.
        noun: What a row is called.
    """
    match format or ("table" if streams.is_terminal else "jsonl"):
        case "table":
            console = streams.console()
            rows = [[getattr(each, name) for name in columns] for each in page]
            console.print(make_table(rows, columns, console.width))
        case "json":
            streams.print_data(orjson.dumps([each.to_dict() for each in page], option=orjson.OPT_INDENT_2).decode())
        case "csv":
            _write_rows(streams, "csv", model, page)
        case _:
            _write_rows(streams, "jsonl", model, page)
    if streams.err.isatty() and page.pagination is not None:
        position = page.pagination
        total = pluralize(position.count, noun)
        streams.print_message(f"page {position.current_page:,} of {position.last_page:,}; {total} in total")


async def render_outcomes(streams: Streams, outcomes: Stream[Outcome[M]]) -> int:
    """Show the object of each id, or its error; return the exit code."""
    errors: list[TruemedError] = []
    number = 0
    async with outcomes:
        async for outcome in outcomes:
            number += 1
            if outcome.error is None:
                render_object(streams, outcome.unwrap())
                continue
            errors.append(outcome.error)
            # A refused id may be anything, for example an e-mail address, so only its position is shown.
            label = outcome.id if isinstance(outcome.error, CallError) else f"argument {number}"
            streams.print_message(f"error: {label}: {outcome.error}")
            if isinstance(outcome.error, APIError):
                streams.print_server_message(outcome.error)
    return min(map(exit_code_of, errors), default=0)


def _write_rows(streams: Streams, format: Literal["csv", "jsonl"], model: type[M], rows: Iterable[M]) -> None:
    """Write rows as an export of all columns does; the stream must not translate line ends."""
    from truemed_async.exports.columns import ROW_TYPES, select_columns  # noqa: PLC0415  # loads the models
    from truemed_async.exports.formats import make_encoding  # noqa: PLC0415

    columns = select_columns(ROW_TYPES[model])
    encoding = make_encoding(format, columns)
    streams.write_data((encoding.head + encoding.encode([*rows]).value).decode())


# --- tables -------------------------------------------------------------------------------------------------------


def make_table(values: Iterable[Sequence[Any]], columns: Sequence[str], width: int) -> Table:
    """Return a table with as many columns as fit into ``width``."""
    rows = [[format_cell(value) for value in row] for row in values]
    fitting = _count_fitting([[Text(name) for name in columns], *rows], width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, caption_justify="left")
    for name in columns[:fitting]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row[:fitting])
    if fitting < len(columns):
        table.caption = f"Too narrow for {', '.join(columns[fitting:])}."
    return table


def _count_fitting(rows: Sequence[Sequence[Text]], width: int) -> int:
    """Return how many columns fit side by side, at least one."""
    widths = [max(text.cell_len for text in column) + COLUMN_GAP for column in zip(*rows, strict=True)]
    return max(1, len([total for total in accumulate(widths) if total - COLUMN_GAP <= width]))


def _details_table(model: Model) -> Table:
    """Return a table with a row for each field of an object."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in model.to_dict().items():
        table.add_row(format_cell(name), format_cell(value))
    return table


def format_cell(value: Any) -> Text:
    """Return the text of a value; times are UTC."""
    if value is None:
        return Text()
    return Text(format_minute(value) if isinstance(value, datetime) else printable(str(value)))


def format_minute(moment: datetime) -> str:
    """Return a time in UTC, to the minute."""
    from truemed_async.exports.columns import to_utc  # noqa: PLC0415  # loads the models: not for --help

    return f"{to_utc(moment):%Y-%m-%d %H:%M}"


def printable(text: str, keep: str = "") -> str:
    """Escape characters that could steer a terminal or reorder its text, as JSON does."""
    return "".join(letter if letter.isprintable() or letter in keep else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
