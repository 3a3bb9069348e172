"""get_many: duplicates and progress, with both clients."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings, strategies as st

from truemed_async._core import bulk
from truemed_async._core.bulk import Outcome, ProgressReporter, RecentIds, fan_out
from truemed_async._core.stream import Stream
from truemed_async.errors import InvalidArgumentError, NotFoundError

FAILED = NotFoundError("404 Not Found", endpoint="x.y")


async def some(values) -> AsyncIterator[str]:
    for value in values:
        await asyncio.sleep(0)
        yield value


# --- each id once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [list, iter, some], ids=["list", "iterator", "async"])
async def test_duplicate_ids_are_skipped_and_not_requested(client, ids, fetched, source):
    requested_ids = [*ids[:3], *ids[:5], ids[0]]
    outcomes = client.qualification_sessions.get_many(source(requested_ids), ordered=True, unique=True)
    assert [outcome.id async for outcome in outcomes] == ids[:5]
    assert fetched() == 5


async def test_repeats_come_each_time_unless_they_are_not_wanted(client, ids, fetched):
    outcomes = client.qualification_sessions.get_many([ids[0]] * 3)
    assert [outcome.id async for outcome in outcomes] == [ids[0]] * 3
    assert fetched() == 3


@pytest.mark.parametrize("source", [list, iter], ids=["list", "iterator"])
def test_repeats_are_skipped_of_a_callers_iterable_however_many_there_are(sync_client, ids, fetched, source):
    """More of them than are taken ahead: the iteration would stand still if they counted as on their way."""
    requested_ids = [ids[0]] * 500 + [ids[1]] * 500 + [ids[0]]
    outcomes = sync_client.qualification_sessions.get_many(
        source(requested_ids), concurrency=2, unique=True, ordered=True
    )
    assert [outcome.id for outcome in outcomes] == ids[:2]
    assert fetched() == 2


async def test_others_get_their_turn_while_repeats_are_passed_over(client, ids):
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    # Nothing is in flight while the repeats are read, so only what the reading itself gives away is counted.
    outcomes = fan_out([ids[0]] * 50_000, Calls(), concurrency=1, ordered=False, accept=RecentIds().is_new)
    counting = asyncio.create_task(count())
    assert [item async for batch in outcomes for item in batch] == [ids[0]]
    counting.cancel()
    assert turns >= 49


class Calls:
    async def __call__(self, item):
        return item


async def test_non_string_ids_are_not_deduplicated(client):
    outcomes = client.qualification_sessions.get_many([[], [], None, None], unique=True)  # not even hashable
    assert [type(outcome.error) async for outcome in outcomes] == [InvalidArgumentError] * 4


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12)), st.integers(1, 8))
def test_last_different_ids_are_remembered(numbers, most):
    """A model in a few plain lines: the last ``most`` different ids, in the order in which each came."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "MAX_REMEMBERED_IDS", most)
        once, remembered = RecentIds(), []
        for number in map(str, numbers):
            assert once.is_new(number) == (number not in remembered)
            remembered = (remembered if number in remembered else [*remembered, number])[-most:]
            assert once._ids == set(remembered)


def test_hundred_thousand_ids_are_remembered():
    assert bulk.MAX_REMEMBERED_IDS == 100_000


# --- how far it is --------------------------------------------------------------------------------------------------


class ProgressLog(list):
    def __call__(self, done, failed, total):
        self.append((done, failed, total))


@pytest.mark.parametrize("ordered", [True, False])
async def test_progress_counts_done_and_failed(client, ids, ordered):
    reports = ProgressLog()
    requested_ids = [*ids[:7], "qs_nobody", "../x"]
    outcomes = client.qualification_sessions.get_many(requested_ids, concurrency=3, ordered=ordered, progress=reports)
    received = 0
    async for _ in outcomes:
        received += 1
        assert reports[-1][0] >= received, "word comes before the outcome"
    assert reports == sorted(set(reports)), "it only grows, and nothing is said twice"
    assert reports[-1] == (9, 2, 9)


async def test_total_is_unknown_without_a_length(client, ids):
    reports = ProgressLog()
    async for _ in client.qualification_sessions.get_many(iter(ids[:3]), progress=reports):
        pass
    assert reports[-1] == (3, 0, None)


async def test_repeats_are_done_as_well_so_that_the_total_is_reached(client, ids):
    reports = ProgressLog()
    requested_ids = [ids[0], ids[1], *[ids[0]] * 20]
    async for _ in client.qualification_sessions.get_many(requested_ids, unique=True, progress=reports):
        pass
    assert reports[-1] == (22, 0, 22)


async def test_progress_is_not_called_without_ids(client):
    reports = ProgressLog()
    async for _ in client.qualification_sessions.get_many([], progress=reports):
        pass
    assert reports == []


async def test_portions_are_reported_too(client, ids):
    reports = ProgressLog()
    async for _ in client.qualification_sessions.get_many(ids[:4], progress=reports).batches():
        pass
    assert reports[-1] == (4, 0, 4)


async def test_exception_in_progress_ends_the_iteration_and_cancels_calls(client, ids):
    def progress(done, failed, total):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        async for _ in client.qualification_sessions.get_many(ids, progress=progress):
            pass
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if "work" in repr(task.get_coro())]


async def test_leaving_early_frees_everything_with_progress_too(client, ids):
    reports = ProgressLog()
    async with client.qualification_sessions.get_many(ids, concurrency=2, progress=reports) as outcomes:
        async for _ in outcomes:
            break
    assert not [task for task in asyncio.all_tasks() if "work" in repr(task.get_coro())]
    assert reports[-1][0] < len(ids)


@pytest.mark.parametrize("begun", [True, False])
async def test_closing_a_reported_stream_closes_what_it_reports_on(begun):
    closed = []

    async def batches():
        try:
            while True:
                yield [Outcome(id="qs_1", value=1)]
        finally:
            closed.append(True)

    reports = ProgressLog()
    stream = Stream(batches(), ProgressReporter(reports, [], None))
    if begun:
        await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert closed == [True] * begun
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def not_plain(done, failed, total):
    raise AssertionError


@pytest.mark.parametrize("progress", [not_plain, 1, "print"], ids=["coroutine", "number", "string"])
async def test_progress_that_cannot_be_called_is_rejected_at_once(client, fetched, progress):
    with pytest.raises(InvalidArgumentError, match="progress must be a plain function"):
        client.qualification_sessions.get_many(["qs_1"], progress=progress)
    assert fetched() == 0


def test_synchronous_client_calls_progress_on_the_callers_thread(sync_client, ids):
    reports, threads = ProgressLog(), set()

    def progress(done, failed, total):
        reports(done, failed, total)
        threads.add(threading.get_ident())
        sync_client.qualification_sessions.get(ids[0])  # so it may make calls of its own

    requested_ids = [*ids, *ids, "qs_nobody"]
    outcomes = sync_client.qualification_sessions.get_many(requested_ids, concurrency=4, unique=True, progress=progress)
    assert len(list(outcomes)) == len(ids) + 1
    assert threads == {threading.get_ident()}
    assert reports == sorted(set(reports))
    assert reports[-1] == (2 * len(ids) + 1, 1, 2 * len(ids) + 1)


def test_synchronous_client_does_not_know_the_total_of_a_generator(sync_client, ids):
    reports = ProgressLog()
    list(sync_client.qualification_sessions.get_many((each for each in ids[:3]), progress=reports))
    assert reports[-1] == (3, 0, None)


def test_exception_in_progress_ends_a_synchronous_iteration(sync_client, ids):
    def progress(done, failed, total):
        raise ZeroDivisionError("mine")

    outcomes = sync_client.qualification_sessions.get_many(ids, progress=progress)
    with pytest.raises(ZeroDivisionError, match="mine"):
        next(outcomes)
    assert list(outcomes) == []


# --- bounds ---------------------------------------------------------------------------------------------------------


async def test_five_thousand_ids_at_a_hundred_at_once_take_no_more_than_a_hundred_and_two_tasks(client, scale):
    """How long it takes is measured in benchmarks; here, that it is bounded. Answers are 50 ms away, on no clock."""
    count, most, alive = scale(1_000, 5_000), 0, len(asyncio.all_tasks())

    async def get(id, *, options=None):
        nonlocal most
        await asyncio.sleep(0.001)
        most = max(most, len(asyncio.all_tasks()) - alive)
        return id

    client._resources["qualification_sessions"] = stubbed(client, get)
    outcomes = client.qualification_sessions.get_many((f"qs_{n}" for n in range(count)), concurrency=100)
    assert len([outcome async for outcome in outcomes if outcome.ok]) == count
    assert most <= 102


def stubbed(client, get):
    """The resource with another `get` below its `get_many`."""
    from truemed_async.resources import QualificationSessions

    return type("Stubbed", (QualificationSessions,), {"get": staticmethod(get)})(client)
