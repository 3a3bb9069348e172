"""Where output goes, and whether a person or a program reads it."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

import attrs
from rich.console import Console


@attrs.frozen
class Streams:
    """Standard output for data, standard error for everything that is said about it, and who is asked."""

    out: TextIO
    err: TextIO
    source: TextIO | None = attrs.field(factory=lambda: sys.stdin)

    @classmethod
    def standard(cls) -> Streams:
        """Return the process's own, set so that no data can fail to be written.

        A pipe gets UTF-8 and untouched line ends on every system; a terminal shows what it cannot write as escapes.
        """
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                if stream.isatty():
                    stream.reconfigure(errors="backslashreplace")
                else:
                    stream.reconfigure(encoding="utf-8", newline="")
        return cls(sys.stdout, sys.stderr)

    @property
    def for_people(self) -> bool:
        """Whether data goes to a terminal."""
        return self.out.isatty()

    def console(self) -> Console:
        """Return what draws tables; in a pipe they are as wide as their content."""
        return Console(file=self.out, width=None if self.for_people else 10_000, markup=False, highlight=False)

    def line(self, text: str) -> None:
        """Write a line of data."""
        self.out.write(f"{text}\n")

    def say(self, text: str) -> None:
        """Write a line about the data."""
        self.err.write(f"{text}\n")
        self.err.flush()

    def abandon(self) -> None:
        """Drop what is still buffered: nobody can take it, and the interpreter would complain at its exit."""
        try:
            descriptor = self.out.fileno()
        except io.UnsupportedOperation:
            return  # in memory: there is nothing to flush
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
