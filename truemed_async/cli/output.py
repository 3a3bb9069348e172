"""Output of commands: streams, exit codes and words."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from truemed_async._files import flush_all, write_all
from truemed_async._sensitive import Sensitive
from truemed_async.errors import APIError, ConfigurationError, InvalidArgumentError, TruemedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.console import Console

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def exit_code_of(error: TruemedError) -> int:
    """Return the exit code: of a failed call, or of wrong usage or configuration."""
    return EXIT_USAGE if isinstance(error, (ConfigurationError, InvalidArgumentError)) else EXIT_FAILURE


# --- streams ------------------------------------------------------------------------------------------------------


class Streams:
    """Standard output for data, standard error for messages, standard input for confirmations.

    No attrs and no rich are loaded for it, which would take longer than the help of the program needs in all.

    Attributes:
        out: Standard output.
        err: Standard error.
        source: Standard input.
        bars: The consoles of the progress bars that are drawn now: messages appear above them.
        has_details: Whether errors include the server's messages, which may quote personal data, without a terminal.
    """

    __slots__ = ("bars", "err", "has_details", "out", "source")

    def __init__(self, out: TextIO, err: TextIO, source: TextIO | None = None, *, has_details: bool = False) -> None:
        self.out: TextIO = out
        self.err: TextIO = err
        self.source: TextIO | None = source
        self.bars: list[Console] = []
        self.has_details: bool = has_details

    @classmethod
    def standard(cls) -> Streams:
        """Return the streams of the process."""
        out, err = (_complete_output(stream) for stream in (sys.stdout, sys.stderr))
        out = out or cast("TextIO", _ClosedOutput("standard output is closed"))
        return cls(out, err or cast("TextIO", _ClosedOutput(None)), sys.stdin)

    def show_details(self, has_details: bool) -> Streams:  # a value, which has one meaning
        """Return the same streams; ``has_details`` is whether errors include the server's messages."""
        streams = Streams(self.out, self.err, self.source, has_details=has_details)
        streams.bars = self.bars
        return streams

    @property
    def is_terminal(self) -> bool:
        """Whether data goes to a terminal."""
        return self.out.isatty()

    def console(self) -> Console:
        """Return the console that draws tables; in a pipe they are as wide as their content."""
        from truemed_async.cli.consoles import make_console  # noqa: PLC0415  # loads rich: only to draw

        return make_console(self.out)

    def print_data(self, text: str) -> None:
        """Write a line of data."""
        self.write_data(f"{text}\n")

    def write_data(self, text: str) -> None:
        """Write data; on a terminal with escapes in place of characters that could steer it."""
        self.out.write(printable(text.replace("\r\n", "\n"), keep="\n") if self.is_terminal else text)

    def print_message(self, text: str, end: str = "\n") -> None:
        """Write a line for people to standard error."""
        if self.bars:
            self.bars[-1].print(printable(text), end=end, markup=False, emoji=False, highlight=False, soft_wrap=True)
            return
        self.err.write(f"{printable(text)}{end}")
        self.err.flush()

    def print_server_message(self, error: APIError) -> None:
        """Write the message of a server's error: on a terminal, or if details are requested."""
        if error.message and (self.has_details or self.err.isatty()):
            self.print_message(f"  server: {error.message}")

    def discard(self) -> None:
        """Drop buffered output that cannot be written, or the interpreter would complain at its exit."""
        for stream in (self.out, self.err):
            try:
                stream.flush()
            except OSError:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


class _CompleteOutput:
    """Writes text to a standard stream of the process, with :func:`~truemed_async._files.write_all`.

    A pipe receives UTF-8 and unchanged line ends on every system; a terminal shows what it cannot encode as escapes.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        with suppress(OSError):  # what cannot be written stays in the buffer, and fails again when that is flushed
            stream.flush()
        self._stream = stream
        self.encoding = stream.encoding if stream.isatty() else "utf-8"

    @property
    def buffer(self) -> BinaryIO:
        return cast("BinaryIO", self._stream.buffer)

    def write(self, text: str) -> int:
        write_all(self.buffer, Sensitive(text.encode(self.encoding, "backslashreplace")))
        if self.isatty():
            self.flush()
        return len(text)

    def flush(self) -> None:
        flush_all(self.buffer)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class _ClosedOutput:
    """Stands for a closed standard stream: writing fails with a message, or does nothing without one."""

    def __init__(self, message: str | None) -> None:
        self.encoding = "utf-8"
        self._message = message

    @property
    def buffer(self) -> BinaryIO:
        return cast("BinaryIO", self)

    def write(self, text: str) -> int:
        if self._message is not None:
            raise OSError(errno.EBADF, self._message)
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        return False


def _complete_output(stream: TextIO | None) -> TextIO | None:
    if stream is None or stream.closed:
        return None
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return cast("TextIO", _CompleteOutput(cast("io.TextIOWrapper", stream)))


# --- words --------------------------------------------------------------------------------------------------------


def format_minute(moment: datetime) -> str:
    """Return a time in UTC, to the minute."""
    from truemed_async.exports.columns import to_utc  # noqa: PLC0415  # loads the models: not for --help

    return f"{to_utc(moment):%Y-%m-%d %H:%M}"


def printable(text: str, keep: str = "") -> str:
    """Escape characters that could steer a terminal or reorder its text, as JSON does."""
    return "".join(letter if letter.isprintable() or letter in keep else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def find_similar(word: str, names: Iterable[str]) -> str | None:
    """Return the name that a mistyped word probably means."""
    import difflib  # noqa: PLC0415  # only for errors

    return next(iter(difflib.get_close_matches(word, [*names], n=1)), None)
