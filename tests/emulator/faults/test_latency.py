"""Correct responses that are late, by the clock."""

import contextlib
import math
import time

import pytest

from tests.support.raw_http import Raw, Received
from tests.support.waiting import TIMEOUT, wait_until
from truemed_async.emulator import Emulator
from truemed_async.emulator.faults.latency import draw_seconds


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add(user_name="Robin Example")


def timed(call):
    begin = time.monotonic()
    return call(), time.monotonic() - begin


def waits(seed, distribution="fixed", seconds=0.1, spread=0):
    """Return the seconds of 200 requests, without waiting."""
    parameters = {"distribution": distribution, "seconds": seconds, "spread": spread}
    fault = Emulator(sessions=0, seed=seed).faults.add("latency", **parameters).fault
    return [draw_seconds(fault._context["random"], **parameters) for _ in range(200)]


def test_latency(emulator, raw, id):
    emulator.faults.add("latency", seconds=0.1)
    received, seconds = timed(lambda: raw.get(id))
    assert received.status == 200
    assert seconds >= 0.095


def test_fixed_latency_is_constant():
    assert set(waits(0, seconds=0.5)) == {0.5}


def test_uniform_latency_stays_in_range():
    drawn = waits(0, distribution="uniform", seconds=0.5, spread=0.2)
    assert 0.3 <= min(drawn) < 0.35
    assert 0.65 < max(drawn) <= 0.7
    assert drawn == waits(0, distribution="uniform", seconds=0.5, spread=0.2)
    assert drawn != waits(1, distribution="uniform", seconds=0.5, spread=0.2)
    assert min(waits(0, distribution="uniform", seconds=0.1, spread=1)) == 0


def test_lognormal_latency_has_median():
    drawn = sorted(waits(0, distribution="lognormal", seconds=0.5, spread=1))
    assert 0.35 < drawn[len(drawn) // 2] < 0.7
    assert drawn[-1] > 0.5 * math.e


def test_dribble(emulator, raw, id):
    body = raw.get(id).body
    emulator.faults.add("dribble", bytes=100, delay=0.01)
    received, seconds = timed(lambda: raw.get(id))
    assert received.body == body
    assert seconds >= len(received.content) // 100 * 0.01
    assert received.end == "fin"


def test_dribble_sends_as_many_bytes_as_it_says():
    with Emulator(sessions=0) as emulator, contextlib.ExitStack() as stack:
        emulator.faults.add("dribble", bytes=100, delay=60)
        line = Raw(emulator, stack).connect()
        line.send("GET", "/nowhere")
        assert len(line.sock.recv(10_000)) == 100


def test_dribble_sends_single_bytes(emulator, raw, id):
    body = raw.get(id).body
    emulator.faults.add("dribble", delay=0)
    received = raw.get(id, keep=True, timeout=0.5)
    assert received.body == body
    assert received.end == "open"


def test_bandwidth(emulator, raw, id):
    body = raw.get(id).body
    emulator.faults.add("bandwidth", kbps=16)
    received, seconds = timed(lambda: raw.get(id))
    assert received.body == body
    assert seconds >= len(received.content) / 2000 * 0.95


def test_slow_close(emulator, raw, id):
    body = raw.get(id).body
    emulator.faults.add("slow_close", delay=0.5)
    line = raw.connect()
    begin = time.monotonic()
    line.send("GET", f"/api/v1/qualification_session/{id}", keep=True)
    first = Received(line.sock.recv(10_000), "open")
    assert first.body == body
    assert first.header("Content-Length") == []
    last = line.receive()
    assert time.monotonic() - begin >= 0.49
    assert (last.content, last.end) == (b"", "fin")
    assert emulator.requests[-1].status == 200


def test_slow_response_ends_when_client_disconnects(emulator, raw, id):
    emulator.faults.add("dribble", delay=0.01)
    line = raw.connect()
    line.send("GET", f"/api/v1/qualification_session/{id}")
    assert line.sock.recv(1)
    line.sock.close()
    wait_until(lambda: emulator.requests[-1].status is None)


def test_slow_response_ends_when_emulator_stops():
    import http.client

    with Emulator(sessions=0) as emulator:
        emulator.faults.add("dribble", delay=60)
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
        connection.request("GET", "/nowhere")
        assert connection.sock.recv(10) == b"H"
        begin = time.monotonic()
    assert time.monotonic() - begin < TIMEOUT
    connection.close()
