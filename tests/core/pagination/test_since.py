"""A list read down to a moment: all that is newer comes once, whatever changes meanwhile, and no page too many is read.

``TRUEMED_LONG=1`` runs the properties to the numbers in which they are promised.
"""

from __future__ import annotations

import asyncio
import random
import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import Phase, find, given, settings, strategies as st

from tests.core.pagination.test_completeness import DELETIONS, INSERTIONS, Scenario, examples, scenarios
from tests.support.changing_list import SORT_ORDER, Server
from truemed_async import AsyncTruemed, Truemed
from truemed_async._core.pagination import iterate_all
from truemed_async._validation import scalars
from truemed_async.emulator import Emulator
from truemed_async.errors import InvalidArgumentError, PaginationDriftError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def read(server: Server, since: Any, page_size: int = 10, prefetch: int = 1) -> list[str]:
    found: list[str] = []
    async for batch in iterate_all(server, SORT_ORDER, page_size=page_size, prefetch=prefetch, since=since):
        found += [id for _, id in batch]
    assert len(asyncio.all_tasks()) == 1
    assert server.in_flight == 0
    return found


def expected_ids(server: Server, since: int) -> list[str]:
    return [id for key, id in server.rows if key is not None and key >= since]


# --- while the list changes ---------------------------------------------------------------------------------------


def check(runner: asyncio.Runner, scenario: Scenario, since: int) -> None:
    server = scenario.server()
    at_first = expected_ids(server, since)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"listing: the server gives [78] rows a page instead of \d+: more", RuntimeWarning
        )
        found = runner.run(read(server, since, scenario.page_size, scenario.prefetch))
    assert len(found) == len(set(found))
    assert set(at_first) - server.removed <= set(found)
    keys = {id: key for key, id in server.rows}
    assert all(keys[id] >= since for id in found if id in keys)


SINCE = st.integers(0, 61) | st.integers(0, 100_000)


@examples(20_000, 150)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS), since=SINCE)
def test_since_is_complete_while_rows_are_added_and_removed(runner, scenario, since):
    check(runner, scenario, since)


@examples(10_000, 100)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS, stale=True), since=SINCE)
def test_since_is_complete_with_lagging_replicas(runner, scenario, since):
    check(runner, scenario, since)


async def page_after_page(server: Server, since: int, page_size: int) -> list[str]:
    """What one would write by hand: the control that the properties catch."""
    found: dict[str, None] = {}
    for page in range(1, 1000):
        rows = (await server(page, page_size)).items
        found.update(dict.fromkeys(id for key, id in rows if key >= since))
        if len(rows) < page_size or rows[-1][0] < since:
            break
    return list(found)


def test_plain_paging_down_to_a_moment_is_caught(runner):
    def misses(scenario: Scenario) -> bool:
        server = scenario.server(clamp=1000, descends=True, stale=[0])
        at_first = expected_ids(server, 10)
        return not set(at_first) - server.removed <= set(runner.run(page_after_page(server, 10, scenario.page_size)))

    find(
        scenarios(*DELETIONS),
        misses,
        settings=settings(examples(2_000, 2_000), phases=[Phase.generate]),
        random=random.Random(0),
    )


# --- a list at rest -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("descends", [True, False], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("since", [-1, 0, 94, 95, 100, 499, 500, 999])
async def test_rows_from_a_key_on_come_once_and_in_order(since, descends, prefetch):
    server = Server(descends=descends).fill(range(500))
    assert await read(server, since, 10, prefetch) == expected_ids(server, since)


@pytest.mark.parametrize(("since", "pages"), [(999, 1), (991, 1), (990, 2), (980, 3)])
async def test_list_that_is_newest_first_is_read_no_further_than_needed(since, pages):
    server = Server().fill(range(1000))
    assert await read(server, since) == expected_ids(server, since)
    assert len(server.requests) == pages


async def test_run_that_finds_everything_on_the_first_page_makes_one_request_whatever_the_prefetch():
    server = Server().fill(range(1000))
    assert len(await read(server, 995, prefetch=16)) == 5
    assert server.requests == [(1, 10)]


async def test_list_that_is_oldest_first_is_read_whole():
    server = Server(descends=False).fill(range(500))
    assert await read(server, 495, prefetch=4) == server.ids[-5:]
    assert len(server.requests) >= 50


@pytest.mark.parametrize("since", [4, 5, 6])
async def test_rows_with_equal_keys_do_not_set_the_direction(since):
    server = Server().fill([5] * 30)
    assert await read(server, since, 10) == (server.ids if since <= 5 else [])


async def test_rows_of_the_very_moment_come_over_the_edge_of_a_page():
    server = Server().fill([9] * 5 + [7] * 20 + [6] * 50)
    assert await read(server, 7) == expected_ids(server, 7)


# --- rows without a key ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [5, 50])
async def test_rows_without_a_key_are_skipped_and_warned_once(rows):
    server = Server().fill([*range(rows), None, None])
    with pytest.warns(RuntimeWarning, match="without a sort key are left out") as caught:
        assert await read(server, 0) == expected_ids(server, 0)
    assert len(caught) == 1


# --- equal keys -----------------------------------------------------------------------------------------------------


async def test_equal_rows_that_change_places_are_an_error_if_they_fill_a_page():
    keys = [9] * 100 + list(range(9))
    server = Server(clamp=10_000, shuffled=random.Random(3)).fill(keys)
    with pytest.raises(PaginationDriftError, match="change places"):
        await read(server, 5, 20)
    stable = Server(clamp=10_000).fill(keys)
    assert await read(stable, 5, 20) == expected_ids(stable, 5)


async def test_few_tied_rows_need_no_further_request():
    plain, server = Server().fill(range(500)), Server().fill(min(key, 497) for key in range(500))
    await read(plain, 470)
    await read(server, 470)
    assert len(server.requests) <= len(plain.requests) + 1


# --- the moment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "start"),
    [
        (NOON, NOON),
        (NOON.replace(tzinfo=None), NOON),
        (datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))), NOON),
        (date(2026, 6, 1), datetime(2026, 6, 1, tzinfo=UTC)),
    ],
    ids=["aware", "naive", "zone", "date"],
)
def test_moment_is_read_as_utc_and_moved_back(since, start):
    now = datetime(2026, 6, 2, tzinfo=UTC).timestamp()
    assert scalars.resolve_since(since, timedelta(0), now) == start
    assert scalars.resolve_since(since, timedelta(minutes=5), now) == start - timedelta(minutes=5)


def test_since_none_reads_everything():
    assert scalars.resolve_since(None, timedelta(minutes=5), 0.0) is None


def test_since_at_the_ends_of_the_calendar_is_clamped():
    first = datetime.min.replace(tzinfo=UTC)
    assert scalars.resolve_since(date.min, timedelta(minutes=5), 0.0) == first
    with pytest.raises(InvalidArgumentError, match="since must be a datetime or a date"):
        scalars.resolve_since(datetime.min.replace(tzinfo=timezone(timedelta(hours=2))), timedelta(0), 0.0)


def test_since_in_the_future_raises_beyond_clock_skew():
    now = NOON.timestamp()
    assert scalars.resolve_since(NOON + timedelta(minutes=4), timedelta(minutes=5), now) == NOON - timedelta(minutes=1)
    with pytest.raises(InvalidArgumentError, match="must not be in the future .* read as UTC"):
        scalars.resolve_since(NOON + timedelta(minutes=6), timedelta(minutes=5), now)


@pytest.mark.parametrize(
    "since", ["2026-06-01", 1_780_000_000, True, NOON.time()], ids=lambda value: type(value).__name__
)
async def test_since_rejects_non_datetime_before_sending(since):
    async with AsyncTruemed("a-key-of-the-tests") as client:
        with pytest.raises(InvalidArgumentError, match="since must be a datetime or a date"):
            client.qualification_sessions.iter(since=since)


@pytest.mark.parametrize("look_back", [300, None, -timedelta(seconds=1)], ids=["number", "none", "negative"])
async def test_invalid_look_back_raises(look_back):
    async with AsyncTruemed("a-key-of-the-tests") as client:
        with pytest.raises(InvalidArgumentError, match="look_back must be a timedelta >= 0"):
            client.qualification_sessions.iter(look_back=look_back)


# --- through the whole client ---------------------------------------------------------------------------------------


@pytest.fixture
def emulator():
    with Emulator(sessions=0) as running:
        for minute in range(500):
            running.state.qualification_sessions.add(created_at=NOON + timedelta(minutes=minute), status="pending")
        yield running


@attrs.define
class Table:
    """What a nightly job keeps: the sessions by their id, and up to where it has read."""

    rows: dict[str, Any] = attrs.Factory(dict)
    read_to: datetime = NOON - timedelta(days=1)

    async def refresh(self, client: AsyncTruemed) -> list[str]:
        found = []
        async for session in client.qualification_sessions.iter(since=self.read_to):
            found.append(session.qualification_session_id)
            self.rows[session.qualification_session_id] = session
            self.read_to = max(self.read_to, session.created_at)
        return found


async def test_since_includes_late_rows(emulator):
    def names() -> set[str]:
        return {session.qualification_session_id for session in emulator.state.qualification_sessions.rows}

    table = Table()
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        await table.refresh(client)
        assert set(table.rows) == names()
        last = table.read_to
        late = emulator.state.qualification_sessions.add(created_at=last - timedelta(minutes=4), status="pending")
        new = [
            emulator.state.qualification_sessions.add(created_at=last + timedelta(minutes=n), status="pending")
            for n in range(1, 4)
        ]
        emulator.requests.clear()
        found = await table.refresh(client)
        assert {late, *new} <= set(found)
        assert len(found) == len(set(found)) == len(new) + 1 + 6, "the look-back repeats the last five minutes"
        assert set(table.rows) == names()
        assert emulator.requests.count(route="qualification_sessions.list") == 1


def test_synchronous_client_reads_down_to_a_moment_too(emulator):
    since = NOON + timedelta(minutes=490)
    with Truemed(emulator.api_key, base_url=emulator.url) as client:
        found = [
            session.created_at
            for session in client.qualification_sessions.iter(since=since, look_back=timedelta(0), prefetch=4)
        ]
    assert found == [NOON + timedelta(minutes=minute) for minute in range(499, 489, -1)]
