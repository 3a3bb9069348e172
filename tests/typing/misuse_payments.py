"""What a type checker must refuse about payments. Each line is wrong on purpose; an ignore too many is an error."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from truemed_async import AmountDetails, AsyncTruemed, OrderItem, PaymentSession, Truemed, cents


async def asynchronous(client: AsyncTruemed, session: PaymentSession, items: list[OrderItem]) -> None:
    sessions = client.payment_sessions
    await sessions.create(total_amount=19.99, order_items=items, success_url="https://x")  # type: ignore[arg-type]
    await sessions.create(total_amount="1999", order_items=items, success_url="https://x")  # type: ignore[arg-type]
    await sessions.create(total_amount=1, order_items=[{"name": "x"}], success_url="https://x")  # type: ignore[list-item]
    await sessions.create(total_amount=1, order_items=items)  # type: ignore[call-arg]
    await sessions.create(1, items, "https://x")  # type: ignore[call-arg]
    await sessions.create(total_amount=1, order_items=items, success_url="https://x", metadata=None)  # type: ignore[arg-type]
    await sessions.create(total_amount=1, order_items=items, success_url="https://x", order_id="1")  # type: ignore[call-arg]
    await sessions.capture("s")  # type: ignore[call-arg]
    await sessions.capture("s", total_amount=1.0)  # type: ignore[arg-type]
    await sessions.refund("s", amount=1)  # type: ignore[call-arg]
    await sessions.refund("s", 1, "fraudulent")  # type: ignore[call-arg]
    await sessions.cancel("s", idempotency_key="k")  # type: ignore[call-arg]
    await client.payment_tokens.delete("t", extra={})  # type: ignore[call-arg]
    session.total_amount + 1  # type: ignore[operator]
    session.status = "captured"  # type: ignore[misc,assignment]


def money() -> None:
    cents(19.99)  # type: ignore[arg-type]
    cents(5)  # type: ignore[arg-type]
    OrderItem(name="x", price=19.99, quantity=1)  # type: ignore[arg-type]
    OrderItem(name="x", price=1999)  # type: ignore[call-arg]
    AmountDetails(total_discounts="1")  # type: ignore[arg-type]


def synchronous(client: Truemed) -> None:
    client.payment_sessions.capture("s", total_amount=None)  # type: ignore[arg-type]
