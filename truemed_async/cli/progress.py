"""The progress bar of a long command."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from truemed_async.cli.output import Streams

T = TypeVar("T")

ShowProgress = Callable[[int], object]
"""Called with the number of rows that are done."""


def can_show_progress(streams: Streams) -> bool:
    """Whether a progress bar can be drawn: on a terminal that can return to the start of a line."""
    if not streams.err.isatty():
        return False
    from rich.console import Console  # noqa: PLC0415  # loads rich: only for a terminal

    return not Console(file=streams.err).is_dumb_terminal


@contextmanager
def progress_bar(streams: Streams, total: int | None = None) -> Generator[ShowProgress]:
    """Draw a progress bar while the block runs, if one can be drawn, and remove it afterwards.

    Messages appear above it. Data must go elsewhere: print it after the block if it goes to a terminal.
    """
    if not can_show_progress(streams):
        yield lambda _: None
        return
    from truemed_async.cli.bars import make_bar  # noqa: PLC0415  # loads rich: only for a terminal

    bar = make_bar(streams.err)
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
