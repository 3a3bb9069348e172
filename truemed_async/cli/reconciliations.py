"""``truemed reconciliations``: payouts with their transactions, and whether they add up."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.export import Output, run_export
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.listing import FIRST_PAGE, Listing, Paging
from truemed_async.cli.options import CONTEXT, LITERAL, Flag, Text, parse_days
from truemed_async.cli.output import EXIT_FAILURE
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput

if TYPE_CHECKING:
    from truemed_async import ReconciliationReport, ReconciliationRow, Stream
    from truemed_async.exports import ExportResult

TRANSACTIONS = RowLayout(
    model="Transaction", columns=("transaction_id", "type", "amount", "created_on", "payout_id"), id="transaction_id"
)
PAYOUTS = RowLayout(model="Payout", columns=("payout_id", "amount", "arrival_date"), id="payout_id")
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
    paging: Paging = FIRST_PAGE,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List the payouts of a month or of some days, or their transactions.

    Days are UTC dates. The names of most fields of the rows are assumptions: get all that the server sends with
    --format json.

    Args:
        month: The month, YYYY-MM; otherwise give --from and --to.
        from_: The first day, YYYY-MM-DD, in UTC.
        to: The last day, YYYY-MM-DD, in UTC; it is included.
        transactions: List the charges, refunds, fees and disputes of these days, not the payouts.
    """
    start_date, end_date = parse_days(month, from_, to)
    days: dict[str, Any] = {"start_date": start_date, "end_date": end_date}
    target = output.prepare(context.streams, TRANSACTIONS if transactions else PAYOUTS)
    paging.validate()
    async with context.target.connect() as client:
        resource = client.reconciliations
        get_page = resource.list_transactions if transactions else resource.list_payouts
        read_all: Callable[..., Stream[Any]] = resource.iter_transactions if transactions else resource.iter_payouts
        listing = Listing(
            get_page=lambda page, size: get_page(**days, page=page, page_size=size),
            read_all=partial(read_all, **days),
            noun="transaction" if transactions else "payout",
            filters=["--month" if from_ is None else "--from"],
        )
        await listing.show(target, paging)


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
