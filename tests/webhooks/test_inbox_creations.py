"""A token's creation in an inbox: its delivery, and what ``catch_up`` found without its origin, are one event."""

import asyncio
import contextlib

import pytest

from tests.support.django_databases import DATABASES, django_database, empty_database
from truemed_async.webhooks import Claim
from truemed_async.webhooks.django import DjangoDedupStore, DjangoInbox
from truemed_async.webhooks.postgres import AsyncPostgresInbox, PostgresDedupStore, PostgresInbox

CREATION = ("token, with an origin", "token")
FOUND = "token"
DELIVERED, UPDATED = "token from the first request", "token from the second request"


class Inbox:
    """An inbox of either kind beside a store on the same table."""

    def __init__(self, process, store):
        self._process, self.store = process, store
        self.handled = []

    def process(self, key, creation_keys=None):
        return self._process(key, lambda *_: self.handled.append(key), creation_keys)


@pytest.fixture(params=["postgres", "async postgres", *(f"django on {name}" for name in DATABASES)])
def inbox(request):
    with contextlib.ExitStack() as stack:
        if "django" in request.param:
            url = stack.enter_context(empty_database(request, request.param.removeprefix("django on ")))
            stack.enter_context(django_database(url))
            yield Inbox(DjangoInbox(using="events").process, DjangoDedupStore(using="events"))
            return
        url = request.getfixturevalue("postgres_url")
        request.getfixturevalue("database")
        store = stack.enter_context(PostgresDedupStore(url))
        if request.param == "postgres":
            yield Inbox(stack.enter_context(PostgresInbox(url)).process, store)
            return
        runner, inbox = stack.enter_context(asyncio.Runner()), AsyncPostgresInbox(url)

        def process(key, handle, creation_keys):
            async def handle_async(*args):
                handle(*args)

            return runner.run(inbox.process(key, handle_async, creation_keys))

        yield Inbox(process, store)
        runner.run(inbox.close())


def test_delivery_after_the_find_is_a_duplicate_and_an_update_is_not(inbox):
    assert inbox.process(FOUND) is Claim.GRANTED
    assert [inbox.process(DELIVERED, CREATION) for _ in range(2)] == [Claim.DONE] * 2
    assert [inbox.process(UPDATED, CREATION) for _ in range(2)] == [Claim.GRANTED, Claim.DONE]
    assert inbox.handled == [FOUND, UPDATED]


def test_find_after_the_delivery_is_a_duplicate(inbox):
    assert [inbox.process(DELIVERED, CREATION), inbox.process(FOUND)] == [Claim.GRANTED, Claim.DONE]
    assert inbox.process(UPDATED, CREATION) is Claim.GRANTED
    assert inbox.handled == [DELIVERED, UPDATED]


@pytest.mark.parametrize("busy", CREATION)
def test_creation_that_is_being_handled_elsewhere_leaves_nothing_claimed(inbox, busy):
    inbox.store.claim(busy, "another")
    assert inbox.process(DELIVERED, CREATION) is Claim.BUSY
    inbox.store.release(busy, "another")
    assert [inbox.process(DELIVERED, CREATION) for _ in range(2)] == [Claim.GRANTED, Claim.DONE]
    assert inbox.handled == [DELIVERED]
