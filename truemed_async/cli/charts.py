"""Bar charts: on a terminal, or as a picture; and the options of commands that can draw one."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import PurePath
from typing import Annotated, Final, Literal, cast

import attrs
from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Line

from truemed_async.cli.fields import RowLayout
from truemed_async.cli.files import FileOutput, open_output
from truemed_async.cli.options import LITERAL
from truemed_async.cli.output import Streams, printable, render_text
from truemed_async.cli.rows import FieldOptions, Row, RowFormat, RowTarget
from truemed_async.cli.tables import STATUS_STYLES
from truemed_async.errors import InvalidArgumentError

ChartFormat = Literal["chart", "svg", "png"]
Theme = Literal["light", "dark"]
Parts = Mapping[str, int]
"""The parts of a bar: numbers by status."""

OTHER_STYLE = "magenta"
MAX_TERMINAL_BARS = 31  # fit on one or two screens
MAX_PICTURE_BARS = 400  # a little more than the days of a year
MAX_WIDTH = 100  # columns of a chart on a terminal
MIN_BAR_WIDTH = 10
_GAPS = 4  # columns of the terminal between label, number and bar


@attrs.frozen(kw_only=True)
class BarChart:
    """A bar for each label, each with parts of several colors.

    Attributes:
        title: What is shown.
        label_axis: What the labels are.
        value_axis: What is counted.
        bars: The label and the parts of each bar.
        is_timeline: Whether the bars are consecutive periods, which a picture shows side by side.
        format_number: Formats a number of the axis.
        note: What else to know.
    """

    title: str
    label_axis: str
    value_axis: str
    bars: Sequence[tuple[str, Parts]]
    is_timeline: bool = False
    format_number: Callable[[int], str] = "{:,}".format
    note: str = ""

    @property
    def series(self) -> list[str]:
        """The names of all parts."""
        return sorted({name for _, parts in self.bars for name in parts})

    @property
    def highest(self) -> int:
        """The length of the longest bar."""
        return max((sum(parts.values()) for _, parts in self.bars), default=0)


Figure = Callable[[int], Sequence[BarChart]]
"""Returns charts of which each timeline has at most a number of bars."""


# --- time ---------------------------------------------------------------------------------------------------------


def make_timeline(title: str, days: Mapping[date, Parts], value_axis: str, max_bars: int) -> BarChart:
    """Return a bar for each day from the first to the last, those without rows too; for weeks or months if they are many.

    Args:
        title: What is shown.
        days: The parts of each day, in UTC.
        value_axis: What is counted.
        max_bars: How many bars there can be; of more months, the last ones are shown.
    """
    unit, starts = next(
        (unit, starts)
        for unit in _START
        for starts in [_periods(days, unit)]
        if len(starts) <= max_bars or unit == "month"
    )
    counts: dict[date, Counter[str]] = {start: Counter() for start in starts}
    for day, parts in days.items():
        counts[_START[unit](day)].update(parts)
    shown = starts[-max_bars:]
    form = "%Y-%m" if unit == "month" else "%Y-%m-%d"
    return BarChart(
        title=f"{title}, by {unit}",
        label_axis={"day": "Day, UTC", "week": "Week from its Monday, UTC", "month": "Month, UTC"}[unit],
        value_axis=value_axis,
        bars=[(f"{start:{form}}", counts[start]) for start in shown],
        is_timeline=True,
        note="" if len(shown) == len(starts) else f"The last {len(shown)} of {len(starts)} months.",
    )


_START: Final[Mapping[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=min(day.weekday(), day.toordinal() - 1)),
    "month": lambda day: day.replace(day=1),
}


def _periods(days: Mapping[date, object], unit: str) -> list[date]:
    """Return the first days of all periods between the first and the last day."""
    if not days:
        return []
    start = _START[unit]
    return list(dict.fromkeys(map(start, _all_days(min(days), max(days)))))


def _all_days(first: date, last: date) -> Iterator[date]:
    return (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))


# --- terminal -----------------------------------------------------------------------------------------------------


def render_charts(charts: Sequence[BarChart], width: int) -> RenderableType:
    """Return charts of at most ``width`` columns."""
    return Group(*(_render_chart(chart, min(width, MAX_WIDTH)) for chart in charts))


def _render_chart(chart: BarChart, width: int) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    numbers = [chart.format_number(sum(parts.values())) for _, parts in chart.bars]
    labels = max((len(printable(label)) for label, _ in chart.bars), default=0)
    room = max(MIN_BAR_WIDTH, width - labels - max(map(len, numbers), default=0) - _GAPS)
    for (label, parts), number in zip(chart.bars, numbers, strict=True):
        table.add_row(Line(printable(label)), Line(number), _draw_bar(parts, room / max(chart.highest, 1)))
    title = Line(f"\n{chart.title}", style="bold")
    legend = _legend(chart.series) if chart.is_timeline else Line()
    lines: list[RenderableType] = [title, *([legend] if legend else []), table]
    return Group(*lines, *([Line(chart.note, style="dim")] if chart.note else []))


def _legend(series: Sequence[str]) -> Line:
    """Return what the colors of stacked bars mean."""
    if len(series) < 2:
        return Line()
    return Line("  ").join(Line.assemble(("█", _style_of(name)), f" {printable(name)}") for name in series)


def _draw_bar(parts: Parts, scale: float) -> Line:
    """Return one bar of several colors; its length is that of the sum, not of the rounded lengths of its parts."""
    bar, done = Line(no_wrap=True), 0
    for name in sorted(parts):
        done += parts[name]
        bar.append("█" * (round(done * scale) - len(bar)), style=_style_of(name))
    return bar


def _style_of(name: str) -> str:
    return STATUS_STYLES.get(name, OTHER_STYLE)


# --- options ------------------------------------------------------------------------------------------------------

THEME = Annotated[Theme | None, LITERAL]
_PICTURES: Mapping[str, ChartFormat] = {".svg": "svg", ".png": "png"}
_CHART_FORMATS: Mapping[str, ChartFormat] = {"chart": "chart", "svg": "svg", "png": "png"}


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ChartableOutput(FieldOptions):
    """How rows are written that can also be drawn as a chart.

    Attributes:
        format: table, csv, json (indented), jsonl (one object a line), chart (bars on the terminal), or a picture: svg
            or png. Default: by the suffix of --output, else table on a terminal and jsonl in a pipe. Amounts are dollars
            in tables and charts, and cents elsewhere.
        json: Write these fields as JSON: their names, separated by commas.
        columns: The columns of a table or of CSV: names as for --json, in this order.
        theme: The colors of a picture: light or dark. Default: an SVG follows its reader's settings, a PNG is light.
        output: The file to write; - is standard output.
        force: Overwrite the file if it exists.
    """

    format: Annotated[Literal["table", "csv", "json", "jsonl", "chart", "svg", "png"] | None, LITERAL] = None
    theme: THEME = None

    def prepare(self, streams: Streams, layout: RowLayout) -> "RowTarget | ChartTarget":
        """Return where and how rows, or a chart of them, are written, before any request is sent.

        Raises:
            InvalidArgumentError: Options contradict each other, or name an unknown field.
            ConfigurationError: The library that draws a PNG is not installed.
        """
        format = resolve_chart_format(self.format, self)
        if format is not None:
            if self.json is not None or self.columns is not None:
                raise InvalidArgumentError("--json and --columns do not apply to charts")
            return make_chart_target(streams, self, format, self.theme)
        validate_theme(self.theme, "table")
        return self.prepare_rows(streams, layout, cast("RowFormat | None", self.format))


CHARTABLE_OUTPUT = ChartableOutput()


@attrs.frozen(kw_only=True)
class ChartTarget:
    """Where and how a chart is drawn."""

    streams: Streams
    output: FileOutput
    format: ChartFormat
    theme: Theme | None

    def draw(self, figure: Figure) -> None:
        """Draw the charts of a figure."""
        if self.format == "chart":
            self._print(figure(MAX_TERMINAL_BARS))
            return
        from truemed_async.cli.pictures import draw_png, draw_svg  # noqa: PLC0415  # only for pictures

        charts = figure(MAX_PICTURE_BARS)
        data = draw_png(charts, self.theme or "light") if self.format == "png" else draw_svg(charts, self.theme)
        with open_output(self.streams, self.output, is_text=self.format == "svg") as file:
            file.write(data)

    def _print(self, charts: Sequence[BarChart]) -> None:
        if self.output.is_stdout:
            console = self.streams.console()
            console.print(render_charts(charts, console.width))
            return
        with open_output(self.streams, self.output) as file:
            file.write(render_text(lambda console: console.print(render_charts(charts, MAX_WIDTH)), MAX_WIDTH))


def write_rows(target: "RowTarget | ChartTarget", rows: Sequence[Row], figure: Figure, *, empty: str) -> None:
    """Write rows, or their chart."""
    if isinstance(target, ChartTarget):
        target.draw(figure)
    else:
        target.write(rows, empty=empty)


def resolve_chart_format(format: str | None, output: FileOutput) -> ChartFormat | None:
    """Return the format of a chart; ``None`` if the rows themselves are written."""
    if format is None and output.output is not None:
        return _PICTURES.get(PurePath(output.output).suffix.lower())
    return _CHART_FORMATS.get(format or "")


def make_chart_target(streams: Streams, output: FileOutput, format: ChartFormat, theme: Theme | None) -> "ChartTarget":
    """Return where a chart is drawn.

    Raises:
        InvalidArgumentError: A picture was to be shown on a terminal, or text to have a theme.
        ConfigurationError: The library that draws a PNG is not installed.
    """
    validate_theme(theme, format)
    if format == "png":
        from truemed_async.cli.pictures import import_pillow  # noqa: PLC0415  # only for pictures

        import_pillow()
        if output.is_stdout and streams.is_terminal:
            raise InvalidArgumentError("--format png cannot be shown on a terminal: pass --output with a file")
    return ChartTarget(streams=streams, output=output, format=format, theme=theme)


def validate_theme(theme: Theme | None, format: str) -> None:
    """Refuse a theme where there are no colors to choose."""
    if theme is not None and format not in ("svg", "png"):
        raise InvalidArgumentError("--theme applies to svg and png")
