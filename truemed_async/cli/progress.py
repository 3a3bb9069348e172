"""A progress bar for people."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Show = Callable[[int], object]
"""Is told how many rows are done."""


def can_move(stream: TextIO) -> bool:
    """Whether a bar can be drawn on ``stream``: a terminal that can go back in its line."""
    return stream.isatty() and not Console(file=stream).is_dumb_terminal


@contextmanager
def progress_bar(stream: TextIO, total: int | None) -> Generator[Show]:
    """Draw a bar while the block runs; it is gone afterwards."""
    bar = Progress(
        SpinnerColumn(),
        BarColumn(),
        _Count(),
        _Rate(),
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


class _Count(ProgressColumn):
    """Rows done, of how many."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}/{'?' if task.total is None else f'{task.total:,.0f}'}")


class _Rate(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")
