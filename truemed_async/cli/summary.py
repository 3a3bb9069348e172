"""Summaries of listings as charts, JSON or CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import orjson
from cyclopts import Parameter

from truemed_async.cli.chart_output import (
    THEME,
    ChartFormat,
    ChartTarget,
    make_chart_target,
    resolve_chart_format,
    validate_theme,
)
from truemed_async.cli.charts import BarChart, make_timeline
from truemed_async.cli.files import FileOutput, open_output
from truemed_async.cli.options import LITERAL
from truemed_async.cli.output import Streams, pluralize
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async.exports import ListingSummary

SummaryFormat = Literal["json", "csv"]
_SUFFIXES = (".txt", ".json", ".csv", ".svg", ".png")


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SummaryOutput(FileOutput):
    """How a summary is written.

    Attributes:
        format: chart (bars on the terminal), json, csv, or a picture: svg or png. Default: by the suffix of --output (.txt, \
.json, .csv, .svg, .png), else chart on a terminal and json in a pipe.
        theme: The colors of a picture: light or dark. Default: an SVG follows its reader's settings, a PNG is light.
        output: The file to write; - is standard output.
        force: Overwrite the file if it exists.
    """

    format: Annotated[Literal["chart", "json", "csv", "svg", "png"] | None, LITERAL] = None
    theme: THEME = None

    def prepare(self, streams: Streams, noun: str) -> "SummaryTarget":
        """Return where and how a summary is written, before any request is sent.

        Raises:
            InvalidArgumentError: Options contradict each other.
            ConfigurationError: The library that draws a PNG is not installed.
        """
        format = self._resolve_format(is_terminal=streams.is_terminal)
        if format == "json" or format == "csv":  # noqa: PLR1714  # a set would not narrow the type
            validate_theme(self.theme, format)
            return SummaryTarget(streams=streams, output=self, noun=noun, format=format)
        chart = make_chart_target(streams, self, format, self.theme)
        return SummaryTarget(streams=streams, output=self, noun=noun, format=chart)

    def _resolve_format(self, *, is_terminal: bool) -> SummaryFormat | ChartFormat:
        if self.format is not None:
            return self.format
        if self.output is None or self.is_stdout:
            return "chart" if is_terminal else "json"
        if (picture := resolve_chart_format(None, self)) is not None:
            return picture
        match PurePath(self.output).suffix.lower():
            case ".json":
                return "json"
            case ".csv":
                return "csv"
            case ".txt":
                return "chart"
            case _:
                raise InvalidArgumentError(f"--output must end in {', '.join(_SUFFIXES)}, unless --format is given")


SUMMARY_OUTPUT = SummaryOutput()


@attrs.frozen(kw_only=True)
class SummaryTarget:
    """Where and how a summary is written.

    Attributes:
        streams: The standard streams.
        output: The user's options.
        noun: What a row is called.
        format: The format, or where the charts are drawn.
    """

    streams: Streams
    output: FileOutput
    noun: str
    format: SummaryFormat | ChartTarget

    def write(self, summary: "ListingSummary") -> None:
        """Write a summary."""
        if isinstance(self.format, ChartTarget):
            self.format.draw(lambda max_bars: make_charts(summary, self.noun, max_bars))
            return
        text = f"{orjson.dumps(summary.to_dict(), option=orjson.OPT_INDENT_2).decode()}\n"
        with open_output(self.streams, self.output) as file:
            file.write((text if self.format == "json" else _to_csv(summary)).encode())


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


def make_charts(summary: "ListingSummary", noun: str, max_bars: int) -> Sequence[BarChart]:
    """Return charts by status, by day of creation and by expiry, as far as the rows have these."""
    axis = f"Number of {noun}s"
    total = pluralize(summary.rows, noun)
    charts: list[BarChart] = []
    if summary.statuses or not summary.days:
        statuses = [(status, {status: number}) for status, number in summary.statuses.items()]
        charts.append(BarChart(title=f"{total} by status", label_axis="Status", value_axis=axis, bars=statuses))
    if summary.days or not charts:
        title = f"{'C' if charts else f'{total}, c'}reated"
        charts.append(make_timeline(title, summary.days, axis, max_bars))
    if summary.expiring:
        bars = [(f"in {within} days", {"approved": number}) for within, number in summary.expiring.items()]
        charts.append(
            BarChart(
                title="Approved Letters that expire", label_axis="Expiry", value_axis="Number of Letters", bars=bars
            )
        )
    return charts
