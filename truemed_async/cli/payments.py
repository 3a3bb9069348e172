"""``truemed payments``: payment sessions."""

from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import attrs
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.mutations import DEFAULT_SAFETY, CommandResult, SafetyOptions, confirm, confirm_and_run
from truemed_async.cli.options import (
    CONTEXT,
    LITERAL,
    NO_VALUES,
    Flag,
    Items,
    ListFormat,
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
)
from truemed_async.cli.output import EXIT_FAILURE, pluralize, render_rows
from truemed_async.cli.progress import collect_rows
from truemed_async.cli.resources import Filters, ResourceCommands
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
        Unset,
    )

LINE_COLUMNS = ("item_id", "sku", "name", "quantity", "cents")
HOLD_COLUMNS = ("id", "status", "ends_at", "latest_end", "is_inferred", "can_capture", "total_amount")
CANCELLATION_COLUMNS = ("id", "result", "status", "created_at", "total_amount", "error")


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class PaymentFilters(Filters):
    """Filters of payments.

    Attributes:
        search: Text to find; that Truemed searches id, e-mail and name is an assumption.
        status: Only payments of this status, such as captured or authorized. Truemed's own filter is not public, so
            this command reads every payment and selects.
        include_order_items: Include the items of each order.
        summarize_refunds: Include the sum of the refunds of each payment.
    """

    local: ClassVar[frozenset[str]] = frozenset({"status"})

    search: Text = None
    status: Annotated[PaymentStatus | None, LITERAL] = None
    include_order_items: Flag = False
    summarize_refunds: Flag = False


def make_app() -> App:
    """Return ``truemed payments``."""
    app = App(name="payments", help="Payment sessions: checkouts, charges of stored payment methods, refunds.")
    ResourceCommands(
        resource="payment_sessions",
        model="PaymentSession",
        noun="payment",
        ids="Ids of payment sessions",
        columns=("id", "status", "status_summary", "total_amount", "capture_amount", "created_at", "customer_email"),
        filters=PaymentFilters,
        note="Amounts are cents.",
    ).add_to(app)
    app.command(create_payment, name="create")
    app.command(capture_payment, name="capture")
    app.command(void_payment, name="void")
    app.command(cancel_payment, name="cancel")
    app.command(refund_payment, name="refund")
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
        item: An item of the order, a JSON object; may be repeated. Its price, of one, is dollars in quotes:
            {"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}.
        charges: The sum of shipping, tax and other charges, in dollars. With it or --discounts, --amount has to be the
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

    async def create(client: "AsyncTruemed", key: str | None) -> "PaymentSessionCreation":
        return await client.payment_sessions.create(**fields, idempotency_key=key)

    question = f"Charge {format_dollars(fields['total_amount'])} to the stored payment method?"
    return confirm_and_run(
        context,
        safety,
        create,
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
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Capture money that is held. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
        amount: The amount, in dollars with both digits of the cents: 19.99 or 20.00; at most what is held.
        idempotency_key: Repeating the capture with the same key applies it once. Default: a new key, which is shown.
    """
    total = parse_dollars("--amount", amount)

    async def capture(client: "AsyncTruemed", key: str | None) -> "PaymentCapture":
        return await client.payment_sessions.capture(id, total_amount=total, idempotency_key=key)

    question = f"Capture {format_dollars(total)} of payment {id}?"
    return confirm_and_run(context, safety, capture, question=question, key=idempotency_key)


def void_payment(
    id: str,
    /,
    *,
    idempotency_key: Text = None,
    safety: SafetyOptions = DEFAULT_SAFETY,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Release money that is held. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
        idempotency_key: Repeating the void with the same key applies it once. Default: a new key, which is shown.
    """

    async def void(client: "AsyncTruemed", key: str | None) -> "PaymentVoid":
        return await client.payment_sessions.void(id, idempotency_key=key)

    question = f"Release the money held for payment {id}?"
    return confirm_and_run(context, safety, void, question=question, key=idempotency_key)


def cancel_payment(
    id: str, /, *, safety: SafetyOptions = DEFAULT_SAFETY, context: Annotated[Context, CONTEXT]
) -> CommandResult:
    """Cancel a pending payment. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
    """

    async def cancel(client: "AsyncTruemed", _: str | None) -> "PaymentCancellation":
        return await client.payment_sessions.cancel(id)

    hint = f"`truemed payments get {id}` shows whether it is canceled"
    return confirm_and_run(context, safety, cancel, question=f"Cancel payment {id}?", hint=hint)


def refund_payment(
    id: str,
    /,
    *,
    amount: RequiredText,
    reason: Annotated[RefundReason, LITERAL],
    idempotency_key: Text = None,
    safety: SafetyOptions = DEFAULT_SAFETY,
    context: Annotated[Context, CONTEXT],
) -> CommandResult:
    """Refund money. The command asks for confirmation, unless --yes is given.

    Args:
        id: The id of the payment session.
        amount: The amount, in dollars with both digits of the cents: 19.99 or 20.00; at most what is not yet refunded.
        reason: customer_request, fraudulent or duplicate_payment.
        idempotency_key: Repeating the refund with the same key applies it once; each refund needs its own. Default: a
            new key, which is shown.
    """
    total = parse_dollars("--amount", amount)

    async def refund(client: "AsyncTruemed", key: str | None) -> "PaymentRefund":
        return await client.payment_sessions.refund(id, amount=total, reason=reason, idempotency_key=key)

    question = f"Refund {format_dollars(total)} of payment {id}?"
    return confirm_and_run(context, safety, refund, question=question, key=idempotency_key)


async def show_refundable(id: str, /, *, context: Annotated[Context, CONTEXT]) -> None:
    """Show what can still be refunded of a payment, by line, and what of Truemed's fee comes back. Amounts are cents.

    Half of the fee comes back with a refund of the whole payment. The unit of the fee is undocumented.

    Args:
        id: The id of the payment session.
    """
    async with context.target.connect() as client:
        refundable = (await client.payment_sessions.get(id)).refundable()
    fields = attrs.asdict(refundable)
    if context.streams.is_terminal:
        render_rows(context.streams, fields.pop("lines"), "table", LINE_COLUMNS)
    render_rows(context.streams, [fields], None, tuple(fields))


async def list_holds(
    *,
    within: RequiredText,
    look_back: RequiredText = "30d",
    format: ListFormat = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List the payments whose card is held and may be released soon, the first one first: capture them before.

    A card is held for 6.95 days from its entry, before the review. No response says when it was entered, so ends_at is
    inferred: the earliest moment at which the hold can end, 6.95 days after the payment was created; latest_end is the
    latest one. A payment that is still processing then is canceled, even if its Letter is approved later.

    Args:
        within: How soon a hold may end: a number of days or hours, such as 2d or 36h.
        look_back: How far back to read the list of payments, of which each is read.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
    """
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
    render_rows(context.streams, rows, format, HOLD_COLUMNS)


def cancel_stale(
    *,
    older_than: RequiredText,
    look_back: Text = None,
    dry_run: Flag = False,
    yes: Flag = False,
    format: ListFormat = None,
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
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
    """
    options: dict[str, Any] = {"older_than": parse_duration("--older-than", older_than), "dry_run": dry_run}
    if look_back is not None:
        options["look_back"] = parse_duration("--look-back", look_back)
    question = f"Cancel every payment that is pending for {older_than} or longer?"
    if not dry_run and not yes and not confirm(context.streams, question):
        context.streams.print_message("nothing was sent")
        return EXIT_FAILURE
    return _cancel_stale(context, options, format)


async def _cancel_stale(context: Context, options: dict[str, Any], format: str | None) -> int:
    outcomes: list[CancellationOutcome] = []
    try:
        async with context.target.connect() as client:
            await collect_rows(context.streams, client.payment_sessions.cancel_stale(**options), outcomes)
    finally:  # of an interrupted run, too
        rows = [_cancellation_row(outcome) for outcome in outcomes]
        render_rows(context.streams, rows, format, CANCELLATION_COLUMNS)
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
