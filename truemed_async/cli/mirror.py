"""``truemed sessions mirror``: a table of all sessions in SQLite."""

from typing import TYPE_CHECKING, Annotated, Literal

from truemed_async.cli.connection import Context
from truemed_async.cli.export import read_secret
from truemed_async.cli.options import CONTEXT, LITERAL, Flag, Text
from truemed_async.cli.output import format_minute, pluralize
from truemed_async.cli.progress import progress_bar

if TYPE_CHECKING:
    from truemed_async.exports import ExportProgress, MirrorResult


async def mirror_sessions(
    file: str,
    /,
    *,
    sweep: Flag = False,
    pii: Annotated[Literal["keep", "hash", "drop"], LITERAL] = "keep",
    secret_file: Text = None,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Bring the table qualification_sessions of an SQLite file up to date; the first run reads everything.

    Each further run reads new sessions, and those again that were not approved or rejected. Changes and deletions of \
others are only seen with --sweep. The exit code is 1 if sessions could not be read again; the next run tries them again.

    Args:
        file: The SQLite file. It is created if it does not exist.
        sweep: Read everything.
        pii: What happens to e-mail addresses, names and user ids: keep, hash (HMAC-SHA256 with the secret in \
TRUEMED_EXPORT_SECRET or --secret-file) or drop.
        secret_file: A file that holds the secret of the hashes, 16 bytes or more.
    """
    from truemed_async.exports import mirror  # noqa: PLC0415  # loads the models: not for --help

    secret = read_secret(pii, secret_file)
    streams = context.streams
    async with context.target.connect() as client:
        with progress_bar(streams) as show:

            def report(progress: "ExportProgress") -> None:
                show(progress.read)

            sessions = client.qualification_sessions
            result = await mirror(sessions, file, sweep=sweep, pii=pii, secret=secret, on_progress=report)
    streams.print_message(_format_mirror(result, file))
    return 1 if result.failed else 0


def _format_mirror(result: "MirrorResult", file: str) -> str:
    parts = [
        pluralize(result.rows, "session"),
        f"{result.added:,} added, {result.changed:,} changed, {result.removed:,} removed",
    ]
    if result.failed:
        parts.append(f"{result.failed:,} not read, which the next run tries again")
    if result.unseen and result.last_sweep is not None:
        parts.append(f"{result.unseen:,} last seen in the sweep of {format_minute(result.last_sweep)} UTC or later")
    parts.append(pluralize(result.requests, "request"))
    return f"{', '.join(parts)}, in {result.seconds:.2f} s to {file}"
