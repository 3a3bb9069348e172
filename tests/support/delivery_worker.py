"""A process that receives deliveries until it is killed: a worker of a server, without the server."""

import contextlib
import os
import signal
from datetime import timedelta

import psycopg
from django.db import connections

from tests.support.django_databases import django_database
from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
from truemed_async.webhooks import Receiver, SQLiteDedupStore
from truemed_async.webhooks.django import DjangoDedupStore, DjangoInbox
from truemed_async.webhooks.postgres import PostgresDedupStore, PostgresInbox
from truemed_async.webhooks.redis import RedisDedupStore

LEASE = timedelta(seconds=1)
ADD_EFFECT = "INSERT INTO effects VALUES (%s)"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Worker:
    """Receives numbers and where to die; answers with the status of each delivery."""

    def __init__(self, kind, effects, url):
        self.death = None
        if kind == "postgres inbox":
            store, handler = PostgresInbox(url), self.handle_in_transaction
        elif kind == "django inbox":
            store, handler = DjangoInbox(using="events"), self.handle_in_django
        else:
            # The effect is outside of the store: a connection of its own, which commits at once.
            self.url, self.effects = effects, psycopg.connect(effects, autocommit=True)
            store, handler = STORES[kind](url), self.handle
        self.receiver = Receiver(handler, secrets=SECRET, store=store)

    def handle(self, event):
        if self.effects.broken:
            self.effects = psycopg.connect(self.url, autocommit=True)
        self.handle_in_transaction(event, self.effects)

    def handle_in_django(self, event):
        with connections["events"].cursor() as cursor:
            self.handle_in_transaction(event, cursor)

    def handle_in_transaction(self, event, connection):
        if self.death == "in the handler, before the effect":
            die()
        connection.execute(ADD_EFFECT, [event.delivery_id])
        if self.death == "in the handler, after the effect":
            die()

    def deliver(self, number, death):
        self.death = death
        body = make_capture_body(number)
        if death == "before the handler":
            die()
        status = self.receiver.receive(body, make_signed_headers(body)).status
        if death == "after the handler":
            die()
        return status


DEATHS = (
    "before the handler",
    "in the handler, before the effect",
    "in the handler, after the effect",
    "after the handler",
)


STORES = {
    "postgres": lambda url: PostgresDedupStore(url, lease=LEASE),
    "redis": lambda url: RedisDedupStore(url, lease=LEASE),
    "sqlite": lambda url: SQLiteDedupStore(url, lease=LEASE),
    "django": lambda url: DjangoDedupStore(using="events", lease=LEASE),
}


def serve(pipe, kind, effects, url):
    """Run until the pipe closes."""
    with django_database(url, migrate=False) if "django" in kind else contextlib.nullcontext():
        worker = Worker(kind, effects, url)
        with contextlib.suppress(EOFError):
            while True:
                pipe.send(worker.deliver(*pipe.recv()))
    os._exit(0)
