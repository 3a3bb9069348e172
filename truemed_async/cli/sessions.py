"""``truemed sessions``: list, get and update qualification sessions; export and summary have files of their own."""

from typing import Annotated

from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.export import export_sessions
from truemed_async.cli.options import CONTEXT, EVERYTHING, Filters, Text, given
from truemed_async.cli.showing import ListFormat, show, show_each, show_page
from truemed_async.cli.summary import summarize_sessions
from truemed_async.cli.target import Context

COLUMNS = ("qualification_session_id", "status", "created_at", "expires_at", "user_id", "email")


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
    format: ListFormat = None,
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
    async with context.target.connect() as client:
        found = await client.qualification_sessions.list(**filters.given(), page=page, page_size=page_size)
    show_page(context.streams, found, format, model=truemed_async.QualificationSession, columns=COLUMNS, noun="session")


async def get_sessions(
    ids: Annotated[list[str], Parameter(negative="")], /, *, context: Annotated[Context, CONTEXT]
) -> int:
    """Show sessions: all fields of each on a terminal, else one JSON document an id, in the order of the ids.

    An id that cannot be read does not hide the others; the exit code is then 1.

    Args:
        ids: Ids of qualification sessions.
        context: Not an option.
    """
    async with context.target.connect() as client:
        return await show_each(context.streams, client.qualification_sessions.get_many(ids, ordered=True))


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
            user_id=given(user_id),
            metadata=given(metadata),
            success_url=given(success_url),
            failure_url=given(failure_url),
            idempotency_key=idempotency_key,
        )
    show(context.streams, update)
