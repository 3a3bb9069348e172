"""Where an export goes and how it is written: the options and the course of every ``export`` command."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, cast

import attrs
from cyclopts import Parameter

import truemed_async
from truemed_async.cli.options import AS_GIVEN, Text
from truemed_async.cli.progress import Show, can_move, progress_bar
from truemed_async.cli.streams import Streams
from truemed_async.cli.tables import cell, counted, visible
from truemed_async.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import Stream
    from truemed_async.exports import ExportProgress, ExportResult

STDOUT = "-"
SECRET = "TRUEMED_EXPORT_SECRET"  # noqa: S105  # the name of it

Write = Callable[..., Awaitable["ExportResult"]]
"""``await write(stream, to, **options)``: :func:`~truemed_async.export`, or a function like it."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Output:
    """Options of every export.

    Attributes:
        output: The file; - is standard output.
        format: csv, jsonl or parquet. Default: by the ending of the file, and jsonl for standard output.
        columns: The fields to write, with commas between them, in this order. Default: all.
        pii: What becomes of e-mail addresses, names, user ids and fields that are not documented: keep, hash
            (HMAC-SHA256 with the secret in TRUEMED_EXPORT_SECRET or --secret-file) or drop.
        secret_file: A file that holds the secret of the hashes, 16 bytes or more.
        resume: Go on with an unfinished export of the same options.
    """

    output: Annotated[str, Parameter(allow_leading_hyphen=True)]
    format: Annotated[Literal["csv", "jsonl", "parquet"] | None, AS_GIVEN] = None
    columns: Text = None
    pii: Annotated[Literal["keep", "hash", "drop"], AS_GIVEN] = "keep"
    secret_file: Text = None
    resume: Annotated[bool, Parameter(negative="")] = False

    def given(self) -> dict[str, Any]:
        """Return them by the names that the exporting functions give them."""
        return {
            "format": self.format,
            "columns": None if self.columns is None else [name.strip() for name in self.columns.split(",")],
            "pii": self.pii,
            "secret": self._secret(),
            "resume": self.resume,
        }

    def _secret(self) -> bytes | None:
        if self.pii != "hash":
            if self.secret_file is not None:
                raise InvalidArgumentError("--secret-file is for --pii hash")
            return None
        if self.secret_file is not None:
            try:
                return Path(self.secret_file).read_bytes().rstrip(b"\r\n")
            except OSError as error:
                raise InvalidArgumentError(f"--secret-file cannot be read: {error.strerror}") from error
        if SECRET not in os.environ:
            raise ConfigurationError(f"--pii hash needs a secret: set {SECRET}, or give --secret-file")
        return os.environ[SECRET].encode()


async def run_export(
    stream: Stream[Any],
    output: Output,
    streams: Streams,
    *,
    noun: str,
    total: Callable[[], Awaitable[int | None]],
    write: Write | None = None,
) -> None:
    """Run an export with a bar where a person watches, and say what was written, or what is left of it.

    Args:
        stream: The rows.
        output: To where, and how.
        streams: What people see.
        noun: What a row is called.
        total: Asks how many rows there are; only where there is a bar.
        write: Exports the rows; by default :func:`~truemed_async.export`.
    """
    options = output.given()
    with _watched(output, streams), await _bar(output, streams, total) as show:

        def report(progress: ExportProgress) -> None:
            show(progress.read)

        exported = await (write or truemed_async.export)(
            stream, _destination(output, streams), on_progress=report, **options
        )
    streams.say(_in_words(exported, output, noun))


@contextmanager
def _watched(output: Output, streams: Streams) -> Generator[None]:
    """Say what is left of an export that was not refused and did not end."""
    partial = Path(f"{output.output}.partial")
    try:
        yield
    except (InvalidArgumentError, ConfigurationError):
        raise
    except BaseException:
        if output.output != STDOUT and partial.exists():
            streams.say(
                f"unfinished: the rows so far are in {partial}; the same command with --resume goes on from there"
            )
        raise


def _destination(output: Output, streams: Streams) -> str | BinaryIO:
    if output.output != STDOUT:
        return output.output
    if output.format != "parquet":
        return cast("BinaryIO", _Text(streams))
    if streams.for_people:
        raise InvalidArgumentError("--format parquet is not for a terminal: give --output a file")
    return streams.out.buffer


@attrs.frozen
class _Text:
    """Standard output as a binary stream; a terminal shows what it cannot write as escapes."""

    streams: Streams

    def write(self, data: bytes) -> None:
        self.streams.out.write(data.decode())

    def flush(self) -> None:
        self.streams.out.flush()


async def _bar(
    output: Output, streams: Streams, total: Callable[[], Awaitable[int | None]]
) -> AbstractContextManager[Show]:
    rows_on_screen = output.output == STDOUT and streams.for_people
    if rows_on_screen or not can_move(streams.err):
        return nullcontext(lambda _: None)
    return progress_bar(streams.err, await total())


def _in_words(exported: ExportResult, output: Output, noun: str) -> str:
    statuses = ", ".join(f"{visible(status)} {count:,}" for status, count in exported.statuses.items())
    parts = [f"{counted(exported.rows, noun)}{statuses and f' ({statuses})'}"]
    if exported.resumed:
        parts.append(f"{exported.resumed:,} of them from the run before")
    if exported.earliest is not None:
        parts.append(f"created {_minute(exported.earliest)} to {_minute(exported.latest)} UTC")
    parts.append(f"{counted(exported.requests, 'request')}, {counted(exported.retries, 'retry', 'retries')}")
    where = "standard output" if output.output == STDOUT else output.output
    return f"{', '.join(parts)}, in {exported.seconds:.2f} s to {where}"


def _minute(moment: datetime | None) -> str:
    return cell(moment).plain
