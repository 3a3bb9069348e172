"""Decides whether and when to retry. Pure: a decision from values alone."""

from __future__ import annotations

import attrs

from truemed_async._core.failure import AttemptFailure
from truemed_async.options import RetryPolicy

MAX_RETRY_AFTER = 60.0
"""Seconds. If the server asks to wait longer, the call fails at once instead."""


class RetryBudget:
    """A budget of retries that all calls of a client share, so that an outage is not met with three times the load."""

    CAPACITY = 500
    TRANSIENT_COST = 14
    THROTTLED_COST = 5

    def __init__(self) -> None:
        self._balance = self.CAPACITY

    def acquire(self, failure: AttemptFailure) -> int:
        """Pay for a retry and return its cost; 0 if the budget does not allow it."""
        cost = self.THROTTLED_COST if failure.throttled else self.TRANSIENT_COST
        if cost > self._balance:
            return 0
        self._balance -= cost
        return cost

    def refund(self, cost: int) -> None:
        """Return the cost of a retry that succeeded, or 1 for a call that needed none."""
        if self._balance < self.CAPACITY:
            self._balance = min(self.CAPACITY, self._balance + (cost or 1))


@attrs.frozen(kw_only=True)
class Decision:
    """Retry after ``delay`` seconds, or stop if it is ``None``; ``cost`` was paid from the budget."""

    delay: float | None = None
    cost: int = 0
    suppressed: bool = False


def decide(
    failure: AttemptFailure,
    *,
    policy: RetryPolicy,
    attempt: int,
    repeatable: bool,
    remaining: float,
    budget: RetryBudget,
    random: float,
) -> Decision:
    """Return what to do after ``attempt`` (from 1) failed with ``remaining`` seconds to the deadline.

    ``random`` is in [0, 1) and spreads the retries of many clients.
    """
    max_retries = policy.max_attempts - 1
    if failure.max_retries is not None:
        max_retries = min(failure.max_retries, max_retries)
    if attempt > max_retries or (failure.outcome == "unknown" and not repeatable):
        return Decision()
    delay = backoff(policy, attempt, throttled=failure.throttled, random=random)
    if failure.retry_after is not None:
        if failure.retry_after > MAX_RETRY_AFTER:
            return Decision()
        delay = max(delay, failure.retry_after * (1 + 0.1 * random))
    if delay >= remaining:  # the next attempt would start after the deadline: fail now
        return Decision()
    cost = budget.acquire(failure)
    return Decision(delay=delay, cost=cost) if cost else Decision(suppressed=True)


def backoff(policy: RetryPolicy, attempt: int, *, throttled: bool, random: float) -> float:
    """Return the seconds to wait after ``attempt``: exponential up to the cap, with its second half at random."""
    base = policy.base * 2 if throttled else policy.base
    upper: float = min(policy.cap, base * 2 ** (attempt - 1))
    return upper * (1 + random) / 2
