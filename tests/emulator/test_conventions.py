"""What holds for all routes: the key, the shape of errors, unknown and unfinished routes, the address."""

import http.client
import json
import re
import socket

import pytest

from tests.support.paths import ROOT
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import ROUTES, Emulator, Route, api as emulator_api

LIST = "/api/v1/qualification_sessions"

OVERVIEW = (ROOT / "docs" / "truemed-api.md").read_text(encoding="utf-8")
# The rows of the table in section 2 of docs/truemed-api.md.
DOCUMENTED = re.findall(r"^\| [A-Z]\d+ \|[^|]*\| `(GET|POST) (/[^`]*)` \|", OVERVIEW, re.MULTILINE)


def bare(path):
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_documented_route_is_declared_once():
    """docs/truemed-api.md 2: the overview."""
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    documented = {(method, bare(path)) for method, path in DOCUMENTED}
    routes = {(route.method, bare(route.path)) for route in ROUTES}
    assert len(documented) == len(DOCUMENTED)
    assert not documented - routes, "add these routes to emulator/resources/"
    assert not routes - documented, "add these endpoints to the table in section 2 of docs/truemed-api.md"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_responds(api, route):
    """docs/truemed-api.md 2: none is left to a 501."""
    response = api.send(route.method, re.sub(r"\{\w+\}", "x", route.path), {})
    assert response.status in {200, 400, 404}
    assert route.handler is not None


def test_route_without_a_handler_responds_501(monkeypatch):
    """A 501 makes a test fail at once, where an assumption would let it pass."""
    unfinished = Route(name="things.list", method="GET", path="/api/v1/things")
    monkeypatch.setattr(emulator_api, "ROUTES", (*ROUTES, unfinished))
    with Emulator(sessions=0) as emulator:
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
        connection.request("GET", "/api/v1/things", headers={"x-truemed-api-key": emulator.api_key})
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
    assert (response.status, body["error"]) == (501, "NotImplemented")
    assert "things.list" in body["message"]
    assert emulator.requests[-1].route == "things.list"


def test_responses_are_json(emulator, api):
    """docs/truemed-api.md 1.3: application/json."""
    assert api.list().headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "headers", [{}, {"x-truemed-api-key": "wrong"}, {"x-truemed-api-key": "k\xe9y"}, {"Authorization": "Bearer KEY"}]
)
@pytest.mark.parametrize("path", [LIST, "/nowhere", "/payments/v1/refund"])
def test_server_rejects_a_missing_or_wrong_key(emulator, api, headers, path):
    """Truemed, "List Qualification Sessions": x-truemed-api-key; docs/truemed-api.md 1.2: the 401 is not documented."""
    headers = {name: value.replace("KEY", emulator.api_key) for name, value in headers.items()}
    response = api.send("GET", path, headers=headers)
    assert response.status == 401
    assert response.json["error"] == "Unauthorized"
    assert response.json["message"]


@pytest.mark.parametrize("name", ["x-truemed-api-key", "X-Truemed-Api-Key", "X-TRUEMED-API-KEY"])
def test_key_is_read_from_a_header_in_any_case(emulator, api, name):
    """Truemed, "Update a Qualification Session": "a valid API key passed in the x-truemed-api-key header"."""
    assert api.send("GET", LIST, headers={name: emulator.api_key}).status == 200


@pytest.mark.parametrize(
    "path", ["/nowhere", LIST + "/", "/api/v1/qualification_session/", "/api/v1/qualification_session/a/b"]
)
def test_unknown_path_responds_404(emulator, api, path):
    """Truemed, "Get Qualification Session Details": "404 Not Found Error"; docs/truemed-api.md 1.4: error and message."""
    response = api.send("GET", path)
    assert response.status == 404
    assert response.json == {"error": "NotFound", "message": "no such path"}
    assert emulator.requests[-1].route is None


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", LIST, "GET"),
        ("DELETE", LIST, "GET"),
        ("PUT", "/api/v1/qualification_session/qs_1", "GET"),
        ("GET", "/api/v1/qualification_session/qs_1/update", "POST"),
        # OpenAPI: a path without a template is matched before one with: `create` is no payment token.
        ("PATCH", "/api/v1/payment_tokens/create", "POST"),
        ("GET", "/api/v1/payment_tokens/create", "POST"),
    ],
)
def test_wrong_method_responds_405(api, method, path, allow):
    """Truemed, "List Qualification Sessions": "405 Method Not Allowed Error"."""
    response = api.send(method, path)
    assert response.status == 405
    assert response.json["error"] == "MethodNotAllowed"
    assert response.headers["Allow"] == allow


@pytest.mark.parametrize("host", ["localhost:{}", "LOCALHOST:{}", "127.0.0.1:{}", "[::1]:{}"])
def test_server_accepts_its_own_host_names(emulator, api, host):
    """The Host header is that of the emulator."""
    headers = {"Host": host.format(emulator.port), "x-truemed-api-key": emulator.api_key}
    assert api.send("GET", LIST, headers=headers).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "localhost", "127.0.0.1:1", "", "127.0.0.1.evil.example:{}"]
)
def test_server_rejects_another_host(emulator, api, host):
    """A wrong Host is 421, against DNS rebinding."""
    headers = {"Host": host.format(emulator.port), "x-truemed-api-key": emulator.api_key}
    response = api.send("GET", LIST, headers=headers)
    assert (response.status, response.json["error"]) == (421, "MisdirectedRequest")


def test_server_listens_on_127_0_0_1_only(emulator):
    """Other addresses of this machine are refused."""
    for address in ("127.0.0.2", "::1"):
        with pytest.raises(OSError):
            socket.create_connection((address, emulator.port), timeout=TIMEOUT).close()


def test_server_rejects_a_body_past_a_mebibyte(api):
    """Our choice: a bound on what one request can make it hold."""
    response = api.send("POST", "/api/v1/qualification_session/qs_1/update", b"x" * (1024**2 + 1))
    assert (response.status, response.json["error"]) == (413, "PayloadTooLarge")


def test_server_rejects_a_body_that_cannot_be_decoded(emulator, api):
    """docs/truemed-api.md 1.4: what cannot be processed is a 400 ValidationError."""
    headers = {"x-truemed-api-key": emulator.api_key, "Content-Encoding": "gzip"}
    response = api.send("POST", "/api/v1/qualification_session/qs_1/update", b"this is no gzip", headers)
    assert (response.status, response.json["error"]) == (400, "ValidationError")


def test_expect_100_continue_gets_a_response_before_the_body(emulator):
    """HTTP: a client that sends Expect: 100-continue waits before it sends its body."""
    id = emulator.state.qualification_sessions.add()
    body = b'{"idempotency_key":"k","user_id":"u"}'
    head = (
        f"POST /api/v1/qualification_session/{id}/update HTTP/1.1\r\nHost: localhost:{emulator.port}\r\n"
        f"x-truemed-api-key: {emulator.api_key}\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    assert emulator.state.qualification_sessions.get(id).user_id == "u"


def test_server_keeps_a_connection_alive(emulator):
    """Many requests, one connection: what pools rely on."""
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
    for _ in range(3):
        connection.request("GET", LIST, headers={"x-truemed-api-key": emulator.api_key})
        before = connection.sock
        assert connection.getresponse().read()
        assert connection.sock is before
        assert before is not None
    connection.close()


def test_each_emulator_has_a_random_key():
    """docs/truemed-api.md 1.2: no prefix is known; a key that is made per run is worth nothing elsewhere."""
    keys = {Emulator(sessions=0).api_key for _ in range(3)}
    assert len(keys) == 3
    assert all(re.fullmatch("[0-9a-f]{40}", key) for key in keys)
