"""The inbox of Django, on SQLite and PostgreSQL, and by hand on MySQL or MariaDB. tests/webhooks/test_stores.py has what all stores have in common."""

import asyncio
import contextlib
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, connections, transaction
from django.test import override_settings

from tests.support.django_databases import DATABASES, django_database, empty_database, mysql_cursor
from tests.support.waiting import wait_until
from tests.support.webhook_payloads import SECRET, key_of, make_capture_body, make_signed_headers
from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks import AsyncReceiver, Claim, DeliveryStatus, Receiver
from truemed_async.webhooks.django import DjangoDedupStore, DjangoInbox
from truemed_async.webhooks.django._stores import CLEANUP_INTERVAL

BODY = make_capture_body()


@pytest.fixture(params=DATABASES)
def connection(request):
    """Return Django's connection to a database with the app's table and one of effects."""
    with empty_database(request, request.param) as url, django_database(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE effects (delivery varchar(99))")
        yield connection


def add_effect(event):
    with connections["events"].cursor() as cursor:
        cursor.execute("INSERT INTO effects VALUES (%s)", [event.delivery_id])


def effects(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT delivery FROM effects ORDER BY 1")
        return [delivery for (delivery,) in cursor.fetchall()]


def deliver(handler, body=BODY):
    return Receiver(handler, secrets=SECRET, store=DjangoInbox(using="events")).receive(body, make_signed_headers(body))


def test_effect_and_confirmation_are_committed_together(connection):
    bodies = [make_capture_body(number) for number in (1, 2, 1, 2)]
    assert [deliver(add_effect, body).status for body in bodies] == ["handled"] * 2 + ["duplicate"] * 2
    assert effects(connection) == ["whd_1", "whd_2"]


def raise_error():
    raise ZeroDivisionError


def catch_an_error():
    """On PostgreSQL, what comes after cannot be committed; on the others it can."""
    with contextlib.suppress(DatabaseError):
        connections["events"].cursor().execute("SELECT * FROM missing")
    if connections["events"].vendor != "postgresql":
        transaction.set_rollback(True, using="events")


def set_rollback():
    transaction.set_rollback(True, using="events")


def delete_the_row():
    apps.get_model("truemed_webhooks", "Delivery").objects.using("events").all().delete()


@pytest.mark.parametrize("failure", [raise_error, catch_an_error, set_rollback, delete_the_row])
def test_failed_transaction_leaves_nothing_and_event_is_handled_again(connection, failure):
    def handle(event):
        add_effect(event)
        failure()

    for _ in range(2):
        result = deliver(handle)
        assert (result.status, result.http_status) == (DeliveryStatus.FAILED, 500)
        assert result.error is not None
    assert effects(connection) == []
    assert deliver(add_effect).status is DeliveryStatus.HANDLED
    assert effects(connection) == ["whd_1"]


def test_inbox_within_a_transaction_is_part_of_it(connection):
    """As with ``ATOMIC_REQUESTS``."""
    with transaction.atomic(using="events"):
        assert deliver(add_effect).status is DeliveryStatus.HANDLED
        transaction.set_rollback(True, using="events")
    assert deliver(add_effect).status is DeliveryStatus.HANDLED
    assert effects(connection) == ["whd_1"]


def test_second_delivery_waits_for_the_first(connection):
    started = threading.Event()

    def handle(event):
        add_effect(event)
        started.set()
        second.join(0.2)  # it does not end before this transaction does

    def deliver_again():
        started.wait(60)
        results.append(deliver(add_effect).status)
        connections["events"].close()

    results = []
    second = threading.Thread(target=deliver_again)
    second.start()
    assert deliver(handle).status is DeliveryStatus.HANDLED
    second.join(60)
    assert results == [DeliveryStatus.DUPLICATE]
    assert effects(connection) == ["whd_1"]


@pytest.mark.parametrize("store", [DjangoInbox, DjangoDedupStore])
def test_error_of_a_project_without_the_app_says_what_to_add(store, connection):
    with override_settings(INSTALLED_APPS=[]):
        result = Receiver(add_effect, secrets=SECRET, store=store(using="events")).receive(
            BODY, make_signed_headers(BODY)
        )
    assert result.status is DeliveryStatus.FAILED
    assert isinstance(result.error, ImproperlyConfigured)
    assert 'add "truemed_async.webhooks.django" to INSTALLED_APPS' in str(result.error)


def test_claim_of_a_dedup_store_is_respected_until_it_expires(connection):
    DjangoDedupStore(using="events", lease=timedelta(days=300)).claim(key_of(1), "me")
    assert deliver(add_effect).status is DeliveryStatus.IN_PROGRESS
    with connection.cursor() as cursor:
        cursor.execute("UPDATE truemed_webhooks_delivery SET expires_at = '2000-01-01'")
    inbox = DjangoInbox(using="events")
    next(inbox._calls)  # the removal of expired rows is not due
    assert inbox.process(key_of(1), lambda: None) is Claim.GRANTED
    assert inbox.process(key_of(1), lambda: None) is Claim.DONE


def test_keys_that_differ_in_case_or_webhook_are_distinct(connection):
    stores = [DjangoDedupStore(using="events", webhook=name) for name in ("orders", "letters")]
    for store in stores:
        assert [store.claim(key, "me") for key in ("a", "A", "a ")] == [Claim.GRANTED] * 3


def test_expired_rows_are_removed_in_portions(connection):
    with connection.cursor() as cursor:
        rows = ", ".join(f"('{number}', '', true, '2000-01-01')" for number in range(700))
        cursor.execute(f"INSERT INTO truemed_webhooks_delivery (id, owner, done, expires_at) VALUES {rows}")
    inbox, left = DjangoInbox(using="events"), []
    for number in range(CLEANUP_INTERVAL + 1):
        inbox.process(f"new {number}", lambda: None)
        left.append(apps.get_model("truemed_webhooks", "Delivery").objects.using("events").count() - number - 1)
    assert left == [200] * CLEANUP_INTERVAL + [0]


def test_closed_connections_are_replaced(connection, request):
    if connection.vendor == "sqlite":
        pytest.skip("a file has no server that could close a connection")
    assert deliver(add_effect).status is DeliveryStatus.HANDLED
    if connection.vendor == "mysql":
        with mysql_cursor() as cursor:
            cursor.execute(f"KILL {connection.connection.thread_id()}")
    else:
        with contextlib.closing(request.getfixturevalue("postgres_server").connect()) as other:
            other.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s", [connection.settings_dict["NAME"]])  # fmt: skip
    body = make_capture_body(2)
    statuses = [deliver(add_effect, body).status for _ in range(2)]
    assert statuses == [DeliveryStatus.FAILED, DeliveryStatus.HANDLED], "delivered again, the event is handled"
    assert effects(connection) == ["whd_1", "whd_2"]


async def test_async_receiver_runs_the_handler_and_its_transaction_in_a_thread(connection):
    threads = []

    def handle(event):
        threads.append(threading.get_ident())
        add_effect(event)
        transaction.on_commit(connections["events"].close, using="events")

    receiver = AsyncReceiver(handle, secrets=SECRET, store=DjangoInbox(using="events"))
    assert (await receiver.receive(BODY, make_signed_headers(BODY))).status is DeliveryStatus.HANDLED
    assert threads != [threading.get_ident()]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (effects(connections["events"]), connections["events"].close())[0]).result(60) == [
            "whd_1"
        ]


def test_worker_threads_keep_no_connections(postgres_server, postgres_url):
    async def receive_all():
        receiver = AsyncReceiver(add_effect, secrets=SECRET, store=DjangoDedupStore(using="events"))
        bodies = [make_capture_body(number) for number in range(20)]
        return await asyncio.gather(*(receiver.receive(body, make_signed_headers(body)) for body in bodies))

    def count():
        with contextlib.closing(postgres_server.connect()) as other:
            return other.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name]).fetchone()[0]

    with django_database(postgres_url) as connection:
        name = connection.settings_dict["NAME"]
        connection.cursor().execute("CREATE TABLE effects (delivery varchar(99))")
        connection.close()
        connections.settings["events"]["CONN_MAX_AGE"] = 0  # Django's default
        assert [result.status for result in asyncio.run(receive_all())] == [DeliveryStatus.HANDLED] * 20
        wait_until(lambda: count() == 0)


def test_connections_stay_open_as_long_as_the_project_keeps_them(connection):
    connection.close()
    connection.settings_dict["CONN_MAX_AGE"] = None
    store = DjangoDedupStore(using="events")
    store.claim("a", "me")
    raw_connection = connection.connection
    store.close_idle_connections()
    assert connection.connection is raw_connection


def test_closing_leaves_an_open_transaction_alone(connection):
    with transaction.atomic(using="events"):
        add_effect(types.SimpleNamespace(delivery_id="whd_1"))
        DjangoInbox(using="events").close_idle_connections()
    assert effects(connection) == ["whd_1"]


def test_coroutine_function_as_handler_is_refused():
    async def handle(event):
        """Do nothing."""

    with pytest.raises(InvalidArgumentError, match="handler must be a function, not a coroutine function"):
        AsyncReceiver(handle, secrets=SECRET, store=DjangoInbox())


@pytest.mark.parametrize("kind", [DjangoDedupStore, DjangoInbox])
def test_invalid_arguments_are_refused(kind):
    with pytest.raises(InvalidArgumentError, match="webhook must be"):
        kind(webhook="a b")
    with pytest.raises(InvalidArgumentError, match="retention must be"):
        kind(retention=timedelta(0))


def test_row_is_named_by_its_id(connection):
    DjangoDedupStore(using="events").claim("a", "me")
    (row,) = apps.get_model("truemed_webhooks", "Delivery").objects.using("events").all()
    assert (str(row), len(row.id), row.owner, row.done) == (row.id, 64, "me", False)


def test_migrations_are_complete(connection):
    call_command("makemigrations", "truemed_webhooks", check=True, dry_run=True, verbosity=0)
