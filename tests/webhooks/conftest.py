"""Fixtures of the webhook tests."""

import asyncio
import contextlib
import functools
import threading
from datetime import timedelta

import psycopg
import pytest
import redis
from django.apps import apps
from django.db import connections
from django.db.models import F

from tests.support.clock import FakeClock
from tests.support.django_databases import DATABASES, django_database, empty_database
from truemed_async.webhooks import MemoryDedupStore, SQLiteDedupStore
from truemed_async.webhooks.django import DjangoDedupStore
from truemed_async.webhooks.postgres import SCHEMA, AsyncPostgresDedupStore, PostgresDedupStore
from truemed_async.webhooks.redis import AsyncRedisDedupStore, RedisDedupStore


class StoreClock(FakeClock):
    """Moves what databases store, because tests cannot set the clock of a server.

    ``margin`` is how exactly a time can be hit: a server's clock goes on during the test.
    """

    def __init__(self):
        self.databases, self.margin = [], 0.1
        super().__init__(1_000_000.0)

    @property
    def now(self):
        return self._now

    @now.setter
    def now(self, value):
        for age in self.databases:
            age(value - self._now)
        self._now = value

    def add(self, age):
        """Have ``age(seconds)`` called when the time moves."""
        self.databases.append(age)
        self.margin = 30


class Blocking:
    """An asynchronous store with ordinary methods, for any thread; its event loop runs in a thread of its own."""

    def __init__(self, store):
        self.store, self.loop = store, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    retention = property(lambda self: self.store.retention)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)

    def claim(self, key, owner):
        return self._run(self.store.claim(key, owner))

    def confirm(self, key, owner):
        self._run(self.store.confirm(key, owner))

    def release(self, key, owner):
        self._run(self.store.release(key, owner))

    def close(self):
        self._run(self.store.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        self.loop.close()


class ClosingDjangoDedupStore(DjangoDedupStore):
    """Closes the connection of a worker thread after each call, as Django does after a request."""

    def claim(self, key, owner):
        with closing_in_worker_threads():
            return super().claim(key, owner)

    def confirm(self, key, owner):
        with closing_in_worker_threads():
            super().confirm(key, owner)

    def release(self, key, owner):
        with closing_in_worker_threads():
            super().release(key, owner)


@contextlib.contextmanager
def closing_in_worker_threads():
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            connections["events"].close()


@pytest.fixture
def clock():
    return StoreClock()


@pytest.fixture
def database(postgres_url):
    """Return a connection to a database with the table of the stores."""
    with contextlib.closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        connection.execute(SCHEMA)
        yield connection


def age_rows(database, seconds):
    """Make what PostgreSQL stores older."""
    move = "UPDATE truemed_deliveries SET expires_at = expires_at - make_interval(secs => %s)"
    database.execute(move, [seconds])


def age_keys(url, seconds):
    """Make what Redis stores older."""
    with contextlib.closing(redis.Redis.from_url(url)) as client:
        for key in list(client.scan_iter()):
            client.pexpire(key, round(client.pttl(key) - seconds * 1000))


REMOTE = {
    "postgres": PostgresDedupStore,
    "async postgres": AsyncPostgresDedupStore,
    "redis": RedisDedupStore,
    "async redis": AsyncRedisDedupStore,
}


def age_deliveries(seconds):
    """Make what Django stores older."""
    deliveries = apps.get_model("truemed_webhooks", "Delivery").objects.using("events")
    deliveries.update(expires_at=F("expires_at") - timedelta(seconds=seconds))


@pytest.fixture(params=["memory", "sqlite", *REMOTE, *(f"django on {name}" for name in DATABASES)])
def store_kind(request):
    return request.param


@pytest.fixture
def make_store(request, store_kind, tmp_path):
    """Return a factory of each kind of store."""
    with contextlib.ExitStack() as stack:
        if "django" in store_kind:
            url = stack.enter_context(empty_database(request, store_kind.removeprefix("django on ")))
            stack.enter_context(django_database(url))

        def make(clock=None, **options):
            if store_kind in ("memory", "sqlite"):
                if clock is not None:
                    options["clock"] = clock
                if store_kind == "memory":
                    return MemoryDedupStore(**options)
                return SQLiteDedupStore(tmp_path / "webhooks.db", **options)
            if "django" in store_kind:
                if clock is not None:
                    clock.add(age_deliveries)
                return ClosingDjangoDedupStore(using="events", **options)
            url = request.getfixturevalue("redis_url" if "redis" in store_kind else "postgres_url")
            if clock is not None:
                aged = url if "redis" in store_kind else request.getfixturevalue("database")
                clock.add(functools.partial(age_keys if "redis" in store_kind else age_rows, aged))
            store = REMOTE[store_kind](url, **options)
            if "postgres" in store_kind:
                request.getfixturevalue("database")
            return stack.enter_context(contextlib.closing(Blocking(store) if "async" in store_kind else store))

        yield make
