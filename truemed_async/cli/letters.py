"""``truemed sessions find-valid`` and ``expiring``: who holds a Letter of Medical Necessity, and whose ends soon."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from rich.text import Text as Line

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.options import CONTEXT, LITERAL, RequiredText, Text, parse_duration
from truemed_async.cli.output import EXIT_FAILURE, Streams, pluralize, render_object, render_rows
from truemed_async.cli.progress import collect_rows
from truemed_async.cli.summary import GUTTER, MAX_WIDTH, draw_bars
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import QualificationSession

COLUMNS = ("qualification_session_id", "expires_at", "user_id", "email", "renewal_link")
MAX_BARS = 31  # bars that fit on a screen: beyond it, each stands for a week


async def find_valid(*, user_id: Text = None, email: Text = None, context: Annotated[Context, CONTEXT]) -> int:
    """Show the session with which a shopper can skip the survey: the valid Letter that expires last.

    The exit code is 1 if there is none.

    Args:
        user_id: Your identifier of the user. Pass this or --email.
        email: The e-mail address with which the shopper qualified.
    """
    if (user_id is None) == (email is None):
        raise InvalidArgumentError("pass either --user-id or --email")
    async with context.target.connect() as client:
        session = await client.qualification_sessions.find_valid(user_id=user_id, email=email)
    if session is None:
        context.streams.print_message("no valid Letter")
        return EXIT_FAILURE
    render_object(context.streams, session)
    return 0


async def list_expiring(
    *,
    within: RequiredText = "60d",
    qualification_id: Text = None,
    source: RequiredText = "renewal",
    format: Annotated[Literal["table", "chart", "csv", "json", "jsonl"] | None, LITERAL] = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List the approved sessions whose Letter of Medical Necessity expires soon, first expiry first.

    Each row has a link to the survey, with the user id and the SKUs of the session, if --qualification-id is given. \
One request is sent for each day.

    Args:
        within: The period from now, such as 60d, 8w or 36h.
        qualification_id: The id of your survey, tm_qual_…, from Truemed.
        source: The source of the link, which Truemed returns on the new session.
        format: table, chart (a bar for each day or week), csv, json or jsonl. Default: table on a terminal, else jsonl.
    """
    streams, now = context.streams, datetime.now(UTC)
    if qualification_id is not None:
        truemed_async.qualification_link(qualification_id, source=source)  # refuses them before any request
    sessions: list[QualificationSession] = []
    async with context.target.connect() as client:
        expiring = client.qualification_sessions.iter_expiring(now, now + _parse_within(within))
        await collect_rows(streams, expiring, sessions)
    if format == "chart":
        _draw_chart(streams, sessions)
        return
    render_rows(streams, [_to_row(each, qualification_id, source) for each in sessions], format, COLUMNS)
    if streams.err.isatty():
        streams.print_message(f"{pluralize(len(sessions), 'Letter')} within {within}")
        if sessions and qualification_id is None:
            streams.print_message("pass --qualification-id tm_qual_… for links to renew them")


def _parse_within(text: str) -> timedelta:
    """Return the period of ``--within``."""
    from truemed_async.resources.qualification_sessions import MAX_EXPIRY_DAYS  # noqa: PLC0415  # loads the client

    period = parse_duration("--within", text)
    if period.days > MAX_EXPIRY_DAYS:
        raise InvalidArgumentError(f"--within must be at most {MAX_EXPIRY_DAYS}d: each day takes a request")
    return period


def _to_row(session: "QualificationSession", qualification_id: str | None, source: str) -> dict[str, Any]:
    """Return the row of a session; times in UTC."""
    skus = [sku.strip() for sku in (session.skus_param or "").split(",")]
    return {
        "qualification_session_id": session.qualification_session_id,
        "expires_at": session.expires_at,
        "user_id": session.user_id,
        "email": session.email,
        "renewal_link": None
        if qualification_id is None
        else truemed_async.qualification_link(
            qualification_id, source=source, user_id=session.user_id or None, skus=[sku for sku in skus if sku]
        ),
    }


def _draw_chart(streams: Streams, sessions: list["QualificationSession"]) -> None:
    """Draw a bar for each day on which Letters expire, or for each week if there are many days."""
    days = [each.expires_at.astimezone(UTC).date() for each in sessions if each.expires_at is not None]
    by_week = len(set(days)) > MAX_BARS
    starts = Counter(day - timedelta(days=day.weekday()) if by_week else day for day in days)
    rows = [(f"{start:%Y-%m-%d}", {"approved": number}) for start, number in sorted(starts.items())]
    console = streams.console()
    console.print(Line(pluralize(len(days), "Letter")))
    title = f"that expire, by {'week, from its Monday' if by_week else 'day'}, UTC"
    console.print(draw_bars(title, rows, max(10, min(console.width, MAX_WIDTH) - GUTTER)))
