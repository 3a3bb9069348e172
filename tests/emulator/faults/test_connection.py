"""Connections that are refused, cut or silent, as a socket sees them."""

import asyncio
import socket
import time

import pytest

from tests.support.waiting import TIMEOUT, wait_until
from truemed_async.emulator import ConnectionFault, Emulator


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add()


def is_refused(emulator):
    with socket.socket() as probe:
        probe.settimeout(TIMEOUT)
        return probe.connect_ex(("127.0.0.1", emulator.port)) != 0


def test_refuse_connection(emulator, raw):
    with emulator.faults.add("refuse_connection") as fault:
        assert is_refused(emulator)
        assert is_refused(emulator)
        assert fault.hits == 0
    assert raw.list().status == 200
    assert emulator.requests.count() == 1


def test_refuse_connection_closes_idle_connections(emulator, raw):
    """As a server that goes away: what was in a pool is worth nothing."""
    line = raw.connect()
    line.send("GET", "/nowhere", keep=True)
    assert line.sock.recv(10_000)
    with emulator.faults.add("refuse_connection"):
        assert line.receive().end == "fin"


def test_refuse_connection_ends_after_duration(emulator):
    begin = time.monotonic()
    emulator.faults.add("refuse_connection", duration=0.5)
    assert is_refused(emulator)
    wait_until(lambda: not is_refused(emulator))
    assert time.monotonic() - begin >= 0.49
    assert len(emulator.faults) == 0


def test_refuse_connection_can_be_repeated(emulator, raw):
    for _ in range(20):
        with emulator.faults.add("refuse_connection"):
            assert is_refused(emulator)
        assert raw.list().status == 200


def test_custom_connection_fault_refuses_connections(emulator, raw):
    class Shut(ConnectionFault):
        refuses = True

    emulator.faults.add(Shut())
    assert is_refused(emulator)
    emulator.faults.clear()
    assert raw.list().status == 200


def test_refuse_connection_added_twice_ends_with_the_last(emulator):
    one, two = emulator.faults.add("refuse_connection"), emulator.faults.add("refuse_connection")
    one.remove()
    assert is_refused(emulator)
    two.remove()
    assert not is_refused(emulator)


def test_refuse_connection_before_start_refuses_from_the_start():
    emulator = Emulator(sessions=0)
    fault = emulator.faults.add("refuse_connection")
    with emulator:
        assert is_refused(emulator)
        fault.remove()
        assert not is_refused(emulator)
        emulator.faults.add("refuse_connection", duration=60)
    assert is_refused(emulator)


async def test_refuse_connection_works_in_the_running_loop():
    """Changed in the serving loop, it cannot wait for that loop; connections are rejected all the same."""
    async with Emulator(sessions=0) as emulator:
        for _ in range(3):
            fault = emulator.faults.add("refuse_connection")
            assert is_refused(emulator)
            fault.remove()
            assert not is_refused(emulator)  # it waits in the kernel
            # Before the listener is back: it refuses as soon as it is there.
            with emulator.faults.add("refuse_connection"):
                pass
        fault.remove()
    async with emulator:
        emulator.faults.add("refuse_connection")
        emulator.faults.clear()


def test_refuse_connection_works_while_the_loop_is_stopped():
    loop = asyncio.new_event_loop()
    emulator = Emulator(sessions=0)
    try:
        loop.run_until_complete(emulator.start())
        emulator.faults.add("refuse_connection")
        assert is_refused(emulator)
        loop.run_until_complete(emulator.stop())
    finally:
        loop.close()


def test_accept_then_close(emulator, raw):
    fault = emulator.faults.add("accept_then_close", times=2)
    assert [raw.connect().receive().end for _ in range(2)] == ["fin", "fin"]
    assert raw.list().status == 200
    assert (fault.hits, emulator.requests.count()) == (2, 1)


def test_accept_then_close_resets(emulator, raw):
    emulator.faults.add("accept_then_close", reset=True, nth=2)
    assert raw.list().status == 200
    with pytest.raises(ConnectionResetError):  # so early that it may be connecting that fails
        raw.connect().sock.recv(1)
    assert raw.list().status == 200


def test_empty_response(emulator, raw, id):
    emulator.faults.add("empty_response")
    assert_nothing_received_or_applied(emulator, raw, id, end="fin")


def test_reset_peer(emulator, raw, id):
    emulator.faults.add("reset_peer")
    assert_nothing_received_or_applied(emulator, raw, id, end="rst")


def assert_nothing_received_or_applied(emulator, raw, id, end):
    received = raw.update(id)
    assert (received.content, received.end) == (b"", end)
    assert emulator.state.qualification_sessions.get(id).user_id is None
    assert emulator.requests[-1].status is None


def test_hang(emulator, raw, id):
    emulator.faults.add("hang")
    received = raw.update(id, timeout=0.2)
    assert (received.content, received.end) == (b"", "open")
    wait_until(lambda: emulator.requests.in_flight == 1)
    assert emulator.state.qualification_sessions.get(id).user_id is None


def test_hang_ends_when_client_disconnects(emulator, raw):
    fault = emulator.faults.add("hang")
    line = raw.connect()
    line.send("GET", "/nowhere")
    wait_until(lambda: fault.hits)
    line.sock.close()
    wait_until(lambda: emulator.requests.in_flight == 0)
    assert emulator.requests[-1].status is None


def test_stale_keepalive(emulator, raw, id):
    """Only a connection that was used before can be stale: a new one is answered."""
    emulator.faults.add("stale_keepalive", method="POST")
    assert raw.update(id).status == 200
    line = raw.connect()
    line.send("GET", "/nowhere", keep=True)
    assert line.sock.recv(10_000).startswith(b"HTTP/1.1 404 ")
    line.send("POST", f"/api/v1/qualification_session/{id}/update", {"idempotency_key": "2", "metadata": "{}"})
    received = line.receive()
    assert (received.content, received.end) == (b"", "fin")
    assert emulator.state.qualification_sessions.get(id).metadata is None


def test_stale_keepalive_respects_after(emulator, raw):
    line = raw.connect()

    def ask():
        line.send("GET", "/nowhere", keep=True)
        return line.sock.recv(10_000)

    with emulator.faults.add("stale_keepalive", after=60) as patient:
        for _ in range(3):
            assert ask().startswith(b"HTTP/1.1 404 ")
    fault = emulator.faults.add("stale_keepalive", after=0.01)
    wait_until(lambda: time.sleep(0.02) or ask() == b"")
    assert (patient.hits, fault.hits) == (0, 1)


def test_applied_then_reset(emulator, raw, id):
    emulator.faults.add("applied_then_reset", method="POST", times=1)
    received = raw.update(id)
    assert (received.content, received.end) == (b"", "rst")
    assert emulator.state.qualification_sessions.get(id).user_id == "u"
    assert emulator.requests[-1].status is None
    # The same key again: one effect, and this time the answer to it.
    assert raw.update(id).status == 200


def test_applied_then_hang(emulator, raw, id):
    emulator.faults.add("applied_then_hang")
    received = raw.update(id, timeout=0.2)
    assert (received.content, received.end) == (b"", "open")
    wait_until(lambda: emulator.state.qualification_sessions.get(id).user_id == "u")


@pytest.mark.parametrize(("name", "status"), [("applied_then_500", 500), ("applied_then_400_server_error", 400)])
def test_applied_then_error_keeps_the_effect(emulator, raw, id, name, status):
    emulator.faults.add(name)
    received = raw.update(id)
    assert (received.status, received.json["error"]) == (status, "ServerError")
    assert emulator.state.qualification_sessions.get(id).user_id == "u"


def test_applied_then_500(emulator, raw, id):
    """Even a rejected request gets this response: the client cannot distinguish it from an applied one."""
    emulator.faults.add("applied_then_500")
    assert raw.get("qs_none").status == 500


def test_applied_then_400_server_error(emulator, raw, id):
    emulator.faults.add("applied_then_400_server_error")
    assert set(raw.update(id).json) == {"error", "message"}
