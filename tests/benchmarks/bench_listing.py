"""A complete listing against plain paging: 100 pages of 100 sessions from a server 50 ± 20 ms away."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator

import attrs

from tests.benchmarks import suite
from truemed_async import AsyncTruemed
from truemed_async.options import Attempt

GROUP = "listing"
SESSIONS, PAGE = 10_000, 100
TARGETS = {8: 5.5, 16: 10.0}


@attrs.frozen
class Took:
    first: float
    whole: float
    requests: int


class Counter:
    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, attempt: Attempt) -> None:
        self.requests += 1


async def page_after_page(client: AsyncTruemed) -> AsyncIterator[int]:
    """What one would write by hand; it loses sessions when the list changes."""
    for page in range(1, SESSIONS // PAGE + 1):
        yield len(await client.qualification_sessions.list(page=page, page_size=PAGE))


async def complete(client: AsyncTruemed, prefetch: int) -> AsyncIterator[int]:
    async for _ in client.qualification_sessions.iter(page_size=PAGE, prefetch=prefetch):
        yield 1


async def timed(rows: AsyncIterator[int], counter: Counter) -> Took:
    counter.requests = 0
    started, first, found = time.perf_counter(), 0.0, 0
    async for more in rows:
        found += more
        first = first or time.perf_counter() - started
    assert found == SESSIONS
    return Took(first, time.perf_counter() - started, counter.requests)


async def runs(url: str, rounds: int) -> dict[int, list[Took]]:
    """In turns; 0 is page after page."""
    counter = Counter()
    found: dict[int, list[Took]] = {0: [], 1: [], 4: [], **{prefetch: [] for prefetch in TARGETS}}
    async with AsyncTruemed(suite.KEY, base_url=url, hooks=[counter]) as client:
        await client.qualification_sessions.list(page_size=1)
        for _ in range(rounds):
            for prefetch, took in found.items():
                rows = complete(client, prefetch) if prefetch else page_after_page(client)
                took.append(await timed(rows, counter))
    return found


def measure(rounds: int) -> list[suite.Figure]:
    with suite.server(rows=SESSIONS, latency=0.05, jitter=0.02) as url:
        found = asyncio.run(runs(url, max(2, rounds // 2)))
    whole = {prefetch: statistics.median(took.whole for took in all) for prefetch, all in found.items()}
    first = {prefetch: statistics.median(took.first for took in all) for prefetch, all in found.items()}
    for prefetch in found:
        name = f"prefetch {prefetch}" if prefetch else "page after page"
        print(
            f"    {name:20} {whole[prefetch]:6.2f} s, {found[prefetch][0].requests} requests,"
            f" first session after {first[prefetch] * 1000:.0f} ms",
            file=sys.stderr,
        )
    figures = []
    for prefetch, target in TARGETS.items():
        figures.append(
            suite.Figure(
                group=GROUP,
                what=f"page after page / complete listing, prefetch {prefetch}",
                value=whole[0] / whole[prefetch],
                target=target,
                at_most=False,
            )
        )
        requests = max(took.requests for took in found[prefetch]) / found[0][0].requests
        what = f"requests of prefetch {prefetch} / page after page"
        figures.append(suite.Figure(group=GROUP, what=what, value=requests, target=1.2))
    # One answer from 30 to 70 ms away is what comes first in all of them; the rounds differ by chance alone.
    pooled = statistics.median(took.first for prefetch in TARGETS for took in found[prefetch])
    singles = statistics.median(took.first for prefetch in (0, 1) for took in found[prefetch])
    what = "first session, prefetch 8 and 16 / page after page"
    return [*figures, suite.Figure(group=GROUP, what=what, value=pooled / singles, target=1.2)]
