"""Arguments: what is accepted, and that what is refused is never quoted."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from yarl import URL

from truemed_async._validation import scalars, urls
from truemed_async.errors import InvalidArgumentError, TruemedError


def refused(function: Any, *arguments: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        function(*arguments)
    error = caught.value
    assert isinstance(error, TruemedError)
    assert isinstance(error, ValueError)
    assert error.__context__ is None
    assert "canary" not in f"{error} {error!r} {error.args} {vars(error)}"
    return str(error)


# --- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["qs_abc123", "0", "A", "a" * 128, "7d0c1f5e-2f0b-4c3e", "po_1-_"])
def test_id_of_letters_digits_underscores_and_hyphens_is_accepted(value):
    """Ids are opaque; Truemed's pages show `qs_abc123`, `qs_<uuid>` and UUIDs."""
    assert scalars.validate_id("id", value) == value


@pytest.mark.parametrize(
    "value",
    [
        "", ".", "..", "a/b", "a/../b", "%2e%2e", "a%2fb", "a\n", "\na", " a", "a ", "a\x00", "-a", "_a", "a" * 129,
        "canary?x=1", "canary#x", "canary;x", "a\\b", "ä", "١٢٣", "\ud800", "a\ud800", "ａ", "\u202ecanary",
        None, 1, True, b"qs_1", ["qs_1"],
    ],
)  # fmt: skip
def test_id_that_could_leave_its_route_is_rejected(value):
    assert refused(scalars.validate_id, "session_id", value).startswith("session_id must be")


# --- idempotency keys ---------------------------------------------------------------------------------------------


def test_generated_keys_are_unique():
    keys = {scalars.resolve_idempotency_key(None) for _ in range(100)}
    assert len(keys) == 100
    assert {uuid.UUID(key).version for key in keys} == {4}


@pytest.mark.parametrize("value", ["your-unique-key-123", "!", "~" * 255, '"\\', "a:b/c?d=e&f#g%20"])
def test_idempotency_key_of_caller_is_sent_unchanged(value):
    """Truemed guide, "Update a Qualification Session": "your-unique-key-123"."""
    assert scalars.resolve_idempotency_key(value) == value


@pytest.mark.parametrize(
    "value", ["", " ", "canary key", "canary\n", "canary\x7f", "canaryé", "c" * 256, 1, b"key", True]
)
def test_key_that_could_not_be_repeated_exactly_is_rejected(value):
    assert refused(scalars.resolve_idempotency_key, value).startswith("idempotency_key must be")


# --- text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["x", " ", "jane+1@example.com", "\U0001f9ea", "\u202e", "\x00"])
def test_text_is_passed_on_as_it_is(value):
    assert scalars.validate_text("search", value) == value


@pytest.mark.parametrize("value", ["", None, 1, True, b"x", ["x"], "canary\ud800"])
def test_text_that_cannot_be_sent_is_rejected(value):
    assert refused(scalars.validate_text, "search", value).startswith("search ")


def test_enum_is_text_too():
    from truemed_async.models import QualificationStatus

    assert scalars.validate_text("status", QualificationStatus.APPROVED) == "approved"


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 30, 10**9])
def test_page_is_a_whole_number_from_one(value):
    assert scalars.validate_positive_int("page", value) == value


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, float("nan")])
def test_any_other_page_is_rejected(value):
    assert refused(scalars.validate_positive_int, "page", value) == "page must be a whole number >= 1"


# --- days ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (date(2025, 1, 15), "2025-01-15"),
        (date(1, 1, 1), "0001-01-01"),
        ("2025-01-15", "2025-01-15"),
        ("2024-02-29", "2024-02-29"),
        (datetime(2025, 1, 15, 23, 59), "2025-01-15"),  # noqa: DTZ001
        (datetime(2025, 1, 15, 23, 59, tzinfo=UTC), "2025-01-15"),
        (datetime(2025, 1, 15, 23, 0, tzinfo=timezone(-timedelta(hours=5))), "2025-01-16"),
        (datetime(2025, 1, 15, 1, 0, tzinfo=timezone(timedelta(hours=2))), "2025-01-14"),
    ],
)
def test_day_is_a_date_a_time_in_utc_or_text(value, day):
    """Truemed API reference, "List Qualification Sessions": expires_at in YYYY-MM-DD format."""
    assert scalars.parse_date("expires_at", value) == day


@pytest.mark.parametrize(
    "value",
    [
        "2025-02-30", "2025-1-5", "20250115", "2025-W03-3", "2025-01-15T00:00:00Z", "canary", "", "٢٠٢٥-٠١-١٥",
        "2025-01-15\n", 20250115, None, True, timedelta(1),
    ],
)  # fmt: skip
def test_invalid_days_raise(value):
    assert refused(scalars.parse_date, "expires_at", value).startswith("expires_at must be a date")


@pytest.mark.parametrize(
    "value",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
    ],
)
def test_time_that_has_no_day_in_utc_is_rejected(value):
    with pytest.raises(InvalidArgumentError, match="expires_at must be a date"):
        scalars.parse_date("expires_at", value)


# --- metadata -----------------------------------------------------------------------------------------------------

HARMLESS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | HARMLESS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HARMLESS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(HARMLESS, JSON, max_size=4))
def test_metadata_mapping_is_sent_as_json_text(value):
    """Truemed guide, "Update a Qualification Session": metadata is a JSON-encoded string."""
    written = scalars.validate_metadata("metadata", value)
    assert json.loads(written) == value
    assert scalars.validate_metadata("metadata", written) == written
    assert scalars.validate_metadata("metadata", MappingProxyType(value)) == written


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        ' {"a" : 1} ',
        '{"order": "2607001444"}',
        '{"a":"\\ud83e\\uddea"}',
        "[]",
        '["a"]',
        "null",
        "1",
        "-1.5",
        '"a"',
    ],
)
def test_text_that_holds_json_is_sent_byte_for_byte(value):
    """Truemed guide, "Update a Qualification Session": metadata is a JSON-encoded string, whatever it encodes."""
    assert scalars.validate_metadata("metadata", value) == value


def circular() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    "value",
    [
        "", "canary", "NaN", '["canary"', '{"canary": NaN}', '{"canary": Infinity}',
        '{"canary": -Infinity}', '{"canary": 1,}', "{'canary': 1}", "[" * 100_000, '{"a":' * 100_000,
        None, 1, True, 1.5, b"{}", [], [("a", 1)], {"canary": float("nan")}, {"canary": float("inf")},
        {"canary": object()}, {"canary": b"x"}, {"canary": {1, 2}}, {"canary": "\ud800"}, {("canary",): 1}, circular(),
        {"canary": datetime(2025, 1, 15, tzinfo=UTC)},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_metadata_must_be_a_mapping_or_json_text(value):
    with pytest.raises(InvalidArgumentError, match="^metadata must be a mapping") as caught:
        scalars.validate_metadata("metadata", value)
    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
    assert caught.value.__context__ is None


# --- URLs of the shop ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "https://shop.example/ok",
        "HTTPS://shop.example/ok?a=b&c=%20#d",
        "https://shop.example/{{payment_session_id}}",
        "https://shop.example:8443/",
        "https://bücher.example/",
        "http://localhost:3000/ok",
        "http://127.0.0.1/ok",
        "http://[::1]:3000/ok",
    ],
)
def test_page_of_the_shop_is_sent_exactly_as_it_was_given(value):
    """Truemed guide, "Update a Qualification Session": success_url and failure_url."""
    assert urls.validate_web_url("success_url", value) == value


def test_page_may_be_a_parsed_url():
    assert urls.validate_web_url("success_url", URL("https://shop.example/ok?a=1")) == "https://shop.example/ok?a=1"


@pytest.mark.parametrize(
    "value",
    [
        "", "canary", "/canary", "//shop.example/", "https:", "https://", "https:shop.example", "https:/shop.example",
        "javascript:alert('canary')", "data:text/html,canary", "ftp://shop.example/", "file:///canary",
        "https://user@shop.example/", "https://user:canary@shop.example/", "https://:canary@shop.example/",
        "https://a\\@shop.example", "https://shop.example\\canary", "https://shop.example/a b",
        " https://shop.example/", "https://shop.example/\n", "https://shop.example/\x00", "https://shop.example/\x7f",
        "https://shop.example:99999/", "https://shop.example:port/", "https://[::1", "https://\u202eshop.example/",
        "http://shop.example/", "http://localhost.evil/", "http://127.0.0.1@evil/", "http://2130706433/",
        "http://0.0.0.0/", "http://10.0.0.1/", "https://shop.example/\ud800", None, 1, True, b"https://shop.example/",
    ],
)  # fmt: skip
def test_unsafe_urls_raise(value):
    assert refused(urls.validate_web_url, "success_url", value).startswith("success_url must")


# --- many ids -----------------------------------------------------------------------------------------------------


async def _many():
    yield "qs_1"


@pytest.mark.parametrize("value", [[], ("qs_1",), {"qs_1"}, iter(["qs_1"]), {"qs_1": 1}, _many()])
def test_ids_come_from_any_iterable(value):
    assert scalars.validate_iterable("ids", value) is value


@pytest.mark.parametrize("value", ["qs_canary", b"qs_canary", None, 1])
def test_string_is_not_an_iterable_of_ids(value):
    refused(scalars.validate_iterable, "ids", value)


class NotATime(datetime):
    """Like pandas' ``NaT``: a ``datetime`` that does not equal itself and has no date."""

    __hash__ = datetime.__hash__

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    def date(self):
        raise ValueError("NaTType does not support date")


@pytest.mark.parametrize("parse", [scalars.parse_date, scalars.parse_month, scalars.parse_datetime])
def test_not_a_time_is_rejected(parse):
    """pandas: ``isinstance(pandas.NaT, datetime)`` is true."""
    assert refused(parse, "since", NotATime(2026, 1, 1)).startswith("since must be a date")


FAR_WEST, FAR_EAST = timezone(timedelta(hours=-8)), timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    "value", [datetime.max.replace(tzinfo=FAR_WEST), datetime.min.replace(tzinfo=FAR_EAST)], ids=["last", "first"]
)
@pytest.mark.parametrize("parse", [scalars.parse_date, scalars.parse_month, scalars.parse_datetime])
def test_times_whose_utc_is_outside_the_calendar_are_rejected(parse, value):
    assert refused(parse, "since", value).startswith("since must be a date")


@pytest.mark.parametrize("value", [2**31, 10**400, 10**5000], ids=["32 bits", "no float", "no text"])
def test_numbers_that_no_request_can_mean_are_rejected(value):
    """Python raises ``OverflowError`` and ``ValueError`` of its own for the larger ones."""
    assert refused(scalars.validate_positive_int, "page", value) == "page must be at most 2147483647"
    assert refused(scalars.validate_seconds, "timeout", value) == "timeout must be at most 2147483647 seconds"
