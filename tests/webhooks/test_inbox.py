"""The transactional inbox on PostgreSQL: the effect and the confirmation are committed together, or not at all."""

import asyncio
import contextlib
import functools
import inspect
import os
import select
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from tests.support.webhook_payloads import SECRET, key_of, make_capture_body, make_signed_headers
from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks import AsyncReceiver, Claim, DeliveryStatus, Receiver
from truemed_async.webhooks.postgres import (
    CLEANUP_INTERVAL,
    AsyncPostgresDedupStore,
    AsyncPostgresInbox,
    PostgresDedupStore,
    PostgresInbox,
)

ADD_EFFECT = "INSERT INTO effects VALUES (%s)"
CLASSES = [PostgresDedupStore, PostgresInbox, AsyncPostgresDedupStore, AsyncPostgresInbox]


@pytest.fixture
def database(database):
    """Return a connection to a database with the table of the stores and one of effects."""
    database.execute("CREATE TABLE effects (delivery text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    return database


def effects_in(database):
    return [delivery for (delivery,) in database.execute("SELECT * FROM effects ORDER BY 1").fetchall()]


class Deliverer:
    """Delivers to a receiver with an inbox, and waits for the result."""

    def __init__(self, url, asynchronous):
        self.asynchronous = asynchronous
        self.inbox = AsyncPostgresInbox(url) if asynchronous else PostgresInbox(url)
        self.before = self.after = lambda connection: None
        self._runner = asyncio.Runner() if asynchronous else None

    def handle(self, event, connection):
        self.before(connection)
        connection.execute(ADD_EFFECT, [event.delivery_id])
        self.after(connection)

    async def handle_async(self, event, connection):
        for step in (self.before, lambda each: each.execute(ADD_EFFECT, [event.delivery_id]), self.after):
            if inspect.isawaitable(value := step(connection)):
                await value

    def deliver(self, number=1):
        body = make_capture_body(number)
        if self.asynchronous:
            receiver = AsyncReceiver(self.handle_async, secrets=SECRET, store=self.inbox)
            return self._runner.run(receiver.receive(body, make_signed_headers(body)))
        return Receiver(self.handle, secrets=SECRET, store=self.inbox).receive(body, make_signed_headers(body))

    def close(self):
        if self.asynchronous:
            self._runner.run(self.inbox.close())
            self._runner.close()
        else:
            self.inbox.close()


@pytest.fixture(params=["sync", "async"])
def deliverer(request, database, postgres_url):
    with contextlib.closing(Deliverer(postgres_url, request.param == "async")) as deliverer:
        yield deliverer


def test_effect_and_confirmation_are_committed_together(deliverer, database):
    assert [deliverer.deliver(number).status for number in (1, 2, 1, 2)] == ["handled"] * 2 + ["duplicate"] * 2
    assert effects_in(database) == ["whd_1", "whd_2"]


def raise_error(connection):
    raise ZeroDivisionError


def roll_back(connection):
    raise psycopg.Rollback


def catch_an_error(connection):
    """What comes after cannot be committed, and PostgreSQL's COMMIT does not say so."""
    if inspect.iscoroutinefunction(connection.execute):
        return catch_an_error_async(connection)
    with contextlib.suppress(psycopg.Error):
        connection.execute("SELECT 1 / 0")
    return None


async def catch_an_error_async(connection):
    with contextlib.suppress(psycopg.Error):
        await connection.execute("SELECT 1 / 0")


def violate_a_deferred_constraint(connection):
    return connection.execute("INSERT INTO effects SELECT * FROM effects")


def end_the_transaction(connection):
    return connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    "failure", [raise_error, roll_back, catch_an_error, violate_a_deferred_constraint, end_the_transaction]
)
def test_failed_transaction_leaves_nothing_and_event_is_handled_again(deliverer, database, failure):
    deliverer.after = failure
    for _ in range(2):
        result = deliverer.deliver()
        assert (result.status, result.http_status) == (DeliveryStatus.FAILED, 500)
        assert result.error is not None
    assert effects_in(database) == []
    deliverer.after = lambda connection: None
    assert deliverer.deliver().status is DeliveryStatus.HANDLED
    assert effects_in(database) == ["whd_1"]


def test_cut_connection_leaves_nothing_and_event_is_handled_again(deliverer, database):
    deliverer.after = lambda connection: (
        database.execute("SELECT pg_terminate_backend(%s, 60000)", [connection.info.backend_pid]) and None
    )
    assert deliverer.deliver().status is DeliveryStatus.FAILED
    deliverer.after = lambda connection: None
    assert effects_in(database) == []
    assert deliverer.deliver().status is DeliveryStatus.HANDLED
    assert effects_in(database) == ["whd_1"]


def test_idle_connections_that_the_server_closed_are_replaced(deliverer, database):
    assert deliverer.deliver(1).status is DeliveryStatus.HANDLED
    database.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    assert deliverer.deliver(2).status is DeliveryStatus.HANDLED


def test_connection_is_not_checked_for_each_event(deliverer, database, monkeypatch):
    checks = []
    for pool in (ConnectionPool, AsyncConnectionPool):
        monkeypatch.setattr(pool, "check_connection", lambda connection: checks.append(connection))
    assert [deliverer.deliver(number).status for number in (1, 2, 3)] == [DeliveryStatus.HANDLED] * 3
    assert checks == []


@pytest.mark.parametrize("missing", ["poll", "pipeline"])
def test_platform_without_poll_or_pipelines_takes_more_round_trips(deliverer, database, monkeypatch, missing):
    """Windows has no ``poll``, and libpq before version 14 no pipelines."""
    if missing == "poll":
        monkeypatch.delattr(select, "poll")
    else:
        monkeypatch.setattr(psycopg.Pipeline, "is_supported", classmethod(lambda cls: False))
    assert [deliverer.deliver(number).status for number in (1, 2, 1)] == ["handled", "handled", "duplicate"]
    assert effects_in(database) == ["whd_1", "whd_2"]


def test_event_in_progress_is_busy_without_waiting(deliverer, database, postgres_url):
    """The second delivery neither waits nor fails; other events go on."""
    seen = []

    def deliver_again(connection):
        with contextlib.closing(Deliverer(postgres_url, asynchronous=False)) as other, ThreadPoolExecutor(1) as pool:
            seen.extend(pool.submit(other.deliver, number).result(60).status for number in (1, 2))

    deliverer.after = deliver_again
    assert deliverer.deliver(1).status is DeliveryStatus.HANDLED
    assert seen == [DeliveryStatus.IN_PROGRESS, DeliveryStatus.HANDLED]
    assert effects_in(database) == ["whd_1", "whd_2"]


def test_event_is_forgotten_after_retention(deliverer, database):
    deliverer.deliver()
    database.execute("UPDATE truemed_deliveries SET expires_at = expires_at - interval '8 days'")
    deliverer.inbox._is_cleanup_due = lambda: False
    assert deliverer.deliver().status is DeliveryStatus.FAILED, "the effect is unique in its table"
    database.execute("DELETE FROM effects")
    assert deliverer.deliver().status is DeliveryStatus.HANDLED


def test_claim_of_a_dedup_store_is_respected_until_it_expires(deliverer, database, postgres_url):
    """Both kinds share the table, so that a webhook can change from one to the other."""
    with PostgresDedupStore(postgres_url) as store:
        store.claim(key_of(1), "me")
        store.confirm(key_of(2), "me")
    assert deliverer.deliver(1).status is DeliveryStatus.IN_PROGRESS
    assert deliverer.deliver(2).status is DeliveryStatus.DUPLICATE
    database.execute("UPDATE truemed_deliveries SET expires_at = now()")
    assert deliverer.deliver(1).status is DeliveryStatus.HANDLED


def test_webhooks_with_their_own_names_handle_the_same_event(database, postgres_url):
    for name in ("orders", "letters"):
        with PostgresInbox(postgres_url, webhook=name) as inbox:
            assert [inbox.process("whd_1", lambda connection: None) for _ in range(2)] == [Claim.GRANTED, Claim.DONE]


def test_expired_rows_are_removed_in_portions(database, postgres_url):
    database.execute("INSERT INTO truemed_deliveries SELECT 'old', i, '', true, now() FROM generate_series(1, 1200) AS i")  # fmt: skip
    left = []
    with PostgresInbox(postgres_url) as inbox, PostgresDedupStore(postgres_url) as store:
        for number in range(CLEANUP_INTERVAL + 1):
            inbox.process(f"a{number}", lambda connection: None)
            left += database.execute("SELECT count(*) FROM truemed_deliveries WHERE webhook = 'old'").fetchone()
        store.claim("b", "me")
    assert left == [700] * CLEANUP_INTERVAL + [200]
    assert database.execute("SELECT count(*) FROM truemed_deliveries WHERE webhook = 'old'").fetchone() == (0,)


def test_given_pool_may_have_other_rows_and_transactions_and_stays_open(database, postgres_url):
    with ConnectionPool(postgres_url, kwargs={"row_factory": dict_row}, min_size=1, open=True) as pool:
        with PostgresInbox(pool) as inbox, PostgresDedupStore(pool) as store:
            assert inbox.process("a", lambda connection: connection.execute(ADD_EFFECT, ["a"])) is Claim.GRANTED
            assert store.claim("a", "me") is Claim.DONE
            assert store.claim("b", "me") is Claim.GRANTED
            store.confirm("b", "me")
        assert inbox.process("b", raise_error) is Claim.DONE
    assert effects_in(database) == ["a"]


async def test_given_async_pool_stays_open(database, postgres_url):
    async with AsyncConnectionPool(postgres_url, kwargs={"row_factory": dict_row}, min_size=1, open=False) as pool:
        async with AsyncPostgresInbox(pool) as inbox, AsyncPostgresDedupStore(pool) as store:
            await inbox.create_schema()
            assert await inbox.process("a", lambda connection: connection.execute(ADD_EFFECT, ["a"])) is Claim.GRANTED
            assert await store.claim("a", "me") is Claim.DONE
        assert await store.claim("b", "me") is Claim.GRANTED
    assert effects_in(database) == ["a"]


async def test_cancelled_async_handler_leaves_nothing(database, postgres_url):
    started = asyncio.Event()

    async def handle(connection):
        await connection.execute(ADD_EFFECT, ["a"])
        started.set()
        await asyncio.Event().wait()

    async with AsyncPostgresInbox(postgres_url) as inbox:
        task = asyncio.create_task(inbox.process("a", handle))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert effects_in(database) == []
        assert await inbox.process("a", lambda connection: connection.execute(ADD_EFFECT, ["a"])) is Claim.GRANTED


async def test_sync_inbox_of_an_async_receiver_runs_its_handler_in_a_thread(database, postgres_url):
    threads = []
    with PostgresInbox(postgres_url) as inbox:
        receiver = AsyncReceiver(lambda *_: threads.append(threading.get_ident()), secrets=SECRET, store=inbox)
        assert (
            await receiver.receive(make_capture_body(), make_signed_headers(make_capture_body()))
        ).status is DeliveryStatus.HANDLED
    assert threads != [threading.get_ident()]


def test_handler_of_the_other_kind_is_refused(postgres_url):
    async def coroutine(event, connection):
        """Do nothing."""

    for receiver in (Receiver, AsyncReceiver):
        with pytest.raises(InvalidArgumentError, match="handler must be a function, not a coroutine function"):
            receiver(coroutine, secrets=SECRET, store=PostgresInbox(postgres_url))
    with pytest.raises(InvalidArgumentError, match="handler must be a coroutine function"):
        AsyncReceiver(print, secrets=SECRET, store=AsyncPostgresInbox(postgres_url))
    AsyncReceiver(functools.partial(coroutine), secrets=SECRET, store=AsyncPostgresInbox(postgres_url))


@pytest.mark.parametrize("result", ["coroutine", "future"])
def test_awaitable_from_a_function_is_not_taken_for_success(database, postgres_url, result):
    """A lambda hides that it returns a coroutine; its effect would not happen."""

    async def coroutine():
        raise AssertionError("awaited")

    class Future:
        def __await__(self):
            raise AssertionError("awaited")

    make = coroutine if result == "coroutine" else Future
    with PostgresInbox(postgres_url) as inbox:
        receiver = Receiver(lambda event, connection: make(), secrets=SECRET, store=inbox)
        outcome = receiver.receive(make_capture_body(), make_signed_headers(make_capture_body()))
        assert (outcome.status, "awaitable" in str(outcome.error)) == (DeliveryStatus.FAILED, True)
        assert inbox.process(key_of(1), lambda connection: None) is Claim.GRANTED


async def test_async_handler_may_return_without_awaiting(database, postgres_url):
    class Handler:
        async def __call__(self, event, connection):
            """Do nothing."""

    async with AsyncPostgresInbox(postgres_url) as inbox:
        receiver = AsyncReceiver(Handler(), secrets=SECRET, store=inbox)
        receiver._handler = lambda event, connection: None
        assert (
            await receiver.receive(make_capture_body(), make_signed_headers(make_capture_body()))
        ).status is DeliveryStatus.HANDLED


@pytest.mark.parametrize("kind", CLASSES)
def test_invalid_arguments_are_refused_before_anything_is_opened(kind):
    for pool in (None, 7, b"postgresql://", object()):
        with pytest.raises(InvalidArgumentError, match="pool must be a connection string or a psycopg_pool"):
            kind(pool)
    for webhook in ("", "a b", "a" * 101, None, "ä"):
        with pytest.raises(InvalidArgumentError, match="webhook must be"):
            kind("", webhook=webhook)
    with pytest.raises(InvalidArgumentError, match="retention must be"):
        kind("", retention=timedelta(0))


@pytest.mark.parametrize("kind", CLASSES[::2])
def test_invalid_lease_is_refused(kind):
    with pytest.raises(InvalidArgumentError, match="lease must be"):
        kind("", lease=timedelta(0))


def test_receiver_refuses_an_inbox_that_forgets_too_early():
    with pytest.raises(InvalidArgumentError, match="the store forgets after"):
        Receiver(print, secrets=SECRET, store=PostgresInbox("", retention=timedelta(days=1)))


def test_schema_is_created_by_several_threads_at_once(postgres_url):
    with PostgresDedupStore(postgres_url) as store:
        with ThreadPoolExecutor(8) as pool:
            for created in [pool.submit(store.create_schema) for _ in range(8)]:
                created.result(60)
        assert store.claim("a", "me") is Claim.GRANTED


def test_missing_table_fails_the_delivery_and_names_it(postgres_url):
    with PostgresInbox(postgres_url) as inbox:
        result = Receiver(print, secrets=SECRET, store=inbox).receive(
            make_capture_body(), make_signed_headers(make_capture_body())
        )
    assert result.status is DeliveryStatus.FAILED
    assert "truemed_deliveries" in str(result.error)


def test_unreachable_server_fails_the_delivery_without_the_password(monkeypatch):
    monkeypatch.setattr("truemed_async.webhooks.postgres.POOL_TIMEOUT", 0.2)
    url = "postgresql://shop:hunter2@127.0.0.1:1/shop"
    with PostgresInbox(url) as inbox:
        result = Receiver(print, secrets=SECRET, store=inbox).receive(
            make_capture_body(), make_signed_headers(make_capture_body())
        )
        assert "hunter2" not in f"{result.error!r} {vars(inbox)}"
    assert (result.status, type(result.error)) == (DeliveryStatus.FAILED, PoolTimeout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="requires fork")
def test_store_used_before_a_fork_opens_its_own_connections_after(database, postgres_url):
    with PostgresInbox(postgres_url) as inbox:
        assert inbox.process("parent", lambda connection: None) is Claim.GRANTED
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            claims = [inbox.process(key, lambda connection: None) for key in ("parent", "child")]
            os._exit(0 if claims == [Claim.DONE, Claim.GRANTED] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert inbox.process("child", lambda connection: None) is Claim.DONE
