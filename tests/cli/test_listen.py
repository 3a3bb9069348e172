"""``truemed webhooks listen`` against a running emulator: as a process, and inside the test with signals."""

from __future__ import annotations

import asyncio
import errno
import http.client
import io
import json
import os
import signal
import socket
import sys
import threading
import urllib.request

import pytest

from tests.support.canary import EMAIL, USER_ID, leaks
from tests.support.waiting import wait_until
from tests.support.webhook_endpoint import Merchant
from truemed_async.cli import control, listen
from truemed_async.cli.control import EmulatorControl
from truemed_async.cli.emulator import DEFAULT_WEBHOOK_SECRET
from truemed_async.cli.listen import DeliveryServer, ForwardedResponse
from truemed_async.emulator import Dialect
from truemed_async.errors import ConfigurationError

LISTEN = ("webhooks", "listen")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def no_secret(monkeypatch):
    monkeypatch.delenv("TRUEMED_WEBHOOK_SECRET", raising=False)


@pytest.fixture
def merchant():
    merchant = Merchant()
    yield merchant
    merchant.close()


def approve(emulator):
    sessions = emulator.state.qualification_sessions
    id = sessions.add(status="processing", email=EMAIL, user_id=USER_ID)
    sessions.approve(id)
    return id


def attempts_of(emulator, number):
    """Return the attempts of the first delivery when there are so many: the command may end before the last is noted."""
    (delivery,) = emulator.webhooks.deliveries
    wait_until(lambda: len(delivery.attempts) >= number)
    return delivery.attempts


class Acting(io.StringIO):
    """Standard error that runs the next action of a list each time the command has written a message."""

    def __init__(self, *actions):
        super().__init__()
        self.actions = list(actions)

    def flush(self):
        if self.actions and self.getvalue().count("\n") >= self.actions[0][0]:
            self.actions.pop(0)[1]()


class Watching(io.StringIO):
    """Standard output that is interrupted after some lines."""

    def __init__(self, lines, number=signal.SIGINT):
        super().__init__()
        self.lines, self.number = lines, number

    def flush(self):
        if self.lines and self.getvalue().count("\n") >= self.lines:
            self.lines = 0
            signal.raise_signal(self.number)


class Screen(Watching):
    def isatty(self):
        return True


@posix
class TestProcess:
    """The whole command, as one starts it beside `truemed emulator`."""

    def test_deliveries_are_shown_and_acknowledged_and_ctrl_c_removes_the_webhook(self, start, finish, emulator):
        process = start(*LISTEN)
        wait_until(lambda: emulator.webhooks.endpoints)
        id = approve(emulator)
        row = json.loads(process.stdout.readline())
        assert emulator.webhooks.wait_until_idle(30)
        (delivery,) = emulator.webhooks.deliveries
        process.send_signal(signal.SIGINT)
        done = finish(process)
        assert (done.code, done.out) == (130, "")
        assert {**row, "at": "", "seconds": 0} == {
            "at": "",
            "event": "qualification_status.updated",
            "delivery_id": delivery.id,
            "object_id": id,
            "verified": True,
            "status": 204,
            "seconds": 0,
            "error": None,
        }
        assert delivery.state == "delivered"
        assert emulator.webhooks.endpoints == ()
        first, secret, last = done.err.splitlines()
        assert first.endswith(f"for the webhooks of 127.0.0.1:{emulator.port} (TRUEMED_BASE_URL)")
        assert (secret, last) == (f"secret    {DEFAULT_WEBHOOK_SECRET}", "interrupted")
        assert leaks(json.dumps(row) + done.err) == []

    def test_forwarded_bytes_and_headers_are_those_of_the_emulator(
        self, start, finish, emulator, merchant, monkeypatch
    ):
        monkeypatch.setenv("TRUEMED_WEBHOOK_SECRET", "whsec-of-mine")
        emulator.webhooks.faults.add("double_header")
        process = start(*LISTEN, "--forward-to", merchant.url, "--json", "status,object_id,verified")
        wait_until(lambda: emulator.webhooks.endpoints)
        id = approve(emulator)
        (received,) = merchant.wait(1)
        row = json.loads(process.stdout.readline())
        assert emulator.webhooks.wait_until_idle(30)
        process.send_signal(signal.SIGTERM)
        done = finish(process)
        (attempt,) = emulator.webhooks.deliveries[0].attempts
        own = {"Host", "Connection", "Accept", "Accept-Encoding", "Content-Length"}
        assert [pair for pair in received.headers if pair[0] not in own] == list(attempt.headers)
        assert len(received.all("x-truemed-signature")) == 2
        assert (received.line, received.body) == (
            "POST /webhooks?shop=1 HTTP/1.1",
            emulator.webhooks.deliveries[0].body,
        )
        assert received.is_signed("whsec-of-mine", received.all("x-truemed-signature")[1])
        assert row == {"status": 204, "object_id": id, "verified": False}
        assert (done.code, emulator.webhooks.endpoints) == (0, ())
        assert done.err.splitlines()[1:] == [
            "secret    from TRUEMED_WEBHOOK_SECRET",
            f"forwarding to http://127.0.0.1:{merchant.port}/webhooks",
        ]

    def test_closed_pipe_ends_the_command_and_removes_the_webhook(self, start, emulator):
        process = start(*LISTEN)
        wait_until(lambda: emulator.webhooks.endpoints)
        process.stdout.close()
        approve(emulator)
        assert process.wait(30) == 0
        assert emulator.webhooks.endpoints == ()


class TestForwarding:
    def test_status_of_the_endpoint_goes_back_and_the_delivery_is_sent_again(self, truemed, emulator, merchant):
        merchant.plan = [500, 204]

        def next_attempt():
            wait_until(lambda: emulator.webhooks.deliveries and emulator.webhooks.deliveries[0].attempts)
            emulator.clock.advance(5)

        thread = threading.Thread(target=next_attempt)
        err = Acting((3, lambda: approve(emulator)), (3, thread.start))
        done = truemed(*LISTEN, "--forward-to", merchant.url, err=err, out=Watching(2))
        thread.join(10)
        assert [row["status"] for row in done.rows] == [500, 204]
        assert len({row["delivery_id"] for row in done.rows}) == 1
        first, _ = attempts_of(emulator, 2)
        assert (first.status, first.response_body) == (500, b"no")

    @pytest.mark.parametrize("plan", ["close", b"nonsense"])
    def test_endpoint_that_does_not_respond_is_reported(self, truemed, emulator, merchant, plan):
        merchant.plan = [plan]
        err = Acting((3, lambda: approve(emulator)))
        done = truemed(*LISTEN, "--forward-to", merchant.url, err=err, out=Watching(1))
        (row,) = done.rows
        assert row["status"] is None
        assert row["error"] == (f"the endpoint at 127.0.0.1:{merchant.port} cannot be reached, or does not speak HTTP")
        (attempt,) = attempts_of(emulator, 1)
        assert (attempt.status, attempt.response_body) in ((502, row["error"].encode()), (None, b""))

    def test_slow_endpoint_is_reported(self, truemed, emulator, merchant, monkeypatch):
        monkeypatch.setattr("truemed_async.cli.endpoint.SEND_TIMEOUT", 0.2)
        merchant.plan = ["hang"]
        err = Acting((3, lambda: approve(emulator)))
        done = truemed(*LISTEN, "--forward-to", merchant.url, err=err, out=Watching(1))
        assert done.rows[0]["error"].endswith("did not respond within 0.2 seconds")

    def test_password_of_the_url_is_not_shown(self, truemed, emulator, merchant):
        url = f"http://user:secret-word@127.0.0.1:{merchant.port}/hooks?token=secret-word"
        done = truemed(*LISTEN, "--forward-to", url, err=Acting((3, lambda: signal.raise_signal(signal.SIGTERM))))
        assert done.code == 0
        assert f"forwarding to http://127.0.0.1:{merchant.port}/hooks\n" in done.err
        assert "secret-word" not in done.err


class TestReading:
    @pytest.fixture
    def receive(self, truemed, emulator):
        """Let something happen while the command listens; return the line for it."""

        def receive(*options, happen=approve, out=None):
            err = Acting((2, lambda: happen(emulator)))
            return truemed(*LISTEN, *options, err=err, out=out or Watching(1))

        return receive

    def test_terminal_shows_a_line_for_people(self, receive, emulator):
        done = receive(out=Screen(1))
        (line,) = done.out.splitlines()
        id = emulator.webhooks.deliveries[0].resource_id
        assert f"qualification_status.updated {id} " in line
        assert "204" in line
        assert line.endswith(" s, verified")

    def test_wrong_signature_is_said_with_its_reason(self, receive, emulator):
        emulator.webhooks.faults.add("bad_signature")
        done = receive(out=Screen(1))
        assert "not verified" in done.out
        assert "the signature does not match" in done.out

    def test_unsigned_delivery_is_verified_and_recognized(self, receive):
        row = receive("--mode", "unsigned").rows[0]
        assert (row["event"], row["delivery_id"], row["verified"]) == ("qualification_session_complete", None, True)

    def test_payload_that_is_too_large_is_reported(self, receive, emulator):
        emulator.webhooks.faults.add("oversize_body")
        row = receive().rows[0]
        assert (row["event"], row["object_id"], row["verified"]) == (None, None, True)
        assert "larger than" in row["error"]

    def test_request_that_is_no_delivery_is_shown(self, receive, emulator):
        def post(emulator):
            with urllib.request.urlopen(emulator.webhooks.endpoints[0].url, b"{", timeout=10) as response:
                assert response.status == 204

        row = receive(happen=post).rows[0]
        assert (row["event"], row["verified"], row["status"]) == (None, False, 204)

    def test_only_the_selected_events_are_received(self, receive):
        def both(emulator):
            approve(emulator)
            emulator.state.payment_sessions.cancel(emulator.state.payment_sessions.add())

        rows = receive("--events", "payment_session_complete, payment_token_updated", happen=both).rows
        assert [row["event"] for row in rows] == ["payment_session.updated"]

    @pytest.mark.parametrize("verification", ["get", "head", "post"])
    def test_verification_of_the_endpoint_gets_its_response(self, truemed, emulator, verification):
        emulator.dialect = Dialect(endpoint_verification=verification)
        done = truemed(*LISTEN, out=Screen(1))
        (result,) = emulator.webhooks.verifications.values()
        expected = "webhook.test" if verification == "post" else f"{verification.upper()} without an event"
        assert result == 204
        assert expected in done.out
        assert ("verified" in done.out) is (verification == "post")


class Full(io.StringIO):
    """Standard output on a disk without space."""

    def write(self, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_output_that_cannot_be_written_ends_the_command_and_removes_the_webhook(truemed, emulator):
    done = truemed(*LISTEN, err=Acting((2, lambda: [approve(emulator), approve(emulator)])), out=Full())
    assert (done.code, done.err.splitlines()[-1]) == (1, "error: No space left on device")
    assert emulator.webhooks.endpoints == ()


class TestRegistration:
    @pytest.fixture(autouse=True)
    def impatience(self, monkeypatch):
        monkeypatch.setattr(listen, "CHECK_SECONDS", 0.05)
        monkeypatch.setattr(control, "_LEAVE_SECONDS", 0.5)

    def test_webhook_is_registered_again_if_the_emulator_lost_it(self, truemed, emulator):
        def forget():
            emulator.webhooks.unregister(emulator.webhooks.endpoints[0].id)

        done = truemed(*LISTEN, err=Acting((2, forget), (3, lambda: approve(emulator))), out=Watching(1))
        assert done.err.splitlines()[2] == "the emulator was started again, or the webhook removed: registered anew"
        assert len(done.rows) == 1

    def test_emulator_that_is_away_is_waited_for(self, truemed, emulator):
        def stop():
            emulator.__exit__(None, None, None)

        def come_back():
            emulator.__enter__()
            approve(emulator)

        timer = threading.Timer(0.5, come_back)  # several checks later
        done = truemed(*LISTEN, err=Acting((2, stop), (3, timer.start)), out=Watching(1))
        timer.join(10)
        assert done.err.splitlines()[2:] == ["the emulator does not respond; waiting for it", "interrupted"]
        assert (done.code, len(done.rows)) == (130, 1)

    def test_webhook_of_a_command_that_was_killed_is_replaced(self, truemed, emulator, free_port):
        left = emulator.webhooks.register(f"http://127.0.0.1:{free_port}/")
        other = emulator.webhooks.register("http://127.0.0.1:9/of-the-user")
        seen = []

        def look():
            seen.extend(emulator.webhooks.endpoints)
            signal.raise_signal(signal.SIGTERM)

        assert truemed(*LISTEN, "--port", str(free_port), err=Acting((2, look))).code == 0
        survivor, endpoint = seen
        assert (endpoint.url, endpoint.id == left.id) == (left.url, False)
        assert (survivor, emulator.webhooks.endpoints) == (other, (other,))

    def test_emulator_that_is_not_there_is_an_error(self, truemed, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "some-api-key")
        done = truemed(*LISTEN, "--base-url", "http://127.0.0.1:1", "--timeout", "0.3")
        assert done.code == 1
        assert "host: 127.0.0.1:1 (--base-url)" in done.err

    def test_signal_while_the_emulator_does_not_respond_ends_the_command(self, truemed, emulator, monkeypatch):
        controls = []

        async def hang(control, *, retry):
            assert retry
            controls.append(control)
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()

        monkeypatch.setattr(EmulatorControl, "list_webhooks", hang)
        done = truemed(*LISTEN)
        assert (done.code, done.err, len(controls)) == (130, "interrupted\n", 1)
        assert emulator.webhooks.endpoints == ()


class TestUsage:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (("--env", "sandbox"), "set at https://dev.truemed.com/developers/webhooks/manage"),
            (("--env", "production"), "api.truemed.com (production, --env) is no emulator: its webhooks are set at https://app."),
            (("--env", "emulator"), "the emulator of --env emulator ends with this command"),
            (("--base-url", "https://shop.example"), "shop.example (--base-url) is on another machine"),
            (("--forward-to", "127.0.0.1:8000"), "--forward-to must be a URL that begins with http"),
            (("--forward-to", "http://[::1"), "--forward-to must be a URL that begins with http"),
            (("--events", "payment_session_complete,x"), "--events must be of payment_session_complete, "),
            (("--json", "email"), "--json has an unknown field"),
            (("--json", "status", "--format", "text"), "--json does not apply to text"),
            (("--mode", "x"), "--mode: unknown choice"),
        ],
    )  # fmt: skip
    def test_wrong_use_is_an_error_before_anything_is_sent(self, truemed, monkeypatch, argv, message):
        monkeypatch.setenv("TRUEMED_API_KEY", "some-api-key")

        def connect(*_):
            raise AssertionError("a connection")

        monkeypatch.setattr(socket.socket, "connect", connect)
        done = truemed(*LISTEN, *argv)
        assert (done.code, done.out) == (2, "")
        assert message in done.err

    def test_occupied_port_is_an_error(self, truemed, emulator):
        done = truemed(*LISTEN, "--port", str(emulator.port))
        assert (done.code, emulator.webhooks.endpoints) == (2, ())
        assert "Address already in use; without --port a free one is taken" in done.err

    def test_port_that_cannot_be_bound_is_an_error(self, monkeypatch):
        monkeypatch.setattr(listen, "HOST", "192.0.2.1")
        with pytest.raises(ConfigurationError, match=r"cannot listen on port 0: [^;]*\Z"):
            DeliveryServer(0, lambda *_: ForwardedResponse(204), lambda _: None)


class TestServer:
    @pytest.fixture
    def failures(self):
        return []

    @pytest.fixture
    def server(self, failures):
        """A server that answers with what it received; a body "fail" is an error."""

        def respond(method, headers, body):
            if body == b"fail":
                raise ValueError("of a test")
            if body == b"odd!":
                return ForwardedResponse("no number")
            return ForwardedResponse(200, "text/plain", f"{method} {len(body)}".encode())

        with DeliveryServer(0, respond, failures.append) as server:
            yield server

    def ask(self, server, head, body=b""):
        with socket.create_connection(server.server_address[:2], timeout=10) as line:
            line.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(4096), b""))

    def test_body_of_the_response_has_its_type(self, server):
        with urllib.request.urlopen(server.url, b"abc", timeout=10) as response:
            assert (response.read(), response.headers["Content-Type"]) == (b"POST 3", "text/plain")

    def test_connection_is_used_again(self, server):
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
        for _ in range(2):
            connection.request("POST", "/", b"ab")
            assert connection.getresponse().read() == b"POST 2"
        connection.close()

    def test_error_after_the_end_is_not_reported(self, failures):
        began, ended = threading.Event(), threading.Event()

        def respond(method, headers, body):
            began.set()
            ended.wait(10)
            raise ValueError("of a test")

        with DeliveryServer(0, respond, failures.append) as server:
            line = socket.create_connection(server.server_address[:2], timeout=10)
            line.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na")
            assert began.wait(10)
        ended.set()
        with line:
            assert line.recv(1) == b""
        assert failures == []

    def test_head_has_no_body(self, server):
        assert self.ask(server, "HEAD / HTTP/1.1\nConnection: close").endswith(b"Content-Length: 6\r\n\r\n")

    @pytest.mark.parametrize(
        "header", ["Transfer-Encoding: chunked", "Content-Length: x", f"Content-Length: {16 * 1024**2 + 1}"]
    )
    def test_body_that_cannot_be_read_is_refused(self, server, failures, header):
        assert self.ask(server, f"POST / HTTP/1.1\n{header}").startswith(b"HTTP/1.1 413 ")
        assert failures == []

    def test_client_that_goes_away_is_no_failure(self, server, failures):
        assert self.ask(server, "POST / HTTP/1.1\nContent-Length: 5", b"ab") == b""
        assert failures == []

    @pytest.mark.parametrize(("body", "error"), [(b"fail", ValueError), (b"odd!", TypeError)])
    def test_error_of_the_response_ends_the_command(self, server, failures, body, error):
        assert self.ask(server, "POST / HTTP/1.1\nContent-Length: 4", body) == b""
        wait_until(lambda: failures)
        assert [type(each) for each in failures] == [error]
