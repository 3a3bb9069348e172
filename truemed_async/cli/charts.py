"""Draws summaries: on a terminal, and the same as an SVG picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from truemed_async.cli.tables import counted, visible

if TYPE_CHECKING:
    from truemed_async.exports import ListingSummary

COLOURS: Mapping[str, str] = {"approved": "green", "pending": "yellow", "processing": "blue", "rejected": "red"}
OTHER = "magenta"
DAYS = 31  # bars that fit on a screen or two
BESIDE = 36  # columns of the terminal for what stands beside a bar
WIDTH = 100  # columns of the picture

# As the library draws it, without its fonts, which a browser would fetch from another server, and without a window.
PICTURE = """\
<svg class="rich-terminal" viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="100%" height="100%" fill="#292929"/>
<g clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def chart(summary: ListingSummary, width: int) -> RenderableType:
    """Return bars of the counts by status and by day, and how many Letters expire, in so many columns."""
    room = max(10, min(width, WIDTH) - BESIDE)
    recent = [*summary.days.items()][-DAYS:]
    days = [(f"{day:%Y-%m-%d}", statuses) for day, statuses in recent]
    statuses = [(status, {status: number}) for status, number in summary.statuses.items()]
    expiring = [(f"in {within} days", {"approved": number}) for within, number in summary.expiring.items()]
    hidden = len(summary.days) - len(recent)
    left_out = f"; the last {DAYS} of {len(summary.days)} days, all of them with --format json" if hidden else ""
    return Group(
        Text(counted(summary.rows, "session")),
        _bars("by status", statuses, room),
        _bars(f"by day of creation, UTC{left_out}", days, room),
        _bars("approved Letters that expire", expiring, room),
    )


def _bars(title: str, rows: Sequence[tuple[str, Mapping[str, int]]], room: int) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    longest = max((sum(parts.values()) for _, parts in rows), default=0)
    for label, parts in rows:
        total = sum(parts.values())
        table.add_row(Text(visible(label)), Text(f"{total:,}", justify="right"), _bar(parts, room / max(longest, 1)))
    return Group(Text(f"\n{title}", style="bold"), table)


def _bar(parts: Mapping[str, int], scale: float) -> Text:
    """Return one bar of several colours; its length is that of the sum, not of the parts' rounded lengths."""
    bar, done = Text(no_wrap=True), 0
    for status in sorted(parts):
        done += parts[status]
        bar.append("█" * (round(done * scale) - len(bar)), style=COLOURS.get(status, OTHER))
    return bar


def svg(summary: ListingSummary) -> str:
    """Return the chart as an SVG picture that stands alone: it names no font or file of another server."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(chart(summary, WIDTH))
    return console.export_svg(code_format=PICTURE, unique_id="summary")
