"""The commands that every listing has: list, get, export and summary."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

import attrs
import orjson
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.connection import Context, Target
from truemed_async.cli.failures import explain_errors
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.options import CONTEXT, WHOLE_LIST, Period
from truemed_async.cli.output import EXIT_USAGE, Streams, exit_code_of
from truemed_async.cli.progress import ShowProgress, progress_bar
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput, RowTarget
from truemed_async.errors import APIError, InvalidArgumentError, TruemedError

if TYPE_CHECKING:
    from truemed_async import Outcome, Stream
    from truemed_async.cli.listing import Listing

LIST_HELP = """List {nouns}: the first page, unless --limit, --all or --page is given. {note}
"""
GET_HELP = """Show {nouns}, in the given order: all fields on a terminal, else one JSON document a line. {note}

If one of them cannot be read, the others are still shown; the exit code is then 1.

Args:
    ids: {ids}.
    from_stdin: Read ids from standard input, one a line. A line may also be a JSON object as list and export write it.
"""
EXPORT_HELP = """Write all {nouns} to a file. {note}

The file appears when it is complete. Until then, and if the export fails, the rows are in FILE.partial; --resume continues \
it and writes each row once. A summary goes to standard error. CSV holds the documented fields unchanged: spreadsheets \
treat a cell that starts with = + - or @ as a formula. JSONL holds every field that the server sent.
"""
SUMMARY_HELP = """Count {nouns} by status and by day of creation in UTC{letters}.
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

    def selecting_options(self) -> list[str]:
        """Return the options that are set and select rows; flags only add fields."""
        values = self.as_kwargs().items()
        return [f"--{name.replace('_', '-')}" for name, value in values if value is not None and value is not True]


@attrs.frozen(kw_only=True)
class ResourceCommands:
    """The commands of one resource of the client.

    Attributes:
        resource: The attribute of the client.
        model: The name of the row class.
        noun: What a row is called.
        id: The field that identifies a row.
        ids: What the arguments of ``get`` are.
        columns: The columns of tables.
        filters: The options of ``list``, ``export`` and ``summary``.
        note: What to know about the rows.
        has_since: Whether ``iter`` takes ``since``.
        has_letters: Whether rows have a Letter of Medical Necessity.
        names: The names of the commands.
    """

    resource: str
    model: str
    noun: str
    id: str
    ids: str
    columns: tuple[str, ...]
    filters: type[Filters]
    note: str = ""
    has_since: bool = True
    has_letters: bool = False
    names: ClassVar[Sequence[str]] = ("list", "get", "export", "summary")

    def add_to(self, app: App) -> None:
        """Add the commands, each of which ``define`` defines if the command line names it."""
        for name in self.names:
            app.command(App(name=name))

    def define(self, app: App, name: str) -> None:
        """Define the command of the name, whose app this is."""
        make, help = {
            "list": (self._make_list, LIST_HELP),
            "get": (self._make_get, GET_HELP),
            "export": (self._make_export, EXPORT_HELP),
            "summary": (self._make_summary, SUMMARY_HELP),
        }[name]
        command = make()
        annotations = command.__annotations__
        if "filters" in annotations:
            annotations["filters"] = self.filters
        if "period" in annotations and not self.has_since:
            annotations["period"] = Annotated[Period, Parameter(parse=False)]
        command.__doc__ = help.format(
            nouns=f"{self.noun}s",
            ids=self.ids,
            note=self.note,
            letters=", and Letters that expire in 30, 60 and 90 days" if self.has_letters else "",
        ).replace(" \n", "\n")
        app.default(command)

    @property
    def layout(self) -> RowLayout:
        """What rows consist of."""
        return RowLayout(columns=self.columns, model=self.model, id=self.id)

    def _listing(self, client: Any, filters: Filters) -> "Listing":
        from truemed_async.cli.listing import Listing  # noqa: PLC0415  # not for get

        resource = getattr(client, self.resource)
        return Listing(
            get_page=lambda page, size: resource.list(**filters.server_kwargs(), page=page, page_size=size),
            read_all=partial(resource.iter, **filters.as_kwargs()),
            noun=self.noun,
            filters=filters.selecting_options(),
            is_filtered_here=bool(filters.local_kwargs()),
        )

    def _make_list(self) -> Callable[..., Any]:
        from truemed_async.cli.listing import FIRST_PAGE, Paging  # noqa: PLC0415  # not for the other commands

        no_filters = self.filters()

        async def list_rows(
            *,
            filters: Any = no_filters,
            paging: Paging = FIRST_PAGE,
            output: RowOutput = ROW_OUTPUT,
            context: Annotated[Context, CONTEXT],
        ) -> None:
            target = output.prepare(context.streams, self.layout)
            paging.validate()
            async with context.target.connect() as client:
                await self._listing(client, filters).show(target, paging)

        return list_rows

    def _make_get(self) -> Callable[..., Any]:
        async def get_rows(
            ids: Annotated[list[str] | None, Parameter(negative="")] = None,
            /,
            *,
            from_stdin: Annotated[bool, Parameter(name="-", negative="", show_default=False)] = False,
            output: RowOutput = ROW_OUTPUT,
            context: Annotated[Context, CONTEXT],
        ) -> int:
            target = output.prepare(context.streams, self.layout)
            selection = choose_ids(context.streams, ids, self.id, from_stdin=from_stdin)
            async with context.target.connect() as client:
                outcomes = getattr(client, self.resource).get_many(selection.ids, ordered=True)
                return max(selection.exit_code, await show_outcomes(target, outcomes, selection, context.target))

        return get_rows

    def _make_export(self) -> Callable[..., Any]:
        from truemed_async.cli.export import Output, run_export  # noqa: PLC0415  # not for the other commands

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
                listing = self._listing(client, filters)

                async def count() -> int | None:
                    return None if options else await listing.count()  # the server counts rows of other periods, too

                return await run_export(
                    listing.read_all(**options), output, context.streams, noun=self.noun, count=count
                )

        return export_rows

    def _make_summary(self) -> Callable[..., Any]:
        from truemed_async.cli.summary import SUMMARY_OUTPUT, SummaryOutput  # noqa: PLC0415  # not for the other commands

        no_filters = self.filters()

        async def summarize_rows(
            *,
            filters: Any = no_filters,
            period: Period = WHOLE_LIST,
            output: SummaryOutput = SUMMARY_OUTPUT,
            context: Annotated[Context, CONTEXT],
        ) -> None:
            options = period.as_kwargs()
            target = output.prepare(context.streams, self.noun)
            async with context.target.connect() as client:
                stream: Stream[Any] = self._listing(client, filters).read_all(**options)
                with progress_bar(context.streams) as show:
                    summary = await truemed_async.summarize(_watch(stream, show))
            target.write(summary)

        return summarize_rows


def _watch(stream: "Stream[Any]", show: ShowProgress) -> "Stream[Any]":
    """Return a stream of the same rows that shows how many are read."""

    async def batches() -> AsyncGenerator[Sequence[Any]]:
        number = 0
        async with stream:
            async for batch in stream.batches():
                number += len(batch)
                show(number)
                yield batch

    return truemed_async.Stream(batches(), source=stream.source)


# --- ids ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ChosenIds:
    """The ids of a command.

    Attributes:
        ids: The ids.
        labels: Where each was given: the number of its argument, or of its line.
        exit_code: 2 if a line of standard input was no id, else 0.
    """

    ids: list[str]
    labels: list[str]
    exit_code: int = 0


def choose_ids(streams: Streams, ids: list[str] | None, id_field: str, *, from_stdin: bool) -> ChosenIds:
    """Return the ids of the arguments or of standard input; lines that are no ids are reported by their number."""
    if from_stdin == bool(ids):
        raise InvalidArgumentError("pass ids, or - to read them from standard input, one a line")
    if ids:
        return ChosenIds(ids=ids, labels=[f"argument {number}" for number in range(1, len(ids) + 1)])
    lines = [] if streams.source is None else streams.source.read().removeprefix("\ufeff").splitlines()
    found = {number: _parse_id(line, id_field) for number, line in enumerate(lines, 1) if line.strip()}
    valid = {number: id for number, id in found.items() if id is not None}
    for number in sorted(found.keys() - valid.keys()):
        streams.print_message(f"error: line {number} is JSON without {id_field} or id")
    return ChosenIds(
        ids=[*valid.values()],
        labels=[f"line {number}" for number in valid],
        exit_code=0 if len(valid) == len(found) else EXIT_USAGE,
    )


def _parse_id(line: str, id_field: str) -> str | None:
    text: Any = line.strip()
    if text[0] in '{"':
        try:
            data: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {"id": data}
        text = fields.get(id_field, fields.get("id"))
    return text if isinstance(text, str) else None


async def show_outcomes(
    target: RowTarget, outcomes: "Stream[Outcome[Any]]", selection: ChosenIds, server: Target
) -> int:
    """Show the object of each id, or its error; return the exit code."""
    errors: list[TruemedError] = []
    bar: AbstractContextManager[ShowProgress] = nullcontext(lambda _: None)
    if len(selection.ids) > 1 and not target.is_shown:
        bar = progress_bar(target.streams, len(selection.ids))
    with target.open() as writer, bar as show:
        async with outcomes:
            number = 0
            async for outcome in outcomes:
                number += 1
                if outcome.error is None:
                    writer.add_object(outcome.unwrap())
                else:
                    errors.append(outcome.error)
                    report_failed_id(target.streams, outcome.id, selection.labels[number - 1], outcome.error)
                show(number)
    explain_errors(target.streams, server, errors)
    return min(map(exit_code_of, errors), default=0)


def report_failed_id(streams: Streams, id: str, label: str, error: TruemedError) -> None:
    """Report the error of an id.

    A refused one may be anything, for example an e-mail address, so only where it was given is shown, its ``label``.
    """
    streams.print_message(f"error: {label if isinstance(error, InvalidArgumentError) else id}: {error}")
    if isinstance(error, APIError):
        streams.print_server_message(error)
