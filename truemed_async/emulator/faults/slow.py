"""Faults of pace: all is right, only late."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

import asyncio
from typing import Literal

import attrs
from aiohttp import web
from attrs.validators import ge, gt

from truemed_async.emulator.faults.base import Drawing, Exchange, Fault, RawResponse, body, head, message

_TICK = 0.02  # seconds between two pieces when a rate is all that is asked for


@attrs.define(eq=False)
class Latency(Drawing):
    """The request waits for `seconds`, give or take `spread` (uniform) or as median with sigma `spread` (lognormal)."""

    distribution: Literal["fixed", "uniform", "lognormal"] = "fixed"
    seconds: float = attrs.field(default=0.1, validator=ge(0))
    spread: float = attrs.field(default=0, validator=ge(0))

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        del exchange
        await asyncio.sleep(self._wait())
        return None

    def _wait(self) -> float:
        if self.distribution == "uniform":
            return max(0, self.seconds + self._draw.uniform(-self.spread, self.spread))
        if self.distribution == "lognormal":
            return self.seconds * self._draw.lognormvariate(0, self.spread)
        return self.seconds


def _trickle(response: web.StreamResponse, size: int, delay: float) -> RawResponse:
    whole = message(response)
    pieces = (whole[start : start + size] for start in range(0, len(whole), size))
    return RawResponse(pieces, status=response.status, delay=delay, ending="keep")


@attrs.define(eq=False)
class Dribble(Fault):
    """The answer comes `bytes` at a time, with `delay` seconds after each."""

    size: int = attrs.field(default=1, validator=ge(1), alias="bytes")
    delay: float = attrs.field(default=0.05, validator=ge(0))

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        return _trickle(response, self.size, self.delay)


@attrs.define(eq=False)
class Bandwidth(Fault):
    """The answer comes at `kbps` kilobits (125 bytes) per second."""

    kbps: float = attrs.field(default=64, validator=gt(0))

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        rate = self.kbps * 125
        size = max(1, int(rate * _TICK))
        return _trickle(response, size, size / rate)


@attrs.define(eq=False)
class SlowClose(Fault):
    """The body ends with the connection, and that is closed only `delay` seconds after its last byte."""

    delay: float = attrs.field(default=1, validator=ge(0))

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        whole = head(response, "Connection: close") + body(response)
        return RawResponse([whole], status=response.status, delay=self.delay)
