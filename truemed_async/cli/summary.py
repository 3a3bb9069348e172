"""Summaries of listings as a chart, JSON, CSV or an SVG image."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from truemed_async.cli.options import LITERAL
from truemed_async.cli.output import Streams, pluralize, printable
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async.exports import ListingSummary

SummaryFormat = Annotated[Literal["chart", "json", "csv"] | None, LITERAL]

COLORS: Mapping[str, str] = {"approved": "green", "pending": "yellow", "processing": "blue", "rejected": "red"}
OTHER_COLOR = "magenta"
DAYS_SHOWN = 31  # fits on one or two screens
GUTTER = 36  # columns of the terminal beside a bar
MAX_WIDTH = 100  # columns of the chart

# The library's template without its fonts, which a browser would load from another server, and without a window.
SVG_TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="100%" height="100%" fill="#292929"/>
<g clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def write_summary(streams: Streams, summary: "ListingSummary", format: str | None, svg: Path | None, noun: str) -> None:
    """Write a summary; ``None`` is a chart on a terminal, else JSON."""
    match format or ("chart" if streams.is_terminal else "json"):
        case "chart":
            console = streams.console()
            console.print(make_chart(summary, console.width, noun))
        case "json":
            streams.print_data(orjson.dumps(summary.to_dict(), option=orjson.OPT_INDENT_2).decode())
        case _:
            streams.write_data(_to_csv(summary))
    if svg is not None:
        try:
            svg.write_text(make_svg(summary, noun), encoding="utf-8")
        except OSError as error:
            raise InvalidArgumentError(f"--svg {svg} cannot be written: {error.strerror}") from error


def _to_csv(summary: "ListingSummary") -> str:
    """Return one table of all counts: what is counted, the day or number of days, the status, and the number of rows."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["count", "of", "status", "rows"])
    table.writerows(["status", "", status, number] for status, number in summary.statuses.items())
    for day, statuses in summary.days.items():
        table.writerows(["created_on", day, status, number] for status, number in statuses.items())
    table.writerows(["expiring_within_days", days, "approved", number] for days, number in summary.expiring.items())
    return text.getvalue()


def make_chart(summary: "ListingSummary", width: int, noun: str) -> RenderableType:
    """Return bars by status, by day and by expiry, at most ``width`` columns wide."""
    room = max(10, min(width, MAX_WIDTH) - GUTTER)
    recent = [*summary.days.items()][-DAYS_SHOWN:]
    days = [(f"{day:%Y-%m-%d}", statuses) for day, statuses in recent]
    statuses = [(status, {status: number}) for status, number in summary.statuses.items()]
    expiring = [(f"in {within} days", {"approved": number}) for within, number in summary.expiring.items()]
    hidden = len(summary.days) - len(recent)
    note = f"; the last {DAYS_SHOWN} of {len(summary.days)} days, all of them with --format json" if hidden else ""
    charts = [
        draw_bars("by status", statuses, room),
        draw_bars(f"by day of creation, UTC{note}", days, room),
    ]
    if expiring:
        charts.append(draw_bars("approved Letters that expire", expiring, room))
    return Group(Text(pluralize(summary.rows, noun)), *charts)


def draw_bars(title: str, rows: Sequence[tuple[str, Mapping[str, int]]], room: int) -> RenderableType:
    """Return a bar for each label, in one color for each status; the longest is ``room`` columns wide."""
    table = Table.grid(padding=(0, 2))
    longest = max((sum(parts.values()) for _, parts in rows), default=0)
    for label, parts in rows:
        total = sum(parts.values())
        table.add_row(
            Text(printable(label)), Text(f"{total:,}", justify="right"), _draw_bar(parts, room / max(longest, 1))
        )
    return Group(Text(f"\n{title}", style="bold"), table)


def _draw_bar(parts: Mapping[str, int], scale: float) -> Text:
    """Return one bar of several colors; its length is that of the sum, not of the rounded lengths of its parts."""
    bar, done = Text(no_wrap=True), 0
    for status in sorted(parts):
        done += parts[status]
        bar.append("█" * (round(done * scale) - len(bar)), style=COLORS.get(status, OTHER_COLOR))
    return bar


def make_svg(summary: "ListingSummary", noun: str) -> str:
    """Return the chart as a self-contained SVG image: it loads no font or file from elsewhere."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=MAX_WIDTH,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(make_chart(summary, MAX_WIDTH, noun))
    return console.export_svg(code_format=SVG_TEMPLATE, unique_id="summary")
