"""The commands that every listing has: list, get, export and summary."""

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar, Literal, cast

import attrs
from cyclopts import App, Parameter

import truemed_async
from truemed_async._validation import scalars
from truemed_async.cli.connection import Context
from truemed_async.cli.options import CONTEXT, LITERAL, WHOLE_LIST, Flag, Ids, ListFormat, Period, Text
from truemed_async.cli.output import (
    EXIT_FAILURE,
    Streams,
    format_minute,
    pluralize,
    printable,
    render_outcomes,
    render_page,
)
from truemed_async.cli.progress import ShowProgress, can_show_progress, progress_bar
from truemed_async.cli.summary import SummaryFormat, write_summary
from truemed_async.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import Page, Stream
    from truemed_async.exports import ExportProgress, ExportResult

STDOUT = "-"
STDOUT_DESCRIPTOR = 1
SECRET_VARIABLE = "TRUEMED_EXPORT_SECRET"  # noqa: S105  # the name of a variable

LIST_HELP = """List one page of {nouns}. To read them all, use export. {note}

Args:
    page: The page, from 1.
    page_size: The number of {nouns} on a page, at least 1; the server may return fewer.
    format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
"""
GET_HELP = """Show {nouns}: all fields of each on a terminal, else one JSON document a line, in the given order. {note}

If one of them cannot be read, the others are still shown; the exit code is then 1.

Args:
    ids: {ids}.
"""
EXPORT_HELP = """Write all {nouns} to a file. {note}

The file appears when it is complete. Until then, and if the export fails, the rows are in FILE.partial; --resume continues \
it and writes each row once. A summary goes to standard error. CSV holds the documented fields unchanged: spreadsheets \
treat a cell that starts with = + - or @ as a formula. JSONL holds every field that the server sent.
"""
SUMMARY_HELP = """Count {nouns} by status and by day of creation in UTC, and Letters that expire in 30, 60 and 90 days.

Args:
    format: chart, json or csv. Default: chart on a terminal, else json.
    svg: A file to draw the chart into.
"""


class Filters:
    """Base class of the filters of a listing.

    Attributes:
        local: The names of filters that the server does not have: ``iter`` takes them and ``list`` does not.
    """

    local: ClassVar[frozenset[str]] = frozenset()

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``list`` and ``iter``; flags that are not set are not sent."""
        return {name: None if value is False else value for name, value in attrs.asdict(cast("Any", self)).items()}

    def server_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``list``: the filters that the server has."""
        return {name: value for name, value in self.as_kwargs().items() if name not in self.local}

    def local_kwargs(self) -> dict[str, Any]:
        """Return the filters that are set and that the server does not have."""
        return {name: value for name, value in self.as_kwargs().items() if name in self.local and value is not None}


@attrs.frozen(kw_only=True)
class ResourceCommands:
    """The commands of one resource of the client.

    Attributes:
        resource: The attribute of the client.
        model: The name of the row class.
        noun: What a row is called.
        ids: What the arguments of ``get`` are.
        columns: The columns of tables.
        filters: The options of ``list``, ``export`` and ``summary``.
        note: What to know about the rows.
        has_since: Whether ``iter`` takes ``since``.
    """

    resource: str
    model: str
    noun: str
    ids: str
    columns: tuple[str, ...]
    filters: type[Filters]
    note: str = ""
    has_since: bool = True

    def add_to(self, app: App) -> None:
        """Add the commands."""
        for name, command, help in (
            ("list", self._make_list(), LIST_HELP),
            ("get", self._make_get(), GET_HELP),
            ("export", self._make_export(), EXPORT_HELP),
            ("summary", self._make_summary(), SUMMARY_HELP),
        ):
            annotations = command.__annotations__
            if "filters" in annotations:
                annotations["filters"] = self.filters
            if "period" in annotations and not self.has_since:
                annotations["period"] = Annotated[Period, Parameter(parse=False)]
            command.__doc__ = help.format(nouns=f"{self.noun}s", ids=self.ids, note=self.note).replace(" \n", "\n")
            app.command(command, name=name)

    def _make_list(self) -> Callable[..., Any]:
        no_filters = self.filters()

        async def list_rows(
            *,
            filters: Any = no_filters,
            page: int = 1,
            page_size: int = 30,
            format: ListFormat = None,
            context: Annotated[Context, CONTEXT],
        ) -> None:
            async with context.target.connect() as client:
                resource = getattr(client, self.resource)
                if filters.local_kwargs():
                    rows = await _select_page(resource.iter(**filters.as_kwargs()), page, page_size)
                else:
                    rows = await resource.list(**filters.server_kwargs(), page=page, page_size=page_size)
            model = getattr(truemed_async, self.model)
            render_page(context.streams, rows, format, model=model, columns=self.columns, noun=self.noun)

        return list_rows

    def _make_get(self) -> Callable[..., Any]:
        async def get_rows(ids: Ids, /, *, context: Annotated[Context, CONTEXT]) -> int:
            async with context.target.connect() as client:
                return await render_outcomes(
                    context.streams, getattr(client, self.resource).get_many(ids, ordered=True)
                )

        return get_rows

    def _make_export(self) -> Callable[..., Any]:
        no_filters = self.filters()

        async def export_rows(
            *,
            output: Output,
            filters: Any = no_filters,
            period: Period = WHOLE_LIST,
            context: Annotated[Context, CONTEXT],
        ) -> int:
            options = period.as_kwargs()
            async with context.target.connect() as client:
                resource = getattr(client, self.resource)

                async def count() -> int | None:
                    if options or filters.local_kwargs():
                        return None  # the server counts other rows too
                    first = await resource.list(**filters.server_kwargs(), page=1, page_size=1)
                    return first.pagination.count if first.pagination else None

                stream = resource.iter(**filters.as_kwargs(), **options)
                return await run_export(stream, output, context.streams, noun=self.noun, count=count)

        return export_rows

    def _make_summary(self) -> Callable[..., Any]:
        no_filters = self.filters()

        async def summarize_rows(
            *,
            filters: Any = no_filters,
            period: Period = WHOLE_LIST,
            format: SummaryFormat = None,
            svg: Annotated[Text, Parameter(name="--svg")] = None,
            context: Annotated[Context, CONTEXT],
        ) -> None:
            options = period.as_kwargs()
            async with context.target.connect() as client:
                stream: Stream[Any] = getattr(client, self.resource).iter(**filters.as_kwargs(), **options)
                summary = await truemed_async.summarize(stream)
            write_summary(context.streams, summary, format, None if svg is None else Path(svg), self.noun)

        return summarize_rows


async def _select_page(stream: "Stream[Any]", page: int, page_size: int) -> "Page[Any]":
    """Return a page of the rows that the client selects; how many there are is not known."""
    scalars.validate_positive_int("page", page)
    scalars.validate_positive_int("page_size", page_size)
    rows: list[Any] = []
    async with stream:
        async for row in stream:
            rows.append(row)
            if len(rows) == page * page_size:
                break
    return truemed_async.Page(items=tuple(rows[(page - 1) * page_size :]))


# --- exports ------------------------------------------------------------------------------------------------------

Export = Callable[..., Awaitable["ExportResult"]]
"""``await export(stream, to, **options)``: :func:`~truemed_async.export`, or a function like it."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Output:
    """Options of every export.

    Attributes:
        output: The file; - is standard output.
        format: csv, jsonl or parquet. Default: by the suffix of the file, and jsonl for standard output.
        columns: The fields to write, separated by commas, in this order. Default: all.
        pii: What happens to e-mail addresses, names, user ids and undocumented fields: keep, hash (HMAC-SHA256 with the
            secret in TRUEMED_EXPORT_SECRET or --secret-file) or drop.
        secret_file: A file that holds the secret of the hashes, 16 bytes or more.
        resume: Continue an unfinished export with the same options.
        bom: Begin a CSV file with a byte order mark, by which Excel recognizes UTF-8.
    """

    output: Annotated[str, Parameter(allow_leading_hyphen=True)]
    format: Annotated[Literal["csv", "jsonl", "parquet"] | None, LITERAL] = None
    columns: Text = None
    pii: Annotated[Literal["keep", "hash", "drop"], LITERAL] = "keep"
    secret_file: Text = None
    resume: Annotated[bool, Parameter(negative="")] = False
    bom: Flag = False

    @property
    def is_stdout(self) -> bool:
        """Whether rows go to standard output."""
        from truemed_async.exports.files import resolve_target  # noqa: PLC0415  # loads the models: not for --help

        return self.output == STDOUT or resolve_target(self.output) == 1

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of :func:`~truemed_async.export`."""
        return {
            "format": self.format,
            "columns": None if self.columns is None else [name.strip() for name in self.columns.split(",")],
            "pii": self.pii,
            "secret": read_secret(self.pii, self.secret_file),
            "resume": self.resume,
            "bom": self.bom,
        }


def read_secret(pii: str, secret_file: str | None) -> bytes | None:
    """Return the secret of hashed personal data, from a file or the environment."""
    if pii != "hash":
        if secret_file is not None:
            raise InvalidArgumentError("--secret-file requires --pii hash")
        return None
    if secret_file is not None:
        try:
            return Path(secret_file).read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise InvalidArgumentError(f"--secret-file cannot be read: {error.strerror}") from error
    if SECRET_VARIABLE not in os.environ:
        raise ConfigurationError(f"--pii hash needs a secret: set {SECRET_VARIABLE}, or pass --secret-file")
    return os.environ[SECRET_VARIABLE].encode()


async def run_export(
    stream: "Stream[Any]",
    output: Output,
    streams: Streams,
    *,
    noun: str,
    count: Callable[[], Awaitable[int | None]],
    export: Export | None = None,
) -> int:
    """Run an export, with a progress bar on a terminal, and report what was written or what is left of it.

    The exit code is 1 if a row could not be read.

    Args:
        stream: The rows.
        output: The destination and its options.
        streams: Where to report.
        noun: What a row is called.
        count: Returns the total number of rows; only called for a progress bar.
        export: Exports the rows; by default :func:`~truemed_async.export`.
    """
    options = output.as_kwargs()
    export = export or truemed_async.export
    with _report_unfinished(output, streams), await _make_progress(output, streams, count) as show:

        def report(progress: "ExportProgress") -> None:
            show(progress.read)

        result = await export(stream, _destination(output, streams), on_progress=report, **options)
    streams.print_message(_format_result(result, output, noun))
    return EXIT_FAILURE if result.rejected else 0


@contextmanager
def _report_unfinished(output: Output, streams: Streams) -> Generator[None]:
    """Report what is left of an export that was interrupted or failed."""
    from truemed_async.exports.files import is_stream, partial_path, resolve_target  # noqa: PLC0415  # loads the models

    target = STDOUT_DESCRIPTOR if output.is_stdout else resolve_target(output.output)
    try:
        yield
    except (InvalidArgumentError, ConfigurationError):
        raise
    except BaseException:
        if isinstance(target, Path) and not is_stream(target) and partial_path(target).exists():
            streams.print_message(
                f"unfinished: the rows so far are in {partial_path(target)}; "
                "run the same command with --resume to continue"
            )
        raise


def _destination(output: Output, streams: Streams) -> str | BinaryIO:
    if not output.is_stdout:
        return output.output
    if output.format != "parquet":
        return cast("BinaryIO", _TextOutput(streams))
    if streams.is_terminal:
        raise InvalidArgumentError("--format parquet cannot be shown on a terminal: pass --output with a file")
    return streams.out.buffer


@attrs.frozen
class _TextOutput:
    """Standard output as a binary stream; a terminal shows what it cannot write as escapes."""

    streams: Streams

    def write(self, data: bytes) -> int:
        self.streams.write_data(data.decode())
        return len(data)

    def flush(self) -> None:
        self.streams.out.flush()


async def _make_progress(
    output: Output, streams: Streams, count: Callable[[], Awaitable[int | None]]
) -> AbstractContextManager[ShowProgress]:
    shows_rows = output.is_stdout and streams.is_terminal
    if shows_rows or not can_show_progress(streams.err):
        return nullcontext(lambda _: None)
    return progress_bar(streams.err, await count())


def _format_result(result: "ExportResult", output: Output, noun: str) -> str:
    statuses = ", ".join(f"{printable(status)} {count:,}" for status, count in result.statuses.items())
    parts = [f"{pluralize(result.rows, noun)}{statuses and f' ({statuses})'}"]
    if result.rejected:
        place = "" if output.is_stdout else f": they are in {output.output}.rejected.jsonl"
        parts.append(f"{pluralize(result.rejected, 'row')} could not be read{place}")
    if result.resumed:
        parts.append(f"{result.resumed:,} of them from the previous run")
    if result.earliest is not None and result.latest is not None:
        parts.append(f"created {format_minute(result.earliest)} to {format_minute(result.latest)} UTC")
    parts.append(f"{pluralize(result.requests, 'request')}, {pluralize(result.retries, 'retry', 'retries')}")
    where = "standard output" if output.is_stdout else output.output
    return f"{', '.join(parts)}, in {result.seconds:.2f} s to {where}"
