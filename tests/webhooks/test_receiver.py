"""The receivers: responses, duplicates, failures, hooks, counts and logs, on an event loop and without one."""

import asyncio
import contextvars
import functools
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.webhook_payloads import (
    PAYMENT_SESSION,
    SECRET,
    encode_json,
    make_body,
    make_capture_body,
    make_secret_headers,
    make_signed_headers,
)
from truemed_async.errors import (
    InvalidArgumentError,
    PayloadError,
    SignatureError,
    StaleDeliveryError,
    SyncInAsyncError,
)
from truemed_async.webhooks import (
    MAX_DELIVERY_BYTES,
    AsyncReceiver,
    Claim,
    DeliveryStatus,
    MemoryDedupStore,
    PaymentSessionUpdated,
    Receiver,
    SQLiteDedupStore,
    UnknownEvent,
    verify_and_parse,
)

BODY = make_capture_body()


class Shop:
    """A merchant's handler: records its events, and raises the planned failures."""

    def __init__(self):
        self.events = []
        self.threads = []
        self.failures = []
        self.results = []

    def fulfill(self, event):
        self.threads.append(threading.get_ident())
        if self.failures:
            raise self.failures.pop()
        self.events.append(event)

    async def fulfill_async(self, event):
        await asyncio.sleep(0)
        self.fulfill(event)


class Wrapped:
    """A store whose methods are coroutines. Django refuses to use a database on a thread with an event loop."""

    def __init__(self, store):
        self._store, self.retention = store, getattr(store, "retention", None)

    async def claim(self, key, owner):
        return await asyncio.to_thread(self._store.claim, key, owner)

    async def confirm(self, key, owner):
        await asyncio.to_thread(self._store.confirm, key, owner)

    async def release(self, key, owner):
        await asyncio.to_thread(self._store.release, key, owner)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture(params=["sync", "sync, coroutine", "async", "async, function", "async, async store"])
def receive(request, shop):
    """Return a function that creates a receiver of each kind, with each kind of handler, and returns its ``receive``."""

    def make(**options):
        kind = request.param
        handler = shop.fulfill if kind in ("sync", "async, function") else shop.fulfill_async
        store = options.pop("store") if "store" in options else MemoryDedupStore()
        if kind.endswith("async store") and store is not None:
            store = Wrapped(store)
        options = {"secrets": SECRET, "store": store, "hooks": [shop.results.append], **options}
        receiver = (Receiver if kind.startswith("sync") else AsyncReceiver)(handler, **options)

        def receive(body=BODY, headers=None):
            sent_headers = make_signed_headers(body) if headers is None else headers
            result = receiver.receive(body, sent_headers)
            return asyncio.run(result) if asyncio.iscoroutine(result) else result

        receive.receiver = receiver
        return receive

    return make


# ---- responses


def test_receive_new_event_responds_204(receive, shop):
    result = receive()()
    assert (result.http_status, result.status, result.error) == (204, DeliveryStatus.HANDLED, None)
    (event,) = shop.events
    assert isinstance(event, PaymentSessionUpdated)
    assert result.event is event
    assert shop.results == [result]


def test_receive_duplicate_responds_204_without_handler_call(receive, shop):
    take = receive()
    statuses = [take().status for _ in range(3)]
    assert statuses == [DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE, DeliveryStatus.DUPLICATE]
    assert len(shop.events) == 1
    assert take(make_capture_body(2)).status is DeliveryStatus.HANDLED
    assert len(shop.events) == 2


def test_failing_handler_responds_500_and_is_called_again(receive, shop):
    take = receive()
    shop.failures = [RuntimeError("the warehouse is closed")]
    failed = take()
    assert (failed.http_status, failed.status, str(failed.error)) == (
        500,
        DeliveryStatus.FAILED,
        "the warehouse is closed",
    )
    assert (take().status, take().status) == (DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE)
    assert len(shop.events) == 1


def test_handler_that_raises_stop_iteration_responds_500(receive, shop):
    """Futures and coroutines cannot raise it: it must not be lost or leave the delivery waiting."""
    take = receive()
    shop.failures = [StopIteration("no such order")]
    result = take()
    assert (result.status, result.error.__class__) == (DeliveryStatus.FAILED, RuntimeError)
    assert isinstance(result.error.__cause__, StopIteration)
    assert take().status is DeliveryStatus.HANDLED


def test_receive_unknown_event_calls_the_handler(receive, shop):
    take = receive()
    shop.failures = [RuntimeError("not ready for this event")]
    body = make_body({"a": 1}, "refund.created")
    assert [take(body).status for _ in range(3)] == [
        DeliveryStatus.FAILED,
        DeliveryStatus.HANDLED,
        DeliveryStatus.DUPLICATE,
    ]
    (event,) = shop.events
    assert isinstance(event, UnknownEvent)
    assert (event.raw_type, event.data) == ("refund.created", {"a": 1})


# ---- verification of the endpoint

TEST_EVENTS = [
    make_body({}, "test"),
    make_body({"message": "hello"}, "webhook.test"),
    encode_json({"event_type": "endpoint.verification"}),
    encode_json({"event_type": "ping", "data": None}),
]


@pytest.mark.parametrize("body", TEST_EVENTS)
def test_receive_test_event_responds_204_without_handler_call(receive, shop, body):
    """It may be signed with a secret that is not known yet, or not at all."""
    take = receive()
    for headers in (
        make_signed_headers(body),
        make_signed_headers(body, "another-secret"),
        {},
        {"x-truemed-api-key": "x"},
    ):
        result = take(body, headers)
        assert (result.http_status, result.status) == (204, DeliveryStatus.VERIFICATION)
    assert shop.events == []
    assert len(shop.results) == 4


def test_receive_empty_body_without_credentials_responds_204_without_handler_call(receive, shop):
    take = receive()
    assert [take(body, {}).status for body in (b"", b"{}")] == [DeliveryStatus.VERIFICATION] * 2
    assert take(b"", make_signed_headers(BODY)).status is DeliveryStatus.REFUSED, (
        "a delivery whose body was lost is no verification"
    )
    assert take(b"", make_secret_headers()).status is DeliveryStatus.REFUSED
    assert shop.events == []


@pytest.mark.parametrize("body", [
    BODY,
    make_body(PAYMENT_SESSION, "test"),
    make_body({}, "payment_session.test"),
    make_body({}, "event"),
    make_body({"filler": "x" * 5000}, "test"),
    encode_json({"a": 1}),
    b'{"event_type": "test"',
])  # fmt: skip
def test_receive_forged_delivery_that_is_no_test_event_responds_401(receive, shop, body):
    assert receive()(body, make_signed_headers(body, "another-secret")).http_status == 401
    assert shop.events == []


def test_acknowledge_verification_responds_204(receive, shop):
    result = receive().receiver.acknowledge_verification()
    assert (result.http_status, result.status) == (204, DeliveryStatus.VERIFICATION)
    assert shop.results == [result]


# ---- refused deliveries


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, DeliveryStatus.REFUSED, SignatureError),
        (make_signed_headers(BODY, "another-secret"), DeliveryStatus.REFUSED, SignatureError),
        (
            make_signed_headers(BODY, timestamp=datetime.now(UTC) - timedelta(days=8)),
            DeliveryStatus.STALE,
            StaleDeliveryError,
        ),
    ],
    ids=["unsigned", "forged", "stale"],
)
def test_unauthentic_or_stale_delivery_responds_401(receive, shop, headers, status, error):
    result = receive()(BODY, headers)
    assert (result.http_status, result.status, result.error.__class__) == (401, status, error)
    assert shop.events == []
    assert shop.results == [result]


def test_unreadable_body_responds_400(receive, shop):
    result = receive()(b"{}x")
    assert (result.http_status, result.status, result.error.__class__) == (400, DeliveryStatus.UNREADABLE, PayloadError)
    assert shop.events == []


def test_reject_too_large_responds_413(receive, shop):
    result = receive().receiver.reject_too_large()
    assert (result.http_status, result.status) == (413, DeliveryStatus.TOO_LARGE)
    assert shop.results == [result]


def test_receive_body_over_the_limit_responds_413(receive, shop):
    result = receive()(b" " * (MAX_DELIVERY_BYTES + 1), {})
    assert (result.http_status, result.status) == (413, DeliveryStatus.TOO_LARGE)
    assert shop.results == [result]


def test_unsigned_repeated_deliveries_are_handled_once(receive, shop):
    take = receive(mode="unsigned", event_type="payment_session_complete")
    session = {**PAYMENT_SESSION, "status": "authorized"}
    statuses = [
        take(encode_json(each), make_secret_headers()).status
        for each in (session, {**session, "status": "captured"}, session)
    ]
    assert statuses == [DeliveryStatus.HANDLED, DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE]
    assert [event.data.status for event in shop.events] == ["authorized", "captured"]


def test_receiver_with_two_secrets_accepts_both(receive):
    take = receive(secrets=["the-new-one", SECRET])
    assert take(BODY, make_signed_headers(BODY, "the-new-one")).status is DeliveryStatus.HANDLED
    assert take(make_capture_body(2), make_signed_headers(make_capture_body(2))).status is DeliveryStatus.HANDLED


def test_receive_claimed_event_responds_500(receive, make_store, shop):
    store = make_store()
    take = receive(store=store)
    key = verify_and_parse(BODY, make_signed_headers(BODY), secrets=SECRET).dedup_key
    assert store.claim(key, "somebody") is Claim.GRANTED
    result = take()
    assert (result.http_status, result.status) == (500, DeliveryStatus.IN_PROGRESS)
    store.release(key, "somebody")
    assert take().status is DeliveryStatus.HANDLED


# ---- age


@pytest.mark.parametrize(("with_store", "max_age"), [(True, timedelta(days=7, hours=1)), (False, timedelta(minutes=5))])
def test_default_max_age_depends_on_store(receive, make_store, with_store, max_age):
    now = datetime.now(UTC).replace(microsecond=0)
    take = receive(store=make_store() if with_store else None, clock=lambda: now)
    assert take(BODY, make_signed_headers(BODY, timestamp=now - max_age)).status is DeliveryStatus.HANDLED
    assert (
        take(BODY, make_signed_headers(BODY, timestamp=now - max_age - timedelta(seconds=1))).status
        is DeliveryStatus.STALE
    )
    assert take(BODY, make_signed_headers(BODY, timestamp=now + timedelta(seconds=301))).status is DeliveryStatus.STALE


def test_receive_without_store_handles_every_delivery(receive, shop):
    take = receive(store=None)
    shop.failures = [RuntimeError("once")]
    assert [take().status for _ in range(3)] == [DeliveryStatus.FAILED, DeliveryStatus.HANDLED, DeliveryStatus.HANDLED]


def test_store_with_too_short_retention_is_rejected(receive, make_store):
    with pytest.raises(InvalidArgumentError, match="retention"):
        receive(store=make_store(retention=timedelta(days=7)), max_age=timedelta(days=7))


# ---- hooks, counts, log


def test_counts_are_by_status(receive, shop):
    take = receive()
    for body in (BODY, BODY, make_body({}, "ping")):
        take(body)
    take(BODY, {})
    take(BODY, make_signed_headers(BODY, timestamp=datetime.now(UTC) - timedelta(days=8)))
    take.receiver.reject_too_large()
    counts = take.receiver.counts
    assert set(counts) == set(DeliveryStatus)
    assert {status: count for status, count in counts.items() if count} == {
        DeliveryStatus.HANDLED: 1, DeliveryStatus.DUPLICATE: 1, DeliveryStatus.VERIFICATION: 1, DeliveryStatus.REFUSED: 1, DeliveryStatus.STALE: 1, DeliveryStatus.TOO_LARGE: 1,
    }  # fmt: skip


def test_hook_exception_does_not_change_the_response(receive, shop, caplog):
    def broken(result):
        raise ValueError("no metrics today")

    take = receive(hooks=[broken, shop.results.append])
    assert take().http_status == 204
    assert len(shop.results) == 1
    assert "a hook of truemed_async.webhooks raised" in caplog.text


def test_log_shows_type_and_status_without_values(receive, shop, caplog):
    caplog.set_level(logging.DEBUG, "truemed_async")
    take = receive()
    take()
    take(BODY, {})
    shop.failures = [RuntimeError("the warehouse is closed")]
    take(make_capture_body(2))
    logged = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "truemed_async.webhooks"]  # fmt: skip
    assert logged == [
        ("DEBUG", "webhook PAYMENT_SESSION_UPDATED: handled, responding 204"),
        ("WARNING", "webhook -: refused, responding 401: the delivery has no header x-truemed-signature"),
        ("ERROR", "webhook PAYMENT_SESSION_UPDATED: failed, responding 500"),
    ]
    assert "the warehouse is closed" in caplog.text, "the traceback of the handler is logged"
    for hidden in (SECRET, "2607001444", "pt_1", "v1="):
        assert hidden not in caplog.text


# ---- stores that fail


class Broken:
    """A store that fails at one step."""

    def __init__(self, step):
        self._step, self._store = step, MemoryDedupStore()

    def _do(self, step, *arguments):
        if step == self._step:
            raise ConnectionError("the database is away")
        return getattr(self._store, step)(*arguments)

    claim = functools.partialmethod(_do, "claim")
    confirm = functools.partialmethod(_do, "confirm")
    release = functools.partialmethod(_do, "release")


def test_failed_claim_responds_500_without_handler_call(receive, shop):
    result = receive(store=Broken("claim"))()
    assert (result.http_status, result.status, result.error.__class__) == (500, DeliveryStatus.FAILED, ConnectionError)
    assert shop.events == []


def test_failed_confirm_responds_500(receive, shop):
    take = receive(store=Broken("confirm"))
    assert (take().status, len(shop.events)) == (DeliveryStatus.FAILED, 1)
    assert take().status is DeliveryStatus.IN_PROGRESS, "until the claim ends"


def test_failed_release_reports_the_handler_error(receive, shop, caplog):
    shop.failures = [RuntimeError("the warehouse is closed")]
    assert isinstance(receive(store=Broken("release"))().error, RuntimeError)
    assert "the claim of a webhook could not be released" in caplog.text


# ---- arguments


@pytest.mark.parametrize("body", ["{}", {}, None, bytearray(b"{}")])
def test_receive_decoded_body_raises(receive, body):
    with pytest.raises(InvalidArgumentError, match="raw bytes"):
        receive()(body, {})


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"secrets": ""}, "secrets"),
        ({"mode": "plain"}, "mode"),
        ({"hooks": [7]}, "hooks"),
        ({"max_age": 300}, "max_age"),
        ({"handler": None}, "handler"),
    ],
)
@pytest.mark.parametrize("kind", [Receiver, AsyncReceiver])
def test_receiver_with_invalid_argument_raises(kind, options, match):
    arguments = {"handler": print, "secrets": SECRET, "store": None, **options}
    with pytest.raises(InvalidArgumentError, match=f"{match} must be"):
        kind(arguments.pop("handler"), **arguments)


def test_receiver_without_store_argument_raises():
    with pytest.raises(TypeError, match="store"):
        Receiver(print, secrets=SECRET)


# ---- loops and threads


async def test_blocking_handler_and_store_run_in_worker_threads(shop, tmp_path):
    class Watched(SQLiteDedupStore):
        def claim(self, key, owner):
            shop.threads.append(threading.get_ident())
            return super().claim(key, owner)

    await AsyncReceiver(shop.fulfill, secrets=SECRET, store=Watched(tmp_path / "w.db")).receive(
        BODY, make_signed_headers(BODY)
    )
    assert len(shop.threads) == 2
    assert threading.get_ident() not in shop.threads


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: functools.partial(f), lambda f: type("C", (), {"__call__": lambda _, e: f(e)})()])  # fmt: skip
async def test_wrapped_coroutine_handlers_are_awaited(shop, wrap):
    receiver = AsyncReceiver(wrap(shop.fulfill_async), secrets=SECRET, store=None)
    assert (await receiver.receive(BODY, make_signed_headers(BODY))).status is DeliveryStatus.HANDLED
    assert shop.threads == [threading.get_ident()]
    shop.failures = [RuntimeError("closed")]
    assert (await receiver.receive(BODY, make_signed_headers(BODY))).status is DeliveryStatus.FAILED


async def test_callable_object_with_async_call_runs_on_the_loop(shop):
    class Handler:
        async def __call__(self, event):
            shop.fulfill(event)

    await AsyncReceiver(Handler(), secrets=SECRET, store=None).receive(BODY, make_signed_headers(BODY))
    assert shop.threads == [threading.get_ident()]


async def test_handler_sees_context_variables_of_the_request():
    variable, seen = contextvars.ContextVar("variable"), []
    variable.set("request-7")

    async def coroutine(event):
        seen.append(variable.get())

    for handler in (coroutine, lambda event: seen.append(variable.get())):
        await AsyncReceiver(handler, secrets=SECRET, store=None).receive(BODY, make_signed_headers(BODY))
    assert seen == ["request-7"] * 2


async def test_sync_receiver_with_coroutine_handler_on_a_loop_fails(shop):
    receiver = Receiver(shop.fulfill_async, secrets=SECRET, store=None)
    result = receiver.receive(BODY, make_signed_headers(BODY))
    assert (result.status, result.error.__class__) == (DeliveryStatus.FAILED, SyncInAsyncError)

    future = asyncio.get_running_loop().create_future()
    result = Receiver(lambda event: future, secrets=SECRET, store=None).receive(BODY, make_signed_headers(BODY))
    assert isinstance(result.error, SyncInAsyncError)


# ---- interruption and cancellation


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupted_handler_releases_the_claim(make_store, shop, error):
    store = make_store()
    receiver = Receiver(shop.fulfill, secrets=SECRET, store=store)
    shop.failures = [error()]
    with pytest.raises(error):
        receiver.receive(BODY, make_signed_headers(BODY))
    assert receiver.receive(BODY, make_signed_headers(BODY)).status is DeliveryStatus.HANDLED


def test_interrupted_handler_without_store_raises(shop):
    shop.failures = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        Receiver(shop.fulfill, secrets=SECRET, store=None).receive(BODY, make_signed_headers(BODY))


@pytest.mark.parametrize("step", ["claim", "confirm"])
def test_interrupted_claim_is_released_and_confirm_repeated(shop, step):
    class Interrupted(MemoryDedupStore):
        """Completes the step, and is then interrupted."""

    def interrupted(self, key, owner, once=[True]):  # noqa: B006
        result = getattr(MemoryDedupStore, step)(self, key, owner)
        if once:
            once.clear()
            raise KeyboardInterrupt
        return result

    setattr(Interrupted, step, interrupted)
    receiver = Receiver(shop.fulfill, secrets=SECRET, store=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        receiver.receive(BODY, make_signed_headers(BODY))
    expected = DeliveryStatus.HANDLED if step == "claim" else DeliveryStatus.DUPLICATE
    assert receiver.receive(BODY, make_signed_headers(BODY)).status is expected
    assert len(shop.events) == 1


async def test_canceled_request_still_handles_its_event(make_store):
    """Truemed closed the connection and delivers again: the event must then be handled."""
    entered, resume, done = asyncio.Event(), asyncio.Event(), []

    async def handler(event):
        entered.set()
        await resume.wait()
        done.append(event)

    receiver = AsyncReceiver(handler, secrets=SECRET, store=make_store())
    request = asyncio.create_task(receiver.receive(BODY, make_signed_headers(BODY)))
    await entered.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert (await receiver.receive(BODY, make_signed_headers(BODY))).status is DeliveryStatus.IN_PROGRESS
    resume.set()
    await asyncio.gather(*receiver._tasks)
    assert (await receiver.receive(BODY, make_signed_headers(BODY))).status is DeliveryStatus.DUPLICATE
    assert len(done) == 1


@pytest.mark.parametrize("wrap", [lambda store: store, Wrapped], ids=["store", "async store"])
def test_end_of_loop_releases_the_claim(make_store, shop, wrap):
    store = make_store()

    async def serve():
        entered = asyncio.Event()

        async def handler(event):
            entered.set()
            await asyncio.Event().wait()

        receiver = AsyncReceiver(handler, secrets=SECRET, store=wrap(store))
        request = asyncio.ensure_future(receiver.receive(BODY, make_signed_headers(BODY)))
        await entered.wait()
        request.cancel()

    asyncio.run(serve())
    assert (
        Receiver(shop.fulfill, secrets=SECRET, store=store).receive(BODY, make_signed_headers(BODY)).status
        is DeliveryStatus.HANDLED
    )


async def test_end_of_loop_without_store_cancels_the_handler(shop):
    entered = asyncio.Event()

    async def handler(event):
        entered.set()
        await asyncio.Event().wait()

    receiver = AsyncReceiver(handler, secrets=SECRET, store=None)
    request = asyncio.create_task(receiver.receive(BODY, make_signed_headers(BODY)))
    await entered.wait()
    (task,) = receiver._tasks
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
