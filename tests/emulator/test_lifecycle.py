"""Starting, stopping, and what is left afterwards: nothing."""

import asyncio
import gc
import http.client
import socket
import threading
import time

import aiohttp
import pytest

from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Emulator

LIST = "/api/v1/qualification_sessions"


def key(emulator):
    return {"x-truemed-api-key": emulator.api_key}


def is_open(port):
    with socket.socket() as probe:
        probe.settimeout(TIMEOUT)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_async_with_serves_in_the_running_loop():
    threads = {*threading.enumerate()}
    async with Emulator(sessions=3) as emulator, aiohttp.ClientSession(emulator.url, headers=key(emulator)) as session:
        assert {*threading.enumerate()} <= threads
        async with session.get(LIST) as response:
            assert (await response.json())["pagination"]["count"] == 3
    assert not is_open(emulator.port)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_with_serves_in_a_thread(api, emulator):
    assert any(thread.name == "truemed-emulator" for thread in threading.enumerate())
    assert api.list().status == 200


def test_with_block_leaves_no_thread():
    before = {*threading.enumerate()}  # those of other tests may end meanwhile
    with Emulator(sessions=0) as emulator:
        assert {*threading.enumerate()} - before
    assert {*threading.enumerate()} <= before
    assert not is_open(emulator.port)


async def test_emulator_in_a_thread_serves_a_loop():
    with Emulator(sessions=0) as emulator:
        async with aiohttp.ClientSession(emulator.url, headers=key(emulator)) as session, session.get(LIST) as response:
            assert response.status == 200


async def test_second_stop_does_nothing():
    emulator = Emulator(sessions=0)
    await emulator.stop()
    await emulator.start()
    await emulator.stop()
    await emulator.stop()
    emulator.__exit__(None, None, None)


async def test_second_start_is_rejected():
    async with Emulator(sessions=0) as emulator:
        with pytest.raises(RuntimeError, match="running"):
            await emulator.start()
        with pytest.raises(RuntimeError, match="running"):
            emulator.__enter__()
    assert all(thread.name != "truemed-emulator" for thread in threading.enumerate())


def test_emulator_may_be_entered_again():
    """A server that goes away and comes back: same port, key, state and log."""
    emulator = Emulator(sessions=2)
    ports = set()
    for times in (1, 2):
        with emulator:
            ports.add(emulator.port)
            connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
            connection.request("GET", LIST, headers=key(emulator))
            assert connection.getresponse().status == 200
            connection.close()
            assert emulator.requests.count() == times
    assert len(ports) == 1


def test_two_emulators_share_nothing():
    with Emulator(sessions=0) as one, Emulator(sessions=0) as two:
        assert one.port != two.port
        id = one.state.qualification_sessions.add()
        connection = http.client.HTTPConnection("127.0.0.1", two.port, timeout=TIMEOUT)
        for headers, status in ((key(one), 401), (key(two), 404)):
            connection.request("GET", f"/api/v1/qualification_session/{id}", headers=headers)
            response = connection.getresponse()
            assert (response.status, bool(response.read())) == (status, True)
        connection.close()
        assert (one.requests.count(), two.requests.count()) == (0, 2)


def test_given_port_is_used(free_port):
    with Emulator(sessions=0, port=free_port) as emulator:
        assert emulator.url == f"http://127.0.0.1:{free_port}"
        with pytest.raises(OSError), Emulator(sessions=0, port=free_port):
            pytest.fail("the port is taken")


def test_emulator_has_no_url_before_it_starts():
    emulator = Emulator(sessions=0)
    assert repr(emulator) == "<Emulator without a port>"
    with pytest.raises(RuntimeError, match="no port"):
        emulator.url  # noqa: B018 - the access is the test
    with emulator:
        assert repr(emulator) == f"<Emulator on {emulator.url}>"
        assert emulator.api_key not in repr(emulator)


@pytest.mark.parametrize(
    "options", [{"sessions": -1}, {"max_page_size": 0}, {"latency": -1}, {"latency": (2, 1)}, {"latency": (-1, 1)}]
)
def test_invalid_option_is_rejected(options):
    with pytest.raises(ValueError):
        Emulator(**options)


@pytest.mark.parametrize("latency", [0.05, (0.05, 0.06)])
def test_latency_delays_the_response(latency):
    with Emulator(sessions=0, latency=latency) as emulator:
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
        start = time.monotonic()
        connection.request("GET", LIST, headers=key(emulator))
        assert connection.getresponse().read()
        assert time.monotonic() - start >= 0.045
        connection.close()


async def test_same_seed_gives_the_same_latencies():
    def delays(seed):
        emulator = Emulator(sessions=0, seed=seed, latency=(0, 1))
        return [emulator._app._delay() for _ in range(5)]

    assert delays(1) == delays(1) != delays(2)


async def test_stop_does_not_wait_for_a_delayed_response():
    async with aiohttp.ClientSession() as session:
        async with Emulator(sessions=0, latency=60) as emulator:
            requests = [asyncio.create_task(session.get(emulator.url + LIST)) for _ in range(5)]
            async with asyncio.timeout(TIMEOUT):
                while emulator.requests.in_flight < 5:  # the log has no event to wait for
                    await asyncio.sleep(0.005)
            start = time.monotonic()
        assert time.monotonic() - start < TIMEOUT
        for outcome in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(outcome, aiohttp.ClientError)
    assert [seen.status for seen in emulator.requests] == [None] * 5
    assert emulator.requests.in_flight == 0


def test_stop_does_not_wait_for_open_connections():
    with Emulator(sessions=0) as emulator:
        idle = [socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) for _ in range(5)]
        used = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
        used.request("GET", LIST, headers=key(emulator))
        assert used.getresponse().read()
        start = time.monotonic()
    assert time.monotonic() - start < TIMEOUT
    for connection in idle:
        assert connection.recv(1) == b""
        connection.close()
    used.close()


@pytest.mark.parametrize("turns", range(6))
def test_stop_closes_the_socket_of_the_last_client(turns):
    """However far the loop is with taking it in when the emulator ends."""

    async def live():
        async with Emulator(sessions=0) as emulator:
            with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT):
                for _ in range(turns):
                    await asyncio.sleep(0)

    asyncio.run(live())
    gc.collect()  # an open socket says so when it is collected


async def test_loop_without_readers_is_served(monkeypatch):
    """The usual loop of Windows, where waiting for a socket is another business."""

    def add_reader(*_):
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", add_reader)
    async with Emulator(sessions=0) as emulator, aiohttp.ClientSession(emulator.url, headers=key(emulator)) as session:
        for _ in range(3):
            async with session.get(LIST, headers={"Connection": "close"}) as response:
                assert response.status == 200
    await asyncio.sleep(0)
    assert not is_open(emulator.port)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_client_that_left_before_it_was_accepted_is_dropped(monkeypatch):
    async def connect_accepted_socket(factory, sock):
        raise OSError("the socket cannot be set up")

    async with Emulator(sessions=0) as emulator:
        monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", connect_accepted_socket)
        reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
        assert await asyncio.wait_for(reader.read(), TIMEOUT) == b""
        writer.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_many_starts_leave_no_task():
    for _ in range(20):
        async with (
            Emulator(sessions=0) as emulator,
            aiohttp.ClientSession(headers=key(emulator)) as session,
            session.get(emulator.url + LIST) as response,
        ):
            assert response.status == 200
    assert asyncio.all_tasks() == {asyncio.current_task()}
