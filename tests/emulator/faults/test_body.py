"""Well-formed responses with an unexpected body or content type, as a socket sees them."""

import gzip
import json
import time
import zlib
from email.utils import parsedate_to_datetime

import pytest


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add(
        qualification_session_id="qs_1", user_name="Robin Example", eligible_amount=12.5
    )


@pytest.fixture
def body(raw, id):
    return raw.get(id).body


def test_wrong_content_type(emulator, raw, id, body):
    emulator.faults.add("wrong_content_type", content_type="application/octet-stream")
    received = raw.get(id)
    assert received.header("Content-Type") == ["application/octet-stream"]
    assert received.body == body


@pytest.mark.parametrize("status", [200, 502])
def test_html_error_page(emulator, raw, id, status):
    emulator.faults.add("html_error_page", status=status)
    received = raw.update(id)
    assert received.status == status
    assert received.header("Content-Type") == ["text/html"]
    assert received.body.startswith(b"<!DOCTYPE html>")
    assert emulator.state.qualification_sessions.get(id).user_id == "u"


def test_empty_200(emulator, raw, id):
    emulator.faults.add("empty_200")
    received = raw.get(id)
    assert (received.status, received.body) == (200, b"")
    assert received.header("Content-Length") == ["0"]
    assert received.header("Content-Type") == ["application/json"]


def test_unexpected_204(emulator, raw, id):
    emulator.faults.add("unexpected_204")
    received = raw.update(id)
    assert (received.status, received.body) == (204, b"")
    assert emulator.state.qualification_sessions.get(id).user_id == "u"


def test_invalid_utf8(emulator, raw, id, body):
    emulator.faults.add("invalid_utf8")
    received = raw.get(id)
    with pytest.raises(UnicodeDecodeError):
        received.body.decode()
    assert json.loads(received.body.decode("latin-1")) == {"x_text": "\xff\xfe", **json.loads(body)}


def test_bad_gzip(emulator, raw, id):
    emulator.faults.add("bad_gzip")
    received = raw.get(id)
    assert received.header("Content-Encoding") == ["gzip"]
    assert received.header("Content-Length") == [str(len(received.body))]
    with pytest.raises(zlib.error):
        gzip.decompress(received.body)


def test_deep_json(emulator, raw, id):
    emulator.faults.add("deep_json", depth=50_000)
    received = raw.get(id)
    assert received.body == b'{"x_deep":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with pytest.raises(RecursionError):
        received.json  # noqa: B018 - the access is the test


@pytest.mark.parametrize("seconds", [86_400, -86_400, 0])
def test_clock_skew(emulator, raw, id, seconds):
    emulator.faults.add("clock_skew", seconds=seconds)
    begin = time.time()
    (date,) = raw.get(id).header("Date")
    assert begin - 1 <= parsedate_to_datetime(date).timestamp() - seconds <= time.time()  # whole seconds


def test_clock_skew_applies_to_responses_of_other_faults(emulator, raw):
    """A later fault builds on an earlier one, those that answer in place of the handler included."""
    emulator.faults.add("clock_skew", seconds=-3600)
    emulator.faults.add("status", code=503)
    emulator.faults.add("partial_headers")
    begin = time.time()
    received = raw.list()
    assert received.content.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    (date,) = [line for line in received.content.decode().split("\r\n") if line.startswith("Date: ")]
    assert begin - 1 <= parsedate_to_datetime(date[6:]).timestamp() + 3600 <= time.time()


# JSON of another shape


def test_missing_field(emulator, raw, id, body):
    emulator.faults.add("missing_field", path="email")
    expected = json.loads(body)
    del expected["email"]
    assert raw.get(id).json == expected


def test_null_field(emulator, raw, id, body):
    emulator.faults.add("null_field", path="status")
    assert raw.get(id).json == {**json.loads(body), "status": None}


def test_wrong_type(emulator, raw, id, body):
    before = json.loads(body)
    for path, expected in [("status", 12345), ("eligible_amount", "text"), ("email", "text")]:
        with emulator.faults.add("wrong_type", path=path):
            assert raw.get(id).json == {**before, path: expected}
    emulator.faults.add("wrong_type", path="status", value={"a": [1]})
    assert raw.get(id).json == {**before, "status": {"a": [1]}}


def test_unknown_enum(emulator, raw, id, body):
    emulator.state.qualification_sessions.add(created_at=None)
    emulator.faults.add("unknown_enum")
    assert [row["status"] for row in raw.list().json["qualification_sessions"]] == ["brand_new"] * 2
    emulator.faults.clear()
    emulator.faults.add("unknown_enum", path="session_type", value="telepathy")
    assert raw.get(id).json == {**json.loads(body), "session_type": "telepathy"}


def test_null_pagination(emulator, raw, id):
    emulator.faults.add("null_pagination")
    received = raw.list().json
    assert received["pagination"] is None
    assert len(received["qualification_sessions"]) == 1


def test_unknown_fields(emulator, raw, id, body):
    before = raw.list().json
    emulator.faults.add("unknown_fields")
    new = {"x_unknown": {"list": [1, None, "é"]}, "x_null": None}
    (row,) = before["qualification_sessions"]
    assert raw.list().json == {
        "qualification_sessions": [{**row, **new}],
        "pagination": {**before["pagination"], **new},
        **new,
    }


def test_nan(emulator, raw, id, body):
    for value in ("NaN", "Infinity", "-Infinity"):
        with emulator.faults.add("nan", value=value):
            assert raw.get(id).body == body[:-1] + f',"x_number":{value}}}'.encode()
    emulator.faults.add("nan", path="qualification_sessions.*.eligible_amount")
    assert b'"eligible_amount":NaN,' in raw.list().body


def test_huge_number(emulator, raw, id, body):
    emulator.faults.add("huge_number", digits=6000, path="eligible_amount")
    assert raw.get(id).body == body.replace(b":12.5,", b":" + b"9" * 6000 + b",")


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("qualification_sessions.0.status", 1),
        ("qualification_sessions.*.status", 3),
        ("qualification_sessions.*.*", 57),
        ("qualification_sessions.*", 3),
        ("qualification_sessions", 1),
        ("**.status", 3),
        ("*.count", 1),
        ("**.*", 2 + 4 + 3 + 57),
    ],
)
def test_missing_field_finds_places_by_path(emulator, raw, path, count):
    for _ in range(3):
        emulator.state.qualification_sessions.add()

    def members(node):
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return sum(1 + members(child) for child in children)

    before = raw.list().json
    emulator.faults.add("missing_field", path=path)
    after = raw.list().json
    if path == "qualification_sessions":
        assert after == {"pagination": before["pagination"]}
    elif path == "qualification_sessions.*":
        assert after["qualification_sessions"] == []
    elif path == "**.*":
        assert after == {}
    else:
        assert members(before) - members(after) == count


@pytest.mark.parametrize("name", ["missing_field", "null_field", "wrong_type", "nan", "huge_number", "unknown_enum"])
def test_path_without_match_is_500(emulator, raw, id, name):
    """A fault that quietly does nothing would make a test that proves nothing."""
    emulator.faults.add(name, path="nowhere.0.at_all")
    received = raw.get(id)
    assert (received.status, received.json["error"]) == (500, "FaultNotApplicable")
    assert "nowhere.0.at_all" in received.json["message"]


def test_error_responses_are_unchanged(emulator, raw):
    emulator.faults.add("missing_field", path="status")
    assert raw.get("qs_none").json["error"] == "NotFound"


@pytest.mark.parametrize("path", ["", "a..b", "**", "a.**.b", "**.**.a", "."])
def test_rejects_invalid_paths(emulator, path):
    with pytest.raises(ValueError, match="missing_field: path must be"):
        emulator.faults.add("missing_field", path=path)
