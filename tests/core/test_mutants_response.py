"""Reading an answer, to the last field: every problem says where it comes from, and nothing is boxed that is absent."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from tests.support.fake_transport import KEYED, NOW, SAFE, UNKEYED, raw
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.response import BODY_LIMIT, ERROR_BODY_LIMIT, RawResponse, looks_truncated, read_response
from truemed_async.errors import APIError, DecodeError, ProtocolError, TruncatedResponseError, UnexpectedRedirectError


def failure(answer: RawResponse, endpoint: Endpoint[Any] = SAFE) -> AttemptFailure:
    found = read_response(answer, endpoint, NOW)
    assert isinstance(found, AttemptFailure)
    return found


def test_eight_mebibytes_of_an_answer_are_read_and_64_kibibytes_of_an_error():
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
    found = failure(raw(status, body, x_request_id="r-1"))
    assert (found.error, found.reason, found.status, found.request_id) == (error, reason, status, "r-1")
    assert found.path == ""


def test_an_answer_that_does_not_state_its_length_has_not_announced_it():
    answer = RawResponse(200, CIMultiDict(), b"")
    assert answer.has_length is False
    assert failure(answer).error is TruncatedResponseError


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"message": null, "redirect_url": null}'])
@pytest.mark.parametrize("status", [404, 422, 500])
def test_what_an_error_does_not_hold_is_none_and_not_a_box_around_it(status, body):
    found = failure(raw(status, body))
    assert (found.message, found.redirect_url) == (None, None)
    assert (found.body is None) == (body in (b"", b"null"))


@pytest.mark.parametrize("endpoint", [SAFE, KEYED, UNKEYED])
def test_a_408_may_have_been_applied_even_where_the_server_wants_no_repeat(endpoint):
    """It stands with 500, 502, 503 and 504: a complete answer to a request whose effect is not known."""
    found = failure(raw(408, x_should_retry="false"), endpoint)
    assert (found.outcome, found.max_retries) == ("unknown", 0)
    assert failure(raw(407), endpoint).outcome == "rejected"


def test_a_date_in_retry_after_counts_from_the_time_of_the_answer():
    """Without a `Date` of its own, an answer's time is the time it is read at, which is 09:30:00 here."""
    found = failure(raw(429, retry_after="Sat, 21 Nov 2026 09:30:30 GMT"))
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
def test_an_escaped_backslash_and_an_escaped_quote_are_told_apart(body, early):
    """All of these are not JSON; only those that could go on to be are cut short."""
    assert looks_truncated(body) is early
    assert failure(raw(body=body)).error is (TruncatedResponseError if early else DecodeError)
