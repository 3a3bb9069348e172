"""Verifying a signed delivery of 2 kB and parsing its event."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime

import orjson

from tests.benchmarks import suite
from truemed_async.webhooks import sign, verify_and_parse

GROUP = "webhooks"
SECRET = "a-secret-of-the-benchmarks"
DELIVERIES = 1_000


def delivery() -> bytes:
    """A signed qualification session event, with a field that the library does not know to make it 2 kB."""
    body = {
        "webhook_delivery_id": "d_1",
        "event_type": "qualification_session_complete",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {
            "qualification_session_id": "qs_abc123",
            "status": "approved",
            "email": "jane@example.com",
            "expires_at": "2027-10-01T12:00:00Z",
            "source": "email",
            "user_id": "user-1",
            "padding": "",
        },
    }
    body["data"]["padding"] = "x" * (2048 - len(orjson.dumps(body)))
    return orjson.dumps(body)


def measure(rounds: int) -> list[suite.Figure]:
    body = delivery()
    assert len(body) == 2048
    headers = {**sign(body, SECRET), "content-type": "application/json"}
    assert verify_and_parse(body, headers, secrets=SECRET).delivery_id == "d_1"

    def verify() -> int:
        for _ in range(DELIVERIES):
            verify_and_parse(body, headers, secrets=SECRET)
        return DELIVERIES

    times = suite.cpu_in_turns({"verify_and_parse": verify}, 3 * rounds)
    suite.show(times)
    value = 1 / statistics.median(times["verify_and_parse"])
    what = "verify_and_parse, 2 kB, signed"
    return [suite.Figure(group=GROUP, what=what, value=value, target=20_000, at_most=False, unit="/s")]
