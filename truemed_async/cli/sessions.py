"""``truemed sessions``: list, get and update qualification sessions; export and summary have files of their own."""

from typing import TYPE_CHECKING, Annotated, Literal

import orjson
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.exits import exit_code
from truemed_async.cli.export import export_sessions
from truemed_async.cli.options import AS_GIVEN, CONTEXT, EVERYTHING, Filters, Text
from truemed_async.cli.rows import json_line, write_rows
from truemed_async.cli.streams import Streams
from truemed_async.cli.summary import summarize_sessions
from truemed_async.cli.tables import counted, details, sessions_table
from truemed_async.cli.target import Context
from truemed_async.errors import CallError, TruemedError

if TYPE_CHECKING:
    from truemed_async import Model, Unset


def make_app() -> App:
    """Return ``truemed sessions``."""
    app = App(name="sessions", help="Qualification sessions: whether shoppers hold a Letter of Medical Necessity.")
    app.command(list_sessions, name="list")
    app.command(get_sessions, name="get")
    app.command(update_session, name="update")
    app.command(export_sessions, name="export")
    app.command(summarize_sessions, name="summary")
    return app


async def list_sessions(
    *,
    filters: Filters = EVERYTHING,
    page: int = 1,
    page_size: int = 30,
    format: Annotated[Literal["table", "json", "jsonl", "csv"] | None, AS_GIVEN] = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List one page of sessions. To read them all, use export.

    Args:
        filters: Which sessions.
        page: The page, from 1.
        page_size: Sessions on a page, at least 1; the server may give less.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
        context: Not an option.
    """
    streams = context.streams
    async with context.target.connect() as client:
        found = await client.qualification_sessions.list(**filters.given(), page=page, page_size=page_size)
    shape = format or ("table" if streams.for_people else "jsonl")
    match shape:
        case "table":
            console = streams.console()
            console.print(sessions_table(found, console.width))
        case "json":
            streams.line(orjson.dumps([session.to_dict() for session in found], option=orjson.OPT_INDENT_2).decode())
        case rows:
            from truemed_async.exporting import SESSIONS  # noqa: PLC0415  # loads the models: not for --help

            write_rows(streams.out, rows, SESSIONS, found)
    if streams.err.isatty() and found.pagination is not None:
        at = found.pagination
        streams.say(f"page {at.current_page:,} of {at.last_page:,}; {counted(at.count, 'session')} in all")


async def get_sessions(
    ids: Annotated[list[str], Parameter(negative="")], /, *, context: Annotated[Context, CONTEXT]
) -> int:
    """Show sessions: all fields of each on a terminal, else one JSON document an id, in the order of the ids.

    An id that cannot be read does not hide the others; the exit code is then 1.

    Args:
        ids: Ids of qualification sessions.
        context: Not an option.
    """
    streams = context.streams
    failures: list[TruemedError] = []
    async with (
        context.target.connect() as client,
        client.qualification_sessions.get_many(ids, ordered=True) as outcomes,
    ):
        number = 0
        async for outcome in outcomes:
            number += 1
            if outcome.error is None:
                _show(streams, outcome.unwrap())
                continue
            failures.append(outcome.error)
            # What is no id may be anything, for example an e-mail address: it is told by its place.
            which = outcome.id if isinstance(outcome.error, CallError) else f"argument {number}"
            streams.say(f"error: {which}: {outcome.error}")
    return min(map(exit_code, failures), default=0)


async def update_session(
    id: str,
    /,
    *,
    user_id: Text = None,
    metadata: Text = None,
    success_url: Text = None,
    failure_url: Text = None,
    idempotency_key: Text = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Change what you keep on a session; what is not given stays as it is, and nothing can be cleared.

    Args:
        id: The id of the qualification session.
        user_id: Your identifier of the user; it can be set only while the session has none.
        metadata: Your data: the text of a JSON object.
        success_url: Where the customer returns; https, or http on localhost.
        failure_url: Where a customer returns who does not qualify.
        idempotency_key: Makes repeating the same change harmless; by default a new one is made and shown.
        context: Not an option.
    """
    async with context.target.connect() as client:
        update = await client.qualification_sessions.update(
            id,
            user_id=_given(user_id),
            metadata=_given(metadata),
            success_url=_given(success_url),
            failure_url=_given(failure_url),
            idempotency_key=idempotency_key,
        )
    _show(context.streams, update)


def _given(value: str | None) -> "str | Unset":
    return truemed_async.UNSET if value is None else value


def _show(streams: Streams, model: "Model") -> None:
    if streams.for_people:
        streams.console().print(details(model))
    else:
        streams.line(json_line(model))
