"""What becomes of a delivery: answers, duplicates, failures, hooks, counts, logs; on a loop and without one."""

import asyncio
import contextvars
import functools
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.webhook_payloads import PAYMENT_SESSION, SECRET, captured, carrying, enveloped, signed, written
from truemed_async.errors import (
    InvalidArgumentError,
    PayloadError,
    SignatureError,
    StaleDeliveryError,
    SyncInAsyncError,
)
from truemed_async.webhooks import (
    AsyncReceiver,
    Claim,
    MemoryDedupStore,
    PaymentSessionUpdated,
    Receiver,
    Result,
    SQLiteDedupStore,
    UnknownEvent,
)

BODY = captured()


class Shop:
    """A merchant's code: keeps what it was called with, and fails as often as it is told to."""

    def __init__(self):
        self.events = []
        self.threads = []
        self.failures = []
        self.receipts = []

    def fulfil(self, event):
        self.threads.append(threading.get_ident())
        if self.failures:
            raise self.failures.pop()
        self.events.append(event)

    async def fulfil_async(self, event):
        await asyncio.sleep(0)
        self.fulfil(event)


class Wrapped:
    """A store whose methods are coroutines."""

    def __init__(self, store):
        self._store, self.retention = store, getattr(store, "retention", None)

    async def claim(self, key, owner):
        await asyncio.sleep(0)
        return self._store.claim(key, owner)

    async def confirm(self, key, owner):
        await asyncio.sleep(0)
        self._store.confirm(key, owner)

    async def release(self, key, owner):
        await asyncio.sleep(0)
        self._store.release(key, owner)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture(params=["sync", "sync, coroutine", "async", "async, function", "async, async store"])
def receive(request, shop):
    """Return a function that makes a receiver, and takes deliveries in with it: every kind, both kinds of handler."""

    def make(**options):
        kind = request.param
        handler = shop.fulfil if kind in ("sync", "async, function") else shop.fulfil_async
        store = options.pop("store") if "store" in options else MemoryDedupStore()
        if kind.endswith("async store") and store is not None:
            store = Wrapped(store)
        options = {"secrets": SECRET, "store": store, "hooks": [shop.receipts.append], **options}
        receiver = (Receiver if kind.startswith("sync") else AsyncReceiver)(handler, **options)

        def receive(body=BODY, headers=None):
            given = signed(body) if headers is None else headers
            taken = receiver.receive(body, given)
            return asyncio.run(taken) if asyncio.iscoroutine(taken) else taken

        receive.receiver = receiver
        return receive

    return make


# ---- answers


def test_an_event_is_handled_and_answered_204(receive, shop):
    receipt = receive()()
    assert (receipt.status, receipt.result, receipt.error) == (204, Result.HANDLED, None)
    (event,) = shop.events
    assert isinstance(event, PaymentSessionUpdated)
    assert receipt.event is event
    assert shop.receipts == [receipt]


def test_a_duplicate_is_answered_204_without_a_call(receive, shop):
    take = receive()
    results = [take().result for _ in range(3)]
    assert results == [Result.HANDLED, Result.DUPLICATE, Result.DUPLICATE]
    assert len(shop.events) == 1
    assert take(captured(2)).result is Result.HANDLED
    assert len(shop.events) == 2


def test_a_handler_that_raises_is_answered_500_and_called_again(receive, shop):
    take = receive()
    shop.failures = [RuntimeError("the warehouse is closed")]
    failed = take()
    assert (failed.status, failed.result, str(failed.error)) == (500, Result.FAILED, "the warehouse is closed")
    assert (take().result, take().result) == (Result.HANDLED, Result.DUPLICATE)
    assert len(shop.events) == 1


def test_an_unknown_event_is_answered_204_and_told_to_the_hooks(receive, shop):
    receipt = receive()(enveloped({"a": 1}, "refund.created"))
    assert (receipt.status, receipt.result) == (204, Result.UNKNOWN_EVENT)
    assert isinstance(shop.receipts[0].event, UnknownEvent)
    assert shop.events == []


@pytest.mark.parametrize(
    ("headers", "result", "error"),
    [
        ({}, Result.REFUSED, SignatureError),
        (signed(BODY, "another-secret"), Result.REFUSED, SignatureError),
        (signed(BODY, timestamp=datetime.now(UTC) - timedelta(days=8)), Result.STALE, StaleDeliveryError),
    ],
    ids=["unsigned", "forged", "stale"],
)
def test_what_is_not_truemeds_or_too_old_is_answered_401(receive, shop, headers, result, error):
    receipt = receive()(BODY, headers)
    assert (receipt.status, receipt.result, receipt.error.__class__) == (401, result, error)
    assert shop.events == []
    assert shop.receipts == [receipt]


def test_what_cannot_be_read_is_answered_400(receive, shop):
    receipt = receive()(b"{}x")
    assert (receipt.status, receipt.result, receipt.error.__class__) == (400, Result.UNREADABLE, PayloadError)
    assert shop.events == []


def test_a_delivery_that_is_too_large_is_answered_413(receive, shop):
    receipt = receive().receiver.too_large()
    assert (receipt.status, receipt.result) == (413, Result.TOO_LARGE)
    assert shop.receipts == [receipt]


def test_unsigned_deliveries_are_handled_once_by_their_content(receive, shop):
    take = receive(mode="unsigned", event_type="payment_session_complete")
    session = {**PAYMENT_SESSION, "status": "authorized"}
    results = [take(written(each), carrying()).result for each in (session, {**session, "status": "captured"}, session)]
    assert results == [Result.HANDLED, Result.HANDLED, Result.DUPLICATE]
    assert [event.data.status for event in shop.events] == ["authorized", "captured"]


def test_secrets_can_be_changed_without_a_gap(receive):
    take = receive(secrets=["the-new-one", SECRET])
    assert take(BODY, signed(BODY, "the-new-one")).result is Result.HANDLED
    assert take(captured(2), signed(captured(2))).result is Result.HANDLED


def test_a_delivery_is_busy_while_another_is_handled(receive, make_store, shop):
    store = make_store()
    take = receive(store=store)
    assert store.claim("whd_1", "somebody") is Claim.GRANTED
    receipt = take()
    assert (receipt.status, receipt.result) == (500, Result.IN_PROGRESS)
    store.release("whd_1", "somebody")
    assert take().result is Result.HANDLED


# ---- age


@pytest.mark.parametrize(("with_store", "longest"), [(True, timedelta(days=7, hours=1)), (False, timedelta(minutes=5))])
def test_how_old_a_delivery_may_be_depends_on_whether_anything_remembers(receive, make_store, with_store, longest):
    now = datetime.now(UTC).replace(microsecond=0)
    take = receive(store=make_store() if with_store else None, clock=lambda: now)
    assert take(BODY, signed(BODY, timestamp=now - longest)).result is Result.HANDLED
    assert take(BODY, signed(BODY, timestamp=now - longest - timedelta(seconds=1))).result is Result.STALE
    assert take(BODY, signed(BODY, timestamp=now + timedelta(seconds=301))).result is Result.STALE


def test_without_a_store_every_delivery_is_handled(receive, shop):
    take = receive(store=None)
    shop.failures = [RuntimeError("once")]
    assert [take().result for _ in range(3)] == [Result.FAILED, Result.HANDLED, Result.HANDLED]


def test_a_store_that_forgets_too_early_is_refused(receive, make_store):
    with pytest.raises(InvalidArgumentError, match="retention"):
        receive(store=make_store(retention=timedelta(days=7)), max_age=timedelta(days=7))


# ---- observing


def test_results_are_counted(receive, shop):
    take = receive()
    for body in (BODY, BODY, enveloped({}, "new.event")):
        take(body)
    take(BODY, {})
    take(BODY, signed(BODY, timestamp=datetime.now(UTC) - timedelta(days=8)))
    take.receiver.too_large()
    counts = take.receiver.counts
    assert set(counts) == set(Result)
    assert {result: count for result, count in counts.items() if count} == {
        Result.HANDLED: 1, Result.DUPLICATE: 1, Result.UNKNOWN_EVENT: 1, Result.REFUSED: 1, Result.STALE: 1, Result.TOO_LARGE: 1,
    }  # fmt: skip


def test_a_hook_that_raises_does_not_change_the_answer(receive, shop, caplog):
    def broken(receipt):
        raise ValueError("no metrics today")

    take = receive(hooks=[broken, shop.receipts.append])
    assert take().status == 204
    assert len(shop.receipts) == 1
    assert "a hook of truemed_async.webhooks raised" in caplog.text


def test_what_is_logged(receive, shop, caplog):
    caplog.set_level(logging.DEBUG, "truemed_async")
    take = receive()
    take()
    take(BODY, {})
    shop.failures = [RuntimeError("the warehouse is closed")]
    take(captured(2))
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "truemed_async.webhooks"]  # fmt: skip
    assert told == [
        ("DEBUG", "webhook PAYMENT_SESSION_UPDATED: handled, answered 204"),
        ("WARNING", "webhook -: refused, answered 401: the delivery has no header x-truemed-signature"),
        ("ERROR", "webhook PAYMENT_SESSION_UPDATED: failed, answered 500"),
    ]
    assert "the warehouse is closed" in caplog.text, "the handler's traceback is there, as in a framework's log"
    for hidden in (SECRET, "2607001444", "pt_1", "v1="):
        assert hidden not in caplog.text


# ---- stores that fail


class Broken:
    """A store that fails at one step."""

    def __init__(self, step):
        self._step, self._store = step, MemoryDedupStore()

    def _do(self, step, *given):
        if step == self._step:
            raise ConnectionError("the database is away")
        return getattr(self._store, step)(*given)

    claim = functools.partialmethod(_do, "claim")
    confirm = functools.partialmethod(_do, "confirm")
    release = functools.partialmethod(_do, "release")


def test_without_a_claim_nothing_is_handled(receive, shop):
    receipt = receive(store=Broken("claim"))()
    assert (receipt.status, receipt.result, receipt.error.__class__) == (500, Result.FAILED, ConnectionError)
    assert shop.events == []


def test_an_effect_that_could_not_be_confirmed_is_answered_500(receive, shop):
    take = receive(store=Broken("confirm"))
    assert (take().result, len(shop.events)) == (Result.FAILED, 1)
    assert take().result is Result.IN_PROGRESS, "until the claim ends"


def test_of_two_failures_the_handlers_is_told(receive, shop):
    shop.failures = [RuntimeError("the warehouse is closed")]
    assert isinstance(receive(store=Broken("release"))().error, RuntimeError)


# ---- arguments


@pytest.mark.parametrize("body", ["{}", {}, None, bytearray(b"{}")])
def test_a_decoded_body_is_a_mistake_of_the_program(receive, body):
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
def test_bad_options_are_refused_when_it_is_made(kind, options, match):
    given = {"handler": print, "secrets": SECRET, "store": None, **options}
    with pytest.raises(InvalidArgumentError, match=f"{match} must be"):
        kind(given.pop("handler"), **given)


def test_whether_to_have_a_store_must_be_decided():
    with pytest.raises(TypeError, match="store"):
        Receiver(print, secrets=SECRET)


# ---- loops and threads


async def test_what_may_block_runs_outside_of_the_loop(shop, tmp_path):
    class Watched(SQLiteDedupStore):
        def claim(self, key, owner):
            shop.threads.append(threading.get_ident())
            return super().claim(key, owner)

    await AsyncReceiver(shop.fulfil, secrets=SECRET, store=Watched(tmp_path / "w.db")).receive(BODY, signed(BODY))
    assert len(shop.threads) == 2
    assert threading.get_ident() not in shop.threads


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: functools.partial(f), lambda f: type("C", (), {"__call__": lambda _, e: f(e)})()])  # fmt: skip
async def test_coroutines_are_awaited_however_they_are_wrapped(shop, wrap):
    receiver = AsyncReceiver(wrap(shop.fulfil_async), secrets=SECRET, store=None)
    assert (await receiver.receive(BODY, signed(BODY))).result is Result.HANDLED
    assert shop.threads == [threading.get_ident()]
    shop.failures = [RuntimeError("closed")]
    assert (await receiver.receive(BODY, signed(BODY))).result is Result.FAILED


async def test_an_object_whose_call_is_a_coroutine_is_called_on_the_loop(shop):
    class Handler:
        async def __call__(self, event):
            shop.fulfil(event)

    await AsyncReceiver(Handler(), secrets=SECRET, store=None).receive(BODY, signed(BODY))
    assert shop.threads == [threading.get_ident()]


async def test_a_handler_sees_the_context_of_the_request():
    variable, seen = contextvars.ContextVar("variable"), []
    variable.set("request-7")

    async def coroutine(event):
        seen.append(variable.get())

    for handler in (coroutine, lambda event: seen.append(variable.get())):
        await AsyncReceiver(handler, secrets=SECRET, store=None).receive(BODY, signed(BODY))
    assert seen == ["request-7"] * 2


async def test_a_coroutine_cannot_run_in_synchronous_code_on_a_loop(shop):
    receiver = Receiver(shop.fulfil_async, secrets=SECRET, store=None)
    receipt = receiver.receive(BODY, signed(BODY))
    assert (receipt.result, receipt.error.__class__) == (Result.FAILED, SyncInAsyncError)

    future = asyncio.get_running_loop().create_future()
    receipt = Receiver(lambda event: future, secrets=SECRET, store=None).receive(BODY, signed(BODY))
    assert isinstance(receipt.error, SyncInAsyncError)


# ---- broken off


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_gives_the_event_back(make_store, shop, error):
    store = make_store()
    receiver = Receiver(shop.fulfil, secrets=SECRET, store=store)
    shop.failures = [error()]
    with pytest.raises(error):
        receiver.receive(BODY, signed(BODY))
    assert receiver.receive(BODY, signed(BODY)).result is Result.HANDLED


def test_an_interrupt_without_a_store_goes_through(shop):
    shop.failures = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        Receiver(shop.fulfil, secrets=SECRET, store=None).receive(BODY, signed(BODY))


@pytest.mark.parametrize("step", ["claim", "confirm"])
def test_an_interrupt_inside_the_store_leaves_it_tidy(shop, step):
    class Interrupted(MemoryDedupStore):
        """Does what it is asked to, and is interrupted on its way back."""

    def interrupted(self, key, owner, once=[True]):  # noqa: B006
        result = getattr(MemoryDedupStore, step)(self, key, owner)
        if once:
            once.clear()
            raise KeyboardInterrupt
        return result

    setattr(Interrupted, step, interrupted)
    receiver = Receiver(shop.fulfil, secrets=SECRET, store=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        receiver.receive(BODY, signed(BODY))
    expected = Result.HANDLED if step == "claim" else Result.DUPLICATE
    assert receiver.receive(BODY, signed(BODY)).result is expected
    assert len(shop.events) == 1


async def test_a_request_that_is_cancelled_does_not_break_its_event_off(make_store):
    """Truemed hung up: it comes again, and must then find the event handled."""
    entered, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def handler(event):
        entered.set()
        await go_on.wait()
        done.append(event)

    receiver = AsyncReceiver(handler, secrets=SECRET, store=make_store())
    request = asyncio.create_task(receiver.receive(BODY, signed(BODY)))
    await entered.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert (await receiver.receive(BODY, signed(BODY))).result is Result.IN_PROGRESS
    go_on.set()
    await asyncio.gather(*receiver._begun)
    assert (await receiver.receive(BODY, signed(BODY))).result is Result.DUPLICATE
    assert len(done) == 1


@pytest.mark.parametrize("wrap", [lambda store: store, Wrapped], ids=["store", "async store"])
def test_the_end_of_the_loop_gives_the_event_back(make_store, shop, wrap):
    store = make_store()

    async def serve():
        entered = asyncio.Event()

        async def handler(event):
            entered.set()
            await asyncio.Event().wait()

        receiver = AsyncReceiver(handler, secrets=SECRET, store=wrap(store))
        request = asyncio.ensure_future(receiver.receive(BODY, signed(BODY)))
        await entered.wait()
        request.cancel()

    asyncio.run(serve())
    assert Receiver(shop.fulfil, secrets=SECRET, store=store).receive(BODY, signed(BODY)).result is Result.HANDLED


async def test_the_end_of_the_loop_without_a_store_ends_the_handler(shop):
    entered = asyncio.Event()

    async def handler(event):
        entered.set()
        await asyncio.Event().wait()

    receiver = AsyncReceiver(handler, secrets=SECRET, store=None)
    request = asyncio.create_task(receiver.receive(BODY, signed(BODY)))
    await entered.wait()
    (task,) = receiver._begun
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
