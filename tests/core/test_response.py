"""Reading an answer: what each status, body and header means. The expectations are Truemed's pages and RFC 9110."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import NoneType
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from multidict import CIMultiDict

from tests.support.clock import NOW
from tests.support.fake_transport import KEYED, SAFE, UNKEYED, ends_within, fixtures, make_response
from tests.support.scale import scale
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.response import (
    BODY_LIMIT,
    ERROR_BODY_LIMIT,
    RawResponse,
    Response,
    looks_truncated,
    parse_retry_after,
    read_response,
)
from truemed_async.endpoints import ENDPOINTS, GET_QUALIFICATION_SESSION, LIST_QUALIFICATION_SESSIONS
from truemed_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CallError,
    ConflictError,
    DecodeError,
    IdempotencyMismatchError,
    NotFoundError,
    PaymentMethodError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    ServerError,
    TruncatedResponseError,
    UnexpectedRedirectError,
    UnprocessableError,
    UserIdAlreadySetError,
)
from truemed_async.models import PaymentCancellation, QualificationSession

pytestmark = pytest.mark.kills("truemed_async._core.response")

RETRIED = None  # as often as the policy allows
NEVER = 0


def failure(response: RawResponse, endpoint: Endpoint[Any] = SAFE) -> AttemptFailure:
    found = read_response(response, endpoint, NOW)
    assert isinstance(found, AttemptFailure)
    return found


def error_of(found: AttemptFailure) -> CallError:
    return found.to_error(
        endpoint="x.y", attempts=1, outcome=found.outcome, idempotency_key=None, retries_suppressed=False
    )


# --- success ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_2xx_with_json_is_the_value(status):
    assert read_response(make_response(status, b' \n{"a": 1}'), SAFE, NOW) == {"a": 1}


def test_response_may_be_a_list():
    assert read_response(make_response(body=b"[1, 2]"), Endpoint("x.y", "GET", "/x", list), NOW) == [1, 2]


@pytest.mark.parametrize("body", [b"", b"{}", b"anything"])
def test_endpoint_without_a_result_reads_nothing(body):
    assert read_response(make_response(204, body), Endpoint("x.y", "POST", "/x", NoneType), NOW) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b' {"a": 1}'])
def test_endpoint_without_result_accepts_any_json(body):
    assert read_response(make_response(200, body), Endpoint("x.y", "POST", "/x", NoneType), NOW) is None


def test_foreign_page_is_a_decode_error_without_result_type():
    found = failure(make_response(200, b"<html>sign in to the network"), Endpoint("x.y", "POST", "/x", NoneType))
    assert (found.error, found.reason) == (DecodeError, "the response is not JSON")


@pytest.mark.parametrize(("status", "has_length"), [(200, True), (204, False), (205, False)])
def test_empty_body_is_accepted_without_required_fields(status, has_length):
    found = read_response(
        make_response(status, b"", has_length=has_length), Endpoint("x.y", "POST", "/x", PaymentCancellation), NOW
    )
    assert found == PaymentCancellation()


@pytest.mark.parametrize("result", [QualificationSession, dict, list])
def test_empty_body_with_required_fields_fails(result):
    found = failure(make_response(200, b"", has_length=True), Endpoint("x.y", "POST", "/x", result))
    assert (found.error, found.reason) == (DecodeError, "the response is not JSON")


def test_possibly_truncated_body_is_not_an_empty_response():
    found = failure(make_response(200, b"", has_length=False), Endpoint("x.y", "POST", "/x", PaymentCancellation))
    assert found.error is TruncatedResponseError


@pytest.mark.parametrize("status", [204, 205])
@pytest.mark.parametrize("has_length", [True, False])
def test_unexpected_204_is_a_decode_error(status, has_length):
    """Such an answer has no body and no Content-Length by definition, so it cannot have been cut short."""
    found = failure(make_response(status, b"", has_length=has_length))
    assert (found.error, found.outcome, found.max_retries) == (DecodeError, "unknown", NEVER)


@pytest.mark.parametrize("body", [b"<!doctype html><p>canary", b"canary", b'"canary"', b"1", b"null", b"   ", b"\xff\xfe{"])  # fmt: skip
def test_body_that_is_not_json_is_a_decode_error_at_once(body):
    found = failure(make_response(body=body, has_length=False))
    assert (found.error, found.outcome, found.max_retries) == (DecodeError, "unknown", NEVER)
    assert found.reason == "the response is not JSON"
    assert "canary" not in repr(found)


def test_empty_body_of_a_stated_length_is_whole_and_one_of_no_length_may_be_cut():
    assert failure(make_response(body=b"", has_length=True)).error is DecodeError
    assert failure(make_response(body=b"", has_length=False)).error is TruncatedResponseError


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": Infinity}', b"[1,]", b"{'a': 1}", b'{"a": 1}}', b'{"a": 1}canary', b'{"a":}', b"[1 2]", b'{"a": "\xff\xfe"}', b'["\\ud800"]', b'["\x01"]', b"[1e400]", b"{}{}", b"[" * 2000 + b"]" * 2000])  # fmt: skip
def test_malformed_but_complete_json_is_a_decode_error_at_once(body):
    found = failure(make_response(body=body))
    assert (found.error, found.outcome, found.max_retries) == (DecodeError, "unknown", NEVER)
    assert found.reason == "the response is malformed JSON"


def test_decode_error_has_path_and_expectation_but_no_value():
    body = {"qualification_sessions": [{"qualification_session_id": "qs_1", "status": "x", "email": ["canary"]}]}
    found = failure(make_response(body=body), LIST_QUALIFICATION_SESSIONS)
    assert (found.error, found.outcome, found.max_retries) == (DecodeError, "unknown", NEVER)
    assert found.path == "qualification_sessions[0].email"
    assert found.reason == "expected a string at qualification_sessions[0].email"
    assert "canary" not in repr(found)
    error = error_of(found)
    assert isinstance(error, DecodeError)
    assert error.path == found.path


def test_decode_error_of_the_whole_body_has_no_path():
    found = failure(make_response(body=b"[]"), GET_QUALIFICATION_SESSION)
    assert (found.path, found.reason) == ("", "expected an object at the top")


@pytest.mark.parametrize(("endpoint", "sample"), [pytest.param(e, s, id=f"{e}: {s['about']}") for e, s in fixtures()])
def test_documented_samples_are_read(endpoint, sample):
    """Each sample names its page."""
    (found,) = [each for each in ENDPOINTS if each.name == endpoint]
    response = sample["response"]
    value = read_response(make_response(response["status"], response["body"]), found, NOW)
    assert isinstance(value, AttemptFailure) == (not 200 <= response["status"] < 300)


# --- cut short ----------------------------------------------------------------------------------------------------

DOCUMENTS = [
    json.dumps(sample["response"]["body"], ensure_ascii=False).encode()
    for _, sample in fixtures()
    if sample["response"]["status"] == 200
] + [
    b"[]",
    b"{}",
    b'{"a":"]]}}\\"[{\\\\"}',
    b'{"a":"\\\\\\"","b":["\\u007b",{"[":"{"}],"c":-1.5e+10,"d":true,"e":null}',
    '[["é\U0001f9ea\u2028"],[[[{"\U0001f9ea":"\\ud83e\\uddea"}]]]]'.encode(),
    b' { "a" : [ 1 , 2 ] }',
    b"[" * 500 + b"]" * 500,
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_every_strict_prefix_of_json_is_recognised_as_cut_short(document):
    start = len(document) - len(document.lstrip())
    assert not isinstance(
        read_response(make_response(body=document), Endpoint("x.y", "GET", "/x", Any), NOW), AttemptFailure
    )
    for length in range(start + 1, len(document)):
        found = failure(make_response(body=document[:length]))
        assert (found.error, found.outcome, found.max_retries) == (TruncatedResponseError, "unknown", RETRIED), length


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\[]{}ab', max_size=4), inner, max_size=4),
)


@pytest.mark.many_examples
@settings(max_examples=scale(60, 1_000))
@given(st.lists(JSON, min_size=1) | st.dictionaries(st.text('"\\[]{}'), JSON, min_size=1), st.booleans(), st.data())
def test_every_strict_prefix_of_any_json_is_recognised_as_cut_short(value, ascii_only, data):
    document = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert not looks_truncated(document)
    assert looks_truncated(document[: data.draw(st.integers(1, len(document) - 1))])


@pytest.mark.many_examples
@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (b"", b'"'), (b"", b"["), (b"", b"]"), (b"[", b"\\"), (b'["', b"\\"), (b'["', b"a"), (b"[", b'"\\'), (b'["', b'\\"'),
        (b"", b'{"a":'), (b"", b'["",'),
    ],
    ids=["quotes", "open", "close", "backslashes", "escapes", "text", "quote-escape", "escaped quotes", "deep", "empty"],
)  # fmt: skip
def test_truncation_check_of_largest_body_is_linear(start, repeated):
    """Backtracking over 8 MiB would take years, so any bound that a slow machine meets detects it."""
    body = start + repeated * ((BODY_LIMIT - len(start)) // len(repeated))
    with ends_within(20):
        looks_truncated(body)
        read_response(make_response(body=body), SAFE, NOW)


# --- redirects and what is not an answer --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_redirect_is_rejected_without_showing_where_it_leads(status):
    found = failure(make_response(status, b"", location="https://canary.example/", x_request_id="r-1"), KEYED)
    assert (found.error, found.outcome, found.max_retries) == (UnexpectedRedirectError, "rejected", NEVER)
    assert str(status) in found.reason
    assert found.request_id == "r-1"
    assert "canary" not in repr(found)


@pytest.mark.parametrize("status", [101, 102, 199])
def test_interim_status_is_a_failure(status):
    """RFC 9110, 15.2: a final response has a status of 200 or more; the outcome is unknown."""
    found = failure(make_response(status, b""), KEYED)
    assert found.error in (ProtocolError, DecodeError)
    assert (found.outcome, found.max_retries) == ("unknown", NEVER)


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "outcome", "retries"),
    [
        (400, BadRequestError, "rejected", NEVER),
        (401, AuthenticationError, "rejected", NEVER),
        (403, PermissionDeniedError, "rejected", NEVER),
        (404, NotFoundError, "rejected", NEVER),
        (405, APIError, "rejected", NEVER),
        (406, APIError, "rejected", NEVER),
        (408, APIError, "unknown", RETRIED),
        (409, ConflictError, "rejected", NEVER),
        (413, APIError, "rejected", NEVER),
        (418, APIError, "rejected", NEVER),
        (422, UnprocessableError, "rejected", NEVER),
        (425, APIError, "rejected", RETRIED),
        (429, RateLimitedError, "rejected", RETRIED),
        (499, APIError, "rejected", NEVER),
        (500, ServerError, "unknown", RETRIED),
        (501, ServerError, "rejected", NEVER),
        (502, ServerError, "unknown", RETRIED),
        (503, ServerError, "unknown", RETRIED),
        (504, ServerError, "unknown", RETRIED),
        (505, ServerError, "unknown", NEVER),
        (507, ServerError, "unknown", NEVER),
        (520, ServerError, "unknown", NEVER),
        (599, ServerError, "unknown", NEVER),
    ],
)
@pytest.mark.parametrize("endpoint", [SAFE, KEYED, UNKEYED], ids=["GET", "POST with key", "POST without key"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>canary</html>", b"[]", b'["canary"]', b"{}", b"null", b'{"error": "Canar', b'{"error": 1}',
        b'{"error": null, "message": ["canary"]}', b'{"error": {"canary": 1}, "message": 2}', b"\xff\xfe\x00",
        b'{"error": "SomethingNew", "message": "canary"}', b"[" * 100_000, b'{"redirect_url": 1}',
    ],
    ids=range(14),
)  # fmt: skip
def test_status_decides_whatever_the_body_is(status, error, outcome, retries, endpoint, body):
    """Each page's table of errors (400, 404, 405, 500, 501), and RFC 9110 for the others."""
    found = failure(make_response(status, body), endpoint)
    assert (found.error, found.outcome, found.max_retries) == (error, outcome, retries)
    assert found.status == status
    assert str(status) in found.reason
    assert "canary" not in repr(found)
    raised = error_of(found)
    assert isinstance(raised, APIError)
    assert raised.status == status
    assert "canary" not in f"{raised} {raised!r} {raised.args} {vars(raised)}"


def test_error_message_and_body_are_attributes_but_not_text():
    """Truemed developer documentation, errors: {"error": ..., "message": ...}."""
    body = {"error": "ValidationError", "message": "canary@example.com is unknown", "more": [1]}
    found = failure(make_response(400, body, x_request_id="r-1"))
    error = error_of(found)
    assert isinstance(error, BadRequestError)
    assert (error.status, error.code, error.message, error.body) == (400, "ValidationError", body["message"], body)
    assert (
        str(error)
        == "request r-1: x.y: 400 Bad Request, ValidationError (1 attempt; outcome rejected: it had no effect)"
    )
    assert "canary" not in f"{found!r} {error} {error!r} {error.args} {vars(error)}"
    assert error.__notes__ == ["error.message is the server's explanation; it may quote personal data"]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (
            401,
            "Unauthorized",
            "401 Unauthorized: the server does not know this API key; is it a key of another environment?",
        ),
        (404, "NotFound", "404 Not Found: there is no such object for this API key"),
        (403, "Forbidden", "403 Forbidden"),
        (409, "Locked", "409 Conflict, Locked"),
    ],
)
def test_reason_names_what_to_check_and_no_code_that_repeats_the_status(status, code, expected):
    assert failure(make_response(status, {"error": code})).reason == expected


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b"", None),
        (b"<p>x\xff</p>", "<p>x\ufffd</p>"),
        (b"[1]", [1]),
        (b"null", None),
        (b'{"error": "X', '{"error": "X'),
    ],
)
def test_body_of_an_error_is_parsed_or_text_or_nothing(body, rest):
    error = error_of(failure(make_response(400, body)))
    assert isinstance(error, APIError)
    assert error.body == rest
    assert error.message is None
    assert error.code is None


@pytest.mark.parametrize("code", ["canary@example.com", "canary canary", "a" * 65, "1st", "", "canary\nx", "ä"])
def test_code_that_does_not_look_like_one_is_in_the_body_only(code):
    error = error_of(failure(make_response(400, {"error": code})))
    assert isinstance(error, APIError)
    assert error.code is None
    assert error.body == {"error": code}
    assert str(error) == "x.y: 400 Bad Request (1 attempt; outcome rejected: it had no effect)"


def test_empty_status_has_a_repr():
    assert failure(make_response(599)).reason == "599 unknown status"


@pytest.mark.parametrize(("endpoint", "outcome"), [(SAFE, "unknown"), (KEYED, "unknown"), (UNKEYED, "unknown")])
def test_documented_400_server_error_is_a_server_error_and_retried(endpoint, outcome):
    """Truemed, capture and void: `ServerError` may be retried with the same idempotency_key."""
    found = failure(make_response(400, {"error": "ServerError", "message": "try again"}), endpoint)
    assert (found.error, found.outcome, found.max_retries) == (ServerError, outcome, RETRIED)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "ServerError"), (409, "ServerError"), (422, "ServerError"), (400, "servererror"), (400, "Server Error")],
)
def test_400_with_another_code_is_no_server_error(status, code):
    found = failure(make_response(status, {"error": code}), KEYED)
    assert found.error is not ServerError
    assert found.max_retries == NEVER


def test_user_id_already_set_has_its_own_error():
    """Truemed guide, "Update a Qualification Session": user_id_already_set with a 409; contact Truemed support."""
    found = failure(make_response(409, {"error": "user_id_already_set", "message": "canary"}), KEYED)
    assert (found.error, found.outcome, found.max_retries) == (UserIdAlreadySetError, "rejected", NEVER)
    assert "support" in str(error_of(found))
    assert failure(make_response(409, {"error": "duplicate_sku"}), KEYED).error is ConflictError
    assert failure(make_response(400, {"error": "user_id_already_set"}), KEYED).error is BadRequestError


@pytest.mark.parametrize(
    "body",
    [
        {"error": "ValidationError", "message": "This idempotency_key was used with a different payload"},
        {"error": "ValidationError", "message": "Idempotency key reused"},
        {"error": "IdempotencyMismatch", "message": ""},
    ],
)
def test_reused_key_has_its_own_error(body):
    """Truemed guide, "Update a Qualification Session": "returns a 400 validation error"."""
    found = failure(make_response(400, body), KEYED)
    assert (found.error, found.outcome, found.max_retries) == (IdempotencyMismatchError, "rejected", NEVER)
    assert failure(make_response(400, body), SAFE).error is BadRequestError
    assert failure(make_response(404, body), KEYED).error is NotFoundError


def test_another_validation_error_is_a_bad_request():
    assert (
        failure(make_response(400, {"error": "ValidationError", "message": "metadata"}), KEYED).error is BadRequestError
    )


def test_declined_payment_method_has_a_hidden_redirect_url():
    """Truemed, create payment session: a 422 carries redirect_url when a stored token cannot be charged."""
    found = failure(make_response(422, {"error": "CardDeclined", "redirect_url": "https://canary.example/"}), KEYED)
    assert (found.error, found.outcome, found.max_retries) == (PaymentMethodError, "rejected", NEVER)
    error = error_of(found)
    assert isinstance(error, PaymentMethodError)
    assert error.redirect_url == "https://canary.example/"
    assert "canary" not in f"{found!r} {error} {error!r} {vars(error)}"
    assert failure(make_response(422, {"redirect_url": None}), KEYED).error is UnprocessableError


# --- the server's own word ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "word", "retries"),
    [
        (500, {}, "false", NEVER),
        (429, {}, "false", NEVER),
        (404, {}, "true", RETRIED),
        (507, {}, "true", RETRIED),
        (500, {}, "perhaps", RETRIED),
        (404, {}, "1", NEVER),
        (500, {}, "", RETRIED),
        (400, {"error": "ServerError"}, "false", RETRIED),  # the body's word goes first
        (409, {}, "true", NEVER),  # documented as final
        (422, {}, "true", NEVER),
        (501, {}, "true", NEVER),
    ],
)
def test_x_should_retry_beats_the_status_but_not_the_body(status, body, word, retries):
    """The body's code goes first, then the header, then the status; other values of the header mean nothing."""
    assert failure(make_response(status, body, x_should_retry=word), KEYED).max_retries == retries


def test_server_error_that_must_not_be_retried_may_still_have_been_applied():
    assert failure(make_response(500, x_should_retry="false"), UNKEYED).outcome == "unknown"


@pytest.mark.parametrize(
    ("status", "header", "throttled", "wait"),
    [
        (429, None, True, None),
        (429, "7", True, 7.0),
        (503, None, False, None),
        (503, "7", True, 7.0),
        (503, "soon", False, None),
        (500, "7", False, 7.0),
        (404, "7", False, 7.0),
    ],
)
def test_rate_limited_and_unavailable_responses_lower_the_rate(status, header, throttled, wait):
    headers = {} if header is None else {"retry_after": header}
    found = failure(make_response(status, **headers))
    assert (found.throttled, found.retry_after) == (throttled, wait)
    if status == 429:
        error = error_of(found)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == wait


# --- Retry-After --------------------------------------------------------------------------------------------------

DATE = "Sat, 21 Nov 2026 09:30:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", None, 0.0), ("7", None, 7.0), (" 7\t", None, 7.0), ("007", None, 7.0), ("9999999999", None, 9999999999.0),
        ("99999999999", None, None), ("9" * 5000, None, None),
        ("", None, None), (" ", None, None), ("-1", None, None), ("+1", None, None), ("1.5", None, None),
        ("1,5", None, None), ("1_000", None, None), ("1e3", None, None), ("1e400", None, None), ("0x10", None, None),
        ("nan", None, None), ("inf", None, None), ("-inf", None, None), ("Infinity", None, None),
        ("١٢", None, None), ("１２", None, None), ("²", None, None), ("7 seconds", None, None), ("soon", None, None),
        ("Sat, 21 Nov 2026 09:30:30 GMT", None, 30.0),
        ("Sat, 21 Nov 2026 09:29:00 GMT", None, 0.0),
        ("Sat, 21 Nov 2026 09:30:30 -0000", None, 30.0),
        ("Sat, 21 Nov 2026 09:30:30", None, 30.0),
        ("Sat, 21 Nov 2026 11:30:30 +0200", None, 30.0),
        ("Saturday, 21-Nov-26 09:30:30 GMT", None, 30.0),
        ("Sat Nov 21 09:30:30 2026", None, 30.0),
        ("Sat, 21 Nov 99999 09:30:30 GMT", None, None),
        ("Sat, 41 Nov 2026 09:30:30 GMT", None, None),
        ("Sat, 21 Nov 2026 09:30:30 +9999", None, None),
        # the answer's own clock counts, not this machine's
        ("Sat, 21 Nov 2026 03:00:30 GMT", "Sat, 21 Nov 2026 03:00:00 GMT", 30.0),
        ("Sat, 21 Nov 2037 03:00:30 GMT", "Sat, 21 Nov 2037 03:00:00 GMT", 30.0),
        ("Sat, 21 Nov 2026 03:00:30 GMT", "Sat, 21 Nov 2026 03:00:31 GMT", 0.0),
        ("7", "Sat, 21 Nov 2037 03:00:00 GMT", 7.0),
        ("Sat, 21 Nov 2026 09:30:30 GMT", "canary", 30.0),
        ("Sat, 21 Nov 2026 09:30:30 GMT", "", 30.0),
        ("Sat, 21 Nov 2026 09:30:30 GMT", "Sat, 21 Nov 2026 09:30:00", 30.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_absent(value, date, seconds):
    """RFC 9110, 10.2.3."""
    headers = CIMultiDict({"Retry-After": value}, **({} if date is None else {"Date": date}))
    assert parse_retry_after(headers, NOW) == seconds


def test_without_retry_after_there_is_nothing_to_wait_for():
    assert parse_retry_after(CIMultiDict(), NOW) is None


# hypothesis takes naive bounds.
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda t: t.strftime("%d %b %Y %H:%M:%S"))  # noqa: DTZ001  # headers have no zone
HEADERS = st.text(max_size=30) | st.builds("{} {}".format, MOMENTS, st.sampled_from(["GMT", "-0000", "", "+2359", "-2359", "EST"]))  # fmt: skip


@pytest.mark.many_examples
@settings(max_examples=scale(400, 2_000))
@given(HEADERS, HEADERS)
@example("01 Jan 0001 00:00:00 +2359", "31 Dec 9999 23:59:59 -2359")
@example("31 Dec 9999 23:59:59 -2359", "01 Jan 0001 00:00:00 +2359")
def test_any_retry_after_is_tolerated(value, date):
    found = parse_retry_after({"retry-after": value, "date": date}, NOW)
    assert found is None or 0 <= found < timedelta.max.total_seconds()


# --- request ids --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"X-Request-Id": "r-1"}, "r-1"),
        ({"request-id": "r-2"}, "r-2"),
        ({"request-id": "r-2", "x-request-id": "r-1"}, "r-1"),
        ({"x-request-id": "canary\n", "request-id": "r-2"}, "r-2"),
        ({"x-request-id": "canaryé"}, None),
        ({"x-request-id": "canary\x1b[31m"}, None),
        ({"x-request-id": "r" * 500}, "r" * 200),
    ],
)
def test_unsafe_request_id_is_not_shown(headers, found):
    assert RawResponse(200, CIMultiDict(headers), b"{}").request_id == found


def test_repr_of_a_response_shows_no_values():
    reply = RawResponse(200, CIMultiDict({"set-cookie": "canary"}), b'{"email": "canary"}')
    assert "canary" not in repr(reply)
    session = read_response(make_response(body={"qualification_session_id": "qs_1", "status": "x", "email": "canary"}), GET_QUALIFICATION_SESSION, NOW)  # fmt: skip
    assert isinstance(session, QualificationSession)
    response = Response(
        value=session, status=200, headers=reply.headers, request_id=None, attempts=1, elapsed=0.1, idempotency_key=None
    )  # fmt: skip
    assert "canary" not in repr(response)
    assert "['set-cookie']" in repr(response)


# --- exact messages, limits and edges -------------------------------------------------------------------------------


def test_eight_mebibytes_of_a_response_are_read_and_64_kibibytes_of_an_error():
    assert (BODY_LIMIT, ERROR_BODY_LIMIT) == (8_388_608, 65_536)


@pytest.mark.parametrize(
    ("status", "body", "error", "reason"),
    [
        (101, b"{}", ProtocolError, "the server sent status 101, which is not a final response"),
        (199, b"{}", ProtocolError, "the server sent status 199, which is not a final response"),
        (
            302,
            b"{}",
            UnexpectedRedirectError,
            "the server responded with a redirect (302), which was not followed",
        ),
        (200, b'{"a": ', TruncatedResponseError, "the response ended early"),
        (200, b"<html>", DecodeError, "the response is not JSON"),
        (200, b"[1,]", DecodeError, "the response is malformed JSON"),
        (200, b"[]", DecodeError, "expected an object at the top"),
        (405, b"{}", APIError, "405 Method Not Allowed"),
    ],
)
def test_every_problem_has_its_reason_the_status_and_the_request_id(status, body, error, reason):
    found = failure(make_response(status, body, x_request_id="r-1"))
    assert (found.error, found.reason, found.status, found.request_id) == (error, reason, status, "r-1")
    assert found.path == ""


def test_response_without_length_has_no_declared_length():
    response = RawResponse(200, CIMultiDict(), b"")
    assert response.has_length is False
    assert failure(response).error is TruncatedResponseError


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"message": null, "redirect_url": null}'])
@pytest.mark.parametrize("status", [404, 422, 500])
def test_absent_parts_of_an_error_are_none(status, body):
    found = failure(make_response(status, body))
    assert (found.message, found.redirect_url) == (None, None)
    assert (found.body is None) == (body in (b"", b"null"))


@pytest.mark.parametrize("endpoint", [SAFE, KEYED, UNKEYED])
def test_response_408_may_have_been_applied_even_where_the_server_wants_no_repeat(endpoint):
    """It stands with 500, 502, 503 and 504: a complete answer to a request whose effect is not known."""
    found = failure(make_response(408, x_should_retry="false"), endpoint)
    assert (found.outcome, found.max_retries) == ("unknown", 0)
    assert failure(make_response(407), endpoint).outcome == "rejected"


def test_date_in_retry_after_counts_from_the_time_of_the_response():
    """Without a `Date` of its own, an answer's time is the time it is read at, which is 09:30:00 here."""
    found = failure(make_response(429, retry_after="Sat, 21 Nov 2026 09:30:30 GMT"))
    assert found.retry_after == 30.0


@pytest.mark.parametrize(
    ("body", "early"),
    [
        (rb'{"a":"\\"}}', False),  # a backslash that is escaped escapes no quote
        (rb'["\\","]","a', True),
        (rb'["\""]]', False),  # a quote that is escaped ends no string
        (rb'["\"]","', True),
    ],
)
def test_escaped_backslash_and_an_escaped_quote_are_distinguished(body, early):
    """None of these is JSON; only prefixes of JSON count as truncated."""
    assert looks_truncated(body) is early
    assert failure(make_response(body=body)).error is (TruncatedResponseError if early else DecodeError)


BOM = b"\xef\xbb\xbf"


def test_byte_order_mark_before_json_is_ignored():
    assert read_response(make_response(body=BOM + b'{"a": 1}'), SAFE, NOW) == {"a": 1}
    assert failure(make_response(409, BOM + b'{"error": "user_id_already_set"}'), KEYED).error is UserIdAlreadySetError
    assert failure(make_response(body=BOM + b'{"a": ')).error is TruncatedResponseError
