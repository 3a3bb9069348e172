"""``truemed payments``: payment sessions."""

from collections import Counter, defaultdict
from collections.abc import Coroutine
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import attrs
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.chart_output import CHARTABLE_OUTPUT, ChartableOutput, write_rows
from truemed_async.cli.charts import BarChart, make_timeline
from truemed_async.cli.connection import Context
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.mutations import (
    DEFAULT_SAFETY,
    CommandResult,
    SafetyOptions,
    confirm,
    confirm_and_run,
    prepare_response,
)
from truemed_async.cli.options import (
    CONTEXT,
    LITERAL,
    NO_VALUES,
    SHOW_CHOICES,
    Flag,
    Items,
    PaymentKind,
    PaymentStatus,
    RefundReason,
    RequiredText,
    Text,
    or_unset,
    parse_dollars,
    parse_duration,
    parse_items,
    parse_return_url,
    parse_wait,
)
from truemed_async.cli.output import EXIT_FAILURE, pluralize
from truemed_async.cli.progress import collect_rows
from truemed_async.cli.resources import Filters, ResourceCommands
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput, RowTarget
from truemed_async.errors import InvalidArgumentError
from truemed_async.money import format_dollars

if TYPE_CHECKING:
    from truemed_async import (
        AmountDetails,
        AsyncTruemed,
        CancellationOutcome,
        NextBillInfo,
        PaymentCancellation,
        PaymentCapture,
        PaymentRefund,
        PaymentSessionCreation,
        PaymentVoid,
        Refundable,
        Unset,
    )

HOLDS = RowLayout(columns=("id", "status", "total_amount", "ends_at", "latest_end", "is_inferred", "can_capture"))
CANCELLATIONS = RowLayout(columns=("id", "result", "status", "total_amount", "created_at", "error"))


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class PaymentFilters(Filters):
    """Filters of payments.

    Attributes:
        search: Text to find; that Truemed searches id, e-mail and name is an assumption.
        status: Only payments of this status, such as captured or authorized. Truemed's own filter is not public, so \
this command reads every payment and selects.
        include_order_items: Include the items of each order.
        summarize_refunds: Include the sum of the refunds of each payment.
    """

    local: ClassVar[frozenset[str]] = frozenset({"status"})

    search: Text = None
    status: Annotated[PaymentStatus | None, LITERAL, SHOW_CHOICES] = None
    include_order_items: Flag = False
    summarize_refunds: Flag = False


RESOURCE = ResourceCommands(
    resource="payment_sessions",
    model="PaymentSession",
    noun="payment",
    id="id",
    ids="Ids of payment sessions",
    columns=("id", "status", "status_summary", "total_amount", "capture_amount", "created_at", "customer_email"),
    filters=PaymentFilters,
    note="Amounts are dollars in tables, cents elsewhere.",
)


def make_app() -> App:
    """Return ``truemed payments``."""
    app = App(name="payments", help="Payment sessions: checkouts, charges of stored payment methods, refunds.")
    RESOURCE.add_to(app)
    app.command(create_payment, name="create")
    app.command(capture_payment, name="capture")
    app.command(void_payment, name="void")
    app.command(cancel_payment, name="cancel")
    app.command(refund_payment, name="refund")
    app.command("truemed_async.cli.link:link_payments", name="link")
    app.command(wait_for_payment, name="wait")
    app.command(show_refundable, name="refundable")
    app.command(list_holds, name="holds")
    app.command(cancel_stale, name="cancel-stale")
    return app


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Order:
    """What is paid for.

    Attributes:
        amount: What the customer pays, in dollars with both digits of the cents: 19.99 or 20.00.
        item: An item of the order, a JSON object; may be repeated. Its price, of one, is dollars in quotes: \
{"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}.
        charges: The sum of shipping, tax and other charges, in dollars. With it or --discounts, --amount has to be the \
sum of all parts.
        discounts: The sum of all discounts, in dollars; it is sent as a positive amount.
        next_bill_amount: For a free trial (--amount 0.00 --tokenize): the next bill's amount, in dollars.
        next_bill_date: The next bill's date, YYYY-MM-DD.
    """

    amount: RequiredText
    item: Items = NO_VALUES
    charges: Text = None
    discounts: Text = None
    next_bill_amount: Text = None
    next_bill_date: Text = None

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``payment_sessions.create``."""
        return {
            "total_amount": parse_dollars("--amount", self.amount),
            "order_items": parse_items(self.item),
            "amount_details": self._amount_details(),
            "display_next_bill_info": self._next_bill(),
        }

    def _amount_details(self) -> "AmountDetails | Unset":
        if self.charges is None and self.discounts is None:
            return truemed_async.UNSET
        return truemed_async.AmountDetails(
            total_additional_charges=None if self.charges is None else parse_dollars("--charges", self.charges),
            total_discounts=None if self.discounts is None else parse_dollars("--discounts", self.discounts),
        )

    def _next_bill(self) -> "NextBillInfo | Unset":
        if self.next_bill_amount is None and self.next_bill_date is None:
            return truemed_async.UNSET
        if self.next_bill_amount is None or self.next_bill_date is None:
            raise InvalidArgumentError("--next-bill-amount and --next-bill-date require each other")
        return truemed_async.NextBillInfo(
            total_amount=parse_dollars("--next-bill-amount", self.next_bill_amount), date=self.next_bill_date
        )


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Checkout:
    """How it is paid, and by whom.

    Attributes:
        success_url: Where the customer returns after paying; https, or http on localhost.
        failure_url: Where the customer returns otherwise.
        deep_links: Accept links into an app, such as myapp://done, in --success-url and --failure-url.
        customer_email: The customer's e-mail address.
        customer_name: The customer's name.
        customer_state: The customer's US state, two letters.
        metadata: Your own text, which is returned with the payment.
        kind: one_time_payment, or authorization: held until it is captured or voided.
        payment_token: A stored payment method to charge immediately, without the customer.
    """

    success_url: RequiredText
    failure_url: Text = None
    deep_links: Flag = False
    customer_email: Text = None
    customer_name: Text = None
    customer_state: Text = None
    metadata: Text = None
    kind: Annotated[PaymentKind | None, LITERAL] = None
    payment_token: Text = None

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``payment_sessions.create``."""
        fields = {name: or_unset(value) for name, value in attrs.asdict(self).items() if name != "deep_links"}
        return fields | {
            name: parse_return_url(f"--{name.replace('_', '-')}", getattr(self, name), deep_links=self.deep_links)
            for name in ("success_url", "failure_url")
        }


def create_payment(
    *,
    order: Order,
    checkout: Checkout,
    tokenize: Flag = False,
    use_iframe: Flag = False,
    idempotency_key: Text = None,
    safety: SafetyOptions = DEFAULT_SAFETY,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Start a checkout and show the link for the customer, or charge a stored payment method.

    With --payment-token money moves immediately: the command asks for confirmation, unless --yes is given.

    Args:
        tokenize: Also store the payment method.
        use_iframe: The link will be shown in an iframe.
        idempotency_key: The same key with the same order is the same payment. Default: a new key, which is shown.
    """
    fields: dict[str, Any] = {**order.as_kwargs(), **checkout.as_kwargs()}
    fields |= {name: True for name, is_set in {"tokenize": tokenize, "use_iframe": use_iframe}.items() if is_set}

    target = prepare_response(context, output, "PaymentSessionCreation")

    async def create(client: "AsyncTruemed", key: str | None) -> "PaymentSessionCreation":
        return await client.payment_sessions.create(**fields, idempotency_key=key)

    question = f"Charge {format_dollars(fields['total_amount'])} to the stored payment method?"
    return confirm_and_run(
        context,
        safety,
        create,
        target=target,
        question=None if checkout.payment_token is None else question,
        key=idempotency_key,
    )


def capture_payment(
    id: str,
    /,
    *,
    amount: RequiredText,
    idempotency_key: Text = None,
    safety: SafetyOptions = DEFAULT_SAFETY,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Capture money that is held. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
        amount: The amount, in dollars with both digits of the cents: 19.99 or 20.00; at most what is held.
        idempotency_key: Repeating the capture with the same key applies it once. Default: a new key, which is shown.
    """
    total = parse_dollars("--amount", amount)

    target = prepare_response(context, output, "PaymentCapture")

    async def capture(client: "AsyncTruemed", key: str | None) -> "PaymentCapture":
        return await client.payment_sessions.capture(id, total_amount=total, idempotency_key=key)

    question = f"Capture {format_dollars(total)} of payment {id}?"
    return confirm_and_run(context, safety, capture, target=target, question=question, key=idempotency_key)


def void_payment(
    id: str,
    /,
    *,
    idempotency_key: Text = None,
    safety: SafetyOptions = DEFAULT_SAFETY,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Release money that is held. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
        idempotency_key: Repeating the void with the same key applies it once. Default: a new key, which is shown.
    """
    target = prepare_response(context, output, "PaymentVoid")

    async def void(client: "AsyncTruemed", key: str | None) -> "PaymentVoid":
        return await client.payment_sessions.void(id, idempotency_key=key)

    question = f"Release the money held for payment {id}?"
    return confirm_and_run(context, safety, void, target=target, question=question, key=idempotency_key)


def cancel_payment(
    id: str,
    /,
    *,
    safety: SafetyOptions = DEFAULT_SAFETY,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Cancel a pending payment. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
    """
    target = prepare_response(context, output, "PaymentCancellation")

    async def cancel(client: "AsyncTruemed", _: str | None) -> "PaymentCancellation":
        return await client.payment_sessions.cancel(id)

    hint = f"`truemed payments get {id}` shows whether it is canceled"
    return confirm_and_run(context, safety, cancel, target=target, question=f"Cancel payment {id}?", hint=hint)


def refund_payment(
    id: str,
    /,
    *,
    amount: RequiredText,
    reason: Annotated[RefundReason, LITERAL],
    idempotency_key: Text = None,
    safety: SafetyOptions = DEFAULT_SAFETY,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Refund money. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
        amount: The amount, in dollars with both digits of the cents: 19.99 or 20.00; at most what is not yet refunded.
        reason: customer_request, fraudulent or duplicate_payment.
        idempotency_key: Repeating the refund with the same key applies it once; each refund needs its own. Default: a \
new key, which is shown.
    """
    total = parse_dollars("--amount", amount)

    target = prepare_response(context, output, "PaymentRefund")

    async def refund(client: "AsyncTruemed", key: str | None) -> "PaymentRefund":
        return await client.payment_sessions.refund(id, amount=total, reason=reason, idempotency_key=key)

    question = f"Refund {format_dollars(total)} of payment {id}?"
    return confirm_and_run(context, safety, refund, target=target, question=question, key=idempotency_key)


async def wait_for_payment(
    id: str, /, *, wait: RequiredText = "5m", output: RowOutput = ROW_OUTPUT, context: Annotated[Context, CONTEXT]
) -> int:
    """Wait until a payment is decided, and show it. A webhook tells you without asking: prefer it where you can.

    The exit code is 0 if the payment is captured, or authorized and so yours to capture; it is 1 if it was rejected or \
canceled, and if nothing is decided in time.

    Args:
        id: The id of the payment session.
        wait: How long to ask for at most, such as 30s, 10m or 2h.
    """
    seconds = parse_wait("--wait", wait)
    target = prepare_response(context, output, "PaymentSession")
    async with context.target.connect() as client:
        session = await client.payment_sessions.wait_until_final(id, timeout=seconds)
    target.write_object(session)
    return 0 if session.may_fulfill or session.status == "authorized" else EXIT_FAILURE


async def show_refundable(
    id: str, /, *, output: ChartableOutput = CHARTABLE_OUTPUT, context: Annotated[Context, CONTEXT]
) -> None:
    """Show what can still be refunded of a payment, by line, and what of Truemed's fee comes back.

    A chart has a bar for each line of the order. Half of the fee comes back with a refund of the whole payment. The unit of the fee is undocumented.

    Args:
        id: The id of the payment session.
    """
    target = output.prepare(context.streams, RowLayout(model="Refundable"))
    async with context.target.connect() as client:
        refundable = (await client.payment_sessions.get(id)).refundable()
    if isinstance(target, RowTarget):
        target.write_object(attrs.asdict(refundable))
    else:
        target.draw(lambda _: [_refundable_chart(refundable)])


def _refundable_chart(refundable: "Refundable") -> BarChart:
    """Return a bar for each line of the order; lines without an amount have none."""
    names = [line.name or line.sku or line.item_id or "unnamed" for line in refundable.lines]
    amounts = [line.cents or 0 for line in refundable.lines]
    return BarChart(
        title=f"{format_dollars(refundable.cents)} of this payment can be refunded",
        label_axis="Line",
        value_axis="Dollars",
        bars=[(name, {"refundable": cents}) for name, cents in zip(names, amounts, strict=True)],
        format_number=format_dollars,
        note="Not now: " + refundable.obstacle if refundable.obstacle else "",
    )


async def list_holds(
    *,
    within: RequiredText,
    look_back: RequiredText = "30d",
    output: ChartableOutput = CHARTABLE_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List the payments whose card is held and may be released soon, the first one first: capture them before.

    A card is held for 6.95 days from its entry, before the review. No response says when it was entered, so ends_at is
    inferred: the earliest moment at which the hold can end, 6.95 days after the payment was created; latest_end is the
    latest one. A payment that is still processing then is canceled, even if its Letter is approved later. A chart shows
    how many may end on each day.

    Args:
        within: How soon a hold may end: a number of days or hours, such as 2d or 36h.
        look_back: How far back to read the list of payments, of which each is read.
    """
    target = output.prepare(context.streams, HOLDS)
    before = datetime.now(UTC) + parse_duration("--within", within)
    options: dict[str, Any] = {"before": before, "look_back": parse_duration("--look-back", look_back)}
    async with context.target.connect() as client:
        holds = await client.payment_sessions.holds_ending(**options)
    rows = [
        {
            "id": hold.session.id,
            "status": hold.session.status,
            "ends_at": hold.ends_at,
            "latest_end": hold.latest_end,
            "is_inferred": hold.is_inferred,
            "can_capture": hold.can_capture,
            "total_amount": hold.session.total_amount,
        }
        for hold in holds
    ]
    days: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for hold in holds:
        days[hold.ends_at.astimezone(UTC).date()][str(hold.session.status)] += 1
    title = f"{pluralize(len(rows), 'hold')} that may end within {within}"
    write_rows(
        target,
        rows,
        lambda max_bars: [make_timeline(title, days, "Number of payments", max_bars)],
        empty=f"no hold may end within {within}: try a longer --within or --look-back",
    )
    if rows and context.streams.err.isatty():
        context.streams.print_message(title)


def cancel_stale(
    *,
    older_than: RequiredText,
    look_back: Text = None,
    dry_run: Flag = False,
    yes: Flag = False,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> Coroutine[Any, Any, int] | int:
    """Cancel all payments that are pending for a long time. The command asks for confirmation, unless --yes is given.

    A payment that its customer completes meanwhile is not canceled, and shown as changed. Running the command again is
    safe. The exit code is 1 if the cancellation of one failed.

    Args:
        older_than: How long ago a payment was created, at least: a number of days or hours, such as 7d or 36h.
        look_back: How long ago it was created, at most. Default: every payment is read.
        dry_run: Show the payments that would be canceled, and cancel none.
        yes: Do not ask for confirmation. Required if standard input is not a terminal.
    """
    target = output.prepare(context.streams, CANCELLATIONS)
    options: dict[str, Any] = {"older_than": parse_duration("--older-than", older_than), "dry_run": dry_run}
    if look_back is not None:
        options["look_back"] = parse_duration("--look-back", look_back)
    question = f"Cancel every payment that is pending for {older_than} or longer?"
    if not dry_run and not yes and not confirm(context.streams, question):
        context.streams.print_message("nothing was sent")
        return EXIT_FAILURE
    return _cancel_stale(context, options, target)


async def _cancel_stale(context: Context, options: dict[str, Any], target: RowTarget) -> int:
    outcomes: list[CancellationOutcome] = []
    try:
        async with context.target.connect() as client:
            await collect_rows(context.streams, client.payment_sessions.cancel_stale(**options), outcomes)
    finally:  # of an interrupted run, too
        target.write([_cancellation_row(outcome) for outcome in outcomes], empty="no payment is pending for so long")
    counts = Counter(outcome.result for outcome in outcomes)
    counted = ", ".join(f"{result} {number:,}" for result, number in sorted(counts.items()))
    context.streams.print_message(f"{pluralize(len(outcomes), 'stale payment')}{counted and f' ({counted})'}")
    return 0 if all(outcome.ok for outcome in outcomes) else EXIT_FAILURE


def _cancellation_row(outcome: "CancellationOutcome") -> dict[str, object]:
    session = outcome.value
    return {
        "id": outcome.id,
        "result": outcome.result,
        "status": None if session is None else session.status,
        "created_at": None if session is None else session.created_at,
        "total_amount": None if session is None else session.total_amount,
        "error": None if outcome.error is None else str(outcome.error),
    }
