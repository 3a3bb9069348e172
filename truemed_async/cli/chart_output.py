"""Options of commands that can draw a chart: on a terminal, or as a picture."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Literal, cast

import attrs
from cyclopts import Parameter

from truemed_async.cli.charts import BarChart, Theme
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.files import FileOutput, open_output
from truemed_async.cli.options import LITERAL
from truemed_async.cli.output import Streams
from truemed_async.cli.rows import FieldOptions, Row, RowFormat, RowTarget
from truemed_async.errors import InvalidArgumentError

ChartFormat = Literal["chart", "svg", "png"]
Figure = Callable[[int], Sequence[BarChart]]
"""Returns charts of which each timeline has at most a number of bars."""

MAX_TERMINAL_BARS = 31  # fit on one or two screens
MAX_PICTURE_BARS = 400  # a little more than the days of a year
THEME = Annotated[Theme | None, LITERAL]
_PICTURES: Mapping[str, ChartFormat] = {".svg": "svg", ".png": "png"}
_CHART_FORMATS: Mapping[str, ChartFormat] = {"chart": "chart", "svg": "svg", "png": "png"}


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ChartableOutput(FieldOptions):
    """How rows are written that can also be drawn as a chart.

    Attributes:
        format: table, csv, json (indented), jsonl (one object a line), chart (bars on the terminal), or a picture: svg \
or png. Default: by the suffix of --output, else table on a terminal and jsonl in a pipe. Amounts are dollars \
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
        from truemed_async.cli.consoles import render_text  # noqa: PLC0415  # loads rich: only to draw
        from truemed_async.cli.terminal_charts import MAX_WIDTH, render_charts  # noqa: PLC0415  # loads rich: only to draw

        if self.output.is_stdout:
            console = self.streams.console()
            has_colors = console.color_system is not None and not console.no_color
            console.print(render_charts(charts, console.width, has_colors=has_colors))
            return
        with open_output(self.streams, self.output) as file:
            chart = render_charts(charts, MAX_WIDTH, has_colors=False)
            file.write(render_text(lambda console: console.print(chart), MAX_WIDTH))


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
