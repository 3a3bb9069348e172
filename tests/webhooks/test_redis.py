"""The stores on Redis: clients, keys and lost servers. tests/webhooks/test_stores.py has what all stores have in common."""

import contextlib
from datetime import timedelta

import pytest
import redis
import redis.asyncio

from tests.support.webhook_payloads import SECRET, key_of, make_capture_body, make_signed_headers
from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks import AsyncReceiver, Claim, DeliveryStatus, Receiver
from truemed_async.webhooks.redis import AsyncRedisDedupStore, RedisDedupStore

BODY = make_capture_body()


@pytest.fixture
def client(redis_url):
    with contextlib.closing(redis.Redis.from_url(redis_url, decode_responses=True)) as client:
        yield client


def test_store_holds_only_keys_and_owners_that_expire(client, redis_url):
    with RedisDedupStore(redis_url, lease=timedelta(seconds=60), retention=timedelta(days=8)) as store:
        store.claim("a", "me")
        store.confirm("b", "me")
    assert {key: client.get(key) for key in client.scan_iter()} == {
        "truemed:default:a": "claimed:me",
        "truemed:default:b": "done",
    }
    assert 0 < client.pttl("truemed:default:a") <= 60_000 < client.pttl("truemed:default:b") <= 8 * 24 * 3_600_000


def test_webhooks_with_their_own_names_handle_the_same_event(redis_url):
    for name in ("orders", "letters"):
        with RedisDedupStore(redis_url, webhook=name) as store:
            assert [store.claim("a", "me"), store.claim("a", "you")] == [Claim.GRANTED, Claim.BUSY]


def test_given_client_may_decode_and_stays_open(client):
    with RedisDedupStore(client) as store:
        assert store.claim("a", "me") is Claim.GRANTED
        store.confirm("a", "me")
    assert store.claim("a", "you") is Claim.DONE
    assert client.connection_pool._available_connections[0]._sock is not None


async def test_given_async_client_stays_open(redis_url):
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        async with AsyncRedisDedupStore(client) as store:
            receiver = AsyncReceiver(lambda event: None, secrets=SECRET, store=store)
            statuses = [(await receiver.receive(BODY, make_signed_headers(BODY))).status for _ in range(2)]
        assert statuses == [DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE]
        assert await client.get(f"truemed:default:{key_of(1)}") == b"done"


@pytest.mark.parametrize("kind", [RedisDedupStore, AsyncRedisDedupStore])
def test_invalid_arguments_are_refused(kind):
    other = redis.asyncio.Redis() if kind is RedisDedupStore else redis.Redis()
    for client in (None, 7, object(), other):
        with pytest.raises(InvalidArgumentError, match="client must be a URL or a"):
            kind(client)
    with pytest.raises(InvalidArgumentError, match="webhook must be"):
        kind("redis://127.0.0.1", webhook="a b")
    for name in ("lease", "retention"):
        with pytest.raises(InvalidArgumentError, match=f"{name} must be"):
            kind("redis://127.0.0.1", **{name: timedelta(0)})


def test_restarted_and_emptied_server_loses_no_event(redis_server, redis_url):
    """Its scripts are gone, too. An event that it forgot is handled again, if it is delivered again."""
    handled = []
    with RedisDedupStore(redis_url) as store:
        receiver = Receiver(lambda event: handled.append(event.delivery_id), secrets=SECRET, store=store)
        assert receiver.receive(BODY, make_signed_headers(BODY)).status is DeliveryStatus.HANDLED
        redis_server.stop()
        try:
            result = receiver.receive(make_capture_body(2), make_signed_headers(make_capture_body(2)))
        finally:
            redis_server.start()
        assert (result.status, type(result.error)) == (DeliveryStatus.FAILED, redis.exceptions.ConnectionError)
        assert handled == ["whd_1"], "what cannot be claimed is not handled"
        assert (
            receiver.receive(make_capture_body(2), make_signed_headers(make_capture_body(2))).status
            is DeliveryStatus.HANDLED
        )
        assert receiver.receive(BODY, make_signed_headers(BODY)).status is DeliveryStatus.HANDLED
    assert handled == ["whd_1", "whd_2", "whd_1"]


def test_cut_connections_are_replaced(client, redis_url):
    with RedisDedupStore(redis_url) as store:
        assert store.claim("a", "me") is Claim.GRANTED
        client.client_kill_filter(skipme=True, _type="normal")
        assert store.claim("b", "me") is Claim.GRANTED


def test_errors_hold_no_password():
    with RedisDedupStore("redis://:hunter2@127.0.0.1:1/0") as store:
        result = Receiver(print, secrets=SECRET, store=store).receive(BODY, make_signed_headers(BODY))
        assert result.status is DeliveryStatus.FAILED
        assert "hunter2" not in f"{result.error!r} {vars(store)}"
