"""Starts the command line: shows the front page at once, or loads what runs commands.

Nothing that loads slowly is imported here: see ``front_page``.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec

from truemed_async._version import __version__
from truemed_async._warnings import TruemedWarning
from truemed_async.cli.front_page import draw_front_page, find_width
from truemed_async.cli.output import EXIT_FAILURE, Streams

LIBRARIES = ("cyclopts", "rich")
"""What runs commands: the extra ``cli``."""
_HELP: Sequence[Sequence[str]] = ([], ["--help"], ["-h"])
_VERSION: Sequence[Sequence[str]] = (["--version"], ["-V"])


def run(argv: Sequence[str], streams: Streams | None = None) -> int:
    """Run one command line and return its exit code."""
    streams = streams or Streams.standard()
    code = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", TruemedWarning)
            # The page size is this program's choice, so users cannot act on the server's reaction to it.
            warnings.filterwarnings(
                "ignore", "listing: the server gives [0-9]+ rows a page instead of [0-9]+: more requests are needed$"
            )
            warnings.showwarning = print_warnings(streams)
            if is_front_page(argv, streams):
                show_front_page(argv, streams)
            else:
                from truemed_async.cli.app import run_with_exit_code  # noqa: PLC0415  # loads cyclopts

                code = run_with_exit_code(argv, streams)
        streams.out.flush()
        streams.err.flush()  # of Python's own messages as well: its exit would end with another code
    except BrokenPipeError:  # the reader has gone, as in `truemed sessions list | head -1`
        streams.discard()
    except OSError as error:  # of files and standard output; those of the client are TruemedErrors
        with suppress(OSError):  # it may be standard error that cannot be written
            streams.print_message(f"error: {error.strerror or error}")
        streams.discard()
        return EXIT_FAILURE
    return code


def print_warnings(streams: Streams) -> Callable[..., None]:
    """Return a function that shows a warning as a note, without the line of source."""

    def print_note(message: object, *_: object, **__: object) -> None:
        streams.print_message(f"note: {message}")

    return print_note


def is_front_page(argv: Sequence[str], streams: Streams) -> bool:
    """Whether the arguments request the help or version of the program itself, and can show it without its libraries.

    It cannot on a terminal that needs another alphabet or another way to draw colors. If a library is missing, nothing
    but how to install it is shown.
    """
    if list(argv) not in (*_HELP, *_VERSION) or not all(map(find_spec, LIBRARIES)):
        return False
    return not streams.is_terminal or (
        sys.platform != "win32" and (streams.out.encoding or "utf-8").lower().startswith("utf")
    )


def show_front_page(argv: Sequence[str], streams: Streams) -> None:
    """Show the help or the version of the program."""
    if list(argv) in _VERSION:
        streams.out.write(f"{__version__}\n")
        return
    is_colored = "FORCE_COLOR" in os.environ or (
        streams.is_terminal
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    )
    streams.out.write(draw_front_page(find_width(), is_colored=is_colored))
