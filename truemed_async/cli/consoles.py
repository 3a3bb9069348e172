"""Consoles of rich, which draw tables, charts and help. Loading rich takes long, so only what draws loads this module."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from typing import TextIO

from rich.console import Console

from truemed_async.cli.front_page import MIN_HELP_WIDTH

PIPE_WIDTH = 10_000  # of a table that no terminal limits


class _PipeConsole(Console):
    """A console that leaves a pipe without a reader to :func:`truemed_async.cli.start.run`, as other output does."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def make_console(out: TextIO) -> Console:
    """Return the console that draws tables; in a pipe they are as wide as their content."""
    return _PipeConsole(file=out, width=None if out.isatty() else PIPE_WIDTH, markup=False, highlight=False)


def make_help_console(out: TextIO) -> Console:
    """Return the console that shows help texts, which cannot be wrapped to less than ``MIN_HELP_WIDTH``."""
    console = _PipeConsole(file=out)
    return _PipeConsole(file=out, width=max(console.width, MIN_HELP_WIDTH))


def render_text(render: Callable[[Console], object], width: int) -> bytes:
    """Return what ``render`` prints, for a file."""
    text = io.StringIO()
    render(Console(file=text, width=width, markup=False, highlight=False))
    return text.getvalue().encode()
