"""Faults over HTTP, for an emulator that runs on its own."""

import socket

import pytest

from tests.support.waiting import TIMEOUT, wait_until
from truemed_async.emulator import Fault

ADMIN = "/_emulator/faults"
LIST = "qualification_sessions.list"


def test_fault_is_added_listed_and_removed(emulator, api):
    added = api.send("POST", ADMIN, {"name": "status", "code": 503, "retry_after": 1, "method": "GET", "times": 2})
    described = {"name": "status", "code": 503, "retry_after": 1, "method": "GET", "times": 2, "id": 1}
    assert (added.status, added.json) == (201, {**described, "active": True, "hits": 0})
    assert api.list().status == 503
    listing = api.send("GET", ADMIN)
    assert listing.status == 200
    assert listing.json["faults"] == [{**described, "active": True, "hits": 1}]
    assert listing.json["hits"] == 1
    assert listing.json["names"] == list(emulator.faults.names)
    removed = api.send("DELETE", f"{ADMIN}/1")
    assert (removed.status, removed.content) == (204, b"")
    assert api.list().status == 200
    assert api.send("GET", ADMIN).json["faults"] == [{**described, "active": False, "hits": 1}]
    assert api.send("DELETE", f"{ADMIN}/1").status == 404


def test_list_has_faults_that_ended(api):
    api.send("POST", ADMIN, {"name": "status", "code": 503, "nth": 1})
    assert [api.list().status for _ in range(2)] == [503, 200]
    (fault,) = api.send("GET", ADMIN).json["faults"]
    assert (fault["active"], fault["hits"]) == (False, 1)


def test_delete_removes_all_faults(emulator, api):
    for _ in range(3):
        api.send("POST", ADMIN, {"name": "hang"})
    assert api.send("DELETE", ADMIN).status == 204
    assert len(emulator.faults) == 0
    assert api.send("GET", ADMIN).json["faults"] == []


def test_admin_requests_are_not_logged_and_meet_no_faults(emulator, api):
    emulator.faults.add("hang")
    emulator.faults.add("clock_skew", when=print)
    assert api.send("GET", ADMIN).json["faults"][1]["name"] == "clock_skew"
    assert emulator.requests.count() == emulator.faults.hits == 0


def test_list_includes_faults_added_in_process(emulator, api):
    emulator.faults.add(Fault())
    emulator.faults.add("latency", when=lambda _: False)
    plain, narrowed = api.send("GET", ADMIN).json["faults"]
    assert plain == {"id": 1, "name": "Fault", "active": True, "hits": 0}
    assert "lambda" in narrowed["when"]


@pytest.mark.parametrize("headers", [{}, {"x-truemed-api-key": "wrong"}])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_request_without_key_is_401(emulator, api, headers, method):
    fault = emulator.faults.add("hang")
    response = api.send(method, ADMIN, headers=headers)
    assert (response.status, response.json["error"]) == (401, "Unauthorized")
    assert fault.active


def test_foreign_host_is_421(emulator, api):
    """A web page that points its own name here has no say."""
    headers = {"Host": "evil.example", "x-truemed-api-key": emulator.api_key}
    assert api.send("GET", ADMIN, headers=headers).status == 421


@pytest.mark.parametrize("path", ["/_emulator/", "/_emulator/nothing", f"{ADMIN}/2", f"{ADMIN}/x", f"{ADMIN}/"])
def test_unknown_path_is_404(emulator, api, path):
    emulator.faults.add("hang")
    assert api.send("DELETE", path).status == 404
    assert len(emulator.faults) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "the body must be JSON"),
        ([], "the body must be a JSON object"),
        ({}, "name must be a string"),
        ({"name": 1}, "name must be a string"),
        ({"name": "nonsense"}, "there is no fault 'nonsense'"),
        ({"name": "latency", "sec": 1}, "latency takes distribution, seconds, spread: not sec"),
        ({"name": "hang", "route": "x"}, "route must name a route"),
        ({"name": "hang", "when": "x"}, "cannot be sent over HTTP"),
        ({"name": "refuse_connection"}, "needs times, nth or duration"),
        ({"name": "refuse_connection", "duration": None}, "needs times, nth or duration"),
        ({"name": "accept_then_close", "reset": True}, "needs times, nth or duration"),
    ],
)
def test_error_describes_the_problem(emulator, api, body, says):
    response = api.send("POST", ADMIN, body)
    assert (response.status, response.json["error"]) == (400, "ValidationError")
    assert says in response.json["message"]
    assert len(emulator.faults) == 0


def test_body_over_one_mebibyte_is_413(api):
    assert api.send("POST", ADMIN, b"x" * (1024**2 + 1)).status == 413


def test_refuse_connection_ends_after_duration(emulator, api):
    def responds():
        try:
            return api.list().status == 200
        except ConnectionError:
            return False

    assert api.send("POST", ADMIN, {"name": "refuse_connection", "duration": 0.5}).status == 201
    assert not responds()
    wait_until(responds)


def test_client_disconnect_during_body_is_not_an_error(emulator, api, caplog):
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) as connection:
        head = f"POST {ADMIN} HTTP/1.1\r\nHost: localhost:{emulator.port}\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"only this")
        wait_until(lambda: emulator._listener._server.connections)
    wait_until(lambda: not emulator._listener._server.connections)
    assert api.send("GET", ADMIN).status == 200
    assert caplog.records == []
