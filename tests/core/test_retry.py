"""Whether and when to try again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.support.clock import NOW
from tests.support.fake_transport import SAFE, failure, make_disconnection, make_refusal, make_response
from tests.support.scale import scale
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.response import read_response
from truemed_async._core.retry import MAX_RETRY_AFTER, Decision, RetryBudget, backoff, decide
from truemed_async.errors import ProtocolError, ResponseTooLargeError, TLSError
from truemed_async.options import RetryPolicy

pytestmark = pytest.mark.kills("truemed_async._core.retry", "truemed_async._core.response")

POLICY = RetryPolicy()


def decision(
    found: AttemptFailure, *, repeatable: bool = True, attempt: int = 1, remaining: float = 60.0, **options: Any
) -> Decision:
    settings_ = {"policy": POLICY, "budget": RetryBudget(), "random": 0.5, **options}
    return decide(found, attempt=attempt, repeatable=repeatable, remaining=remaining, **settings_)


def failure_of_response(
    status: int, body: Any = b"{}", endpoint: Endpoint[Any] = SAFE, **headers: str
) -> AttemptFailure:
    found = read_response(make_response(status, body, **headers), endpoint, NOW)
    assert isinstance(found, AttemptFailure)
    return found


SERVER_ERROR = {"error": "ServerError", "message": ""}
CASES = [
    # what happened, GET, POST with a key, POST without
    ("no connection", make_refusal(), True, True, True),
    ("TLS handshake", failure(error=TLSError), True, True, True),
    ("certificate", failure(error=TLSError, max_retries=0), False, False, False),
    ("disconnected", make_disconnection(), True, True, False),
    ("not HTTP", failure("unknown", error=ProtocolError, max_retries=1), True, True, False),
    ("too large", failure("unknown", error=ResponseTooLargeError, max_retries=0), False, False, False),
    ("cut short", failure_of_response(200, b'{"a'), True, True, False),
    ("HTML", failure_of_response(200, b"<html>"), False, False, False),
    ("bad JSON", failure_of_response(200, b"[1,]"), False, False, False),
    ("redirect", failure_of_response(302), False, False, False),
    *[(str(status), failure_of_response(status), False, False, False) for status in (400, 401, 403, 404, 405, 409, 422, 501, 505)],
    *[(str(status), failure_of_response(status), True, True, False) for status in (408, 500, 502, 503, 504)],
    *[(str(status), failure_of_response(status), True, True, True) for status in (425, 429)],
    ("400 ServerError", failure_of_response(400, SERVER_ERROR), True, True, False),
    ("429 in 7 s", failure_of_response(429, retry_after="7"), True, True, True),
    ("429 in 61 s", failure_of_response(429, retry_after="61"), False, False, False),
    ("503 in 61 s", failure_of_response(503, retry_after="61"), False, False, False),
]  # fmt: skip


@pytest.mark.parametrize(("found", "get", "keyed", "unkeyed"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_retry_depends_on_whether_the_request_may_be_applied(found, get, keyed, unkeyed):
    assert (decision(found).delay is not None) is get is keyed
    assert (decision(found, repeatable=False).delay is not None) is unkeyed


def test_protocol_error_is_repeated_once():
    found = failure("unknown", error=ProtocolError, max_retries=1)
    assert decision(found, attempt=1).delay is not None
    assert decision(found, attempt=2).delay is None


@pytest.mark.parametrize("attempts", range(1, 11))
def test_there_are_as_many_attempts_as_the_policy_allows(attempts):
    policy = RetryPolicy(max_attempts=attempts)
    count = 1
    while decision(make_refusal(), policy=policy, attempt=count, remaining=1e9).delay is not None:
        count += 1
    assert count == attempts


def test_one_attempt_disables_the_single_retry():
    policy = RetryPolicy(max_attempts=1)
    assert decision(failure(max_retries=1), policy=policy).delay is None


# --- pauses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "max_pause", "max_throttled_pause"),
    [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (4, 4, 8), (5, 8, 8), (6, 8, 8), (9, 8, 8)],
)
def test_pauses_double_from_half_a_second_to_eight(attempt, max_pause, max_throttled_pause):
    assert backoff(POLICY, attempt, throttled=False, random=0.0) == max_pause / 2
    assert backoff(POLICY, attempt, throttled=False, random=1.0) == max_pause
    assert backoff(POLICY, attempt, throttled=True, random=1.0) == max_throttled_pause


def test_pauses_are_spread_evenly_over_their_upper_half():
    drawn = [backoff(POLICY, 1, throttled=False, random=n / 10_000) for n in range(10_000)]
    assert min(drawn) >= 0.25
    assert max(drawn) <= 0.5
    assert sum(drawn) / len(drawn) == pytest.approx(0.375, rel=0.01)


@pytest.mark.parametrize(
    ("retry_after", "random", "delay"),
    [(0.0, 0.0, 0.5), (0.6, 0.0, 0.6), (7.0, 0.0, 7.0), (7.0, 0.5, 7.35), (7.0, 1.0, 7.7), (60.0, 0.0, 60.0)],
)
def test_retry_after_is_a_minimum_with_up_to_a_tenth_on_top(retry_after, random, delay):
    found = failure("rejected", throttled=True, retry_after=retry_after)
    assert decision(found, random=random, remaining=1000.0).delay == pytest.approx(delay)


def test_retry_after_over_a_minute_stops_retries():
    assert MAX_RETRY_AFTER == 60
    found = failure("rejected", throttled=True, retry_after=60.001)
    budget = RetryBudget()
    assert decision(found, remaining=1e9, budget=budget) == Decision()
    assert spendable(budget) == 500


@pytest.mark.parametrize(("remaining", "waits"), [(0.375, False), (0.3751, True), (0.0, False), (-1.0, False)])
def test_backoff_that_would_pass_the_deadline_is_not_started(remaining, waits):
    assert (decision(make_refusal(), remaining=remaining).delay is not None) is waits


OUTCOMES = st.sampled_from(["not_sent", "unknown", "rejected"])
SECONDS = st.floats(0, 1e6)


@pytest.mark.many_examples
@settings(max_examples=scale(300, 5_000))
@given(
    outcome=OUTCOMES,
    max_retries=st.sampled_from([None, 0, 1]),
    throttled=st.booleans(),
    retry_after=st.none() | SECONDS,
    attempt=st.integers(1, 12),
    repeatable=st.booleans(),
    remaining=st.floats(-10, 1000),
    random=st.floats(0, 1, exclude_max=True),
    policy=st.builds(
        RetryPolicy, max_attempts=st.integers(1, 10), base=st.floats(0.001, 10), cap=st.floats(0.001, 100)
    ),
)
def test_rules_hold_for_any_failure(
    outcome, max_retries, throttled, retry_after, attempt, repeatable, remaining, random, policy
):
    found = failure(outcome, max_retries=max_retries, throttled=throttled, retry_after=retry_after)
    delay = decision(
        found, attempt=attempt, repeatable=repeatable, remaining=remaining, random=random, policy=policy
    ).delay
    if delay is None:
        return
    assert repeatable or outcome != "unknown"
    assert attempt < policy.max_attempts
    assert max_retries is None or attempt <= max_retries
    assert delay < remaining
    max_pause = min(policy.cap, policy.base * (2 if throttled else 1) * 2 ** (attempt - 1))
    assert delay >= max_pause / 2
    if retry_after is None:
        assert delay <= max_pause
    else:
        assert retry_after <= 60
        assert retry_after <= delay <= max(max_pause, 1.1 * retry_after)


# --- the budget ---------------------------------------------------------------------------------------------------


def spendable(budget: RetryBudget) -> int:
    """Empty the budget by the smallest payments, and return how much it held, to the nearest five."""
    spent = 0
    while paid := budget.acquire(failure("rejected", throttled=True)):
        spent += paid
    return spent


def test_retry_costs_14_and_throttled_retry_costs_5():
    assert decision(make_refusal()).cost == 14
    assert decision(failure("rejected", throttled=True)).cost == 5
    budget = RetryBudget()
    assert sum(1 for _ in range(1000) if budget.acquire(make_refusal())) == 35  # 500 // 14
    assert spendable(RetryBudget()) == 500


def test_success_gives_back_the_last_cost_or_one_and_never_more_than_there_was():
    budget = RetryBudget()
    for _ in range(35):
        budget.acquire(make_refusal())
    assert budget.acquire(make_refusal()) == 0  # ten are remaining
    budget.refund(14)
    assert budget.acquire(make_refusal()) == 14
    for _ in range(4):
        budget.refund(0)
    assert budget.acquire(make_refusal()) == 14  # within 14 successes a retry is possible again
    budget.refund(10_000)
    assert spendable(budget) == 500


def test_exhausted_budget_marks_retries_suppressed():
    budget = RetryBudget()
    spendable(budget)
    assert decision(make_refusal(), budget=budget) == Decision(suppressed=True)
    assert decision(failure(max_retries=0), budget=budget) == Decision()  # none was due


def test_ten_thousand_failing_calls_are_not_met_with_three_times_the_load():
    budget = RetryBudget()
    requests = 0
    for _ in range(10_000):
        attempt = 1
        while decision(make_refusal(), attempt=attempt, budget=budget).delay is not None:
            attempt += 1
        requests += attempt
    assert requests <= 10_100
    assert requests > 10_000  # some retries were made


# --- exact messages, limits and edges -------------------------------------------------------------------------------


THROTTLED = failure("rejected", throttled=True)


def test_budget_holds_500_and_not_one_more():
    """30 x 14 + 16 x 5 empties it; four successes are then one short of the next payment, five are not."""
    budget = RetryBudget()
    assert [budget.acquire(make_refusal()) for _ in range(30)] == [14] * 30
    assert [budget.acquire(THROTTLED) for _ in range(16)] == [5] * 16
    for _ in range(4):
        budget.refund(0)
    assert budget.acquire(THROTTLED) == 0
    budget.refund(0)
    assert budget.acquire(THROTTLED) == 5


def test_call_without_retry_costs_no_budget():
    """What was paid is given back on success: a payment that never was would make the budget grow."""
    budget = RetryBudget()
    stopped = decide(
        failure(max_retries=0),
        policy=RetryPolicy(),
        attempt=1,
        repeatable=True,
        remaining=60.0,
        budget=budget,
        random=0.5,
    )
    assert stopped == Decision(delay=None, cost=0, suppressed=False)
    assert stopped.cost == 0
    assert stopped.suppressed is False


@pytest.mark.parametrize(("attempts", "repeated"), [(1, False), (2, True), (3, True)])
def test_single_retry_needs_two_allowed_attempts(attempts, repeated):
    """Malformed HTTP is "retry once", within the attempts."""
    found = decide(
        failure(max_retries=1),
        policy=RetryPolicy(max_attempts=attempts),
        attempt=1,
        repeatable=True,
        remaining=60.0,
        budget=RetryBudget(),
        random=0.5,
    )
    assert (found.delay is not None) is repeated
