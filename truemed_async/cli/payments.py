"""``truemed payments``: get, list and export payment sessions; what moves money has files of its own."""

from datetime import timedelta
from typing import Annotated, Any

import attrs
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.moving import FLAG
from truemed_async.cli.options import CONTEXT, Text, moment
from truemed_async.cli.output import Output, run_export
from truemed_async.cli.payments_create import create_payment
from truemed_async.cli.payments_money import cancel_payment, capture_payment, refund_payment, void_payment
from truemed_async.cli.showing import ListFormat, show_each, show_page
from truemed_async.cli.target import Context

COLUMNS = ("id", "status", "status_summary", "total_amount", "capture_amount", "created_at", "customer_email")


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Payments:
    """Which payments, and what of them: options of `list` and `export`.

    Attributes:
        search: Text to find; that Truemed looks for it in id, e-mail and name is a guess.
        include_order_items: Have the lines of each order, too.
        summarize_refunds: Have the sum of each payment's refunds, too.
    """

    search: Text = None
    include_order_items: Annotated[bool, FLAG] = False
    summarize_refunds: Annotated[bool, FLAG] = False

    def given(self) -> dict[str, Any]:
        """Return them by the names that the client gives them; what was not asked for is not sent."""
        return {name: value or None for name, value in attrs.asdict(self).items()}


EVERY = Payments()


def make_app() -> App:
    """Return ``truemed payments``."""
    app = App(name="payments", help="Payment sessions: checkouts, charges of stored payment methods, refunds.")
    app.command(create_payment, name="create")
    app.command(get_payments, name="get")
    app.command(list_payments, name="list")
    app.command(export_payments, name="export")
    app.command(capture_payment, name="capture")
    app.command(void_payment, name="void")
    app.command(cancel_payment, name="cancel")
    app.command(refund_payment, name="refund")
    return app


async def list_payments(
    *,
    payments: Payments = EVERY,
    page: int = 1,
    page_size: int = 30,
    format: ListFormat = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List one page of payments, newest first; amounts are cents. To read them all, use export.

    Args:
        payments: Which.
        page: The page, from 1.
        page_size: Payments on a page, at least 1; the server may give less.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
        context: Not an option.
    """
    async with context.target.connect() as client:
        found = await client.payment_sessions.list(**payments.given(), page=page, page_size=page_size)
    show_page(context.streams, found, format, model=truemed_async.PaymentSession, columns=COLUMNS, noun="payment")


async def get_payments(
    ids: Annotated[list[str], Parameter(negative="")], /, *, context: Annotated[Context, CONTEXT]
) -> int:
    """Show payments: all fields of each on a terminal, else one JSON document an id; amounts are cents.

    An id that cannot be read does not hide the others; the exit code is then 1.

    Args:
        ids: Ids of payment sessions.
        context: Not an option.
    """
    async with context.target.connect() as client:
        return await show_each(context.streams, client.payment_sessions.get_many(ids, ordered=True))


async def export_payments(
    *,
    output: Output,
    payments: Payments = EVERY,
    since: Text = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Write every payment to a file; amounts are cents.

    The file appears when it is complete; until then, and if something goes wrong, the rows are in FILE.partial, and
    --resume goes on from there: each payment is written once. A summary goes to standard error.

    Args:
        output: Where to, and how.
        payments: Which.
        since: Only payments created at this moment or later: YYYY-MM-DD, or a time such as 2026-11-01T09:30+01:00; UTC
            if it names no zone.
        context: Not an option.
    """
    chosen: dict[str, Any] = {**payments.given(), "since": moment("since", since)}
    async with context.target.connect() as client:

        async def total() -> int | None:
            if since is not None:
                return None  # the server counts those before it too
            first = await client.payment_sessions.list(search=payments.search, page=1, page_size=1)
            return first.pagination.count if first.pagination else None

        stream = client.payment_sessions.iter(**chosen, look_back=timedelta(0))
        await run_export(stream, output, context.streams, noun="payment", total=total)
