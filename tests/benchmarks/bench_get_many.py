"""5,000 ids from a server 50 ms away, a hundred at once."""

from __future__ import annotations

import asyncio
import sys
import time

from tests.benchmarks import suite
from truemed_async import AsyncTruemed

GROUP = "get_many"
PROCESSES, ROUNDS = 7, 1
IDS, CONCURRENCY, LATENCY = 5_000, 100, 0.05
IDEAL = IDS / CONCURRENCY * LATENCY


async def run(url: str) -> tuple[float, float, int]:
    """Return the CPU time and the seconds that it took, and the most tasks that were alive besides the consumer."""
    ids = (f"qs_{number:08d}" for number in range(IDS))
    most = found = 0
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        async for _ in client.qualification_sessions.get_many(ids, concurrency=CONCURRENCY):
            break  # opens no more than the first connections
        ids = (f"qs_{number:08d}" for number in range(IDS))
        cpu, started = time.process_time(), time.perf_counter()
        async for outcome in client.qualification_sessions.get_many(ids, concurrency=CONCURRENCY):
            assert outcome.ok
            found += 1
            if found % 100 == 0:
                most = max(most, len(asyncio.all_tasks()) - 1)
        took = time.perf_counter() - started
    assert found == IDS
    return time.process_time() - cpu, took, most


def measure(rounds: int) -> list[suite.Figure]:
    with suite.server(latency=LATENCY) as url, suite.keep_awake():
        cpu, elapsed, most = min((asyncio.run(run(url)) for _ in range(rounds)), key=lambda run: run[1])
    print(f"    {elapsed:.3f} s, of which {cpu:.3f} s CPU, ideal {IDEAL:.3f} s", file=sys.stderr)
    what = "5,000 ids at 50 ms, 100 at once / ideal"
    return [
        suite.Figure(group=GROUP, what=what, value=elapsed / IDEAL, target=1.06, clock="elapsed", other=cpu / IDEAL),
        suite.Figure(group=GROUP, what="tasks alive", value=most, target=102, unit=""),
    ]
