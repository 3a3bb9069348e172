"""TLS that stalls, shows the wrong certificate, or works and carries the other faults, as a socket sees it."""

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.support.raw_http import Line, Raw
from tests.support.waiting import TIMEOUT, let_run_until, wait_until
from truemed_async.emulator import Emulator

RIGHT = Path(__file__).with_name("certificate_right.pem")
WRONG = Path(__file__).with_name("certificate_wrong.pem")
UPDATED = {"idempotency_key": "k", "user_id": "u"}


def context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(certificate=RIGHT):
    return ssl.create_default_context(cafile=certificate)


def greet(emulator, client, timeout=TIMEOUT):
    """Do a TLS handshake as a client of 127.0.0.1."""
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=timeout) as plain:
        client.wrap_socket(plain, server_hostname="127.0.0.1").close()


def test_tls_handshake_stall(emulator, raw):
    """A server without TLS will do: it is never as far as that."""
    fault = emulator.faults.add("tls_handshake_stall", times=1)
    with pytest.raises(TimeoutError):
        greet(emulator, trusting(), timeout=0.2)
    wait_until(lambda: fault.hits == 1)
    assert emulator.requests.count() == 0
    wait_until(lambda: not emulator._listener.handshakes)


def test_tls_handshake_stall_ends_when_emulator_stops():
    with Emulator(sessions=0) as emulator:
        emulator.faults.add("tls_handshake_stall")
        line = socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT)
        line.sendall(b"\x16\x03\x01")
        wait_until(lambda: emulator._listener.handshakes)
    with line, contextlib.suppress(ConnectionResetError):  # what it never read makes it a reset
        assert line.recv(10) == b""


def test_tls_bad_certificate(emulator, raw, caplog):
    fault = emulator.faults.add("tls_bad_certificate", certificate=str(WRONG))
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        greet(emulator, trusting())
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        greet(emulator, trusting(WRONG))
    assert fault.hits == 2
    assert emulator.requests.count() == 0


def test_tls_bad_certificate_accepts_context(emulator, raw):
    """A client without verification gets a response."""
    emulator.faults.add("tls_bad_certificate", certificate=context(WRONG), times=1)
    client = ssl._create_unverified_context()
    line = raw.connect()
    with client.wrap_socket(line.sock) as line.sock:
        line.send("GET", "/api/v1/qualification_sessions")
        assert line.receive().status == 200
    assert raw.list().status == 200


@pytest.mark.parametrize("certificate", ["/nowhere.pem", __file__])
def test_tls_bad_certificate_requires_certificate(emulator, certificate):
    with pytest.raises(ValueError, match=r"tls_bad_certificate: certificate must name a PEM file"):
        emulator.faults.add("tls_bad_certificate", certificate=certificate)


class TestWithTls:
    """An emulator that speaks TLS: the same faults, and all others through it."""

    @pytest.fixture
    def emulator(self):
        with Emulator(sessions=0, tls=context(RIGHT)) as emulator:
            yield emulator

    @pytest.fixture
    def line(self, emulator, raw):
        line = raw.connect()
        with trusting().wrap_socket(line.sock, server_hostname="localhost") as line.sock:
            yield line

    @pytest.fixture
    def raw(self, emulator):
        with contextlib.ExitStack() as stack:
            yield Raw(emulator, stack)

    def test_client_connects_with_tls(self, emulator, line):
        assert emulator.url == f"https://127.0.0.1:{emulator.port}"
        line.send("GET", "/api/v1/qualification_sessions")
        assert line.receive().status == 200

    def test_fault_replaces_certificate(self, emulator):
        emulator.faults.add("tls_bad_certificate", certificate=str(WRONG), times=1)
        with pytest.raises(ssl.SSLCertVerificationError):
            greet(emulator, trusting())
        greet(emulator, trusting())

    def test_connection_is_reset(self, emulator, line):
        id = emulator.state.qualification_sessions.add()
        emulator.faults.add("applied_then_reset")
        line.send("POST", f"/api/v1/qualification_session/{id}/update", UPDATED)
        # OpenSSL would call any end without a goodbye the same: what is it below TLS?
        with socket.socket(fileno=line.sock.detach()) as plain:
            assert Line(emulator, plain).receive().end == "rst"
        assert emulator.state.qualification_sessions.get(id).user_id == "u"

    def test_rejects_plain_http(self, emulator, raw):
        assert b"HTTP" not in raw.list().content
        wait_until(lambda: not emulator._listener.handshakes)

    async def test_client_gone_after_handshake_leaves_no_connection(self, monkeypatch):
        """The loop has no transport to give then."""
        gone = asyncio.Event()

        async def start_tls(transport, protocol, context, *, server_side):
            transport.abort()
            gone.set()

        async with Emulator(sessions=0, tls=context(RIGHT)) as emulator:
            monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
            _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
            await asyncio.wait_for(gone.wait(), TIMEOUT)
            writer.close()
            await let_run_until(lambda: not emulator._listener.handshakes)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def test_stop_during_handshake_is_immediate(self, emulator, raw):
        line = raw.connect()
        line.sock.sendall(b"\x16\x03\x01")
        wait_until(lambda: emulator._listener.handshakes)
        begin = time.monotonic()
        emulator.__exit__(None, None, None)
        assert time.monotonic() - begin < TIMEOUT
        assert line.receive().content == b""

    def test_stop_does_not_wait_for_close_notify(self, emulator, line):
        line.send("GET", "/api/v1/qualification_sessions", keep=True)
        assert line.sock.recv(10)
        begin = time.monotonic()
        emulator.__exit__(None, None, None)
        assert time.monotonic() - begin < TIMEOUT

    async def test_tls_in_foreign_loop_raises(self, monkeypatch):
        monkeypatch.setattr(asyncio, "BaseEventLoop", type(None))
        with pytest.raises(RuntimeError, match="TLS needs asyncio's own event loop"):
            await Emulator(sessions=0, tls=context(RIGHT)).start()
