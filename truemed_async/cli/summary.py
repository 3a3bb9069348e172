"""``truemed sessions summary``."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import orjson
from cyclopts import Parameter

import truemed_async
from truemed_async.cli.charts import chart, svg
from truemed_async.cli.options import AS_GIVEN, CONTEXT, EVERYTHING, Filters, Text, moment
from truemed_async.cli.target import Context
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async.exports import ListingSummary


async def summarize_sessions(
    *,
    filters: Filters = EVERYTHING,
    since: Text = None,
    format: Annotated[Literal["chart", "json", "csv"] | None, AS_GIVEN] = None,
    svg: Annotated[Text, Parameter(name="--svg")] = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Count sessions by status and by day of creation in UTC, and approved Letters that expire in 30, 60 and 90 days.

    Args:
        filters: Which sessions.
        since: Only sessions created at this moment or later: YYYY-MM-DD, or a time such as 2026-11-01T09:30+01:00; UTC
            if it names no zone. Letters of older sessions are not counted either.
        format: chart, json or csv. Default: chart on a terminal, else json.
        svg: A file to draw the chart in, too.
        context: Not an option.
    """
    streams = context.streams
    start = moment("since", since)
    async with context.target.connect() as client:
        summary = await truemed_async.summarize(
            client.qualification_sessions.iter(**filters.given(), since=start, look_back=timedelta(0))
        )
    match format or ("chart" if streams.for_people else "json"):
        case "chart":
            console = streams.console()
            console.print(chart(summary, console.width))
        case "json":
            streams.line(orjson.dumps(summary.to_dict(), option=orjson.OPT_INDENT_2).decode())
        case _:
            _write_csv(streams.out, summary)
    if svg is not None:
        _draw(summary, Path(svg))


def _write_csv(file: TextIO, summary: "ListingSummary") -> None:
    """Write one table of all counts: what is counted, of which day or within how many days, and of which status."""
    table = csv.writer(file)
    table.writerow(["count", "of", "status", "sessions"])
    table.writerows(["status", "", status, number] for status, number in summary.statuses.items())
    for day, statuses in summary.days.items():
        table.writerows(["created_on", day, status, number] for status, number in statuses.items())
    table.writerows(["expiring_within_days", days, "approved", number] for days, number in summary.expiring.items())


def _draw(summary: "ListingSummary", file: Path) -> None:
    try:
        file.write_text(svg(summary), encoding="utf-8")
    except OSError as error:
        raise InvalidArgumentError(f"--svg {file} cannot be written: {error.strerror}") from error
