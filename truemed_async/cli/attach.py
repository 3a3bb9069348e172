"""``truemed sessions attach``: attach the accounts of a CSV file to the sessions of the same people."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import orjson
from cyclopts import Parameter

import truemed_async
from truemed_async._files import create_owner_only, write_all
from truemed_async._sensitive import Sensitive
from truemed_async.cli.connection import Context
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.files import claim_file
from truemed_async.cli.options import CONTEXT, Flag, Text
from truemed_async.cli.output import EXIT_FAILURE, Streams
from truemed_async.cli.progress import collect_rows
from truemed_async.cli.rows import RowOutput
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import AttachOutcome, UserMatch

COUNTS = RowLayout(columns=("outcome", "count"))
REPORT_COLUMNS = ("status", "qualification_session_id", "email", "user_id", "error")


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class AttachOutput(RowOutput):
    """How the counts are written, and where the report is.

    Attributes:
        report: A .csv or .jsonl file for a row of each session and each address without one. It holds e-mail \
addresses and user ids, which are shown nowhere else, and only its owner can read it.
        force: Overwrite the files if they exist.
    """

    report: Text = None

    def claim(self, streams: Streams) -> None:
        """Ask before a file is overwritten."""
        super().claim(streams)
        if self.report is not None:
            claim_file(streams, self.report, force=self.force, option="--report")


ATTACH_OUTPUT = AttachOutput()


async def attach_accounts(
    matches: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    run_id: Text = None,
    dry_run: Flag = False,
    output: AttachOutput = ATTACH_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Attach your accounts to the sessions that have the same e-mail address and no user id.

    The command counts the sessions and addresses by their result. Run it again after a failure: what is attached stays \
as it is. The exit code is 1 if an update failed.

    Args:
        matches: A CSV file with the columns email and user_id; others are ignored.
        run_id: Your name of this run, from which the idempotency keys are derived. Default: random keys.
        dry_run: Report what would be attached, and write nothing.
    """
    report = output.report
    target = output.prepare(context.streams, COUNTS)
    accounts = read_matches(Path(matches))
    if report is not None and Path(report).suffix not in (".csv", ".jsonl"):
        raise InvalidArgumentError("--report must be a .csv or .jsonl file")
    file = None if report is None else create_owner_only(Path(report))  # now: later it could not be repeated
    outcomes: list[AttachOutcome] = []
    try:
        async with context.target.connect() as client:
            stream = client.qualification_sessions.attach_users(accounts, run_id=run_id, dry_run=dry_run)
            await collect_rows(context.streams, stream, outcomes)
    finally:  # also after Ctrl-C
        if file is not None and report is not None:
            with file:
                write_all(file, _format_report(outcomes, Path(report).suffix))
    counts = Counter(each.status for each in outcomes)
    rows = [{"outcome": status.value, "count": counts[status]} for status in truemed_async.AttachStatus]
    target.write(rows, empty="")
    return EXIT_FAILURE if counts[truemed_async.AttachStatus.FAILED] else 0


def read_matches(path: Path) -> "list[UserMatch]":
    """Return the accounts of a CSV file; an error names the line and not its content."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidArgumentError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise InvalidArgumentError(f"{path} is not UTF-8")
    table = csv.DictReader(io.StringIO(text, newline=""))
    if not {"email", "user_id"} <= {*(table.fieldnames or ())}:
        raise InvalidArgumentError(f"{path} must have the columns email and user_id in its first line")
    accounts: list[UserMatch] = []
    for row in table:
        email, user_id = ((row[name] or "").strip() for name in ("email", "user_id"))
        if "@" not in email or not user_id:
            wrong = "user_id is empty" if "@" in email else "email is no e-mail address"
            raise InvalidArgumentError(f"{path}, line {table.line_num}: {wrong}")
        accounts.append(truemed_async.UserMatch(email, user_id))
    return accounts


def _format_report(outcomes: "Sequence[AttachOutcome]", suffix: str) -> Sensitive[bytes]:
    from truemed_async.exports.formats import encode_csv  # noqa: PLC0415  # loads the models: not for --help

    rows = [each.to_dict() for each in outcomes]
    if suffix == ".csv":
        return encode_csv([REPORT_COLUMNS, *([row[name] for name in REPORT_COLUMNS] for row in rows)])
    return Sensitive(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
