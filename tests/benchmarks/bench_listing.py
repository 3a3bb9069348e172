"""A complete listing against plain paging: 100 pages of 100 sessions from a server 50 ± 20 ms away."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator

import attrs

from tests.benchmarks import suite
from truemed_async import AsyncTruemed
from truemed_async.options import Attempt

GROUP = "listing"
PROCESSES, ROUNDS = 5, 1
SESSIONS, PAGE, FIRSTS = 10_000, 100, 15
TARGETS = {8: 5.5, 16: 10.0}


@attrs.frozen
class Took:
    whole: float
    requests: int


class Counter:
    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, attempt: Attempt) -> None:
        self.requests += 1


async def page_after_page(client: AsyncTruemed) -> AsyncGenerator[int, None]:
    """What one would write by hand; it loses sessions when the list changes."""
    for page in range(1, SESSIONS // PAGE + 1):
        yield len(await client.qualification_sessions.list(page=page, page_size=PAGE))


async def complete(client: AsyncTruemed, prefetch: int) -> AsyncGenerator[int, None]:
    async for _ in client.qualification_sessions.iter(page_size=PAGE, prefetch=prefetch):
        yield 1


async def read_all(rows: AsyncIterator[int], counter: Counter) -> Took:
    counter.requests = 0
    started, found = time.perf_counter(), 0
    async for more in rows:
        found += more
    assert found == SESSIONS
    return Took(time.perf_counter() - started, counter.requests)


async def first_session(client: AsyncTruemed, prefetch: int) -> float:
    """Return the seconds to the first session."""
    started = time.perf_counter()
    async with contextlib.aclosing(complete(client, prefetch) if prefetch else page_after_page(client)) as rows:
        async for _ in rows:
            break
        return time.perf_counter() - started


async def firsts(url: str) -> float:
    """Return the seconds to the first session with prefetching, in relation to those without.

    One answer from 30 to 70 ms away is what comes first in all of them.
    """
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        took = {each: [await first_session(client, each) for _ in range(FIRSTS)] for each in (0, *TARGETS)}
    return statistics.median(seconds for each in TARGETS for seconds in took[each]) / statistics.median(took[0])


async def runs(url: str, rounds: int) -> dict[int, list[Took]]:
    """In turns; 0 is page after page."""
    counter = Counter()
    found: dict[int, list[Took]] = {0: [], 1: [], 4: [], **{prefetch: [] for prefetch in TARGETS}}
    async with AsyncTruemed(suite.KEY, base_url=url, hooks=[counter]) as client:
        await client.qualification_sessions.list(page_size=1)
        for _ in range(rounds):
            for prefetch, took in found.items():
                rows = complete(client, prefetch) if prefetch else page_after_page(client)
                took.append(await read_all(rows, counter))
    return found


def measure(rounds: int) -> list[suite.Figure]:
    with suite.server(rows=SESSIONS, latency=0.05, jitter=0.02) as url:
        found = asyncio.run(runs(url, rounds))
        first = asyncio.run(firsts(url))
    whole = {prefetch: statistics.median(took.whole for took in all) for prefetch, all in found.items()}
    for prefetch in found:
        name = f"prefetch {prefetch}" if prefetch else "page after page"
        print(f"    {name:20} {whole[prefetch]:6.2f} s, {found[prefetch][0].requests} requests", file=sys.stderr)
    figures = []
    for prefetch, target in TARGETS.items():
        figures.append(
            suite.Figure(
                group=GROUP,
                what=f"page after page / complete listing, prefetch {prefetch}",
                value=whole[0] / whole[prefetch],
                target=target,
                at_most=False,
                clock="elapsed",
            )
        )
        requests = max(took.requests for took in found[prefetch]) / found[0][0].requests
        what = f"requests of prefetch {prefetch} / page after page"
        figures.append(suite.Figure(group=GROUP, what=what, value=requests, target=1.2))
    what = "first session, prefetch 8 and 16 / page after page"
    return [*figures, suite.Figure(group=GROUP, what=what, value=first, target=1.2, clock="elapsed")]
