"""Files that commands write: none is overwritten unasked, and each appears when it is complete."""

import io
import secrets
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import attrs
from cyclopts import Parameter

from truemed_async._files import create_owner_only
from truemed_async.cli.output import Streams
from truemed_async.errors import InvalidArgumentError

STDOUT = "-"
STDOUT_DESCRIPTOR = 1

OUTPUT = Parameter(name=("--output", "-o"), allow_leading_hyphen=True)
FORCE = Parameter(negative="", show_default=False)


@attrs.frozen(kw_only=True)
class Overwriting(ABC):
    """Base class of options that name a file to write."""

    force: Annotated[bool, FORCE] = False

    @abstractmethod
    def claim(self, streams: Streams) -> None:
        """Ask before a file is overwritten. Call it before an event loop runs, which would delay the first Ctrl-C.

        Raises:
            InvalidArgumentError: The file exists, and there is no terminal to ask at, or the answer is no.
        """


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class FileOutput(Overwriting):
    """Where a command writes its data.

    Attributes:
        output: A file to write to; - is standard output.
        force: Overwrite the file if it exists.
    """

    output: Annotated[str | None, OUTPUT] = None

    @property
    def is_stdout(self) -> bool:
        """Whether data goes to standard output."""
        if self.output is None or self.output == STDOUT:
            return True
        from truemed_async.exports.files import resolve_target  # noqa: PLC0415  # loads the models: not for --help

        return resolve_target(self.output) == STDOUT_DESCRIPTOR

    def claim(self, streams: Streams) -> None:
        """Ask before the file is overwritten."""
        if self.output is not None and not self.is_stdout:
            claim_file(streams, self.output, force=self.force)


def claim_file(streams: Streams, name: str, *, force: bool, note: str = "", option: str = "--output") -> None:
    """Refuse to overwrite a file without ``force``, unless a person at the terminal agrees. An empty one is no loss.

    Args:
        streams: The standard streams.
        name: The file.
        force: Whether it may be overwritten.
        note: What the question and the error say of the file, beside that it exists.
        option: What names the file.
    """
    from truemed_async.exports.files import is_stream, resolve_target  # noqa: PLC0415  # loads the models

    target = resolve_target(name)
    if force or not isinstance(target, Path) or is_stream(target):
        return
    if not (target.is_file() and target.stat().st_size):
        return
    if not ask_to(streams, f"{name} exists{note}. Overwrite it?"):
        raise InvalidArgumentError(f"{name} exists{note}: pass --force to overwrite it, or choose another {option}")


def ask_to(streams: Streams, question: str) -> bool:
    """Ask a person at a terminal, and return whether the answer is yes; without a terminal it is no."""
    if streams.source is None or not (streams.source.isatty() and streams.err.isatty()):
        return False
    streams.print_message(f"{question} [y/N] ", end="")
    return streams.source.readline().strip().lower() in ("y", "yes")


@contextmanager
def open_output(streams: Streams, output: FileOutput, *, is_text: bool = True) -> Generator[BinaryIO]:
    """Open the file, or standard output. A file appears, or is replaced, when the block ends without an error.

    Only its owner can read it, because most rows hold personal data.

    Args:
        streams: The standard streams.
        output: The user's options.
        is_text: Whether the data is text, of which a terminal shows some characters as escapes.
    """
    if output.output is None or output.is_stdout:
        yield text_output(streams) if is_text else streams.out.buffer
        return
    from truemed_async.exports.files import is_stream, resolve_target  # noqa: PLC0415  # loads the models

    target = resolve_target(output.output)
    try:
        if isinstance(target, int) or is_stream(target):
            with Path(output.output).open("wb") as file:
                yield file
        else:
            with _replace_file(target) as file:
                yield file
            streams.print_message(f"wrote {output.output}")
    except OSError as error:
        raise InvalidArgumentError(f"{output.output} cannot be written: {error.strerror or error}") from error


@contextmanager
def _replace_file(target: Path) -> Generator[BinaryIO]:
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with create_owner_only(temporary) as raw, io.BufferedWriter(raw) as file:
            yield file
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def text_output(streams: Streams) -> BinaryIO:
    """Return standard output as a binary stream for text; a terminal shows what it cannot write as escapes."""
    return cast("BinaryIO", _TextOutput(streams))


@attrs.frozen
class _TextOutput:
    streams: Streams

    def write(self, data: bytes) -> int:
        self.streams.write_data(data.decode())
        return len(data)

    def flush(self) -> None:
        self.streams.out.flush()
