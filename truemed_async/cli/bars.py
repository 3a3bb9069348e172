"""How a terminal shows progress."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def make_bar(err: TextIO) -> Progress:
    """Return a progress bar that is not yet drawn."""
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        _CountColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(file=err, markup=False, highlight=False),
        transient=True,
        redirect_stdout=False,  # the data may be going there
        redirect_stderr=False,
    )


class _CountColumn(ProgressColumn):
    """Rows done, and the total."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}/{'?' if task.total is None else f'{task.total:,.0f}'}")


class _RateColumn(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")
