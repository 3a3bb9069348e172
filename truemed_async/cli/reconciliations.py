"""``truemed reconciliations``: payouts and their transactions in a file, and whether they add up."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

import truemed_async
from truemed_async.cli.exits import FAILED
from truemed_async.cli.options import AS_GIVEN, CONTEXT, Text
from truemed_async.cli.output import Output, run_export
from truemed_async.cli.tables import visible
from truemed_async.cli.target import Context

if TYPE_CHECKING:
    from truemed_async import ReconciliationReport
    from truemed_async.exports import ExportResult

DAYS = Parameter(validator=Number(gte=0, lte=3660))


def make_app() -> App:
    """Return ``truemed reconciliations``."""
    app = App(name="reconciliations", help="Reconciliations: what was paid out, and for which transactions.")
    app.command(export_reconciliation, name="export")
    return app


async def export_reconciliation(
    *,
    output: Output,
    month: Text = None,
    from_: Annotated[Text, Parameter(name="--from")] = None,
    to: Text = None,
    look_back: Annotated[int | None, AS_GIVEN, DAYS] = None,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Write all transactions of a month or of some days, each with its payout, and check that payouts are their sums.

    Amounts are whole cents, days are UTC dates. The file appears when it is complete; until then, and if something goes
    wrong, the rows are in FILE.partial, and --resume goes on from there. The report goes to standard error. The exit
    code is 1 if a payout is not the sum of its transactions, or if that could not be told; the file is there even so.

    Args:
        output: Where to, and how.
        month: The month, YYYY-MM; or else give --from and --to.
        from_: The first day, YYYY-MM-DD, in UTC.
        to: The last day, YYYY-MM-DD, in UTC; it is included.
        look_back: How many days before the first to look for transactions that these payouts have paid; 31 if not
            given.
        context: Not an option.
    """
    reports: list[ReconciliationReport] = []
    chosen: dict[str, Any] = {"month": month, "start_date": from_, "end_date": to}
    if look_back is not None:
        chosen["look_back"] = timedelta(days=look_back)
    async with context.target.connect() as client:
        stream = client.reconciliations.reconcile(**chosen)

        async def write(_: Any, to: Any, **options: Any) -> "ExportResult":
            done = await truemed_async.export_reconciliation(stream, to, **options)
            reports.append(done.report)
            return done.result

        await run_export(stream, output, context.streams, noun="row", total=_unknown, write=write)
    (report,) = reports
    for line in str(report).splitlines():
        context.streams.say(visible(line))
    return 0 if report.agrees else FAILED


async def _unknown() -> int | None:
    """Return how many rows there will be: nobody says."""
    return None
