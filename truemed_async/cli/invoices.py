"""``truemed invoices``: Truemed's invoices for Letters of Medical Necessity."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

from truemed_async.cli.connection import Context
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.options import CONTEXT, RequiredText, Text, parse_month_option
from truemed_async.cli.output import EXIT_FAILURE, pluralize
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput
from truemed_async.cli.tables import format_decimal_dollars
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import LetterInvoice

INVOICES = RowLayout(
    columns=("number", "total", "letters", "billed_at", "paid_at", "problems"), dollars=frozenset({"total"})
)
LINES = RowLayout(
    columns=("qualification_session_id", "fee", "reviewed_at", "billed_at", "paid_at"),
    id="qualification_session_id",
    dollars=frozenset({"fee"}),
)


def make_app() -> App:
    """Return ``truemed invoices``."""
    app = App(name="invoices", help="Truemed's weekly invoices for Letters, added up from qualification sessions.")
    app.command(list_invoices, name="list")
    app.command(show_invoice, name="get")
    app.command(check_invoice, name="check")
    return app


async def list_invoices(
    *, month: Text = None, output: RowOutput = ROW_OUTPUT, context: Annotated[Context, CONTEXT]
) -> int:
    """List the invoices: how many Letters, the sum of their fees, and whether they are paid.

    Truemed has no endpoint for them: the command reads every session. That the fields of a session describe the invoice
    is inferred, and dollars are assumed. The exit code is 1 if an invoice has problems: a Letter without a fee, fees
    that differ, or sessions that contradict each other.

    Args:
        month: Only invoices that were billed in this month in UTC, YYYY-MM.
    """
    target = output.prepare(context.streams, INVOICES)
    if month is not None:
        parse_month_option(month)
    async with context.target.connect() as client:
        report = await client.qualification_sessions.letter_invoices(month=month)
    rows = [
        {
            "number": invoice.number,
            "billed_at": invoice.billed_at,
            "letters": len(invoice.lines),
            "total": invoice.total,
            "paid_at": invoice.paid_at,
            "problems": "; ".join(invoice.problems),
        }
        for invoice in report.invoices
    ]
    empty = "no invoice was billed in this month: try another --month" if month else "no session has an invoice number"
    target.write(rows, empty=empty)
    unbilled = sum((line.fee or Decimal(0) for line in report.unbilled), Decimal(0))
    context.streams.print_message(
        f"{pluralize(len(rows), 'invoice')}, {format_decimal_dollars(report.total)}; not billed yet: "
        f"{pluralize(len(report.unbilled), 'Letter')}, {format_decimal_dollars(unbilled)}"
    )
    return 0 if report.agrees else EXIT_FAILURE


async def show_invoice(number: str, /, *, output: RowOutput = ROW_OUTPUT, context: Annotated[Context, CONTEXT]) -> int:
    """Show the Letters of an invoice.

    Args:
        number: The number of the invoice.
    """
    target = output.prepare(context.streams, LINES)
    invoice = await _find(context, number)
    if invoice is None:
        return EXIT_FAILURE
    rows = [{name: getattr(line, name) for name in LINES.columns} for line in invoice.lines]
    target.write(rows, empty="the invoice has no Letter")
    return 0


async def check_invoice(number: str, /, *, total: RequiredText, context: Annotated[Context, CONTEXT]) -> int:
    """Compare the total of an invoice that you received with the fees of its Letters; the exit code is 1 if they differ.

    Args:
        number: The number of the invoice.
        total: Its total as it is printed, without taxes, such as 1250.00.
    """
    expected = _parse_total(total)
    invoice = await _find(context, number)
    if invoice is None:
        return EXIT_FAILURE
    difference = expected - invoice.total
    letters = pluralize(len(invoice.lines), "Letter")
    context.streams.print_data(f"{number}: {expected}; {letters}, {invoice.total}; difference {difference}")
    for problem in invoice.problems:
        context.streams.print_data(f"  {problem}")
    return 0 if not difference and not invoice.problems else EXIT_FAILURE


def _parse_total(text: str) -> Decimal:
    try:
        total = Decimal(text)
    except InvalidOperation:
        total = Decimal("NaN")
    if not total.is_finite() or total < 0:
        raise InvalidArgumentError("--total must be an amount such as 1250.00")
    return total


async def _find(context: Context, number: str) -> "LetterInvoice | None":
    async with context.target.connect() as client:
        report = await client.qualification_sessions.letter_invoices()
    for invoice in report.invoices:
        if invoice.number == number:
            return invoice
    context.streams.print_message("error: no session has this invoice number")
    return None
