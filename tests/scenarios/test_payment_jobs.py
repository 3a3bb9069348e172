"""The jobs of docs/payments.md, with each client: what to capture by when, what to cancel, what to refund, and waits."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from truemed_async import CancellationResult

DAY = timedelta(days=1)


@pytest.fixture
def make_held(customer):
    """Return a function that adds an authorization of some days ago, under review or authorized."""

    def make_held(days, *, approved=True, **fields):
        id = customer.add(kind="authorization", created_at=datetime.now(UTC) - days * DAY, **fields)
        customer.submit(id)
        if approved:
            customer.approve(id)
        return id

    return make_held


async def test_holds_end_in_the_order_of_their_deadlines(shop, make_held, customer):
    late, soon, review, over = make_held(1), make_held(6), make_held(5, approved=False), make_held(8)
    customer.add(created_at=datetime.now(UTC) - 6 * DAY)  # pending: no card yet
    make_held(31)

    holds = await shop.payments.holds_ending(before=datetime.now(UTC) + 3 * DAY)
    assert [hold.session.id for hold in holds] == [over, soon, review]
    assert [hold.can_capture for hold in holds] == [True, True, False]
    assert all(hold.is_inferred for hold in holds)
    assert late not in [hold.session.id for hold in holds]

    known = {soon: datetime.now(UTC) - DAY, over: datetime.now(UTC) - 4.5 * DAY}
    holds = await shop.payments.holds_ending(before=datetime.now(UTC) + 3 * DAY, card_entered_at=known)
    assert [(hold.session.id, hold.is_inferred) for hold in holds] == [(review, True), (over, False)]
    assert len(await shop.payments.holds_ending(before=date.max, look_back=2 * DAY)) == 1


async def test_stale_payments_are_canceled_once_and_others_stay(shop, customer):
    old = datetime.now(UTC) - 10 * DAY
    stale, completed, fresh = customer.add(created_at=old), customer.add(created_at=old), customer.add()
    customer.submit(completed)
    customer.approve(completed)

    planned = await shop.payments.cancel_stale(older_than=7 * DAY, dry_run=True)
    assert [(each.id, each.result) for each in planned] == [(stale, CancellationResult.PLANNED)]
    assert customer.get(stale).status == "pending"
    done = await shop.payments.cancel_stale(older_than=7 * DAY)
    assert [(each.id, each.result, each.ok) for each in done] == [(stale, CancellationResult.CANCELED, True)]
    assert await shop.payments.cancel_stale(older_than=7 * DAY) == []
    assert [customer.get(id).status for id in (stale, completed, fresh)] == ["canceled", "captured", "pending"]


async def test_lost_cancellation_is_settled_by_reading_again(shop, customer, emulator):
    stale = customer.add(created_at=datetime.now(UTC) - 10 * DAY)
    with emulator.faults.add("applied_then_reset", route="payment_sessions.cancel"):
        (outcome,) = await shop.payments.cancel_stale(older_than=7 * DAY)
    assert (outcome.id, outcome.result, outcome.value.status) == (stale, CancellationResult.CANCELED, "canceled")


async def test_refundable_follows_refunds_and_disputes(shop, customer):
    id = (await shop.checkout(total=9000)).id
    assert (await shop.payments.get(id)).refundable().obstacle == "not captured"
    customer.submit(id)
    customer.approve(id)
    assert (await shop.payments.get(id)).refundable().cents == 9000
    await shop.payments.refund(id, amount=4000, reason="customer_request")
    (row,) = await shop.payments.iter(include_order_items=True, summarize_refunds=True, status="captured")
    for session in (await shop.payments.get(id), row):
        left = session.refundable()
        assert (left.captured_cents, left.refunded_cents, left.cents) == (9000, 4000, 5000)
        assert [(line.sku, line.cents) for line in left.lines] == [("SB-1", 5000)]
    customer.open_dispute(id)
    assert (await shop.payments.get(id)).refundable().obstacle == "disputed"


async def test_waits_end_with_payment_and_token(shop, customer, emulator):
    id = (await shop.checkout(kind="authorization")).id
    waiting = asyncio.create_task(shop.payments.wait_until_final(id, timeout=60))
    customer.submit(id)
    customer.approve(id)
    assert (await waiting).status == "authorized"

    request = await shop.tokens.create(success_url="https://shop.example/account")
    token = emulator.state.provision_requests.submit(request.provision_token_request_id)
    found = await shop.tokens.wait_until_provisioned(request.provision_token_request_id, timeout=60)
    assert found.payment_token == token
