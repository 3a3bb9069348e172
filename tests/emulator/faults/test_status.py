"""Errors without an effect, always or only sometimes, as a socket sees them."""

import time
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from truemed_async.emulator.faults import status


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add()


def statuses(raw, count):
    return [raw.list().status for _ in range(count)]


@pytest.mark.parametrize(
    ("code", "error"), [(400, "BadRequest"), (429, "TooManyRequests"), (500, "ServerError"), (599, "Unknown")]
)
def test_status(emulator, raw, id, code, error):
    emulator.faults.add("status", code=code)
    received = raw.update(id)
    assert received.status == code
    assert received.json == {"error": error, "message": "this response was made by a fault"}
    assert received.header("Retry-After") == []
    assert emulator.state.qualification_sessions.get(id).user_id is None
    assert emulator.requests[-1].status == code


def test_status_sends_custom_error_and_message(emulator, raw):
    emulator.faults.add("status", code=403, error="", message="no", headers={"X-Request-Id": "req_1"})
    received = raw.list()
    assert received.json == {"error": "", "message": "no"}
    assert received.header("X-Request-Id") == ["req_1"]


@pytest.mark.parametrize(("value", "sent"), [(7, "7"), (0.5, "0.5"), ("soon", "soon"), (-1, "-1")])
def test_status_sends_retry_after(emulator, raw, value, sent):
    emulator.faults.add("status", code=503, retry_after=value)
    assert raw.list().header("Retry-After") == [sent]


def test_status_sends_retry_after_as_date(emulator, raw):
    emulator.faults.add("status", code=429, retry_after=120, http_date=True)
    begin = time.time()
    (date,) = raw.list().header("Retry-After")
    assert begin - 1 <= parsedate_to_datetime(date).timestamp() - 120 <= time.time()  # whole seconds


@pytest.mark.parametrize(("value", "sent"), [(True, "true"), (False, "false"), ("maybe", "maybe")])
def test_should_retry(emulator, raw, value, sent):
    emulator.faults.add("should_retry", value=value, code=500)
    received = raw.list()
    assert (received.status, received.header("x-should-retry")) == (500, [sent])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect(emulator, raw, id, status):
    emulator.faults.add("redirect", status=status, target="http://127.0.0.1:1/elsewhere")
    received = raw.update(id)
    assert (received.status, received.header("Location")) == (status, ["http://127.0.0.1:1/elsewhere"])
    assert emulator.state.qualification_sessions.get(id).user_id is None


def test_maintenance_page(emulator, raw):
    emulator.faults.add("maintenance_page", times=1)
    received = raw.list()
    assert (received.status, received.header("Content-Type")) == (503, ["text/html"])
    assert received.body.startswith(b"<!DOCTYPE html>")
    assert received.header("Retry-After") == []
    emulator.faults.add("maintenance_page", retry_after=30)
    assert raw.list().header("Retry-After") == ["30"]


def test_rate_limit(emulator, raw):
    fault = emulator.faults.add("rate_limit", n=3, per=60)
    assert statuses(raw, 5) == [200, 200, 200, 429, 429]
    assert fault.hits == 2
    (wait,) = raw.list().header("Retry-After")
    assert 15 <= int(wait) <= 20


def test_rate_limit_refills_over_time(emulator, raw):
    fault = emulator.faults.add("rate_limit", n=1, per=60)
    assert statuses(raw, 2) == [200, 429]
    fault.fault._updated -= 61  # as if it were a minute later
    assert statuses(raw, 2) == [200, 429]


@pytest.mark.parametrize(("kind", "count"), [("none", 0), ("exact", 1)])
def test_rate_limit_sends_retry_after(emulator, raw, kind, count):
    emulator.faults.add("rate_limit", n=20, per=60, burst=1, retry_after=kind)
    assert raw.list().status == 200
    received = raw.list()
    assert received.status == 429
    waits = received.header("Retry-After")
    assert len(waits) == count
    assert all(0 < float(wait) <= 3 for wait in waits)


def test_rate_limit_below_one_request_per_period_allows_one(emulator, raw):
    emulator.faults.add("rate_limit", n=0.02)
    assert statuses(raw, 2) == [200, 429]


def test_outage(emulator, raw, monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(status, "time", SimpleNamespace(monotonic=clock))
    fault = emulator.faults.add("outage", after=10, duration=5, code=502)
    seen = []
    for _ in range(4):
        seen.append(raw.list().status)
        clock.now += 5
    assert seen == [200, 200, 502, 200]
    assert fault.hits == 1
    assert len(emulator.faults) == 0


def test_fail_first(emulator, raw):
    fault = emulator.faults.add("fail_first", n=2, method="GET")
    assert statuses(raw, 4) == [503, 503, 200, 200]
    assert fault.hits == 2
    assert len(emulator.faults) == 0


def test_flaky(emulator, raw):
    fault = emulator.faults.add("flaky", p=0.5, code=500)
    seen = statuses(raw, 60)
    assert set(seen) == {200, 500}
    assert 15 <= seen.count(500) == fault.hits <= 45
    emulator.faults.clear()
    emulator.faults.add("flaky", p=0)
    assert statuses(raw, 5) == [200] * 5
