"""``truemed reconciliations``: payouts with their transactions, and whether they add up."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.options import CONTEXT, LITERAL, Text
from truemed_async.cli.output import EXIT_FAILURE
from truemed_async.cli.resources import Output, run_export

if TYPE_CHECKING:
    from truemed_async import ReconciliationReport, ReconciliationRow, Stream
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
    look_back: Annotated[int | None, LITERAL, DAYS] = None,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Write all transactions of a month or of some days with their payouts, and check that payouts are their sums.

    Amounts are whole cents, days are UTC dates. The file appears when it is complete. Until then, and if the export
    fails, the rows are in FILE.partial; --resume continues it. The report goes to standard error. The exit code is 1 if
    a payout is not the sum of its transactions, or if an amount could not be read; the file is written in any case.

    Args:
        month: The month, YYYY-MM; otherwise give --from and --to.
        from_: The first day, YYYY-MM-DD, in UTC.
        to: The last day, YYYY-MM-DD, in UTC; it is included.
        look_back: How many days before the first day to look for transactions of these payouts. Default: 31.
    """
    reports: list[ReconciliationReport] = []
    options: dict[str, Any] = {"month": month, "start_date": from_, "end_date": to}
    if look_back is not None:
        options["look_back"] = timedelta(days=look_back)

    async def export(stream: "Stream[ReconciliationRow]", destination: Any, **options: Any) -> "ExportResult":
        done = await truemed_async.export_reconciliation(stream, destination, **options)
        reports.append(done.report)
        return done.result

    async with context.target.connect() as client:
        stream = client.reconciliations.reconcile(**options)
        await run_export(stream, output, context.streams, noun="row", count=_unknown_count, export=export)
    (report,) = reports
    for line in str(report).splitlines():
        context.streams.print_message(line)
    return 0 if report.agrees else EXIT_FAILURE


async def _unknown_count() -> int | None:
    """Return ``None``: the total is unknown."""
    return None
