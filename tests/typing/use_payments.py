"""How a program takes payments, with either client, and what its type checker makes of it. Checked, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_type

from yarl import URL

from truemed_async import (
    PAYMENT_SESSION_ID,
    UNSET,
    AmountDetails,
    AsyncTruemed,
    DeepLink,
    NextBillInfo,
    OrderItem,
    Outcome,
    Page,
    PaymentCancellation,
    PaymentCapture,
    PaymentRefund,
    PaymentSession,
    PaymentSessionCreation,
    PaymentSessionItem,
    PaymentSessionKind,
    PaymentSessionStatus,
    PaymentStatusSummary,
    PaymentToken,
    PaymentTokenCreation,
    PaymentTokenNextAction,
    PaymentTokenUpdate,
    PaymentVoid,
    ProvisionTokenRequest,
    RefundReason,
    StoredPaymentMethod,
    Stream,
    SyncStream,
    Truemed,
    cents,
    qualification_link,
)
from truemed_async.errors import APIError, BadRequestError, PaymentMethodError, SessionCapturedError

CART = [
    OrderItem(name="Sauna", price=cents("59.99"), quantity=2, sku="S-1"),
    OrderItem(name="Mat", price=999, quantity=1, amount_details=AmountDetails(total_discounts=-100)),
]


def parts() -> None:
    assert_type(cents(Decimal("19.99")), int)
    AmountDetails()
    AmountDetails(total_additional_charges=700, discounts_details=[{"name": "spring", "amount": 100}], extra={"x": 1})
    NextBillInfo(total_amount=2999, date=date(2026, 12, 1))
    NextBillInfo(total_amount=2999, date="2026-12-01")
    assert_type(qualification_link("tm_qual_1", source="email_receipt", user_id="u", skus=["A", "B"]), str)
    qualification_link("tm_qual_1", skus="A", brand="acme", environment="sandbox")
    qualification_link("tm_qual_1", base_url=URL("http://localhost:8080"))


async def asynchronous(client: AsyncTruemed) -> None:
    sessions = client.payment_sessions
    session = await sessions.create(
        total_amount=cents("129.97"),
        order_items=CART,
        success_url=f"https://shop.example/thanks?s={PAYMENT_SESSION_ID}",
        failure_url=URL("https://shop.example/cart"),
        amount_details=AmountDetails(total_additional_charges=100),
        customer_email="jane@example.com",
        customer_name="Jane Doe",
        customer_state="CA",
        metadata={"order": 17},
        kind=PaymentSessionKind.AUTHORIZATION,
        tokenize=True,
        use_iframe=False,
        idempotency_key="cart-17",
        extra={"order_id": "17"},
    )
    assert_type(session, PaymentSessionCreation)
    assert_type(session.redirect_url, str | None)
    assert_type(session.idempotency_key, str)
    await sessions.create(
        total_amount=0, order_items=(), success_url=DeepLink("myapp://x"), kind="authorization", metadata="m"
    )
    await sessions.create(
        total_amount=1, order_items=CART, success_url="https://x", payment_token=UNSET, tokenize=UNSET, metadata=UNSET
    )
    found = await sessions.get(session.id)
    assert_type(found, PaymentSession)
    assert_type(found.status, PaymentSessionStatus)
    assert_type(found.status_summary, PaymentStatusSummary | None)
    assert_type(found.may_fulfill, bool)
    assert_type(found.status.is_final, bool)
    assert_type(found.capture_amount, int | None)
    assert_type(found.captured_on, datetime | None)
    assert_type(found.order_items, tuple[PaymentSessionItem, ...] | None)
    assert_type(found.extra, Mapping[str, Any])
    assert_type(await sessions.list(search="x", include_order_items=True, extra={"a": 1}), Page[PaymentSession])
    assert_type(sessions.iter(since=datetime(2026, 1, 1, tzinfo=UTC), look_back=timedelta(1)), Stream[PaymentSession])
    assert_type(await sessions.capture(session.id, total_amount=1), PaymentCapture)
    assert_type(await sessions.void(session.id, idempotency_key="v"), PaymentVoid)
    assert_type(await sessions.cancel(session.id), PaymentCancellation)
    refund = await sessions.refund(session.id, amount=500, reason=RefundReason.CUSTOMER_REQUEST, item_details=None)
    assert_type(refund, PaymentRefund)
    assert_type(sessions.get_many(["a"]), Stream[Outcome[PaymentSession]])

    tokens = client.payment_tokens
    assert_type(await tokens.create(order_items=CART, success_url="https://x", metadata={}), PaymentTokenCreation)
    token = await tokens.get("t")
    assert_type(token, PaymentToken)
    assert_type(token.payment_methods, tuple[StoredPaymentMethod, ...] | None)
    assert_type(
        await tokens.list(card_expires_before="2027-12", lmn_expires_before=date(2027, 1, 1)), Page[PaymentToken]
    )
    assert_type(tokens.iter(email="x"), Stream[PaymentToken])
    change = await tokens.update("t", update_card_info=True)
    assert_type(change, PaymentTokenUpdate)
    assert_type(change.next_action, PaymentTokenNextAction | None)
    await tokens.delete("t")
    assert_type(await tokens.get_provision_request("r"), ProvisionTokenRequest)

    async def some() -> AsyncIterator[str]:
        yield "t"

    assert_type(tokens.get_many(some()), Stream[Outcome[PaymentToken]])


def synchronous(client: Truemed) -> None:
    session = client.payment_sessions.create(total_amount=12997, order_items=CART, success_url="https://x")
    assert_type(session, PaymentSessionCreation)
    assert_type(client.payment_sessions.get(session.id), PaymentSession)
    assert_type(client.payment_sessions.iter(), SyncStream[PaymentSession])
    assert_type(client.payment_sessions.get_many(["a"]), SyncStream[Outcome[PaymentSession]])
    assert_type(client.payment_sessions.cancel("s"), PaymentCancellation)
    assert_type(client.payment_tokens.iter(), SyncStream[PaymentToken])
    client.payment_tokens.delete("t")


def errors(client: Truemed) -> None:
    try:
        client.payment_sessions.void("s")
    except PaymentMethodError as error:
        assert_type(error.redirect_url, str | None)
    except SessionCapturedError as error:
        base: BadRequestError = error
        assert_type(base.code, str | None)
    except APIError as error:
        assert_type(error.status, int)
