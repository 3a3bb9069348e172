"""``truemed doctor``: what the server does where Truemed's documentation leaves a choice."""

from collections.abc import Iterable, Mapping
from itertools import chain, groupby, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import orjson
from cyclopts import App, Parameter
from rich import box
from rich.table import Table
from rich.text import Text

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.files import Overwriting, claim_file
from truemed_async.cli.options import CONTEXT, LITERAL, Flag
from truemed_async.cli.output import EXIT_FAILURE, Streams
from truemed_async.cli.progress import progress_bar
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async.diagnostics import Check, FieldReport, ServerReport

_STYLES: Mapping[str, str] = {"ok": "green", "differs": "yellow", "unknown": "dim", "failed": "red"}


def make_app() -> App:
    """Return ``truemed doctor``."""
    app = App(name="doctor")
    app.default(doctor)
    return app


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class DialectFile(Overwriting):
    """Where the dialect is written.

    Attributes:
        save_dialect: Write what was observed to this file, for `truemed emulator --dialect FILE`.
        force: Overwrite the file if it exists.
    """

    save_dialect: Annotated[Path | None, LITERAL] = None

    def claim(self, streams: Streams) -> None:
        """Ask before the file is overwritten."""
        if self.save_dialect is not None:
            claim_file(streams, str(self.save_dialect), force=self.force, option="--save-dialect")

    def write(self, dialect: Mapping[str, object]) -> None:
        """Write the dialect, if there is a file for it."""
        if self.save_dialect is None:
            return
        try:
            self.save_dialect.write_bytes(orjson.dumps(dict(dialect), option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise InvalidArgumentError(f"--save-dialect cannot be written: {error.strerror}") from error


NO_FILE = DialectFile()


async def doctor(
    *,
    json: Flag = False,
    all_fields: Flag = False,
    file: DialectFile = NO_FILE,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Examine the server: connection, key, lists, fields, errors and headers.

    About 25 requests are sent. They only read, or are refused, and so have no effect. Types, names and counts are shown,
    but no value of an object, no key and no e-mail address, so that the output can be put into a bug report. The exit
    code is 1 if a check fails; a difference from the documentation is no failure.

    Args:
        json: Show the whole report as JSON.
        all_fields: Show every field of the objects, and not only those that differ.
    """
    streams = context.streams
    async with context.target.connect() as client:
        with progress_bar(streams) as show:
            report = await truemed_async.diagnostics.examine_server(client, progress=lambda done, _: show(done))
    if json:
        streams.print_data(orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2).decode())
    else:
        _render_report(streams, report, all_fields=all_fields)
    file.write(report.dialect)
    return 0 if report.passed else EXIT_FAILURE


def _render_report(streams: Streams, report: "ServerReport", *, all_fields: bool) -> None:
    console = streams.console()
    console.print(_checks_table(report.checks))
    fields = [field for field in report.fields if all_fields or not (field.is_known and field.is_expected)]
    if fields:
        console.print()
        console.print(_fields_table(fields))
    console.print(Text("\ndialect", style="bold"))
    console.print(Text(orjson.dumps(dict(report.dialect)).decode()), soft_wrap=True)
    console.print(Text("\nfor a bug report", style="bold"))
    console.print(Text(report.sentence), soft_wrap=True)


def _checks_table(checks: Iterable["Check"]) -> Table:
    table = _make_table()
    for group, members in groupby(checks, key=lambda check: check.group):
        table.add_section()
        for label, check in zip(chain([group], repeat("")), members, strict=False):
            _add_row(table, label, check.status, check.name, check.detail)
    return table


def _fields_table(fields: Iterable["FieldReport"]) -> Table:
    table = _make_table()
    for endpoint, members in groupby(fields, key=lambda field: field.endpoint):
        table.add_section()
        for label, field in zip(chain([endpoint], repeat("")), members, strict=False):
            status = "unknown" if not field.is_known else "ok" if field.is_expected else "differs"
            _add_row(table, label, status, field.name, _describe_field(field))
    return table


def _add_row(table: Table, label: str, status: str, *cells: str) -> None:
    table.add_row(Text(label, style="bold"), Text(status, style=_STYLES[status]), *map(Text, cells))


def _make_table() -> Table:
    table = Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    return table


def _describe_field(field: "FieldReport") -> str:
    parts = [", ".join(f"{number:,} {kind}" for kind, number in field.types.items())]
    if field.words or field.unnamed_words:
        words = [f"{word} {number:,}" for word, number in field.words.items()]
        words += [f"{field.unnamed_words:,} more words"] if field.unnamed_words else []
        parts.append(", ".join(words))
    return ": ".join(parts)
