"""The same promise through the whole client, against the emulator: a machine that does what it likes between batches."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.scale import LONG
from truemed_async import AsyncTruemed, QualificationSession, RetryPolicy
from truemed_async.emulator import Emulator
from truemed_async.errors import PaginationDriftError, ServerError

START = datetime(2026, 6, 1, tzinfo=UTC)


class Listing(RuleBasedStateMachine):
    """One listing of the pending sessions, while sessions come, go, and are taken into review."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "listing: ", RuntimeWarning)
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.emulator = Emulator(sessions=0)
        self.runner.run(self.emulator.start())
        self.found: list[str] = []
        self.ended = False
        self.newest = 0

    @initialize(
        minutes=st.lists(st.integers(0, 400) | st.integers(0, 5), max_size=90),
        page_size=st.integers(7, 20),
        prefetch=st.sampled_from([1, 4, 8]),
    )
    def begin(self, minutes: list[int], page_size: int, prefetch: int) -> None:
        for minute in minutes:
            self.add(minute)
        self.due = {session.qualification_session_id for session in self.emulator.state.qualification_sessions.rows}

        async def connect() -> None:
            self.client = AsyncTruemed(self.emulator.api_key, base_url=self.emulator.url, retry=RetryPolicy(base=0.001))
            self.stream = self.client.qualification_sessions.iter(
                status="pending", page_size=page_size, prefetch=prefetch
            )
            self.batches: AsyncGenerator[Sequence[QualificationSession], None] = self.stream.batches()

        self.runner.run(connect())

    def add(self, minute: int) -> None:
        self.emulator.state.qualification_sessions.add(created_at=START + timedelta(minutes=minute), status="pending")
        self.newest = max(self.newest, minute)

    @rule(count=st.integers(1, 12))
    def sessions_are_created(self, count: int) -> None:
        for _ in range(count):
            self.add(self.newest + 1)

    @rule(minute=st.integers(0, 400), count=st.integers(1, 15))
    def sessions_of_one_time_appear_late(self, minute: int, count: int) -> None:
        for _ in range(count):
            self.add(minute)

    @rule(where=st.lists(st.integers(0, 100), min_size=1, max_size=15))
    def sessions_are_deleted(self, where: list[int]) -> None:
        for at in where:
            self.on_one(at, self.emulator.state.qualification_sessions.remove)

    @rule(where=st.lists(st.integers(0, 100), min_size=1, max_size=15))
    def sessions_leave_the_filter(self, where: list[int]) -> None:
        for at in where:
            self.on_one(at, self.emulator.state.qualification_sessions.start_review)

    def on_one(self, at: int, change: Any) -> None:
        pending = [
            session for session in self.emulator.state.qualification_sessions.rows if session.status == "pending"
        ]
        if pending:
            id = pending[at % len(pending)].qualification_session_id
            change(id)
            self.due.discard(id)

    @rule(n=st.integers(7, 12))
    def the_largest_page_shrinks(self, n: int) -> None:
        self.emulator.state.max_page_size = min(n, self.emulator.state.max_page_size)

    @rule(times=st.integers(1, 2), name=st.sampled_from(["status", "empty_response", "reset_peer", "truncate_body"]))
    def a_response_is_broken(self, times: int, name: str) -> None:
        if not any(fault.scope is not None and fault.scope.route for fault in self.emulator.faults.active):
            # At most two at a time: a call makes three attempts.
            parameters = {"code": 503} if name == "status" else {}
            self.emulator.faults.add(name, route="qualification_sessions.list", times=times, **parameters)

    @rule()
    def a_replica_lags_behind(self) -> None:
        self.emulator.faults.add("replica_lag", n=3, times=2)

    @precondition(lambda self: not self.ended)
    @rule(batches=st.integers(1, 4))
    def reads_on(self, batches: int) -> None:
        async def read() -> None:
            for _ in range(batches):
                batch = await anext(self.batches, None)
                if batch is None:
                    self.ended = True
                    break
                self.found += [session.qualification_session_id for session in batch]

        self.runner.run(read())

    @invariant()
    def rows_are_unique(self) -> None:
        assert len(self.found) == len(set(self.found))

    def teardown(self) -> None:
        try:
            if hasattr(self, "client"):
                while not self.ended:
                    self.reads_on(100)
                assert self.due <= set(self.found)
        finally:
            if hasattr(self, "client"):
                self.runner.run(self.batches.aclose())
                self.runner.run(self.client.aclose())
            self.runner.run(self.emulator.stop())
            self.stack.close()


Listing.TestCase.settings = settings(
    max_examples=1000 if LONG else 20,
    phases=[Phase.generate],
    stateful_step_count=25,
    deadline=None,
    derandomize=not LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestListing = Listing.TestCase


@pytest.fixture
async def emulator():
    async with Emulator(sessions=2000) as running:
        yield running


@pytest.fixture
async def client(emulator):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=RetryPolicy(max_attempts=1)) as other:
        yield other


async def ids_of(client: AsyncTruemed, **filters: Any) -> list[str]:
    return [session.qualification_session_id async for session in client.qualification_sessions.iter(**filters)]


@pytest.mark.parametrize("prefetch", [1, 4, 16])
async def test_every_session_comes_once_in_the_order_of_the_list(emulator, client, prefetch):
    expected = [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]
    assert await ids_of(client, prefetch=prefetch) == expected
    assert emulator.requests.count(route="qualification_sessions.list") <= 1.2 * 20


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("name", ["delete_between_pages", "insert_between_pages"])
async def test_sessions_come_and_go_between_pages(emulator, client, prefetch, name):
    at_first = {session.qualification_session_id for session in emulator.state.qualification_sessions.rows}
    emulator.faults.add(name, n=5)
    found = await ids_of(client, prefetch=prefetch)
    assert len(found) == len(set(found))
    assert at_first & {
        session.qualification_session_id for session in emulator.state.qualification_sessions.rows
    } <= set(found)


async def test_server_without_pagination_is_read_to_the_empty_page(emulator, client):
    emulator.faults.add("null_pagination")
    assert len(await ids_of(client)) == 2000


async def test_server_that_clamps_the_page_still_gives_every_row(emulator, client):
    emulator.faults.add("clamp_page_size", n=40)
    with pytest.warns(RuntimeWarning, match="the server gives 40 rows a page instead of 100"):
        assert len(await ids_of(client)) == 2000


async def test_sessions_of_one_time_in_no_stable_order(emulator, client):
    emulator.faults.add("unstable_ties")
    assert len(await ids_of(client)) == 2000  # the few that share a time fit on a page
    for _ in range(300):
        emulator.state.qualification_sessions.add(created_at=START)
    with pytest.raises(PaginationDriftError, match="change places"):
        await ids_of(client)


async def test_error_of_a_page_ends_the_iteration(emulator, client):
    emulator.faults.add("status", code=503, nth=5)
    found = []
    with pytest.raises(ServerError):
        async for session in client.qualification_sessions.iter(prefetch=4):
            found.append(session.qualification_session_id)
    assert (
        found
        == [session.qualification_session_id for session in emulator.state.qualification_sessions.rows][: len(found)]
    )
    assert 0 < len(found) < 2000
