"""Slow responses that are otherwise correct."""

import asyncio
from random import Random
from typing import Literal

from aiohttp import web

from truemed_async.emulator.faults.registry import Count, NonNegative, Positive, fault
from truemed_async.emulator.faults.responses import ResponseBytes, body_of, encode_head, encode_response

_INTERVAL = 0.02  # seconds between two pieces of a limited bandwidth


@fault("before")
async def latency(
    random: Random,
    *,
    distribution: Literal["fixed", "uniform", "lognormal"] = "fixed",
    seconds: NonNegative = 0.1,
    spread: NonNegative = 0,
) -> None:
    """A response waits ``seconds``, plus or minus ``spread`` (uniform), or as median with sigma ``spread`` (lognormal).

    Happens under load, over long distances, and while caches are cold.
    """
    await asyncio.sleep(draw_seconds(random, distribution, seconds, spread))


def draw_seconds(random: Random, distribution: str, seconds: float, spread: float) -> float:
    """Return how long the next request waits."""
    if distribution == "uniform":
        return max(0, seconds + random.uniform(-spread, spread))
    if distribution == "lognormal":
        return seconds * random.lognormvariate(0, spread)
    return seconds


def _in_pieces(response: web.Response, size: int, delay: float) -> ResponseBytes:
    content = encode_response(response)
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    return ResponseBytes(pieces, status=response.status, delay=delay, end="keep")


@fault("after")
def dribble(response: web.Response, *, bytes: Count = 1, delay: NonNegative = 0.05) -> ResponseBytes:
    """The response arrives in pieces of ``bytes``, with ``delay`` seconds after each.

    No single read takes long, but all of them do. Happens on congested networks, and with servers that send while they
    compute.
    """
    return _in_pieces(response, bytes, delay)


@fault("after")
def bandwidth(response: web.Response, *, kbps: Positive = 64) -> ResponseBytes:
    """The response arrives at ``kbps`` kilobits (125 bytes) per second.

    Happens on slow or throttled connections.
    """
    rate = kbps * 125
    size = max(1, int(rate * _INTERVAL))
    return _in_pieces(response, size, size / rate)


@fault("after")
def slow_close(response: web.Response, *, delay: NonNegative = 1) -> ResponseBytes:
    """The body ends with the connection, which is closed only ``delay`` seconds after the last byte.

    Happens with HTTP/1.0 servers and simple proxies.
    """
    content = encode_head(response, "Connection: close") + body_of(response)
    return ResponseBytes([content], status=response.status, delay=delay)
