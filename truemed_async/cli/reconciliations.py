"""``truemed reconciliations``: payouts with their transactions, and whether they add up."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.options import CONTEXT, LITERAL, Flag, ListFormat, Text, parse_days
from truemed_async.cli.output import EXIT_FAILURE, render_page
from truemed_async.cli.resources import Output, run_export

if TYPE_CHECKING:
    from truemed_async import ReconciliationReport, ReconciliationRow, Stream
    from truemed_async.exports import ExportResult

DAYS = Parameter(validator=Number(gte=0, lte=3660))


def make_app() -> App:
    """Return ``truemed reconciliations``."""
    app = App(name="reconciliations", help="Reconciliations: what was paid out, and for which transactions.")
    app.command(list_rows, name="list")
    app.command(export_reconciliation, name="export")
    return app


async def list_rows(
    *,
    month: Text = None,
    from_: Annotated[Text, Parameter(name="--from")] = None,
    to: Text = None,
    transactions: Flag = False,
    page: int = 1,
    page_size: int = 30,
    format: ListFormat = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List one page of the payouts of a month or of some days, or of their transactions.

    Amounts are whole cents, days are UTC dates. The names of most fields of the rows are assumptions: get all that the
    server sends with --format json. To read all rows, use export.

    Args:
        month: The month, YYYY-MM; otherwise give --from and --to.
        from_: The first day, YYYY-MM-DD, in UTC.
        to: The last day, YYYY-MM-DD, in UTC; it is included.
        transactions: List the charges, refunds, fees and disputes of these days, not the payouts.
        page: The page, from 1.
        page_size: The number of rows on a page, at least 1; the server may return fewer.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
    """
    start_date, end_date = parse_days(month, from_, to)
    options: dict[str, Any] = {
        "start_date": start_date,
        "end_date": end_date,
        "page": page,
        "page_size": page_size,
    }
    async with context.target.connect() as client:
        if transactions:
            render_page(
                context.streams,
                await client.reconciliations.list_transactions(**options),
                format,
                model=truemed_async.Transaction,
                columns=("transaction_id", "type", "amount", "created_on", "payout_id"),
                noun="transaction",
            )
        else:
            render_page(
                context.streams,
                await client.reconciliations.list_payouts(**options),
                format,
                model=truemed_async.Payout,
                columns=("payout_id", "amount", "arrival_date"),
                noun="payout",
            )


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
    start_date, end_date = parse_days(month, from_, to)
    options: dict[str, Any] = {"start_date": start_date, "end_date": end_date}
    if look_back is not None:
        options["look_back"] = timedelta(days=look_back)

    async def export(stream: "Stream[ReconciliationRow]", destination: Any, **options: Any) -> "ExportResult":
        done = await truemed_async.export_reconciliation(stream, destination, **options)
        reports.append(done.report)
        return done.result

    async with context.target.connect() as client:
        stream = client.reconciliations.reconcile(**options)
        code = await run_export(stream, output, context.streams, noun="row", count=_unknown_count, export=export)
    (report,) = reports
    for line in str(report).splitlines():
        context.streams.print_message(line)
    return code if report.agrees else EXIT_FAILURE


async def _unknown_count() -> int | None:
    """Return ``None``: the total is unknown."""
    return None
