"""Money moves once: writes about payments whose answers are lost, against the emulator, through both clients."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.timeouts import PATIENT
from truemed_async import AsyncTruemed, OrderItem, RetryPolicy, Truemed, errors
from truemed_async.emulator import Emulator

QUICK = RetryPolicy(base=0.001, cap=0.002)
LOST = ["applied_then_reset", "applied_then_500", "applied_then_400_server_error"]
CART = {
    "total_amount": 12000,
    "order_items": [OrderItem(name="Sauna", price=6000, quantity=2)],
    "success_url": "https://shop.example/thanks",
}


def make_held(emulator):
    """A session whose money is held."""
    customer = emulator.state.payment_sessions
    id = customer.add(
        total_amount=12000, kind="authorization", order_items=[{"name": "Sauna", "price": 6000, "quantity": 2}]
    )
    customer.submit(id)
    customer.approve(id)
    return id


def captured(emulator):
    id = make_held(emulator)
    emulator.state.payment_sessions.capture(id)
    return id


def sessions_of(emulator):
    return emulator.state.payment_sessions.count


# What is there before, the call, and what must be there afterwards, once.
WRITES = {
    "create": (
        lambda emulator: None,
        lambda client, session: client.payment_sessions.create(**CART),
        lambda emulator, session: sessions_of(emulator) == 1,
    ),
    "capture": (
        make_held,
        lambda client, session: client.payment_sessions.capture(session, total_amount=12000),
        lambda emulator, session: emulator.state.payment_sessions.get(session).status == "captured",
    ),
    "void": (
        make_held,
        lambda client, session: client.payment_sessions.void(session),
        lambda emulator, session: emulator.state.payment_sessions.get(session).status == "authorization_voided",
    ),
    "refund": (
        captured,
        lambda client, session: client.payment_sessions.refund(session, amount=500, reason="customer_request"),
        lambda emulator, session: emulator.state.payment_sessions.get(session).refund_amount == 500,
    ),
}


def through_the_sync_client(emulator, call, id):
    with Truemed(emulator.api_key, base_url=emulator.url, retry=QUICK, timeout=PATIENT) as client:
        return call(client, id)


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("write", WRITES)
async def test_write_with_lost_response_is_applied_once(write, fault, sync):
    before, call, happened = WRITES[write]
    with Emulator(sessions=0) as emulator:
        id = before(emulator)
        emulator.faults.add(fault, method="POST", nth=1)
        if sync:
            done = await asyncio.to_thread(through_the_sync_client, emulator, call, id)
        else:
            async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK, timeout=PATIENT) as client:
                done = await call(client, id)
        posts = [request for request in emulator.requests if request.method == "POST"]
        assert len(posts) == 2
        assert len({request.body for request in posts}) == 1
        assert happened(emulator, id)
        assert done.idempotency_key.encode() in bytes(posts[0].body)


async def test_cancel_with_lost_response_raises_without_retry():
    with Emulator(sessions=0) as emulator:
        id = emulator.state.payment_sessions.add()
        emulator.faults.add("applied_then_reset", method="POST", nth=1)
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK, timeout=PATIENT) as client:
            with pytest.raises(errors.DisconnectedError) as caught:
                await client.payment_sessions.cancel(id)
            assert (caught.value.outcome, caught.value.attempts) == ("unknown", 1)
            assert (await client.payment_sessions.get(id)).status == "canceled"


async def test_hundred_clicks_on_one_cart_make_one_session():
    with Emulator(sessions=0) as emulator:
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, timeout=PATIENT) as client:
            results = await asyncio.gather(
                *(client.payment_sessions.create(**CART, idempotency_key="cart-1") for _ in range(100))
            )
        assert len({each.id for each in results}) == 1
        assert sessions_of(emulator) == 1


async def test_every_session_and_token_is_iterated_over():
    with Emulator(sessions=0, payment_sessions=300, payment_tokens=50) as emulator:
        sessions = {session.id for session in emulator.state.payment_sessions.rows}
        tokens = {token.payment_token for token in emulator.state.payment_tokens.rows if token.status != "deleted"}
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, timeout=PATIENT) as client:
            found = [each async for each in client.payment_sessions.iter(include_order_items=True, page_size=30)]
            stored = [each async for each in client.payment_tokens.iter(page_size=10)]
            outcomes = [each async for each in client.payment_sessions.get_many(sessions)]
        assert len(found) == len(sessions)
        assert {each.id for each in found} == sessions
        assert len(stored) == len(tokens)
        assert {each.payment_token for each in stored} == tokens
        assert {each.unwrap().id for each in outcomes} == sessions
