"""Responses whose bytes are malformed, as a socket sees them; the request has had its effect."""

import gzip
import json

import pytest

from truemed_async.emulator import FAULTS
from truemed_async.emulator.faults import framing

NAMES = [name for name, definition in FAULTS.items() if definition.implementation.__module__ == framing.__name__]


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add(qualification_session_id="qs_1", user_name="Robin Example")


@pytest.fixture
def whole(raw, id):
    """The body as it should be."""
    return raw.get(id).body


@pytest.mark.parametrize("name", NAMES)
def test_broken_response_is_still_applied(emulator, raw, id, name):
    emulator.faults.add(name, method="POST", times=1)
    raw.update(id)
    assert emulator.state.qualification_sessions.get(id).user_id == "u"
    assert emulator.faults.hits == 1


@pytest.mark.parametrize("name", NAMES)
def test_broken_response_is_logged_before_it_is_sent(emulator, raw, id, name):
    emulator.faults.add(name, route="qualification_sessions.get")
    for _ in range(5):
        line = raw.connect()
        line.send("GET", f"/api/v1/qualification_session/{id}")
        assert line.sock.recv(1)
        assert emulator.requests.in_flight == 0
        line.receive()
    assert emulator.requests.max_in_flight == 1


def test_partial_status_line(emulator, raw, id):
    emulator.faults.add("partial_status_line")
    received = raw.get(id)
    assert (received.content, received.end) == (b"HTTP/1.1 20", "fin")
    assert emulator.requests[-1].status is None


def test_partial_headers(emulator, raw, id):
    emulator.faults.add("partial_headers")
    received = raw.get(id)
    assert received.content.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: ")
    assert received.content.endswith(b" GMT\r\nContent-Length:")
    assert received.end == "fin"
    assert emulator.requests[-1].status is None


def test_garbage_then_close(emulator, raw, id):
    emulator.faults.add("garbage_then_close", size=100)
    one, two = raw.get(id), raw.get(id)
    assert (len(one.content), one.content[:1], one.end) == (100, b"\0", "fin")
    assert one.content != two.content


def test_malformed_chunk(emulator, raw, id, whole):
    emulator.faults.add("malformed_chunk")
    received = raw.get(id)
    assert received.header("Transfer-Encoding") == ["chunked"]
    assert received.header("Content-Length") == []
    assert received.body == b"5\r\n" + whole[:5] + b"\r\nXYZ\r\n" + whole[5:] + b"\r\n0\r\n\r\n"
    assert received.end == "fin"


@pytest.mark.parametrize("fraction", [0, 0.25, 0.999])
def test_truncate_body(emulator, raw, id, whole, fraction):
    emulator.faults.add("truncate_body", fraction=fraction)
    received = raw.get(id, keep=True)
    assert received.header("Content-Length") == [str(len(whole))]
    assert received.body == whole[: int(len(whole) * fraction)]
    assert len(received.body) < len(whole)
    assert received.end == "fin"
    assert emulator.requests[-1].status is None


def test_reset_in_body(emulator, raw, id, whole):
    emulator.faults.add("reset_in_body", fraction=0.5)
    received = raw.get(id)
    assert received.header("Content-Length") == [str(len(whole))]
    assert received.body == whole[: len(whole) // 2]
    assert received.end == "rst"
    assert emulator.requests[-1].status is None


@pytest.mark.parametrize("fraction", [0, 0.5])
def test_truncate_chunked(emulator, raw, id, whole, fraction):
    emulator.faults.add("truncate_chunked", fraction=fraction)
    received = raw.get(id)
    part = whole[: int(len(whole) * fraction)]
    assert received.header("Transfer-Encoding") == ["chunked"]
    assert received.chunks == ([part] if part else [])  # and no empty one: the end was not said
    assert received.end == "fin"


def test_truncate_close_delimited(emulator, raw, id, whole):
    emulator.faults.add("truncate_close_delimited", fraction=0.5)
    received = raw.get(id, keep=True)
    assert received.header("Content-Length") == received.header("Transfer-Encoding") == []
    assert received.header("Connection") == ["close"]
    assert (received.body, received.end) == (whole[: len(whole) // 2], "fin")
    with pytest.raises(json.JSONDecodeError):
        received.json  # noqa: B018 - the access is the test


def test_truncate_gzip_clean(emulator, raw, id, whole):
    """All that HTTP says is true: only who finishes the gzip stream finds out."""
    emulator.faults.add("truncate_gzip_clean", fraction=0.7)
    received = raw.get(id, keep=True, timeout=0.5)
    assert received.header("Content-Encoding") == ["gzip"]
    assert received.header("Content-Length") == [str(len(received.body))]
    with pytest.raises(EOFError):
        gzip.decompress(received.body)
    assert received.end == "open"
    assert emulator.requests[-1].status == 200


@pytest.mark.parametrize("difference", [1, -1, 0])
def test_duplicate_content_length(emulator, raw, id, whole, difference):
    emulator.faults.add("duplicate_content_length", difference=difference)
    received = raw.get(id)
    assert received.header("Content-Length") == [str(len(whole)), str(len(whole) + difference)]
    assert received.body == whole
    assert emulator.requests[-1].status == 200


def test_content_length_and_chunked(emulator, raw, id, whole):
    emulator.faults.add("content_length_and_chunked")
    received = raw.get(id)
    assert received.header("Content-Length") == [str(len(whole))]
    assert received.header("Transfer-Encoding") == ["chunked"]
    assert received.chunks == [whole, b""]


def test_extra_bytes_after_body(emulator, raw, id, whole):
    emulator.faults.add("extra_bytes_after_body", extra="HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    received = raw.get(id, keep=True, timeout=0.5)
    assert received.header("Content-Length") == [str(len(whole))]
    assert received.body == whole + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    assert received.end == "open"


def test_header_flood(emulator, raw, id, whole):
    emulator.faults.add("header_flood", count=5000)
    received = raw.get(id)
    assert received.head.count("\r\nX-Flood-") == 5000
    assert received.header("x-flood-4999") == ["4999"]
    assert received.body == whole


def test_huge_header(emulator, raw, id, whole):
    emulator.faults.add("huge_header", size=300_000)
    received = raw.get(id)
    assert received.header("X-Huge") == ["x" * 300_000]
    assert received.body == whole


def test_informational_flood(emulator, raw, id, whole):
    emulator.faults.add("informational_flood", count=2000)
    content = raw.get(id).content
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    assert content.startswith(early * 2000 + b"HTTP/1.1 200 OK\r\n")
    assert content.endswith(b"\r\n\r\n" + whole)


def test_unexpected_101(emulator, raw, id):
    emulator.faults.add("unexpected_101")
    received = raw.get(id, keep=True)
    assert (received.status, received.body, received.end) == (101, b"", "fin")
    assert received.header("Upgrade") == ["websocket"]


def test_complete_response_keeps_the_connection_open(emulator, raw, id, whole):
    """What is wrong with it may show only on the next request."""
    emulator.faults.add("header_flood", count=1, times=1)
    line = raw.connect()
    line.send("GET", f"/api/v1/qualification_session/{id}", keep=True)
    line.send("GET", f"/api/v1/qualification_session/{id}")
    assert line.receive().content.count(whole) == 2
