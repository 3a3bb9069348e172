"""``truemed sessions find-valid`` and ``expiring``: who holds a Letter of Medical Necessity, and whose ends soon."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import truemed_async
from truemed_async.cli.chart_output import CHARTABLE_OUTPUT, ChartableOutput, write_rows
from truemed_async.cli.charts import make_timeline
from truemed_async.cli.connection import Context
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.link import survey_link
from truemed_async.cli.options import CONTEXT, RequiredText, Text, parse_duration
from truemed_async.cli.output import EXIT_FAILURE, pluralize
from truemed_async.cli.progress import collect_rows
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import QualificationSession
    from truemed_async.cli.connection import Target

EXPIRING = RowLayout(
    columns=("qualification_session_id", "expires_at", "user_id", "email", "renewal_link"),
    id="qualification_session_id",
)


async def find_valid(
    *,
    user_id: Text = None,
    email: Text = None,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Show the session with which a shopper can skip the survey: the valid Letter that expires last.

    The exit code is 1 if there is none.

    Args:
        user_id: Your identifier of the user. Pass this or --email.
        email: The e-mail address with which the shopper qualified.
    """
    if (user_id is None) == (email is None):
        raise InvalidArgumentError("pass either --user-id or --email")
    target = output.prepare(context.streams, RowLayout(model="QualificationSession", id="qualification_session_id"))
    async with context.target.connect() as client:
        session = await client.qualification_sessions.find_valid(user_id=user_id, email=email)
    if session is None:
        context.streams.print_message("no valid Letter")
        return EXIT_FAILURE
    target.write_object(session)
    return 0


async def list_expiring(
    *,
    within: RequiredText = "60d",
    qualification_id: Text = None,
    source: RequiredText = "renewal",
    output: ChartableOutput = CHARTABLE_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List the approved sessions whose Letter of Medical Necessity expires soon, first expiry first.

    A chart has a bar for each day. Each row has a link to the survey, with the user id and the SKUs of the session, if --qualification-id is given. \
One request is sent for each day.

    Args:
        within: The period from now, such as 60d, 8w or 36h.
        qualification_id: The id of your survey, tm_qual_…, from Truemed.
        source: The source of the link, which Truemed returns on the new session.
    """
    streams, now = context.streams, datetime.now(UTC)
    target = output.prepare(streams, EXPIRING)
    if qualification_id is not None:
        truemed_async.qualification_link(qualification_id, source=source)  # refuses them before any request
    sessions: list[QualificationSession] = []
    async with context.target.connect() as client:
        expiring = client.qualification_sessions.iter_expiring(now, now + _parse_within(within))
        await collect_rows(streams, expiring, sessions)
    ends = Counter(each.expires_at.astimezone(UTC).date() for each in sessions if each.expires_at is not None)
    days = {day: {"approved": number} for day, number in ends.items()}
    title = f"{pluralize(len(sessions), 'Letter that expires', 'Letters that expire')} within {within}"
    write_rows(
        target,
        [_to_row(context.target, each, qualification_id, source) for each in sessions],
        lambda max_bars: [make_timeline(title, days, "Number of Letters", max_bars)],
        empty=f"no Letter expires within {within}: try a longer --within",
    )
    if sessions and streams.err.isatty():
        streams.print_message(title)
        if qualification_id is None:
            streams.print_message("pass --qualification-id tm_qual_… for links to renew them")


def _parse_within(text: str) -> timedelta:
    """Return the period of ``--within``."""
    from truemed_async.resources.qualification_sessions import MAX_EXPIRY_DAYS  # noqa: PLC0415  # loads the client

    period = parse_duration("--within", text)
    if period.days > MAX_EXPIRY_DAYS:
        raise InvalidArgumentError(f"--within must be at most {MAX_EXPIRY_DAYS}d: each day takes a request")
    return period


def _to_row(
    target: "Target", session: "QualificationSession", qualification_id: str | None, source: str
) -> dict[str, Any]:
    """Return the row of a session; times in UTC."""
    return {
        "qualification_session_id": session.qualification_session_id,
        "expires_at": session.expires_at,
        "user_id": session.user_id,
        "email": session.email,
        "renewal_link": None if qualification_id is None else survey_link(target, session, qualification_id, source),
    }
