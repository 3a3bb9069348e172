"""The progress bar of a long command."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from truemed_async.cli.output import Streams

T = TypeVar("T")

ShowProgress = Callable[[int], object]
"""Called with the number of rows that are done."""


def can_show_progress(stream: TextIO) -> bool:
    """Whether a progress bar can be drawn: on a terminal that can return to the start of a line."""
    return stream.isatty() and not Console(file=stream).is_dumb_terminal


@contextmanager
def progress_bar(stream: TextIO, total: int | None) -> Generator[ShowProgress]:
    """Draw a progress bar while the block runs, and remove it afterwards."""
    bar = Progress(
        SpinnerColumn(),
        BarColumn(),
        _CountColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(file=stream),
        transient=True,
        redirect_stdout=False,  # the data may be going there
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


async def collect_rows(streams: Streams, stream: AsyncIterable[T], rows: list[T]) -> None:
    """Append the rows of a stream, with a progress bar on a terminal; after Ctrl-C too, ``rows`` holds those so far."""

    def show_nothing(_: int) -> None:
        """Stands for the bar where none can be drawn."""

    with progress_bar(streams.err, None) if can_show_progress(streams.err) else nullcontext(show_nothing) as show:
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
