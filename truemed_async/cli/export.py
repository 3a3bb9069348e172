"""Options of every export, and how one runs: with a progress bar, and a summary at its end."""

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import attrs
from cyclopts import Parameter

import truemed_async
from truemed_async.cli.files import OUTPUT, FileOutput, ask_to, claim_file, text_output
from truemed_async.cli.options import LITERAL, Flag, Text
from truemed_async.cli.output import EXIT_FAILURE, Streams, format_minute, pluralize, printable
from truemed_async.cli.progress import ShowProgress, can_show_progress, progress_bar
from truemed_async.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import Stream
    from truemed_async.exports import ExportProgress, ExportResult

SECRET_VARIABLE = "TRUEMED_EXPORT_SECRET"  # noqa: S105  # the name of a variable

Export = Callable[..., Awaitable["ExportResult"]]
"""``await export(stream, to, **options)``: :func:`~truemed_async.export`, or a function like it."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Output(FileOutput):
    """Options of every export.

    Attributes:
        output: The file; - is standard output.
        format: csv, jsonl or parquet. Default: by the suffix of the file, and jsonl for standard output.
        columns: The fields to write, separated by commas, in this order. Default: all.
        pii: What happens to e-mail addresses, names, user ids and undocumented fields: keep, hash (HMAC-SHA256 with the \
secret in TRUEMED_EXPORT_SECRET or --secret-file) or drop.
        secret_file: A file that holds the secret of the hashes, 16 bytes or more.
        resume: Continue an unfinished export with the same options.
        force: Overwrite the file if it exists, and discard an unfinished one, unless --resume is given.
        bom: Begin a CSV file with a byte order mark, by which Excel recognizes UTF-8.
    """

    output: Annotated[str, OUTPUT]  # pyright: ignore[reportGeneralTypeIssues]  # required here, unlike elsewhere
    format: Annotated[Literal["csv", "jsonl", "parquet"] | None, LITERAL] = None
    columns: Text = None
    pii: Annotated[Literal["keep", "hash", "drop"], LITERAL] = "keep"
    secret_file: Text = None
    resume: Annotated[bool, Parameter(negative="")] = False
    bom: Flag = False

    def claim(self, streams: Streams) -> None:
        """Ask before a file is overwritten, or an unfinished one discarded."""
        if self.is_stdout:
            return
        unfinished = unfinished_file(self.output)
        note = ", and there is nothing to resume" if self.resume and unfinished is None else ""
        claim_file(streams, self.output, force=self.force, note=note)
        if self.force or self.resume or unfinished is None:
            return
        question = f"{unfinished} has the rows of an unfinished export, which --resume would continue. Discard them?"
        if not ask_to(streams, question):
            raise InvalidArgumentError(
                f"{unfinished} has the rows of an unfinished export: continue it with --resume, or discard it with --force"
            )

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of :func:`~truemed_async.export`."""
        return {
            "format": self.format,
            "columns": None if self.columns is None else [name.strip() for name in self.columns.split(",")],
            "pii": self.pii,
            "secret": read_secret(self.pii, self.secret_file),
            "resume": self.resume,
            "bom": self.bom,
        }


def read_secret(pii: str, secret_file: str | None) -> bytes | None:
    """Return the secret of hashed personal data, from a file or the environment."""
    if pii != "hash":
        if secret_file is not None:
            raise InvalidArgumentError("--secret-file requires --pii hash")
        return None
    if secret_file is not None:
        try:
            return Path(secret_file).read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise InvalidArgumentError(f"--secret-file cannot be read: {error.strerror}") from error
    if SECRET_VARIABLE not in os.environ:
        raise ConfigurationError(f"--pii hash needs a secret: set {SECRET_VARIABLE}, or pass --secret-file")
    return os.environ[SECRET_VARIABLE].encode()


async def run_export(
    stream: "Stream[Any]",
    output: Output,
    streams: Streams,
    *,
    noun: str,
    count: Callable[[], Awaitable[int | None]],
    export: Export | None = None,
) -> int:
    """Run an export, with a progress bar on a terminal, and report what was written or what is left of it.

    The exit code is 1 if a row could not be read.

    Args:
        stream: The rows.
        output: The destination and its options.
        streams: Where to report.
        noun: What a row is called.
        count: Returns the total number of rows; only called for a progress bar.
        export: Exports the rows; by default :func:`~truemed_async.export`.
    """
    options = output.as_kwargs()
    export = export or truemed_async.export
    with _report_unfinished(output, streams), await _make_progress(output, streams, count) as show:

        def report(progress: "ExportProgress") -> None:
            show(progress.read)

        result = await export(stream, _destination(output, streams), on_progress=report, **options)
    streams.print_message(_format_result(result, output, noun))
    return EXIT_FAILURE if result.rejected else 0


def unfinished_file(output: str) -> Path | None:
    """Return the file with the rows of an unfinished export, if there is one."""
    from truemed_async.exports.files import is_stream, partial_path, resolve_target  # noqa: PLC0415  # loads the models

    target = resolve_target(output)
    if isinstance(target, Path) and not is_stream(target) and partial_path(target).exists():
        return partial_path(target)
    return None


@contextmanager
def _report_unfinished(output: Output, streams: Streams) -> Generator[None]:
    """Report what is left of an export that was interrupted or failed."""
    try:
        yield
    except (InvalidArgumentError, ConfigurationError):
        raise
    except BaseException:
        if not output.is_stdout and (unfinished := unfinished_file(output.output)):
            streams.print_message(
                f"unfinished: the rows so far are in {unfinished}; run the same command with --resume to continue"
            )
        raise


def _destination(output: Output, streams: Streams) -> str | BinaryIO:
    if not output.is_stdout:
        return output.output
    if output.format != "parquet":
        return text_output(streams)
    if streams.is_terminal:
        raise InvalidArgumentError("--format parquet cannot be shown on a terminal: pass --output with a file")
    return streams.out.buffer


async def _make_progress(
    output: Output, streams: Streams, count: Callable[[], Awaitable[int | None]]
) -> AbstractContextManager[ShowProgress]:
    shows_rows = output.is_stdout and streams.is_terminal
    if shows_rows or not can_show_progress(streams):
        return nullcontext(lambda _: None)
    return progress_bar(streams, await count())


def _format_result(result: "ExportResult", output: Output, noun: str) -> str:
    statuses = ", ".join(f"{printable(status)} {count:,}" for status, count in result.statuses.items())
    parts = [f"{pluralize(result.rows, noun)}{statuses and f' ({statuses})'}"]
    if result.rejected:
        place = "" if output.is_stdout else f": they are in {output.output}.rejected.jsonl"
        parts.append(f"{pluralize(result.rejected, 'row')} could not be read{place}")
    if result.resumed:
        parts.append(f"{result.resumed:,} of them from the previous run")
    if result.earliest is not None and result.latest is not None:
        parts.append(f"created {format_minute(result.earliest)} to {format_minute(result.latest)} UTC")
    parts.append(f"{pluralize(result.requests, 'request')}, {pluralize(result.retries, 'retry', 'retries')}")
    where = "standard output" if output.is_stdout else output.output
    return f"{', '.join(parts)}, in {result.seconds:.2f} s to {where}"
