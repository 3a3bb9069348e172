"""Ten thousand answers, valid and broken: each is a value or a problem, and no problem quotes what it found."""

from __future__ import annotations

import copy
from collections import Counter
from types import NoneType
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.clock import NOW
from tests.support.fake_transport import fixtures, make_response
from tests.support.scale import scale
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.response import read_response
from truemed_async.endpoints import ENDPOINTS
from truemed_async.errors import DecodeError, TruncatedResponseError

VALID = [
    (endpoint, sample["response"]["body"])
    for endpoint in ENDPOINTS
    for name, sample in fixtures()
    if name == endpoint.name and sample["response"]["status"] == 200
    if endpoint.result is not NoneType  # nothing is read then
]
LONG = "canary" * 10_923  # 64 kB
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.9, "", "canary", "false", "None", LONG, 1e308, -1e308, 2**63 - 1, 2**64 - 1, 9876543210123,
    "\U0001f9ea canary", "\u202ecanary\u202c", "canary\x00", [], ["canary"], {}, {"canary": "canary"}, [None], [[["canary"]]],
    "2024-13-45T99:99:99Z canary", "brand_new_canary", "2024-06-13T16:03:07.473Z", 1.5, {"a": {"b": [{"canary": 1}]}},
]  # fmt: skip
EDITS = ["drop", "replace", "add", "swap case", "nest", "duplicate row", "literal"]
LITERALS = [
    b"123456789012345678901234567890123",
    b"1e999",
    b"-0.0",
    b"NaN",
    b"canary",
    b'"\\ud800"',
    b'"\xff"',
    b"1.",
    b"[" * 1100,
]


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return every (container, key or index) of a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found.append((value, key))
        places(inner, found)
    return found


def edited(body: Any, edits: list[tuple[str, int, int]]) -> bytes:
    """Return the document after a few changes, each at some place, with some value."""
    document = [copy.deepcopy(body)]
    literal = b'"x"'
    for kind, where, what in edits:
        found = places(document, [])
        holder, key = found[where % len(found)]
        value = copy.deepcopy(VALUES[what % len(VALUES)])
        if kind == "drop":
            del holder[key]
        elif kind == "replace":
            holder[key] = value
        elif kind == "nest":
            holder[key] = [holder[key]] if what % 2 else {"canary": holder[key]}
        elif kind == "literal":
            holder[key], literal = "@literal@", LITERALS[what % len(LITERALS)]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == "swap case":
            holder[str(key).swapcase()] = holder.pop(key)
        else:
            holder[f"canary {what}"] = value
        if not document:
            return b""
    return orjson.dumps(document[0]).replace(b'"@literal@"', literal)


def test_any_body_is_a_value_or_a_failure_without_quotes():
    seen: Counter[str] = Counter()

    @settings(max_examples=scale(500, 10_000), suppress_health_check=list(HealthCheck))
    @given(
        st.integers(0, len(VALID) - 1),
        st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 500), st.integers(0, 500)), max_size=3),
        st.none() | st.integers(0, 99),
    )
    def check(which: int, edits: list[tuple[str, int, int]], percent: int | None) -> None:
        endpoint: Endpoint[Any] = VALID[which][0]
        body = edited(VALID[which][1], edits)
        found = read_response(
            make_response(body=body if percent is None else body[: len(body) * percent // 100]), endpoint, NOW
        )
        if isinstance(found, AttemptFailure):
            seen[found.error.__name__] += 1
            assert found.error in (DecodeError, TruncatedResponseError)
            output = repr(found)
            assert "canary" not in output
            assert "9876543210123" not in output
            assert len(output) < 500
        else:
            seen["value"] += 1
            assert isinstance(found, getattr(endpoint.result, "__origin__", endpoint.result))
            assert orjson.loads(orjson.dumps(found.to_dict())) == found.to_dict()
            assert (
                read_response(
                    make_response(body=orjson.dumps(found.to_dict())),
                    Endpoint("x.y", "GET", "/x", endpoint.result),
                    NOW,
                )
                == found
            )

    check()
    assert min(seen["value"], seen["DecodeError"], seen["TruncatedResponseError"]) > scale(50, 200), seen
