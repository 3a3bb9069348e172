"""``truemed sessions export``."""

from datetime import timedelta
from typing import Annotated, Any

from truemed_async.cli.options import CONTEXT, EVERYTHING, Filters, Text, moment
from truemed_async.cli.output import Output, run_export
from truemed_async.cli.target import Context


async def export_sessions(
    *,
    output: Output,
    filters: Filters = EVERYTHING,
    since: Text = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Write every session to a file.

    The file appears when it is complete; until then, and if something goes wrong, the rows are in FILE.partial, and
    --resume goes on from there: each session is written once. A summary goes to standard error. CSV holds the
    documented fields as they are: before you open it in a spreadsheet, know that it takes a cell that starts with
    = + - or @ for a formula. JSONL holds every field that the server sent.

    Args:
        output: Where to, and how.
        filters: Which sessions.
        since: Only sessions created at this moment or later: YYYY-MM-DD, or a time such as 2026-11-01T09:30+01:00; UTC
            if it names no zone.
        context: Not an option.
    """
    chosen: dict[str, Any] = {**filters.given(), "since": moment("since", since)}
    async with context.target.connect() as client:

        async def total() -> int | None:
            if since is not None:
                return None  # the server counts those before it too
            first = await client.qualification_sessions.list(**filters.given(), page=1, page_size=1)
            return first.pagination.count if first.pagination else None

        stream = client.qualification_sessions.iter(**chosen, look_back=timedelta(0))
        await run_export(stream, output, context.streams, noun="session", total=total)
