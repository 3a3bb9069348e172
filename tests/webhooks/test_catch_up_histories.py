"""Random histories of changes, deliveries, crashes and runs of catch_up: each state change is handled once."""

import asyncio
import contextlib
import functools
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.support.webhook_payloads import SECRET, make_signed_headers
from truemed_async import AsyncTruemed, RetryPolicy
from truemed_async.emulator import Emulator
from truemed_async.errors import CallError
from truemed_async.webhooks import AsyncReceiver, Event, MemoryDedupStore, PaymentTokenUpdated
from truemed_async.webhooks.postgres import SCHEMA, AsyncPostgresInbox

pytestmark = pytest.mark.one_python

ONE_TRY = RetryPolicy(max_attempts=1)
LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


class CrashError(BaseException):
    """The process dies: nothing of it runs after this, not even the release of a claim."""


class Shop:
    """The merchant's program, which dies and is started again over the same store."""

    def __init__(self, rng):
        self.rng, self.now = rng, 0.0
        self._store = MemoryDedupStore(lease=LEASE, clock=lambda: self.now)
        self.crash_in, self.dead = None, False
        self.handled, self.excused = Counter(), Counter()
        self.unsure = 0
        self._change = None
        self.restart()

    async def close(self):
        """Close nothing."""

    def restart(self):
        """Start again, after the claims of the dead process have expired."""
        self.now += LEASE.total_seconds() + 1
        self.dead, self.crash_in = False, None
        self.receiver = AsyncReceiver(self.handle, secrets=SECRET, store=self)

    def _step(self):
        """Die at this step if it is the one to die at."""
        if self.crash_in is not None:
            self.crash_in -= 1
            self.dead = self.dead or self.crash_in < 0
        if self.dead:
            raise CrashError

    async def claim(self, key, owner):
        self._change = None
        self._step()
        return self._store.claim(key, owner)

    async def confirm(self, key, owner):
        was_dead = self.dead
        try:
            self._step()
        except CrashError:
            if was_dead:
                pass
            elif self._change is not None:
                self.excused[self._change] += 1  # the effect is there, and nothing remembers it
            else:
                self.unsure += 1  # a token's creation was recognized, and only half of that is remembered
            raise
        self._store.confirm(key, owner)

    async def release(self, key, owner):
        self._step()
        self._store.release(key, owner)

    async def handle(self, event):
        self._step()
        if self.rng.random() < 0.1:
            raise RuntimeError
        self._change = str(change_of(event))
        self.handled[self._change] += 1
        await asyncio.sleep(0)


class InboxShop(Shop):
    """The program with an inbox: a transaction that is open when the process dies is rolled back."""

    def __init__(self, rng, url):
        self._inbox, self._url = AsyncPostgresInbox(url), url
        self._execute("DELETE FROM truemed_deliveries")
        self._execute("DELETE FROM effects")
        super().__init__(rng)

    async def close(self):
        await self._inbox.close()
        self.handled = Counter(change for (change,) in self._execute("SELECT change FROM effects"))

    def _execute(self, statement):
        with contextlib.closing(psycopg.connect(self._url, autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    async def process(self, key, handle, creation_keys=None):
        self._step()
        claim = await self._inbox.process(key, handle, creation_keys)
        self._step()  # the transaction is committed, and Truemed does not learn of it
        return claim

    async def handle(self, event, connection):
        self._step()
        if self.rng.random() < 0.1:
            raise RuntimeError
        await connection.execute("INSERT INTO effects VALUES (%s)", [str(change_of(event))])
        self._step()


def change_of(event):
    """Return what an event is about: of tokens only which one, because a change that is found may have no origin."""
    data = event.data
    if isinstance(event, PaymentTokenUpdated):
        return data.payment_token
    return (getattr(data, "payment_session_id", None) or data.qualification_session_id, str(data.status))


class History:
    """One random history: what happened at Truemed, and the deliveries that are still to come."""

    def __init__(self, emulator, rng, shop):
        self.emulator, self.rng, self.shop = emulator, rng, shop
        self.state = emulator.state
        self.deliveries, self.done = [], []
        self.changes = Counter()
        self.requests = []
        self.passed = rng.random() < 0.5  # whether the merchant passes the ids of requests

    def happen(self, change, payload):
        self.changes[str(change)] += 1
        envelope = {"webhook_delivery_id": f"whd_{len(self.deliveries) + len(self.done)}", "event_type": "x", "data": payload}  # fmt: skip
        self.deliveries.append(json.dumps(envelope).encode())

    def change_payment(self):
        rows = [each for each in self.state.payment_sessions.rows if each.status in ("pending", "processing")]
        if not rows or self.rng.random() < 0.3:
            self.state.payment_sessions.add(total_amount=1999, created_at=datetime.now(UTC))
            return
        row = self.rng.choice(rows)
        move = self.rng.choice(["approve", "reject"]) if row.status == "processing" else "submit"
        getattr(self.state.payment_sessions, move)(row.id)
        status = self.state.payment_sessions.get(row.id).status
        self.happen((row.id, status), {"payment_session_id": row.id, "status": status})

    def change_qualification(self):
        sessions = self.state.qualification_sessions
        id = sessions.add(status="processing", created_at=datetime.now(UTC))
        getattr(sessions, self.rng.choice(["approve", "reject"]))(id)
        status = sessions.get(id).status
        self.happen((id, status), {"qualification_session_id": id, "status": status})

    def change_token(self):
        tokens = list(self.state.payment_tokens.rows)
        request = f"ptr_{len(self.requests)}_{self.rng.randrange(10**9)}"
        origin = self.rng.choice(["provision_token_request_id", "failed_payment_session_id"]) if tokens else "provision_token_request_id"  # fmt: skip
        new = not tokens or (origin.startswith("provision") and self.rng.random() < 0.5)
        token = self.state.payment_tokens.add(created_at=datetime.now(UTC)) if new else self.rng.choice(tokens).payment_token  # fmt: skip
        if origin.startswith("provision"):
            self.state.provision_requests.add(
                provision_token_request_id=request,
                created_at=datetime.now(UTC),
                status="provisioned",
                payment_token=token,
            )
            self.requests.append(request)
        self.happen(token, {"payment_token": token, origin: request})

    async def deliver(self, *, fresh=True):
        """Deliver one of the waiting ones, or one again."""
        bodies = self.deliveries if fresh else self.done
        if not bodies:
            return
        body = self.rng.choice(bodies)
        result = await self.shop.receiver.receive(body, make_signed_headers(body))
        if result.http_status == 204 and fresh:
            self.deliveries.remove(body)
            self.done.append(body)

    async def catch_up(self, retry=ONE_TRY):
        passed = self.requests if self.passed else ()
        async with AsyncTruemed(self.emulator.api_key, base_url=self.emulator.url, retry=retry) as client:
            return await client.catch_up(
                self.shop.receiver, since=datetime.now(UTC) - HOUR, provision_token_request_ids=passed
            )

    async def step(self):
        kind = self.rng.choice(["payment", "payment", "qualification", "token", "deliver", "deliver", "again", "catch up"])  # fmt: skip
        if self.rng.random() < 0.2:
            self.shop.crash_in = self.rng.randint(0, 6)
        try:
            match kind:
                case "deliver":
                    await self.deliver()
                case "again":
                    await self.deliver(fresh=False)
                case "catch up":
                    await self.catch_up()
                case _:
                    getattr(self, f"change_{kind}")()
        except CallError:
            pass
        except CrashError:
            self.shop.restart()

    def allowed(self, key):
        """Return how often more a change may be handled, because the process died between its effect and the memory of it."""
        return self.shop.excused[key] + (0 if key.startswith("(") else self.shop.unsure)

    async def play(self):
        """Play the history; return the changes that were handled too often or not at all."""
        add = self.emulator.faults.add
        faults = [add("status", code=503, probability=0.05), add("reset_peer", probability=0.05)]
        for _ in range(self.rng.randint(3, 20)):
            await self.step()
        for fault in faults:
            fault.remove()
        self.shop.restart()
        self.shop.rng = random.Random(0)
        for _ in range(30):
            if (await self.catch_up()).ok:
                break
        else:
            raise AssertionError("catch_up does not succeed")
        while self.deliveries:
            await self.deliver()
        assert (await self.catch_up()).ok
        await self.shop.close()
        keys = self.changes.keys() | self.shop.handled.keys()
        return {
            key: (self.changes[key], self.shop.handled[key])
            for key in keys
            if not self.changes[key] <= self.shop.handled[key] <= self.changes[key] + self.allowed(key)
        }


@pytest.fixture(params=["memory", "postgres inbox"])
def make_shop(request):
    """Return a factory of programs with each kind of store."""
    if request.param == "memory":
        return Shop
    url = request.getfixturevalue("postgres_url")
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(f"{SCHEMA}; CREATE TABLE effects (change text)")
    return functools.partial(InboxShop, url=url)


async def wrong_histories(make_shop, seeds):
    with Emulator(sessions=0) as emulator:
        for seed in seeds:
            emulator.state.reset()
            emulator.requests.clear()
            rng = random.Random(seed)
            if wrong := await History(emulator, rng, make_shop(rng)).play():
                yield seed, wrong


async def test_each_state_change_is_handled_once(make_shop, scale):
    assert [each async for each in wrong_histories(make_shop, range(scale(30, 5_000)))] == []


@pytest.mark.parametrize("control", ["delivery ids", "tokens"])
async def test_histories_find_changes_that_are_handled_twice(make_shop, control, monkeypatch):
    """The control: with the delivery's id alone, or without the keys of a token's creation, changes are handled twice."""
    if control == "tokens":
        monkeypatch.setattr(PaymentTokenUpdated, "creation_keys", None)
    else:
        own = Event.dedup_key
        monkeypatch.setattr(Event, "dedup_key", property(lambda event: event.delivery_id or own.fget(event)))
    async with contextlib.aclosing(wrong_histories(make_shop, range(25))) as wrong:
        assert await anext(wrong, None) is not None
