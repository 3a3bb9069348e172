"""Error responses without an effect: always, for some time, or at random."""

import math
import random
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

import attrs
from aiohttp import web

from truemed_async.emulator.faults.base import Exchange, Fault
from truemed_async.emulator.faults.body import HTML
from truemed_async.emulator.faults.registry import Bound, Count, NonNegative, Positive, Probability, fault
from truemed_async.emulator.faults.responses import format_http_date
from truemed_async.emulator.request import ApiError, error_response
from truemed_async.emulator.resources.state import State

_MESSAGE = "this response was made by a fault"

StatusCode = Annotated[int, Bound(">=", 200), Bound("<", 600)]
ErrorCode = Annotated[int, Bound(">=", 400), Bound("<", 600)]


def _error_name(code: int) -> str:
    """Return a plausible ``error`` for a status: Truemed publishes only that of the 500."""
    if code == 500:
        return "ServerError"
    phrases = {int(status): status.phrase for status in HTTPStatus}
    return phrases.get(code, "Unknown").title().replace(" ", "").replace("-", "")


def _error(code: int, headers: dict[str, str] | None = None) -> web.Response:
    return error_response(ApiError(code, _error_name(code), _MESSAGE), headers)


@fault("before")
def status(
    *,
    code: StatusCode,
    error: str | None = None,
    message: str | None = None,
    retry_after: float | str | None = None,
    http_date: bool = False,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """The response has the status ``code`` and an error; the request has no effect.

    ``retry_after`` is seconds, sent as a date with ``http_date``, or any text. Happens with each error that a server
    reports: choose the one to test.
    """
    fields = dict(headers or {})
    if retry_after is not None:
        as_date = http_date and not isinstance(retry_after, str)
        fields["Retry-After"] = format_http_date(float(retry_after)) if as_date else str(retry_after)
    name = _error_name(code) if error is None else error
    return error_response(ApiError(code, name, _MESSAGE if message is None else message), fields)


@fault("before")
def should_retry(*, value: bool | str, code: StatusCode = 503) -> web.Response:
    """The status is ``code``, with a header ``x-should-retry`` of this ``value``; the request has no effect.

    Happens with APIs that tell clients whether to try again; Truemed documents no such header.
    """
    return _error(code, {"x-should-retry": value if isinstance(value, str) else str(value).lower()})


@fault("before")
def redirect(*, target: str, status: Annotated[int, Bound(">=", 300), Bound("<", 400)] = 302) -> web.Response:
    """The response is a redirect with this ``status`` to ``target``; the request has no effect.

    Happens when an API moves, or http leads to https. A client that follows it may send its key to another server.
    """
    return web.Response(status=status, headers={"Location": target})


@fault("before")
def maintenance_page(*, retry_after: NonNegative | None = None) -> web.Response:
    """A 503 with an HTML page, and with Retry-After if ``retry_after`` seconds are given; the request has no effect.

    Happens during an update of a server, when its proxy answers.
    """
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.Response(status=503, headers=headers, body=HTML, content_type="text/html")


@fault("before", name="rate_limit")
@attrs.define(eq=False, kw_only=True)
class RateLimit(Fault):
    """Past ``n`` requests ``per`` seconds, ``burst`` (or ``n``) at once, the response is a 429 without an effect.

    Its Retry-After is in whole or exact seconds, or is missing. Happens when all processes that share a key send more
    than the server grants it.
    """

    n: Positive
    per: Positive = 1
    burst: Count | None = None
    retry_after: Literal["whole", "exact", "none"] = "whole"
    _tokens: float = attrs.field(init=False)
    _updated: float = attrs.field(init=False, factory=time.monotonic)

    def __attrs_post_init__(self) -> None:
        self._tokens = self._capacity

    @property
    def _capacity(self) -> float:
        return max(1, self.n) if self.burst is None else self.burst

    def applies_to(self, exchange: Exchange) -> bool:
        """Take a token, and return whether there was none."""
        del exchange
        now = time.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._updated) * self.n / self.per)
        self._updated = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    async def before(self, exchange: Exchange) -> web.Response:
        """Return the 429."""
        del exchange
        wait = (1 - self._tokens) * self.per / self.n
        if self.retry_after == "none":
            return _error(429)
        return _error(429, {"Retry-After": str(math.ceil(wait)) if self.retry_after == "whole" else f"{wait:.3f}"})


@attrs.define(eq=False, kw_only=True)
class _ErrorFault(Fault):
    """Base class of faults that respond with one error status."""

    code: ErrorCode = 503

    async def before(self, exchange: Exchange) -> web.Response:
        """Return the error."""
        del exchange
        return _error(self.code)


@fault("before", name="outage")
@attrs.define(eq=False, kw_only=True)
class Outage(_ErrorFault):
    """For ``duration`` seconds, starting ``after`` seconds from now, each response has the status ``code``.

    The requests have no effect. Happens when a deployment or a database fails, and recovers.
    """

    _after: NonNegative = 0
    duration: Positive = 1
    _start: float = attrs.field(init=False, default=0)

    def begin(self, state: State, seed: str) -> None:
        """Start the time."""
        del state, seed
        self._start = time.monotonic() + self._after

    @property
    def is_over(self) -> bool:
        """Whether the outage has ended."""
        return time.monotonic() >= self._start + self.duration

    def applies_to(self, exchange: Exchange) -> bool:
        """Return whether the outage has started."""
        del exchange
        return time.monotonic() >= self._start


@fault("before", name="fail_first")
@attrs.define(eq=False, kw_only=True)
class FailFirst(_ErrorFault):
    """The first ``n`` responses have the status ``code``; the requests have no effect.

    Happens when a server has just started, or an error passes quickly.
    """

    n: Count = 1
    _left: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.n, takes_self=True))

    @property
    def is_over(self) -> bool:
        """Whether ``n`` requests have failed."""
        return self._left == 0

    def applies_to(self, exchange: Exchange) -> bool:
        """Count the request."""
        del exchange
        self._left -= 1
        return True


@fault("before", name="flaky")
@attrs.define(eq=False, kw_only=True)
class Flaky(_ErrorFault):
    """A response has the status ``code`` with probability ``p``; the request has no effect then.

    Happens when one of several servers behind a load balancer is broken.
    """

    p: Probability = 0.5
    _random: random.Random = attrs.field(init=False, factory=random.Random)

    def begin(self, state: State, seed: str) -> None:
        """Seed the random numbers."""
        del state
        self._random.seed(seed)

    def applies_to(self, exchange: Exchange) -> bool:
        """Return whether this request fails."""
        del exchange
        return self._random.random() < self.p
