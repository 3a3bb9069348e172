"""How a terminal shows bar charts."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Line

from truemed_async.cli.charts import BarChart, Parts
from truemed_async.cli.output import printable
from truemed_async.cli.tables import STATUS_STYLES

OTHER_STYLE = "magenta"
MAX_WIDTH = 100  # columns of a chart on a terminal
MIN_BAR_WIDTH = 10
_GAPS = 4  # columns of the terminal between label, number and bar
_FILL = "█"
_FILLS = "█▓▒░#*+=-"  # of parts without colors; there are fewer statuses


def render_charts(charts: Sequence[BarChart], width: int, *, has_colors: bool = True) -> RenderableType:
    """Return charts of at most ``width`` columns. Without colors, the parts of a timeline differ in their characters."""
    return Group(*(_render_chart(chart, min(width, MAX_WIDTH), has_colors) for chart in charts))


def _render_chart(chart: BarChart, width: int, has_colors: bool) -> RenderableType:
    fills = {} if has_colors or not chart.is_timeline else dict(zip(chart.series, _FILLS, strict=False))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    numbers = [chart.format_number(sum(parts.values())) for _, parts in chart.bars]
    labels = max((len(printable(label)) for label, _ in chart.bars), default=0)
    room = max(MIN_BAR_WIDTH, width - labels - max(map(len, numbers), default=0) - _GAPS)
    for (label, parts), number in zip(chart.bars, numbers, strict=True):
        table.add_row(Line(printable(label)), Line(number), _draw_bar(parts, room / max(chart.highest, 1), fills))
    title = Line(f"\n{chart.title}", style="bold")
    legend = _legend(chart.series, fills) if chart.is_timeline else Line()
    lines: list[RenderableType] = [title, *([legend] if legend else []), table]
    return Group(*lines, *([Line(chart.note, style="dim")] if chart.note else []))


def _legend(series: Sequence[str], fills: Mapping[str, str]) -> Line:
    """Return what the colors or characters of stacked bars mean."""
    if len(series) < 2:
        return Line()
    return Line("  ").join(
        Line.assemble((fills.get(name, _FILL), _style_of(name)), f" {printable(name)}") for name in series
    )


def _draw_bar(parts: Parts, scale: float, fills: Mapping[str, str]) -> Line:
    """Return one bar of several colors or characters; its length is that of the sum, not of the rounded lengths of its parts."""
    bar, done = Line(no_wrap=True), 0
    for name in sorted(parts):
        done += parts[name]
        bar.append(fills.get(name, _FILL) * (round(done * scale) - len(bar)), style=_style_of(name))
    return bar


def _style_of(name: str) -> str:
    return STATUS_STYLES.get(name, OTHER_STYLE)
