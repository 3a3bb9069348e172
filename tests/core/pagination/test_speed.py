"""A hundred pages of a hundred rows, each answered after 50 ± 20 ms, on a clock that only waiting moves."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import attrs
import pytest

from tests.support.changing_list import SORT_ORDER, Row, Server
from tests.support.clock import VirtualLoop
from truemed_async._core.pagination import iterate_all
from truemed_async.models import Page


@attrs.frozen
class Took:
    first: float
    whole: float
    requests: int


class Slow:
    """The server, 50 ± 20 ms away."""

    def __init__(self, seed: int) -> None:
        self.server = Server().fill(range(10_000))
        self.draw = random.Random(seed)

    async def __call__(self, page: int, size: int) -> Page[Row]:
        await asyncio.sleep(self.draw.uniform(0.03, 0.07))
        return await self.server(page, size)


async def page_after_page(slow: Slow) -> Took:
    loop = asyncio.get_running_loop()
    first = rows = 0.0
    for page in range(1, 101):
        rows += len(await slow(page, 100))
        first = first or loop.time()
    assert rows == 10_000
    return Took(first, loop.time(), 100)


async def complete_listing(slow: Slow, prefetch: int) -> Took:
    loop = asyncio.get_running_loop()
    first = rows = 0.0
    async for batch in iterate_all(slow, SORT_ORDER, page_size=100, prefetch=prefetch):
        rows += len(batch)
        first = first or loop.time()
    assert rows == 10_000
    return Took(first, loop.time(), len(slow.server.requests))


def run(coroutine: Any) -> Took:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


@pytest.mark.parametrize(("prefetch", "times"), [(4, 3), (8, 5.5), (16, 10)])
@pytest.mark.parametrize("seed", range(5))
def test_windows_in_flight_make_it_fast(seed, prefetch, times):
    plain = run(page_after_page(Slow(seed)))
    found = run(complete_listing(Slow(seed), prefetch))
    assert plain.whole / found.whole >= times
    assert found.requests <= 1.2 * plain.requests
    assert found.first <= plain.first


def test_sequential_listing_costs_only_the_overlap():
    plain = run(page_after_page(Slow(0)))
    found = run(complete_listing(Slow(0), 1))
    assert found.whole <= 1.2 * plain.whole
    assert found.first <= plain.first
