"""The main jobs of a merchant's program, checked against what the emulator holds: they must work in every dialect."""

from __future__ import annotations

import asyncio
import hashlib
import json
import warnings
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest
from aiohttp import web

from truemed_async import AsyncTruemed, OrderItem, ReconciliationCheck, RetryPolicy, TruemedWarning, export
from truemed_async.emulator import Dialect, Emulator
from truemed_async.errors import AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError
from truemed_async.webhooks import AsyncReceiver, Event, MemoryDedupStore, PaymentSessionUpdated
from truemed_async.webhooks.aiohttp import webhook_endpoint

SESSIONS = 130
DAY = (datetime.now(UTC) - timedelta(days=3)).date()
SUCCESS_URL = "https://shop.example/thanks"

# Dialects that contradict a published type: the client then needs ``validation="lenient"``.
CONTRADICTIONS: dict[str, tuple[Any, ...]] = {"ids": ("integers",), "amounts": ("double", "decimal_string")}

# What no client can know, and what it does instead. Everything else works in every dialect.
UNKNOWABLE: dict[tuple[str, Any], str] = {
    ("amounts", "double"): "2000.0 may be cents or dollars: amounts are None, and no payout is said to agree",
    ("amounts", "decimal_string"): '"2000" may be cents or dollars: amounts are None, and no payout is said to agree',
}


def pairwise_dialects() -> list[Dialect]:
    """Return dialects that together have every pair of values of any two axes: always the same ones."""
    axes = Dialect.axes()
    uncovered = dict.fromkeys(
        frozenset({(one, value), (other, second)})
        for one, other in combinations(axes, 2)
        for value in axes[one]
        for second in axes[other]
    )
    dialects: list[Dialect] = []
    while uncovered:
        chosen = dict(next(iter(uncovered)))
        for axis, values in axes.items():
            if axis not in chosen:
                gains = {
                    value: sum(frozenset({(axis, value), pair}) in uncovered for pair in chosen.items())
                    for value in values
                }
                chosen[axis] = max(values, key=gains.__getitem__)
        for pair in combinations(chosen.items(), 2):
            uncovered.pop(frozenset(pair), None)
        dialects.append(Dialect(**chosen))
    return dialects


def random_dialect(seed: int) -> Dialect:
    """Return a dialect with a random value of each axis, the same for the same seed."""
    random = Random(f"dialect {seed}")
    return Dialect(**{name: random.choice(values) for name, values in Dialect.axes().items()})


def contradicts_types(dialect: Dialect) -> bool:
    """Whether a dialect has other types than Truemed publishes."""
    return any(getattr(dialect, axis) in values for axis, values in CONTRADICTIONS.items())


class Jobs:
    """One emulator in one dialect after another, one client for each, and a shop that receives webhooks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()
        self._events: list[Event] = []
        self.emulator = Emulator(sessions=SESSIONS, payment_sessions=40, catalog_items=35, payment_tokens=35)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.emulator)
        secret = "whsec_0123456789abcdef0123456789abcdef"
        receiver = AsyncReceiver(self._events.append, secrets=secret, store=MemoryDedupStore())
        app = web.Application()
        app.router.add_route("*", "/webhooks", webhook_endpoint(receiver))
        runner = web.AppRunner(app)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks"
        self._secret = secret
        for number in range(3):
            self.emulator.state.transactions.add(
                transaction_id=f"tx_{number}",
                type="charge",
                amount=10_00 + number,
                payment_session_id=f"ps_{number}",
                created_at=datetime(DAY.year, DAY.month, DAY.day, number, tzinfo=UTC),
            )
        self.emulator.state.payouts.pay_out(payout_id="po_1", arrival_date=DAY)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def run(self, dialect: Dialect, **options: Any) -> None:
        """Do all jobs in a dialect; raise the first error."""
        self.emulator.dialect = dialect
        settings = {"validation": "lenient" if contradicts_types(dialect) else "strict", **options}
        retry = RetryPolicy(base=0.001, cap=0.001)
        async with AsyncTruemed(self.emulator.api_key, base_url=self.emulator.url, retry=retry, **settings) as client:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TruemedWarning)
                await self.read_sessions(client)
                await self.read_other_lists(client)
                await self.update(client)
                await self.export(client)
                await self.take_payment(client)
                await self.reconcile(client)
                await self.be_refused(client)

    def sent_id(self, id: str) -> str:
        """Return an id of the emulator as a client receives it."""
        if self.emulator.dialect.ids == "strings":
            return id
        return str(int.from_bytes(hashlib.sha256(id.encode()).digest()[:6], "big"))

    def session_ids(self) -> set[str]:
        return {self.sent_id(row.id) for row in self.emulator.state.qualification_sessions.rows}

    async def read_sessions(self, client: AsyncTruemed) -> None:
        """List, iterate completely, get and get many."""
        sessions = client.qualification_sessions
        page = await sessions.list(page_size=5)
        assert len(page) == 30 if self.emulator.dialect.page_size_handling == "ignore" else 5
        assert page.pagination is None or page.pagination.count == SESSIONS
        found = [session.qualification_session_id async for session in sessions.iter(page_size=100)]
        assert len(found) == SESSIONS, f"iter yields {len(found)} of {SESSIONS} rows"
        assert set(found) == self.session_ids()
        for session in page.items[:2]:
            again = await sessions.get(session.qualification_session_id)
            assert (again.qualification_session_id, again.status) == (session.qualification_session_id, session.status)
            assert again.created_at == session.created_at
        outcomes = [outcome async for outcome in sessions.get_many(found[:5], ordered=True)]
        assert [outcome.unwrap().qualification_session_id for outcome in outcomes] == found[:5]

    async def read_other_lists(self, client: AsyncTruemed) -> None:
        state = self.emulator.state
        items = [item.sku async for item in client.catalog_items.iter(page_size=30)]
        assert sorted(items) == sorted(row.id for row in state.catalog_items.rows)
        payments = [payment.id async for payment in client.payment_sessions.iter(page_size=50)]
        assert sorted(payments) == sorted(self.sent_id(row.id) for row in state.payment_sessions.rows)
        tokens = [token.payment_token async for token in client.payment_tokens.iter(page_size=100)]
        assert sorted(tokens) == sorted(self.sent_id(row.id) for row in state.payment_tokens.rows)

    async def update(self, client: AsyncTruemed) -> None:
        """The first answer is lost after the update was applied; the retry must not apply it again."""
        row = self.emulator.state.qualification_sessions.rows[0]
        lost = self.emulator.faults.add("applied_then_reset", route="qualification_sessions.update", times=1)
        result = await client.qualification_sessions.update(self.sent_id(row.id), metadata={"order": "17"})
        assert lost.hits == 1
        assert result.qualification_session_id == self.sent_id(row.id)
        assert json.loads(self.emulator.state.qualification_sessions.get(row.id).metadata) == {"order": "17"}

    async def export(self, client: AsyncTruemed) -> None:
        path = self._directory / "sessions.jsonl"
        result = await export(client.qualification_sessions.iter(page_size=100), path)
        ids = [json.loads(line)["qualification_session_id"] for line in path.read_bytes().splitlines()]
        assert result.rows == len(ids) == SESSIONS
        assert set(ids) == self.session_ids()

    async def take_payment(self, client: AsyncTruemed) -> None:
        """Create a payment; the shop learns from the webhook that it is captured; refund it."""
        self._events.clear()
        endpoint = self.emulator.webhooks.register(self._url, secret=self._secret)
        items = [OrderItem(name="Sauna", price=60_00, quantity=1, sku="S")]
        payment = await client.payment_sessions.create(total_amount=60_00, order_items=items, success_url=SUCCESS_URL)
        (id,) = (row.id for row in self.emulator.state.payment_sessions.rows if self.sent_id(row.id) == payment.id)
        self.emulator.state.payment_sessions.submit(id)
        self.emulator.state.payment_sessions.approve(id)
        async with asyncio.timeout(30):
            while not any(
                isinstance(event, PaymentSessionUpdated) and event.data.status.may_fulfill for event in self._events
            ):
                await asyncio.sleep(0.002)
        assert {
            event.data.payment_session_id for event in self._events if isinstance(event, PaymentSessionUpdated)
        } == {payment.id}
        session = await client.payment_sessions.get(payment.id)
        assert session.id == payment.id
        assert session.may_fulfill
        if self.amounts_are_unknowable:
            assert (session.total_amount, "total_amount" in session.mismatches) == (None, True)
        else:
            assert (session.total_amount, session.capture_amount) == (60_00, 60_00)
        refund = await client.payment_sessions.refund(payment.id, amount=10_00, reason="customer_request")
        assert refund.refund_id
        assert self.emulator.state.payment_sessions.get(id).refund_amount == 10_00
        self.emulator.state.payment_sessions.remove(id)  # so that the next dialect has no more to list
        self.emulator.webhooks.unregister(endpoint.id)
        self.emulator.webhooks.clear()

    @property
    def amounts_are_unknowable(self) -> bool:
        return ("amounts", self.emulator.dialect.amounts) in UNKNOWABLE

    async def be_refused(self, client: AsyncTruemed) -> None:
        """An unknown id and a wrong key are told apart by status, whatever the body."""
        with pytest.raises(NotFoundError):
            await client.payment_sessions.get("no-such-session")
        async with AsyncTruemed("wrong" * 8, base_url=self.emulator.url) as stranger:
            with pytest.raises((AuthenticationError, PermissionDeniedError, BadRequestError)) as caught:
                await stranger.qualification_sessions.list()
        assert caught.value.status == self.emulator.dialect.key_refusal_status

    async def reconcile(self, client: AsyncTruemed) -> None:
        rows = [
            row
            async for row in client.reconciliations.reconcile(start_date=DAY, end_date=DAY, look_back=timedelta(days=0))
        ]
        expected = {self.sent_id(f"tx_{number}") for number in range(3)}
        assert expected <= {row.transaction_id for row in rows}
        assert len({row.key for row in rows}) == len(rows)
        report = ReconciliationCheck.of(rows)
        if self.amounts_are_unknowable:
            assert report.unreadable >= 3
            assert [payout.difference_cents for payout in report.payouts] == [None]
        else:
            assert (report.unreadable, report.by_type) == (0, {"charge": 30_03})
