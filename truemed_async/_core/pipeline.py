"""The only loop over attempts: slot, rate limiter, attempt, decision, backoff.

The request is frozen before the first attempt, so every attempt sends the same idempotency key and the same bytes. The
deadline starts once a slot is free: a queue inside this process is not the server's slowness.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Coroutine
from typing import Any, Protocol

import attrs

from truemed_async._core import attempt_log
from truemed_async._core.endpoint import Idempotency
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.idempotency import IdempotencyKeyCache
from truemed_async._core.rate_limiter import AdaptiveRateLimiter
from truemed_async._core.request import Request
from truemed_async._core.response import RawResponse, Response, new_response, read_response
from truemed_async._core.retry import Decision, RetryBudget, decide
from truemed_async._core.shared_limiter import SharedLimiter, SharedLimitUnavailableError
from truemed_async._warnings import warn
from truemed_async.errors import AttemptTimeoutError, CallError, CallOutcome, DeadlineExceededError
from truemed_async.models import Model
from truemed_async.options import Attempt, Hook, RetryPolicy, Timeouts, Validation

_INDEX = re.compile(r"\[[0-9]+\]")


class Transport(Protocol):
    """Makes attempts: :class:`~truemed_async._core.transport.AiohttpTransport`, or a stand-in in a test."""

    def bind(self) -> asyncio.Semaphore:
        """Prepare for the running loop and return the slots."""
        ...

    async def send(self, request: Request, *, connect: float, seconds: float) -> RawResponse | AttemptFailure:
        """Make one attempt."""
        ...


class Clock:
    """Time and randomness, so that tests can control both."""

    def monotonic(self) -> float:
        """Return seconds that only increase."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311  # spreads retries; nothing secret

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@attrs.frozen(kw_only=True, eq=False)
class CallSettings:
    """The timeouts, retry policy, hooks and validation of a call."""

    timeouts: Timeouts
    retry: RetryPolicy
    hooks: tuple[Hook, ...] = ()
    validation: Validation = "strict"


class Pipeline:
    """Sends requests over one transport. A client and its copies share it, its rate limit and its retry budget."""

    def __init__(self, transport: Transport, clock: Clock, limiter: AdaptiveRateLimiter | None = None) -> None:
        self._transport = transport
        self.clock = clock
        self._limiter = AdaptiveRateLimiter() if limiter is None else limiter
        self._budget = RetryBudget()
        self._keys = IdempotencyKeyCache()
        self._reported_mismatches: set[str] = set()

    def send(self, request: Request, settings: CallSettings) -> Coroutine[Any, Any, Response[Any]]:
        """Return a coroutine that returns the response, or raises the error of the call."""
        self._keys.check(request)
        return self._send_with_hooks(request, settings) if settings.hooks else self._send(request, settings)

    async def _send_with_hooks(self, request: Request, settings: CallSettings) -> Response[Any]:
        with attempt_log.CallScope(request, settings.hooks):
            return await self._send(request, settings)

    async def _send(self, request: Request, settings: CallSettings) -> Response[Any]:
        slots = self._transport.bind()
        await slots.acquire()
        try:
            result = await _Call(request, settings, self._transport, self.clock, self._limiter, self._budget).run()
        finally:
            slots.release()
        if not isinstance(result, CallError):
            if settings.validation == "lenient":
                self._warn_of_mismatches(request.endpoint.name, result.value)
            return result
        try:
            raise result
        finally:
            del result  # otherwise the error's traceback refers to this frame, and the frame to the error

    async def close(self) -> None:
        """Close the connections of a shared rate limit."""
        if isinstance(self._limiter, SharedLimiter):
            await self._limiter.close()

    def _warn_of_mismatches(self, endpoint: str, value: object) -> None:
        """Warn of each field with a value of the wrong type, once per endpoint, without the value."""
        mismatches = value.mismatches if isinstance(value, Model) else ()
        for field in dict.fromkeys(_INDEX.sub("[]", path) for path in mismatches):
            name = f"{endpoint}: {field}"
            if name not in self._reported_mismatches:
                self._reported_mismatches.add(name)
                warn(f"{name} has another type than Truemed publishes: see `mismatches` and `extra`")


@attrs.define(eq=False, repr=False)
class _Call:
    """One logical call: the state that its attempts share."""

    request: Request
    settings: CallSettings
    transport: Transport
    clock: Clock
    limiter: AdaptiveRateLimiter
    budget: RetryBudget
    attempts: int = 0
    earlier_outcome: CallOutcome = "not_sent"  # of earlier attempts: one unknown leaves the call unknown
    retry_cost: int = 0
    deadline: float = 0.0
    rate_limit_wait: float = 0.0  # before the current attempt
    shared_generation: int = -1  # of the current attempt's reservation in the shared limit

    async def run(self) -> Response[Any] | CallError:
        clock, request = self.clock, self.request
        start = clock.monotonic()
        self.deadline = start + self.settings.timeouts.total
        failure: AttemptFailure | None = None
        while True:
            # Without a limit the first attempt of a call, which is mostly the only one, may start at once.
            attempt_start = start
            if self.attempts or self.limiter.may_delay:
                if not await self._wait_for_rate_limit():
                    return self._error(failure or _DEADLINE_IN_QUEUE)  # an earlier failure says more than the wait
                attempt_start = clock.monotonic()
            generation = self.limiter.generation
            self.attempts += 1
            seconds = min(self.settings.timeouts.attempt, self.deadline - attempt_start)
            raw: RawResponse | AttemptFailure | None = None
            try:
                raw = await self.transport.send(request, connect=self.settings.timeouts.connect, seconds=seconds)
            finally:
                if raw is None:  # canceled, or the client was closed
                    error = type(sys.exception()).__name__
                    self._log(attempt_start, clock.monotonic(), None, error, "unknown", None)
            now = clock.monotonic()
            value = (
                raw
                if isinstance(raw, AttemptFailure)
                else read_response(raw, request.endpoint, clock.wall(), lenient=self.settings.validation == "lenient")
            )
            if not isinstance(value, AttemptFailure):
                assert isinstance(raw, RawResponse)
                self.limiter.on_success(now)
                self.budget.refund(self.retry_cost)
                self._log(attempt_start, now, raw, None, None, None)
                return new_response(
                    value=value, status=raw.status, headers=raw.headers, request_id=raw.request_id,
                    attempts=self.attempts, elapsed=now - start, idempotency_key=request.idempotency_key,
                )  # fmt: skip
            failure = self._at_deadline(value, attempt_start)
            if failure.throttled:
                self.limiter.on_rate_limited(now, generation=generation, retry_after=failure.retry_after)
                if isinstance(self.limiter, SharedLimiter):
                    await self.limiter.report_rate_limited(
                        now, generation=self.shared_generation, retry_after=failure.retry_after
                    )
            decision = self._decide(failure, now)
            self._log(attempt_start, now, raw, failure.error.__name__, failure.outcome, decision.delay)
            if decision.delay is None:
                return self._error(failure, suppressed=decision.suppressed)
            if failure.outcome == "unknown":
                self.earlier_outcome = "unknown"
            self.retry_cost = decision.cost
            await clock.sleep(decision.delay)

    async def _wait_for_rate_limit(self) -> bool:
        """Wait until the rate limiter allows the next attempt; ``False`` if that would be after the deadline."""
        self.rate_limit_wait = 0.0
        if isinstance(self.limiter, SharedLimiter):
            self.shared_generation = -1
            try:
                return await self._wait_for_shared_limit(self.limiter)
            except SharedLimitUnavailableError:
                pass  # the local limit holds
        while True:
            generation, start = self.limiter.generation, self.clock.monotonic()
            wait = self.limiter.reserve(start, until=self.deadline)
            if not wait:
                return wait is not None
            await self.clock.sleep(wait)
            now = self.clock.monotonic()
            self.rate_limit_wait += now - start
            if generation == self.limiter.generation:
                return now < self.deadline

    async def _wait_for_shared_limit(self, limiter: SharedLimiter) -> bool:
        """Do the same with the limit that other processes share."""
        generation: int | None = None
        while True:
            start = self.clock.monotonic()
            if start >= self.deadline:
                return False
            reservation = await limiter.reserve_shared(start, until=self.deadline, generation=generation)
            if reservation is None:
                return False
            generation = self.shared_generation = reservation.generation
            if reservation.wait <= 0:
                return self.clock.monotonic() < self.deadline
            await self.clock.sleep(reservation.wait)
            self.rate_limit_wait += self.clock.monotonic() - start

    def _decide(self, failure: AttemptFailure, now: float) -> Decision:
        return decide(
            failure,
            policy=self.settings.retry,
            attempt=self.attempts,
            repeatable=self.request.repeatable,
            remaining=self.deadline - now,
            budget=self.budget,
            random=self.clock.random(),
        )

    def _at_deadline(self, failure: AttemptFailure, attempt_start: float) -> AttemptFailure:
        """Turn an attempt that was ended by the deadline of the call into the failure of the call.

        The time at its end does not tell: timers of uvloop may be a millisecond early.
        """
        if failure.error is AttemptTimeoutError and self.deadline - attempt_start <= self.settings.timeouts.attempt:
            return attrs.evolve(failure, error=DeadlineExceededError, reason="no complete response before the deadline")
        return failure

    def _error(self, failure: AttemptFailure, *, suppressed: bool = False) -> CallError:
        return failure.to_error(
            endpoint=self.request.endpoint.name,
            attempts=self.attempts,
            outcome="unknown" if self.earlier_outcome == "unknown" else failure.outcome,
            idempotency_key=self.request.idempotency_key,
            retries_suppressed=suppressed,
            is_read=self.request.endpoint.idempotency is Idempotency.SAFE,
        )

    def _log(
        self,
        start: float,
        now: float,
        raw: RawResponse | AttemptFailure | None,
        error: str | None,
        outcome: CallOutcome | None,
        retry_in: float | None,
    ) -> None:
        if not self.settings.hooks and not attempt_log.logger.isEnabledFor(attempt_log.log_level(error)):
            return
        endpoint = self.request.endpoint
        attempt_log.log_attempt(
            Attempt(
                endpoint=endpoint.name,
                method=endpoint.method,
                route=endpoint.path,
                number=self.attempts,
                started_at=self.clock.wall() - (now - start),
                elapsed=now - start,
                status=None if raw is None else raw.status,
                error=error,
                outcome=outcome,
                request_id=None if raw is None else raw.request_id,
                retry_in=retry_in,
                server_address=self.request.url.host or "",
                server_port=self.request.url.port or 0,
                rate_limit_wait=self.rate_limit_wait,
            ),
            self.settings.hooks,
        )


_DEADLINE_IN_QUEUE = AttemptFailure(
    error=DeadlineExceededError,
    reason="the server limits the request rate, and this request would start after its deadline",
    outcome="not_sent",
)
