"""The only loop over attempts: slot, pacing gate, attempt, decision, pause.

The request is frozen before the first attempt, so every attempt carries the same idempotency key and the same bytes.
The clock starts once a slot is free: a queue inside this process is not the server's slowness.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Protocol

import attrs

from truemed_async._core import redact
from truemed_async._core.endpoint import Idempotency
from truemed_async._core.ledger import KeyLedger
from truemed_async._core.pacing import Pacer
from truemed_async._core.problem import Problem
from truemed_async._core.request import Request
from truemed_async._core.response import RawResponse, Response, read
from truemed_async._core.retry import Decision, RetryQuota, decide
from truemed_async.errors import AttemptTimeoutError, CallError, CallOutcome, DeadlineExceededError
from truemed_async.options import Attempt, Hook, RetryPolicy, Timeouts


class Transporter(Protocol):
    """What makes one attempt; :class:`~truemed_async._core.transport.Transport`, or a stand-in of a test."""

    def bind(self) -> asyncio.Semaphore:
        """Make ready on the running loop and return the slots."""
        ...

    async def send(self, request: Request, *, connect: float, seconds: float) -> RawResponse | Problem:
        """Make one attempt."""
        ...


class Clock:
    """Time and chance, so that tests can hold both."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311  # spreads pauses; nothing secret

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@attrs.frozen(kw_only=True)
class Settings:
    """What a call is held to."""

    timeouts: Timeouts
    retry: RetryPolicy
    hooks: tuple[Hook, ...] = ()


class Pipeline:
    """Sends requests over one transport; a client and its copies share it, its pace and its retry budget."""

    def __init__(self, transport: Transporter, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._pacer = Pacer()
        self._quota = RetryQuota()
        self._keys = KeyLedger()

    async def send(self, request: Request, settings: Settings) -> Response[Any]:
        """Return the answer, or raise what became of the call."""
        self._keys.check(request)
        async with self._transport.bind():
            result = await _Call(request, settings, self._transport, self._clock, self._pacer, self._quota).run()
        if not isinstance(result, CallError):
            return result
        try:
            raise result
        finally:
            del result  # else the error's traceback would hold this frame, and the frame the error


@attrs.define
class _Call:
    """One logical call: the state that its attempts share."""

    request: Request
    settings: Settings
    transport: Transporter
    clock: Clock
    pacer: Pacer
    quota: RetryQuota
    attempts: int = 0
    worst: CallOutcome = "not_sent"  # of the attempts before: one unknown leaves the call unknown
    paid: int = 0
    deadline: float = 0.0

    async def run(self) -> Response[Any] | CallError:
        clock, request = self.clock, self.request
        began = clock.monotonic()
        self.deadline = began + self.settings.timeouts.total
        problem: Problem | None = None
        while True:
            if not await self._turn():
                return self._error(problem or _PACED_OUT)  # what went wrong before says more than the wait
            started, regime = clock.monotonic(), self.pacer.regime
            self.attempts += 1
            seconds = min(self.settings.timeouts.attempt, self.deadline - started)
            raw = await self.transport.send(request, connect=self.settings.timeouts.connect, seconds=seconds)
            now = clock.monotonic()
            value = raw if isinstance(raw, Problem) else read(raw, request.endpoint, clock.wall())
            if not isinstance(value, Problem):
                assert isinstance(raw, RawResponse)
                self.pacer.succeeded(now)
                self.quota.give_back(self.paid)
                self._report(started, now, raw, None, None)
                return Response(
                    value=value, status=raw.status, headers=raw.headers, request_id=raw.request_id,
                    attempts=self.attempts, elapsed=now - began, idempotency_key=request.idempotency_key,
                )  # fmt: skip
            problem = self._at_deadline(value, now)
            if problem.throttled:
                self.pacer.refused(now, regime=regime, retry_after=problem.retry_after)
            decision = self._decide(problem, now)
            self._report(started, now, raw, problem, decision.delay)
            if decision.delay is None:
                return self._error(problem, suppressed=decision.suppressed)
            if problem.outcome == "unknown":
                self.worst = "unknown"
            self.paid = decision.cost
            await clock.sleep(decision.delay)

    async def _turn(self) -> bool:
        """Wait until the pacer lets the next attempt start; ``False`` if that would be after the deadline."""
        while True:
            regime = self.pacer.regime
            wait = self.pacer.reserve(self.clock.monotonic(), until=self.deadline)
            if not wait:
                return wait is not None
            await self.clock.sleep(wait)
            if regime == self.pacer.regime:
                return self.clock.monotonic() < self.deadline

    def _decide(self, problem: Problem, now: float) -> Decision:
        return decide(
            problem,
            policy=self.settings.retry,
            attempt=self.attempts,
            repeatable=self.request.repeatable,
            left=self.deadline - now,
            quota=self.quota,
            random=self.clock.random(),
        )

    def _at_deadline(self, problem: Problem, now: float) -> Problem:
        """Make an attempt that was cut short because the whole call had no time left the call's failure."""
        if problem.error is AttemptTimeoutError and now >= self.deadline:
            return attrs.evolve(problem, error=DeadlineExceededError, reason="no whole answer before the deadline")
        return problem

    def _error(self, problem: Problem, *, suppressed: bool = False) -> CallError:
        return problem.to_error(
            endpoint=self.request.endpoint.name,
            attempts=self.attempts,
            outcome="unknown" if self.worst == "unknown" else problem.outcome,
            idempotency_key=self.request.idempotency_key,
            retries_suppressed=suppressed,
            is_read=self.request.endpoint.idempotency is Idempotency.SAFE,
        )

    def _report(
        self, started: float, now: float, raw: RawResponse | Problem, problem: Problem | None, retry_in: float | None
    ) -> None:
        if not self.settings.hooks and not redact.logger.isEnabledFor(redact.level(problem)):
            return
        endpoint = self.request.endpoint
        redact.report(
            Attempt(
                endpoint=endpoint.name,
                method=endpoint.method,
                route=endpoint.path,
                number=self.attempts,
                started_at=self.clock.wall() - (now - started),
                elapsed=now - started,
                status=raw.status,
                error=None if problem is None else problem.error.__name__,
                outcome=None if problem is None else problem.outcome,
                request_id=raw.request_id,
                retry_in=retry_in,
            ),
            self.settings.hooks,
        )


_PACED_OUT = Problem(
    error=DeadlineExceededError,
    reason="the server limits the rate, and this request's turn would come after its deadline",
    outcome="not_sent",
)
