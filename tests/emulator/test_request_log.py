"""The log of the requests that reached the server."""

import http.client
import socket
import time

import pytest

from tests.support.waiting import TIMEOUT, wait_until
from truemed_async.emulator import Emulator, LoggedRequest, RequestLog

LIST = "/api/v1/qualification_sessions"


def request(**fields):
    return LoggedRequest(
        **{
            "method": "GET",
            "path": "/",
            "query": "",
            "headers": (),
            "route": None,
            "authenticated": False,
            **fields,
        }
    )


def test_log_records_request_as_sent(emulator, api):
    before = time.monotonic()
    api.send(
        "POST",
        "/api/v1/qualification_session/q%41%2F/update?a=b%20c&a=+d",
        b'{"idempotency_key": "k"}',
        {"x-truemed-api-key": emulator.api_key, "X-Other": "Value"},
    )
    (seen,) = emulator.requests
    assert (seen.method, seen.path) == ("POST", "/api/v1/qualification_session/q%41%2F/update")
    assert seen.query == "a=b%20c&a=+d"
    assert seen.body == b'{"idempotency_key": "k"}'
    assert seen.route == "qualification_sessions.update"
    assert seen.status == 404
    assert seen.authenticated
    assert seen.header("x-OTHER") == ["Value"]
    assert ("X-Other", "Value") in seen.headers
    assert seen.header("absent") == []
    assert before <= seen.time <= time.monotonic()


def test_log_keeps_repeated_headers(emulator):
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
    connection.putrequest("GET", LIST)
    connection.putheader("X-Twice", "1")
    connection.putheader("x-twice", "2")
    connection.endheaders()
    connection.getresponse().read()
    connection.close()
    assert emulator.requests[0].header("X-Twice") == ["1", "2"]


def test_log_redacts_secrets(emulator, api):
    secrets = {"x-truemed-api-key": emulator.api_key, "Authorization": "Bearer s3", "Cookie": "s3"}
    api.send("GET", LIST, headers=secrets)
    seen = emulator.requests[0]
    assert seen.authenticated
    assert [seen.header(name) for name in secrets] == [["REDACTED"]] * 3


def test_repr_shows_no_content(emulator, api):
    api.send("POST", "/me@example.com?search=me@example.com", b"me@example.com")
    assert repr(emulator.requests[0]) == "LoggedRequest(method='POST', route=None, authenticated=True, status=404)"
    assert repr(emulator.requests) == "<RequestLog of 1 requests>"


@pytest.mark.parametrize(
    ("path", "headers", "status"), [(LIST, {}, 401), ("/nowhere", None, 404), (LIST, {"Host": "x"}, 421)]
)
def test_log_includes_refused_requests(emulator, api, path, headers, status):
    assert api.send("GET", path, headers=headers).status == status
    assert [seen.status for seen in emulator.requests] == [status]


def test_log_includes_invalid_http(emulator):
    """The server answers it before any handler: it counts all the same."""
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.0 400 ")
    (seen,) = emulator.requests
    assert (seen.method, seen.path, seen.route, seen.status) == ("", "", None, 400)
    assert emulator.requests.in_flight == 0


def test_log_includes_request_aborted_in_body(emulator):
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) as connection:
        head = f"POST {LIST} HTTP/1.1\r\nHost: localhost:{emulator.port}\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"only this")
        wait_until(lambda: emulator.requests.in_flight)
    wait_until(lambda: not emulator.requests.in_flight)
    assert [seen.status for seen in emulator.requests] == [None]


def test_status_is_none_if_client_is_gone():
    with Emulator(sessions=0, latency=0.1) as emulator:
        with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) as connection:
            connection.sendall(f"GET {LIST} HTTP/1.1\r\nHost: localhost:{emulator.port}\r\n\r\n".encode())
            wait_until(lambda: emulator.requests.in_flight)
        wait_until(lambda: not emulator.requests.in_flight and emulator.requests[0].status is None)


def test_count_filters_by_route_and_method(emulator, api):
    api.list()
    api.list()
    api.get("qs_1")
    api.send("POST", LIST)
    api.send("DELETE", "/nowhere")
    requests = emulator.requests
    assert requests.count() == len(requests) == 5
    assert requests.count(route="qualification_sessions.list") == 2
    assert requests.count(method="GET") == 3
    assert requests.count(route="qualification_sessions.get", method="GET") == 1
    assert requests.count(route="qualification_sessions.get", method="POST") == 0


def test_count_includes_dropped_requests():
    log = RequestLog(size=2)
    for number in range(5):
        log.record_start(request(path=f"/{number}"))
        log.record_end(request())
    assert [seen.path for seen in log] == ["/3", "/4"]
    assert log[0].path == "/3"
    assert [seen.path for seen in log[-1:]] == ["/4"]
    assert (len(log), log.count()) == (2, 5)


def test_clear_resets_everything(emulator, api):
    api.list()
    emulator.requests.clear()
    assert (len(emulator.requests), emulator.requests.count(), emulator.requests.max_in_flight) == (0, 0, 0)
    assert list(emulator.requests) == []


def test_log_is_updated_before_response_is_sent(emulator, api):
    """A client that keeps to one request at a time must never look like two."""
    for _ in range(200):
        api.list()
        assert (emulator.requests.in_flight, emulator.requests[-1].status) == (0, 200)
    assert emulator.requests.max_in_flight == 1


def test_max_in_flight_is_largest_concurrency():
    log = RequestLog()
    log.record_start(request())
    log.record_start(request())
    log.record_end(request())
    assert (log.in_flight, log.max_in_flight) == (1, 2)
    log.clear()
    assert (log.in_flight, log.max_in_flight) == (1, 1)
    log.record_end(request())
    assert (log.in_flight, log.max_in_flight) == (0, 1)


def test_finished_requests_are_in_the_order_in_which_they_finished():
    log = RequestLog(size=3)
    requests = [request() for _ in range(5)]
    for each in requests:
        log.record_start(each)
    assert log.finished(limit=10) == ((), 0)
    for each in reversed(requests):
        log.record_end(each)
    assert [each.number for each in log.finished(after=0, limit=2)[0]] == [3, 2], (
        "the first two are not stored any more"
    )
    assert log.finished(after=0, limit=2)[1] == 4
    assert [each.number for each in log.finished(after=4, limit=2)[0]] == [1]
    assert [each.number for each in log.finished(limit=2)[0]] == [2, 1]
