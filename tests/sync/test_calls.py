"""The synchronous client as its users meet it: plain calls, iterators, many at once."""

import asyncio
import gc
import threading

import aiohttp
import pytest

from truemed_async import Endpoint, QualificationSession, Stream, SyncStream, Truemed, errors
from truemed_async.sync._stream import IterableBridge


def test_three_documented_endpoints_exist(client, emulator, ids):
    assert client.qualification_sessions.get(ids[0]).qualification_session_id == ids[0]
    page = client.qualification_sessions.list(page_size=5)
    assert [session.qualification_session_id for session in page] == ids[:5]
    free = emulator.state.qualification_sessions.add(user_id=None)
    assert client.qualification_sessions.update(free, user_id="me").qualification_session_id == free
    with pytest.raises(errors.UserIdAlreadySetError, match="only Truemed support"):
        client.qualification_sessions.update(free, user_id="other")


def test_iterating_gives_every_session_once(client, ids):
    assert [session.qualification_session_id for session in client.qualification_sessions.iter(page_size=30)] == ids


def test_iterators_are_iterators_and_context_managers(client, ids, emulator):
    with client.qualification_sessions.iter(page_size=50) as sessions:
        assert next(sessions).qualification_session_id == ids[0]
    with pytest.raises(StopIteration):
        next(sessions)
    sessions.close()
    assert emulator.requests.count(route="qualification_sessions.list") == 1


def test_leaving_an_iteration_early_frees_its_memory(client, emulator):
    for _ in client.qualification_sessions.get_many(iter(["qs_a"] * 1000), concurrency=4):
        break
    gc.collect()
    client.qualification_sessions.list(page_size=1)
    assert emulator.requests.count(route="qualification_sessions.get") <= 20


def test_many_at_once_in_order_and_lazily(client, ids):
    drawn_ids = []

    def some():
        for each in ids * 4:
            drawn_ids.append(each)
            yield each

    outcomes = client.qualification_sessions.get_many(some(), concurrency=5, ordered=True)
    first = next(outcomes)
    assert first.id == ids[0]
    assert len(drawn_ids) <= 2 * 2 * 5
    assert [first.id, *(outcome.id for outcome in outcomes)] == ids * 4


def test_many_at_once_takes_ids_from_an_iterator_of_the_same_client(client, ids):
    """The generator runs on the caller's thread, so it may make synchronous calls of its own."""
    threads = set()

    def walk():
        for session in client.qualification_sessions.iter():
            threads.add(threading.get_ident())
            yield session.qualification_session_id

    outcomes = list(client.qualification_sessions.get_many(walk()))
    assert sorted(outcome.id for outcome in outcomes) == sorted(ids)
    assert all(outcome.ok for outcome in outcomes)
    assert threads == {threading.get_ident()}


def test_many_at_once_isolates_failures(client, ids):
    outcomes = list(client.qualification_sessions.get_many([ids[0], "qs_none", "../x"], ordered=True))
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        errors.NotFoundError,
        errors.InvalidArgumentError,
    ]
    assert outcomes[0].unwrap().qualification_session_id == ids[0]
    with pytest.raises(errors.NotFoundError):
        outcomes[1].unwrap()


def test_error_of_the_callers_iterable_reaches_the_caller(client, ids):
    def broken():
        yield ids[0]
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        list(client.qualification_sessions.get_many(broken()))


def test_many_at_once_of_an_async_iterable(client, ids):
    async def some():
        for each in ids[:10]:
            yield each

    assert len(list(client.qualification_sessions.get_many(some()))) == 10


@pytest.mark.parametrize("wrong", ["qs_1", b"qs_1", 7, None])
def test_non_iterable_ids_raise(client, wrong):
    with pytest.raises(errors.InvalidArgumentError, match="iterable"):
        client.qualification_sessions.get_many(wrong)


def test_empty_list_of_ids_gives_nothing(client):
    assert list(client.qualification_sessions.get_many([])) == []


def test_waiting_until_final(client, emulator):
    waiting = emulator.state.qualification_sessions.add(status="processing")
    timer = threading.Timer(0.05, emulator.state.qualification_sessions.approve, [waiting])
    timer.start()
    assert client.qualification_sessions.wait_until_final(waiting, timeout=20).status == "approved"
    timer.join()


def test_send_gives_status_and_headers(client, ids):
    endpoint = Endpoint("mine", "GET", "/api/v1/qualification_session/{id}", QualificationSession)
    response = client.send(endpoint, path={"id": ids[0]})
    assert (response.status, response.attempts, response.value.qualification_session_id) == (200, 1, ids[0])
    assert response.headers["content-type"].startswith("application/json")


def test_copies_share_the_connection_and_have_their_own_options(client, emulator, ids):
    copy = client.with_options(timeout=5)
    assert type(copy) is Truemed
    assert copy.qualification_sessions.get(ids[0]) == client.qualification_sessions.get(ids[0])
    assert copy.base_url == emulator.url
    client.close()
    with pytest.raises(errors.ClientClosedError):
        copy.qualification_sessions.get(ids[0])


def test_closing_may_be_repeated(emulator):
    client = Truemed(emulator.api_key, base_url=emulator.url)
    client.close()
    client.close()
    assert repr(client) == f"Truemed(base_url='{emulator.url}')"
    with pytest.raises(TypeError, match="cannot be pickled"):
        client.__reduce__()


def test_dropped_client_frees_its_connections_silently(emulator, ids, recwarn):
    client = Truemed(emulator.api_key, base_url=emulator.url)
    client.qualification_sessions.get(ids[0])
    del client
    gc.collect()
    other = Truemed(emulator.api_key, base_url=emulator.url)
    other.qualification_sessions.get(ids[0])  # gives the loop thread the time to have closed the first
    other.close()
    gc.collect()
    assert not recwarn.list


async def test_borrowed_session_is_rejected_because_it_belongs_to_another_loop():
    async with aiohttp.ClientSession() as session:
        with pytest.raises(errors.InvalidArgumentError, match="use AsyncTruemed"):
            Truemed("a-key-of-mine", session=session)


def test_empty_batch_does_not_end_an_iteration():
    async def portions():
        yield []
        yield [1]
        yield []
        yield [2, 3]

    assert list(SyncStream(Stream(portions()))) == [1, 2, 3]


def test_no_event_loop_is_left_in_the_callers_thread(client, ids):
    """Django refuses database work where a loop runs; a synchronous call must not leave one behind."""
    client.qualification_sessions.get(ids[0])
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


async def test_iterable_bridge_waits_for_items_and_ends_with_its_source():
    bridge = IterableBridge("ab", ahead=1)
    bridge.fill()
    assert await anext(bridge) == "a"
    waiting = asyncio.create_task(anext(bridge))
    await asyncio.sleep(0)
    assert not waiting.done()
    bridge.release(1)
    bridge.fill()
    bridge.filled.set()
    assert await waiting == "b"
    bridge.release(1)
    bridge.fill()
    with pytest.raises(StopAsyncIteration):
        await anext(bridge)
