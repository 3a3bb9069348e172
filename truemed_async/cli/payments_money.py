"""``truemed payments capture``, ``void``, ``cancel`` and ``refund``: seen first, asked about, then sent."""

from typing import TYPE_CHECKING, Annotated

from truemed_async.cli.amounts import cents_of
from truemed_async.cli.moving import ASKING, Care, Done, change
from truemed_async.cli.options import AS_GIVEN, CONTEXT, Text
from truemed_async.cli.target import Context
from truemed_async.money import format_dollars

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, PaymentCancellation, PaymentCapture, PaymentRefund, PaymentVoid


def capture_payment(
    id: str,
    /,
    *,
    amount: Annotated[str, AS_GIVEN],
    idempotency_key: Text = None,
    care: Care = ASKING,
    context: Annotated[Context, CONTEXT],
) -> Done:
    """Take money that is held. You are asked before, unless --yes is given.

    Args:
        id: The payment session's id.
        amount: How much, in dollars with both digits of the cents: 19.99 or 20.00; at most what is held.
        idempotency_key: Makes repeating the same capture harmless; by default a new one is made and shown.
        care: Look before you leap.
        context: Not an option.
    """
    total = cents_of("--amount", amount)

    async def capture(client: "AsyncTruemed", key: str | None) -> "PaymentCapture":
        return await client.payment_sessions.capture(id, total_amount=total, idempotency_key=key)

    return change(
        context, care, capture, question=f"Capture {format_dollars(total)} of payment {id}?", key=idempotency_key
    )


def void_payment(
    id: str,
    /,
    *,
    idempotency_key: Text = None,
    care: Care = ASKING,
    context: Annotated[Context, CONTEXT],
) -> Done:
    """Release money that is held. You are asked before, unless --yes is given.

    Args:
        id: The payment session's id.
        idempotency_key: Makes repeating the same void harmless; by default a new one is made and shown.
        care: Look before you leap.
        context: Not an option.
    """

    async def void(client: "AsyncTruemed", key: str | None) -> "PaymentVoid":
        return await client.payment_sessions.void(id, idempotency_key=key)

    return change(context, care, void, question=f"Release what is held for payment {id}?", key=idempotency_key)


def cancel_payment(id: str, /, *, care: Care = ASKING, context: Annotated[Context, CONTEXT]) -> Done:
    """End a payment that is pending. You are asked before, unless --yes is given.

    Args:
        id: The payment session's id.
        care: Look before you leap.
        context: Not an option.
    """

    async def cancel(client: "AsyncTruemed", _: str | None) -> "PaymentCancellation":
        return await client.payment_sessions.cancel(id)

    settle = f"`truemed payments get {id}` shows whether it is canceled"
    return change(context, care, cancel, question=f"Cancel payment {id}?", settle=settle)


def refund_payment(
    id: str,
    /,
    *,
    amount: Annotated[str, AS_GIVEN],
    reason: Annotated[str, AS_GIVEN],
    idempotency_key: Text = None,
    care: Care = ASKING,
    context: Annotated[Context, CONTEXT],
) -> Done:
    """Give money back. You are asked before, unless --yes is given.

    Args:
        id: The payment session's id.
        amount: How much, in dollars with both digits of the cents: 19.99 or 20.00; at most what is left to refund.
        reason: customer_request, fraudulent or duplicate_payment.
        idempotency_key: Makes repeating the same refund harmless; by default a new one is made and shown. Each refund
            has its own.
        care: Look before you leap.
        context: Not an option.
    """
    total = cents_of("--amount", amount)

    async def refund(client: "AsyncTruemed", key: str | None) -> "PaymentRefund":
        return await client.payment_sessions.refund(id, amount=total, reason=reason, idempotency_key=key)

    return change(
        context, care, refund, question=f"Refund {format_dollars(total)} of payment {id}?", key=idempotency_key
    )
