"""Faults of the status: the answer is an error, without an effect, always or only sometimes."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

import attrs
from aiohttp import web
from attrs.validators import and_, ge, gt, le, lt, optional

from truemed_async.emulator.faults.base import Drawing, Exchange, Fault, http_date
from truemed_async.emulator.faults.content import HTML
from truemed_async.emulator.request import ApiError, error_response
from truemed_async.emulator.state import State

_MESSAGE = "this answer was made by a fault"


class Answered(Fault, ABC):
    """Puts an answer in place of the handler's."""

    @abstractmethod
    def answer(self) -> web.Response:
        """Return what is sent."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        del exchange
        return self.answer()


def _error(code: int) -> str:
    """Return what Truemed's `error` may be for a status: of the words here it publishes only that of the 500."""
    if code == 500:
        return "ServerError"
    phrases = {int(status): status.phrase for status in HTTPStatus}
    return phrases.get(code, "Unknown").title().replace(" ", "").replace("-", "")


def _refused(code: int, headers: dict[str, str] | None = None) -> web.Response:
    return error_response(ApiError(code, _error(code), _MESSAGE), headers)


@attrs.define(eq=False)
class Status(Answered):
    """The status `code` and an error; `retry_after` is seconds (or, with `http_date`, the date then) or any text."""

    code: int = attrs.field(validator=and_(ge(200), lt(600)))
    error: str | None = None
    message: str | None = None
    retry_after: float | str | None = None
    http_date: bool = False
    headers: Mapping[str, str] | None = None

    def answer(self) -> web.Response:
        headers = dict(self.headers or {})
        if self.retry_after is not None:
            as_date = self.http_date and not isinstance(self.retry_after, str)
            headers["Retry-After"] = http_date(float(self.retry_after)) if as_date else str(self.retry_after)
        error = _error(self.code) if self.error is None else self.error
        message = _MESSAGE if self.message is None else self.message
        return error_response(ApiError(self.code, error, message), headers)


@attrs.define(eq=False)
class ShouldRetry(Answered):
    """The status `code` with a header `x-should-retry` of this `value`."""

    value: bool | str
    code: int = attrs.field(default=503, validator=and_(ge(200), lt(600)))

    def answer(self) -> web.Response:
        value = self.value if isinstance(self.value, str) else str(self.value).lower()
        return _refused(self.code, {"x-should-retry": value})


@attrs.define(eq=False)
class Redirect(Answered):
    """A redirect with this `status` to `target`."""

    target: str
    status: int = attrs.field(default=302, validator=and_(ge(300), lt(400)))

    def answer(self) -> web.Response:
        return web.Response(status=self.status, headers={"Location": self.target})


@attrs.define(eq=False)
class MaintenancePage(Answered):
    """A 503 with a page for people, and with Retry-After when `retry_after` seconds are given."""

    retry_after: float | None = attrs.field(default=None, validator=optional(ge(0)))

    def answer(self) -> web.Response:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return web.Response(status=503, headers=headers, body=HTML, content_type="text/html")


@attrs.define(eq=False)
class RateLimit(Answered):
    """A 429 past `n` requests `per` seconds, `burst` (or `n`) at once, with Retry-After in whole or exact seconds."""

    n: float = attrs.field(validator=gt(0))
    per: float = attrs.field(default=1, validator=gt(0))
    burst: int | None = attrs.field(default=None, validator=optional(ge(1)))
    retry_after: Literal["whole", "exact", "none"] = "whole"
    _tokens: float = attrs.field(init=False)
    _filled: float = attrs.field(init=False, factory=time.monotonic)

    def __attrs_post_init__(self) -> None:
        self._tokens = self._size

    @property
    def _size(self) -> float:
        return max(1, self.n) if self.burst is None else self.burst

    def selects(self, exchange: Exchange) -> bool:
        del exchange
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled) * self.n / self.per)
        self._filled = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    def answer(self) -> web.Response:
        wait = (1 - self._tokens) * self.per / self.n
        if self.retry_after == "none":
            return _refused(429)
        return _refused(429, {"Retry-After": str(math.ceil(wait)) if self.retry_after == "whole" else f"{wait:.3f}"})


@attrs.define(eq=False)
class Failing(Answered):
    """Answers with a status."""

    code: int = attrs.field(default=503, validator=and_(ge(400), lt(600)), kw_only=True)

    def answer(self) -> web.Response:
        return _refused(self.code)


@attrs.define(eq=False)
class Outage(Failing):
    """The status `code` for `duration` seconds, beginning `after` seconds from now."""

    delay: float = attrs.field(default=0, validator=ge(0), alias="after")
    duration: float = attrs.field(default=1, validator=gt(0))
    _begins: float = attrs.field(init=False, default=0)

    def begin(self, state: State, seed: str) -> None:
        del state, seed
        self._begins = time.monotonic() + self.delay

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._begins + self.duration

    def selects(self, exchange: Exchange) -> bool:
        del exchange
        return time.monotonic() >= self._begins


@attrs.define(eq=False)
class FailFirst(Failing):
    """The status `code` for the first `n` requests."""

    n: int = attrs.field(default=1, validator=ge(1))
    _left: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.n, takes_self=True))

    @property
    def is_over(self) -> bool:
        return self._left == 0

    def selects(self, exchange: Exchange) -> bool:
        del exchange
        self._left -= 1
        return True


@attrs.define(eq=False)
class Flaky(Failing, Drawing):
    """The status `code` with probability `p`."""

    p: float = attrs.field(default=0.5, validator=and_(ge(0), le(1)))

    def selects(self, exchange: Exchange) -> bool:
        del exchange
        return self._draw.random() < self.p
