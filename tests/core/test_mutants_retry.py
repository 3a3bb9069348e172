"""The retry rules to the last unit: what the broader tests of `test_retry.py` leave a little room in."""

from __future__ import annotations

import pytest

from tests.support.fake_transport import failure, refused
from truemed_async._core.retry import Decision, RetryBudget, decide
from truemed_async.options import RetryPolicy

THROTTLED = failure("rejected", throttled=True)


def test_the_budget_holds_500_and_not_one_more():
    """30 x 14 + 16 x 5 empties it; four successes are then one short of the next payment, five are not."""
    budget = RetryBudget()
    assert [budget.acquire(refused()) for _ in range(30)] == [14] * 30
    assert [budget.acquire(THROTTLED) for _ in range(16)] == [5] * 16
    for _ in range(4):
        budget.refund(0)
    assert budget.acquire(THROTTLED) == 0
    budget.refund(0)
    assert budget.acquire(THROTTLED) == 5


def test_a_call_that_is_not_repeated_has_paid_nothing():
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
def test_what_may_be_repeated_once_is_if_the_policy_allows_two_attempts(attempts, repeated):
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
