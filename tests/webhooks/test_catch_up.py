"""Changes whose deliveries were missed: found once, recognized when they are delivered after all, and their limits."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.canary import EMAIL, found_in_error, leaks
from tests.support.webhook_payloads import SECRET, make_signed_headers
from truemed_async import AsyncTruemed, OrderItem, Truemed
from truemed_async.emulator import Emulator
from truemed_async.errors import CallError, InvalidArgumentError, NotFoundError
from truemed_async.webhooks import (
    AsyncReceiver,
    Claim,
    DeliveryStatus,
    MemoryDedupStore,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    Receiver,
    SQLiteDedupStore,
)

BOX = OrderItem(name="Box", price=2999, quantity=1, sku="BOX")
URL = "https://shop.example/thanks"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def emulator():
    with Emulator(sessions=0) as running:
        yield running


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    return MemoryDedupStore() if request.param == "memory" else SQLiteDedupStore(tmp_path / "webhooks.db")


class AsyncOnly:
    """A store of the merchant's own, with coroutines and without `retention`."""

    def __init__(self):
        self._store = MemoryDedupStore()

    async def claim(self, key, owner):
        await asyncio.sleep(0)
        return self._store.claim(key, owner)

    async def confirm(self, key, owner):
        self._store.confirm(key, owner)

    async def release(self, key, owner):
        self._store.release(key, owner)


class Shop:
    """The receiver of one shop, its handled events, and either client."""

    def __init__(self, emulator, store, way):
        self.events, self.failures, self.way = [], [], way
        self.emulator = emulator
        receiver = AsyncReceiver if way.startswith("async client, async") else Receiver
        self.receiver = receiver(self.handle_later if "coroutine" in way else self.handle, secrets=SECRET, store=store)

    def handle(self, event):
        if self.failures:
            raise self.failures.pop()
        self.events.append(event)

    async def handle_later(self, event):
        await asyncio.sleep(0)
        self.handle(event)

    async def catch_up(self, **options):
        options = {"since": datetime.now(UTC) - HOUR, **options}
        if self.way.startswith("sync"):

            def run():
                with Truemed(self.emulator.api_key, base_url=self.emulator.url) as client:
                    return client.catch_up(self.receiver, **options)

            return await asyncio.to_thread(run)
        async with AsyncTruemed(self.emulator.api_key, base_url=self.emulator.url) as client:
            return await client.catch_up(self.receiver, **options)

    async def deliver(self, payload, event_type="new.name", id="whd_1"):
        body = json.dumps({"webhook_delivery_id": id, "event_type": event_type, "data": payload}).encode()
        if isinstance(self.receiver, AsyncReceiver):
            return (await self.receiver.receive(body, make_signed_headers(body))).status
        return (await asyncio.to_thread(self.receiver.receive, body, make_signed_headers(body))).status


WAYS = [
    "async client, async receiver, coroutine",
    "async client, async receiver, function",
    "async client, receiver, function",
    "sync client, receiver, function",
    "sync client, receiver, coroutine",
]


@pytest.fixture(params=WAYS)
def shop(request, emulator, store):
    return Shop(emulator, store, request.param)


@pytest.fixture
def one(emulator):
    return Shop(emulator, MemoryDedupStore(), WAYS[0])


async def checkout(emulator, **options):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        session = await client.payment_sessions.create(
            total_amount=2999, order_items=[BOX], success_url=URL, metadata="order-7", **options
        )
    return session.id


async def request_token(emulator, **options):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        return (await client.payment_tokens.create(order_items=[BOX], success_url=URL, **options)).provision_token_request_id  # fmt: skip


def kinds(events):
    return sorted((type(event).__name__, str(getattr(event.data, "status", "-"))) for event in events)


# --- what is found --------------------------------------------------------------------------------------------------


async def test_changes_are_handled_once_and_their_late_deliveries_recognized(emulator, shop):
    payments, qualifications = emulator.state.payment_sessions, emulator.state.qualification_sessions
    id = await checkout(emulator, tokenize=True)
    payments.submit(id)
    payments.approve(id)
    await checkout(emulator)  # stays pending: nothing happened
    approved = qualifications.add(status="processing", email="ann@example.com")
    qualifications.approve(approved)
    qualifications.add(status="processing")
    request = await request_token(emulator, metadata="subscription 17")
    emulator.state.provision_requests.submit(request)

    result = await shop.catch_up(provision_token_request_ids=[request])
    assert result.ok
    assert result.counts[DeliveryStatus.HANDLED] == len(shop.events) == 4
    assert kinds(shop.events) == [
        ("PaymentSessionUpdated", "captured"),
        ("PaymentTokenUpdated", "-"),
        ("PaymentTokenUpdated", "-"),
        ("QualificationSessionCompleted", "approved"),
    ]
    found = {type(event): event for event in shop.events}
    payment = found[PaymentSessionUpdated].data
    assert (payment.payment_session_id, payment.metadata, payment.capture_amount) == (id, "order-7", 2999)
    assert [item.sku for item in payment.order_items] == ["BOX"]
    assert found[QualificationSessionCompleted].data.email == "ann@example.com"
    assert all((event.delivery_id, event.signed_at) == (None, None) for event in shop.events)
    tokens = [event.data for event in shop.events if isinstance(event, PaymentTokenUpdated)]
    assert {(each.payment_session_id, each.provision_token_request_id, each.metadata) for each in tokens} == {
        (id, None, "order-7"),
        (None, request, "subscription 17"),
    }

    again = await shop.catch_up(provision_token_request_ids=[request])
    assert (again.counts[DeliveryStatus.HANDLED], again.counts[DeliveryStatus.DUPLICATE]) == (0, 5)
    for number, event in enumerate(list(shop.events)):
        data = {name: value for name, value in event.data.to_dict().items() if name != "order_items"}
        assert await shop.deliver(json.loads(json.dumps(data, default=str)), event.type.value, f"whd_{number}") == "duplicate"  # fmt: skip
    assert len(shop.events) == 4


async def test_delivered_changes_are_not_handled_again(emulator, shop):
    id = await checkout(emulator)
    emulator.state.payment_sessions.submit(id)
    assert await shop.deliver({"payment_session_id": id, "status": "processing"}) == "handled"
    assert (await shop.catch_up()).counts[DeliveryStatus.DUPLICATE] == 1
    emulator.state.payment_sessions.approve(id)
    assert (await shop.catch_up()).counts[DeliveryStatus.HANDLED] == 1
    assert [event.data.status for event in shop.events] == ["processing", "captured"]


async def test_any_store_of_the_protocol_works(emulator):
    shop = Shop(emulator, AsyncOnly(), WAYS[0])
    emulator.state.payment_sessions.submit(await checkout(emulator))
    assert (await shop.catch_up()).counts[DeliveryStatus.HANDLED] == 1
    assert (await shop.catch_up(since=datetime.now(UTC) - 100 * DAY)).counts[DeliveryStatus.DUPLICATE] == 1


class InMemoryInbox:
    """An inbox of the merchant's own: the handler runs within the call that confirms the event."""

    def __init__(self):
        self._done = set()

    def process(self, key, handle, creation_keys=None):
        if key in self._done:
            return Claim.DONE
        handle()
        self._done.add(key)
        return Claim.GRANTED


@pytest.mark.parametrize("way", ["async client, async receiver, function", "sync client, receiver, function"])
async def test_inbox_handles_each_change_once(emulator, way):
    shop = Shop(emulator, InMemoryInbox(), way)
    emulator.state.payment_sessions.submit(await checkout(emulator))
    assert (await shop.catch_up()).counts[DeliveryStatus.HANDLED] == 1
    assert (await shop.catch_up()).counts[DeliveryStatus.DUPLICATE] == 1


async def test_failed_change_is_reported_and_found_again(emulator, shop, caplog):
    id = await checkout(emulator)
    emulator.state.payment_sessions.submit(id)
    shop.failures = [RuntimeError("the warehouse is closed")]
    failed = await shop.catch_up()
    assert (failed.ok, failed.counts[DeliveryStatus.FAILED]) == (False, 1)
    (failure,) = failed.failures
    assert (failure.event.data.payment_session_id, str(failure.error)) == (id, "the warehouse is closed")
    assert "failed, without a delivery" in caplog.text
    assert (await shop.catch_up()).counts[DeliveryStatus.HANDLED] == 1


async def test_change_whose_delivery_is_being_handled_is_in_progress(emulator, one):
    id = await checkout(emulator)
    emulator.state.payment_sessions.submit(id)
    started, finish = asyncio.Event(), asyncio.Event()

    async def handle(event):
        started.set()
        await finish.wait()

    one.receiver = AsyncReceiver(handle, secrets=SECRET, store=MemoryDedupStore())
    delivery = asyncio.create_task(one.deliver({"payment_session_id": id, "status": "processing"}))
    await started.wait()
    result = await one.catch_up()
    assert (result.ok, result.counts[DeliveryStatus.IN_PROGRESS]) == (False, 1)
    finish.set()
    assert await delivery == "handled"
    assert (await one.catch_up()).ok


# --- tokens without an origin ---------------------------------------------------------------------------------------


async def test_token_whose_request_is_not_passed_is_handled_once_and_its_updates_are_not_lost(emulator, shop):
    """The list of tokens shows no origin: the first delivery with one is the creation, the next one is an update."""
    emulator.state.provision_requests.submit(await request_token(emulator))
    assert (await shop.catch_up()).counts[DeliveryStatus.HANDLED] == 1
    assert (await shop.catch_up()).counts[DeliveryStatus.DUPLICATE] == 1
    token = shop.events[0].data.payment_token
    creation, update = ({"payment_token": token, "provision_token_request_id": id} for id in ("r-1", "r-2"))
    repair = {"payment_token": token, "failed_payment_session_id": "ps_1"}
    assert await shop.deliver(repair) == "handled"
    assert [await shop.deliver(creation, id=f"whd_{n}") for n in range(2)] == ["duplicate", "duplicate"]
    assert [await shop.deliver(update, id=f"whd_{n}") for n in range(2)] == ["handled", "duplicate"]
    assert (await shop.catch_up()).counts[DeliveryStatus.DUPLICATE] == 1
    assert len(shop.events) == 3


async def test_token_that_was_delivered_is_not_found_again(emulator, shop):
    emulator.state.provision_requests.submit(await request_token(emulator))
    (token,) = emulator.state.payment_tokens.rows
    created = {"payment_token": token.payment_token, "provision_token_request_id": "r-1"}
    assert await shop.deliver(created) == "handled"
    assert (await shop.catch_up()).counts[DeliveryStatus.DUPLICATE] == 1


async def test_request_that_is_not_provisioned_yet_is_no_change(emulator, one):
    request = await request_token(emulator)
    assert sum((await one.catch_up(provision_token_request_ids=[request])).counts.values()) == 0
    with pytest.raises(NotFoundError):
        await one.catch_up(provision_token_request_ids=["unknown"])


# --- the window -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "captured", "handled"),
    [
        (20 * DAY, HOUR / 2, 1),
        (20 * DAY, 2 * HOUR, 0),  # captured before, and so old that the store has forgotten it
        (40 * DAY, HOUR / 2, 0),  # beyond look_back
        (20 * DAY, None, 0),  # nobody knows when: it may have been handled
        (2 * DAY, None, 1),  # nobody knows when: the store would know
    ],
)
async def test_change_is_found_if_its_time_or_the_store_says_that_it_can_have_been_missed(
    emulator, one, created, captured, handled
):
    now = datetime.now(UTC)
    id = await checkout(emulator)
    emulator.state.payment_sessions.change(
        id, status="captured", created_at=now - created, captured_on=None if captured is None else now - captured
    )
    assert (await one.catch_up()).counts[DeliveryStatus.HANDLED] == handled


@pytest.mark.parametrize(("reviewed", "handled"), [(HOUR / 2, 1), (2 * HOUR, 0), (None, 0)])
async def test_qualification_is_found_by_the_time_of_its_review(emulator, one, reviewed, handled):
    now = datetime.now(UTC)
    emulator.state.qualification_sessions.add(
        status="rejected", created_at=now - 20 * DAY, lmn_reviewed_at=None if reviewed is None else now - reviewed
    )
    assert (await one.catch_up()).counts[DeliveryStatus.HANDLED] == handled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": datetime.now(UTC) - 9 * DAY}, "the store forgets after 8 days"),
        ({"since": datetime.now(UTC) + 60 * DAY}, "since must not be in the future"),
        ({"since": None}, "since must be a datetime or a date"),
        ({"look_back": -DAY}, "look_back must be"),
        ({"provision_token_request_ids": "r-1"}, "must be a collection"),
        ({"provision_token_request_ids": ["a b"]}, "must be 1 to 128 characters"),
    ],
)
async def test_invalid_options_send_nothing(emulator, one, options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await one.catch_up(**options)
    assert not emulator.requests


async def test_receiver_must_have_a_store_and_fit_the_client(emulator):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        with pytest.raises(InvalidArgumentError, match="receiver has no store"):
            await client.catch_up(Receiver(print, secrets=SECRET, store=None), since=datetime.now(UTC))
        with pytest.raises(InvalidArgumentError, match="receiver must be"):
            await client.catch_up(print, since=datetime.now(UTC))

    def run():
        receiver = AsyncReceiver(print, secrets=SECRET, store=MemoryDedupStore())
        refused = pytest.raises(InvalidArgumentError, match="use AsyncTruemed, or a Receiver")
        with Truemed(emulator.api_key, base_url=emulator.url) as client, refused:
            client.catch_up(receiver, since=datetime.now(UTC))

    await asyncio.to_thread(run)


# --- sensitive values -----------------------------------------------------------------------------------------------


async def test_catch_up_logs_and_raises_no_person(emulator, one, caplog):
    caplog.set_level(logging.DEBUG)
    sessions = emulator.state.qualification_sessions
    sessions.approve(sessions.add(status="processing", email=EMAIL, user_id=EMAIL, user_name=EMAIL))

    async def failure_of():
        try:
            await one.catch_up()
        except CallError as error:
            return error
        return None

    with emulator.faults.add("status", code=403, route="qualification_sessions.list"):
        error = await failure_of()
    assert found_in_error(error) == []
    assert (await one.catch_up()).ok
    assert leaks(caplog.text) == []
    assert one.events[0].data.email == EMAIL
