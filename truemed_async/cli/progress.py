"""The progress bar of a long command."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from truemed_async.cli.output import Streams

T = TypeVar("T")

ShowProgress = Callable[[int], object]
"""Called with the number of rows that are done."""


def can_show_progress(streams: Streams) -> bool:
    """Whether a progress bar can be drawn: on a terminal that can return to the start of a line."""
    return streams.err.isatty() and not Console(file=streams.err).is_dumb_terminal


@contextmanager
def progress_bar(streams: Streams, total: int | None = None) -> Generator[ShowProgress]:
    """Draw a progress bar while the block runs, if one can be drawn, and remove it afterwards.

    Messages appear above it. Data must go elsewhere: print it after the block if it goes to a terminal.
    """
    if not can_show_progress(streams):
        yield lambda _: None
        return
    bar = Progress(
        SpinnerColumn(),
        BarColumn(),
        _CountColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(file=streams.err, markup=False, highlight=False),
        transient=True,
        redirect_stdout=False,  # the data may be going there
        redirect_stderr=False,
    )
    streams.bars.append(bar.console)
    try:
        with bar:
            task = bar.add_task("", total=total)
            yield lambda done: bar.update(task, completed=done)
    finally:
        streams.bars.remove(bar.console)


async def collect_rows(streams: Streams, stream: AsyncIterable[T], rows: list[T]) -> None:
    """Append the rows of a stream, with a progress bar on a terminal; after Ctrl-C too, ``rows`` holds those so far."""
    with progress_bar(streams) as show:
        async for row in stream:
            rows.append(row)
            show(len(rows))


class _CountColumn(ProgressColumn):
    """Rows done, and the total."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}/{'?' if task.total is None else f'{task.total:,.0f}'}")


class _RateColumn(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")
