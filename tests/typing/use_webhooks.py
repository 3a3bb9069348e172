"""Receiving webhooks, as type checkers see it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from aiohttp import web
from django.http import HttpRequest, HttpResponse

from truemed_async import AsyncTruemed, Truemed
from truemed_async.models import QualificationStatus
from truemed_async.models.payment_sessions import PaymentSessionStatus
from truemed_async.webhooks import (
    AsyncReceiver,
    CatalogItemEligibilityUpdated,
    CatchUpResult,
    Claim,
    DeliveryResult,
    DeliveryStatus,
    Event,
    EventType,
    MemoryDedupStore,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    Receiver,
    SQLiteDedupStore,
    UnknownEvent,
    aiohttp as aiohttp_webhooks,
    django as django_webhooks,
    sign,
    verify_and_parse,
)


def read(body: bytes, headers: Mapping[str, str]) -> None:
    event = verify_and_parse(body, headers, secrets=["new", "old"], mode="signed", max_age=timedelta(days=1))
    assert_type(event, Event)
    assert_type(event.type, EventType)
    assert_type(event.raw_type, str | None)
    assert_type(event.delivery_id, str | None)
    assert_type(event.signed_at, datetime | None)
    assert_type(event.dedup_key, str)
    match event:
        case PaymentSessionUpdated(data=session):
            assert_type(session.status, PaymentSessionStatus)
            assert_type(session.payment_session_id, str | None)
        case PaymentTokenUpdated(data=token):
            assert_type(token.payment_token, str)
        case QualificationSessionCompleted():
            assert_type(event.data.status, QualificationStatus)
        case CatalogItemEligibilityUpdated():
            assert_type(event.data.sku, str)
            assert_type(event.timestamp, datetime | None)
        case UnknownEvent():
            assert_type(event.data, Mapping[str, Any])
        case _:
            pass
    assert_type(sign(body, "secret", timestamp=datetime.now(UTC)), dict[str, str])


def handle(event: Event) -> None:
    assert event.data


async def handle_async(event: Event) -> int:
    return len(event.dedup_key)


def watch(result: DeliveryResult) -> None:
    assert_type(result.status, DeliveryStatus)
    assert_type(result.http_status, int)
    assert_type(result.event, Event | None)
    assert_type(result.error, Exception | None)


class Store:
    """A user's own store, which uses only `Claim` of the library."""

    def claim(self, key: str, owner: str) -> Claim:
        return Claim.GRANTED if key != owner else Claim.BUSY

    def confirm(self, key: str, owner: str) -> None: ...

    def release(self, key: str, owner: str) -> None: ...


class AsyncStore:
    async def claim(self, key: str, owner: str) -> Claim:
        return Claim.GRANTED if key != owner else Claim.DONE

    async def confirm(self, key: str, owner: str) -> None: ...

    async def release(self, key: str, owner: str) -> None: ...


receiver = Receiver(handle, secrets="secret", store=Store(), hooks=[watch])
receivers = [
    Receiver(handle_async, secrets=("a", "b"), store=None, mode="unsigned", event_type="payment_session_complete"),
    Receiver(handle, secrets="secret", store=SQLiteDedupStore("webhooks.db", lease=timedelta(minutes=1))),
]
async_receiver = AsyncReceiver(handle_async, secrets="secret", store=AsyncStore())
async_receivers = [
    AsyncReceiver(handle, secrets="secret", store=Store()),
    AsyncReceiver(handle, secrets="secret", store=MemoryDedupStore(limit=7)),
    AsyncReceiver(handle, secrets="secret", store=None),
]
assert_type(receiver.counts, Mapping[DeliveryStatus, int])


async def receive(body: bytes, headers: Mapping[str, str]) -> None:
    assert_type(receiver.receive(body, headers), DeliveryResult)
    assert_type(await async_receiver.receive(body, headers), DeliveryResult)
    environ: dict[str, Any] = {}
    assert_type(receiver.receive(body, environ), DeliveryResult)
    assert_type(receiver.receive(body, {"x-truemed-signature": ["t=1"]}), DeliveryResult)


assert_type(aiohttp_webhooks.webhook_endpoint(async_receiver), Callable[[web.Request], Awaitable[web.Response]])
assert_type(django_webhooks.webhook_endpoint(receiver), Callable[[HttpRequest], HttpResponse])
assert_type(django_webhooks.webhook_endpoint(async_receiver), Callable[[HttpRequest], Awaitable[HttpResponse]])


async def catch_up(client: AsyncTruemed, sync_client: Truemed, since: datetime) -> None:
    for each in (receiver, async_receiver):
        assert_type(await client.catch_up(each, since=since), CatchUpResult)
    result = sync_client.catch_up(receiver, since=since, provision_token_request_ids=["ptr_1"])
    assert_type(result.counts, Mapping[DeliveryStatus, int])
    assert_type(result.failures, tuple[DeliveryResult, ...])
