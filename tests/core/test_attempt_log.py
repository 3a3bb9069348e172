"""What is logged of an attempt, to the word and the unit."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from truemed_async._core.attempt_log import log_attempt, log_level
from truemed_async.options import Attempt

pytestmark = pytest.mark.kills("truemed_async._core.attempt_log")


def attempt(**fields: Any) -> Attempt:
    """Return a success that took 1.25 s, changed as given."""
    usual: dict[str, Any] = {
        "endpoint": "things.get", "method": "GET", "route": "/things", "number": 2, "started_at": 1.0, "elapsed": 1.25,
        "status": 200, "error": None, "outcome": None, "request_id": "r-1", "retry_in": None,
        "server_address": "api.example.com", "server_port": 443, "rate_limit_wait": 0.0,
    }  # fmt: skip
    return Attempt(**{**usual, **fields})


FAILED = {"status": 503, "error": "ServerError", "outcome": "unknown"}


def test_failed_attempt_is_logged_at_info_and_success_at_debug():
    assert log_level(None) == logging.DEBUG
    assert log_level("ServerError") == logging.INFO


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "GET things.get: 200, request r-1, attempt 2, 1250 ms"),
        (FAILED, "GET things.get: ServerError (503), request r-1, attempt 2, 1250 ms, giving up"),
        (
            {**FAILED, "retry_in": 0.5},
            "GET things.get: ServerError (503), request r-1, attempt 2, 1250 ms, retrying in 0.50 s",
        ),
        ({**FAILED, "retry_in": 0.0}, "GET things.get: ServerError (503), request r-1, attempt 2, 1250 ms, retrying in 0.00 s"),
    ],
)  # fmt: skip
def test_line_gives_the_time_in_milliseconds_and_what_comes_next(caplog, fields, message):
    caplog.set_level(logging.DEBUG)
    log_attempt(attempt(**fields), ())
    (record,) = caplog.records
    assert record.getMessage() == message
    assert record.levelno == log_level(fields.get("error"))


async def test_broken_hook_is_reported_in_words_that_name_this_library():
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    mistake = ZeroDivisionError("mine")

    def broken(_: Attempt) -> None:
        raise mistake

    log_attempt(attempt(), (broken,))
    assert reported == [{"message": "a truemed_async hook raised", "exception": mistake}]
