"""Decides whether and when to try again. Pure: what it needs comes in, a decision goes out."""

from __future__ import annotations

import attrs

from truemed_async._core.problem import Problem
from truemed_async.options import RetryPolicy

RETRY_AFTER_LIMIT = 60.0
"""Seconds; a server that asks for more gets no retry: the caller is told at once."""


class RetryQuota:
    """A budget of retries that all calls of a client share, so that an outage is not met with three times the load."""

    CAPACITY = 500
    TRANSIENT_COST = 14
    THROTTLED_COST = 5

    def __init__(self) -> None:
        self._left = self.CAPACITY

    def take(self, problem: Problem) -> int:
        """Pay for a retry; 0 means that the budget does not allow it."""
        cost = self.THROTTLED_COST if problem.throttled else self.TRANSIENT_COST
        if cost > self._left:
            return 0
        self._left -= cost
        return cost

    def give_back(self, cost: int) -> None:
        """Return the cost of the retry that succeeded, or a little for a call that needed none."""
        self._left = min(self.CAPACITY, self._left + (cost or 1))


@attrs.frozen(kw_only=True)
class Decision:
    """Wait ``delay`` seconds and try again, or stop if it is ``None``; ``cost`` was paid from the quota."""

    delay: float | None = None
    cost: int = 0
    suppressed: bool = False


def decide(
    problem: Problem,
    *,
    policy: RetryPolicy,
    attempt: int,
    repeatable: bool,
    left: float,
    quota: RetryQuota,
    random: float,
) -> Decision:
    """Return what to do after ``attempt`` (from 1) failed with ``left`` seconds to the deadline.

    ``random`` lies in [0, 1) and spreads the pauses of many clients.
    """
    allowed = policy.max_attempts - 1 if problem.retries is None else min(problem.retries, policy.max_attempts - 1)
    if attempt > allowed or (problem.outcome == "unknown" and not repeatable):
        return Decision()
    delay = pause(policy, attempt, throttled=problem.throttled, random=random)
    if problem.retry_after is not None:
        if problem.retry_after > RETRY_AFTER_LIMIT:
            return Decision()
        delay = max(delay, problem.retry_after * (1 + 0.1 * random))
    if delay >= left:  # the sleep would end with no time left: say so now
        return Decision()
    cost = quota.take(problem)
    return Decision(delay=delay, cost=cost) if cost else Decision(suppressed=True)


def pause(policy: RetryPolicy, attempt: int, *, throttled: bool, random: float) -> float:
    """Return the back-off after ``attempt``: doubling up to the cap, the second half of it drawn at random."""
    base = policy.base * 2 if throttled else policy.base
    longest: float = min(policy.cap, base * 2 ** (attempt - 1))
    return longest * (1 + random) / 2
