"""The phases in which a fault may act, and what the request log says of it."""

import asyncio
import http.client
import logging
import socket

import pytest
from aiohttp import web

from tests.support.waiting import TIMEOUT, wait_until
from truemed_async.emulator import AbortConnection, Fault, Faults, State


class Says(Fault):
    """Answers in place of the handler."""

    def __init__(self, status):
        self.status = status

    async def before(self, exchange):
        return web.json_response({"error": "ServerError", "message": ""}, status=self.status)


class Tags(Fault):
    """Marks each response on its way out."""

    def __init__(self, tag):
        self.tag = tag

    async def after(self, exchange, response):
        response.headers.add("X-Tag", self.tag)
        return response


class CutsAfter(Fault):
    """Applies the effect and says nothing."""

    async def after(self, exchange, response):
        raise AbortConnection


class HalfAnswer(Fault):
    """Writes by itself and closes."""

    async def before(self, exchange):
        exchange.request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Len")
        exchange.request.transport.close()
        raise AbortConnection


class Watches(Fault):
    """Acts on nothing, sees everything."""

    def __init__(self):
        self.seen = []
        self.connections = 0

    def connected(self, transport):
        self.connections += 1

    async def before(self, exchange):
        self.seen.append(
            (exchange.route and exchange.route.name, exchange.record.body, exchange.state.qualification_sessions.count)
        )


class HangsUp(Fault):
    def connected(self, transport):
        transport.abort()


class Breaks(Fault):
    async def before(self, exchange):
        raise ZeroDivisionError


class Waits(Fault):
    async def before(self, exchange):
        await asyncio.Event().wait()


def test_faults_keep_order_of_adding():
    faults = Faults(State([], max_page_size=1))
    first = faults.add(Fault())
    second = faults.add(Fault())
    assert list(faults) == [first, second]
    assert len(faults) == 2
    assert repr(faults) == f"<Faults {[first, second]}>"
    faults.clear()
    assert list(faults) == []


def test_base_fault_changes_nothing(emulator, api):
    emulator.faults.add(Fault())
    assert api.list().status == 200


def test_response_before_handler_prevents_effect(emulator, api):
    id = emulator.state.qualification_sessions.add()
    emulator.faults.add(Says(503))
    emulator.faults.add(Says(500))
    assert api.update(id, {"idempotency_key": "k", "user_id": "u"}).status == 503
    assert emulator.state.qualification_sessions.get(id).user_id is None
    assert [seen.status for seen in emulator.requests] == [503]
    emulator.faults.clear()
    assert api.update(id, {"idempotency_key": "k", "user_id": "u"}).status == 200


def test_response_passes_all_faults(emulator, api):
    emulator.faults.add(Tags("1"))
    emulator.faults.add(Tags("2"))
    assert api.get("qs_none").headers.get_all("X-Tag") == ["1", "2"]


def test_abort_after_handler_keeps_effect(emulator, api):
    id = emulator.state.qualification_sessions.add()
    emulator.faults.add(CutsAfter())
    with pytest.raises(ConnectionError):
        api.update(id, {"idempotency_key": "k", "user_id": "u"})
    assert emulator.state.qualification_sessions.get(id).user_id == "u"
    assert [seen.status for seen in emulator.requests] == [None]


def test_bytes_written_by_fault_are_sent(emulator):
    emulator.faults.add(HalfAnswer())
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) as connection:
        connection.sendall(f"GET /nowhere HTTP/1.1\r\nHost: localhost:{emulator.port}\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(1000), b""))
    assert received == b"HTTP/1.1 200 OK\r\nContent-Len"
    assert [seen.status for seen in emulator.requests] == [None]


def test_fault_sees_the_exchange(emulator, api):
    fault = emulator.faults.add(Watches())
    id = emulator.state.qualification_sessions.add()
    api.update(id, b"body")
    api.send("GET", "/nowhere")
    assert fault.seen == [("qualification_sessions.update", b"body", 1), (None, b"", 1)]
    assert fault.connections == 2


def test_fault_aborts_new_connection(emulator, api):
    emulator.faults.add(HangsUp())
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        api.list()
    assert len(emulator.requests) == 0


def test_exception_in_fault_is_logged_as_500(emulator, api, caplog):
    emulator.faults.add(Breaks())
    with caplog.at_level(logging.ERROR, "aiohttp.server"):
        assert api.list().status == 500
    assert "ZeroDivisionError" in caplog.text
    assert [seen.status for seen in emulator.requests] == [500]


def test_waiting_fault_ends_when_emulator_stops(emulator):
    emulator.faults.add(Waits())
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
    connection.request("GET", "/nowhere")
    wait_until(lambda: emulator.requests.in_flight)
    emulator.__exit__(None, None, None)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.getresponse()
    connection.close()
