"""5,000 ids from a server 50 ms away, a hundred at once."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from tests.benchmarks import suite
from truemed_async import AsyncTruemed

GROUP = "get_many"
IDS, CONCURRENCY, LATENCY = 5_000, 100, 0.05
IDEAL = IDS / CONCURRENCY * LATENCY


async def run(url: str) -> tuple[float, int]:
    """Return the seconds that it took, and the most tasks that were alive besides the consumer."""
    ids = (f"qs_{number:08d}" for number in range(IDS))
    most = found = 0
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        async for _ in client.qualification_sessions.get_many(ids, concurrency=CONCURRENCY):
            break  # opens no more than the first connections
        ids = (f"qs_{number:08d}" for number in range(IDS))
        started = time.perf_counter()
        async for outcome in client.qualification_sessions.get_many(ids, concurrency=CONCURRENCY):
            assert outcome.ok
            found += 1
            if found % 100 == 0:
                most = max(most, len(asyncio.all_tasks()) - 1)
        took = time.perf_counter() - started
    assert found == IDS
    return took, most


def measure(rounds: int) -> list[suite.Figure]:
    with suite.server(latency=LATENCY) as url:
        found = [asyncio.run(run(url)) for _ in range(rounds)]
    seconds = statistics.median(took for took, _ in found)
    print(f"    {seconds:.3f} s, ideal {IDEAL:.3f} s", file=sys.stderr)
    return [
        suite.Figure(group=GROUP, what="5,000 ids at 50 ms, 100 at once / ideal", value=seconds / IDEAL, target=1.10),
        suite.Figure(group=GROUP, what="tasks alive", value=max(most for _, most in found), target=102, unit=""),
    ]
