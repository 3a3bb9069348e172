"""A complete listing against plain paging: 100 pages of 100 sessions from an emulator 50 ± 20 ms away.

    python tests/benchmarks/bench_listing.py [rounds]

Prints each ratio beside its target. It exits with 1 if one is missed, so that nobody has to read it to know.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import attrs

from truemed_async import AsyncTruemed
from truemed_async.emulator import Emulator

SESSIONS, PAGE = 10_000, 100
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


@attrs.frozen
class Took:
    first: float
    whole: float
    requests: int


async def page_after_page(client: AsyncTruemed, emulator: Emulator) -> Took:
    """What one would write by hand; it loses sessions when the list changes."""
    emulator.requests.clear()
    started, first, rows = time.perf_counter(), 0.0, 0
    for page in range(1, SESSIONS // PAGE + 1):
        rows += len(await client.qualification_sessions.list(page=page, page_size=PAGE))
        first = first or time.perf_counter() - started
    assert rows == SESSIONS
    return Took(first, time.perf_counter() - started, len(emulator.requests))


async def complete(client: AsyncTruemed, emulator: Emulator, prefetch: int) -> Took:
    emulator.requests.clear()
    started, first, rows = time.perf_counter(), 0.0, 0
    async for _ in client.qualification_sessions.iter(page_size=PAGE, prefetch=prefetch):
        rows += 1
        first = first or time.perf_counter() - started
    assert rows == SESSIONS
    return Took(first, time.perf_counter() - started, len(emulator.requests))


async def main() -> int:
    plain: list[Took] = []
    ahead: dict[int, list[Took]] = {1: [], 4: [], 8: [], 16: []}
    with Emulator(sessions=SESSIONS, latency=(0.03, 0.07)) as emulator:
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            await client.qualification_sessions.list(page_size=1)
            for _ in range(ROUNDS):  # in turns, so that a slow moment of the machine touches all
                plain.append(await page_after_page(client, emulator))
                for prefetch, runs in ahead.items():
                    runs.append(await complete(client, emulator, prefetch))

    base = statistics.median(took.whole for took in plain)
    first = statistics.median(took.first for took in plain)
    print(f"page after page: {base:.2f} s, {plain[0].requests} requests, first session after {first * 1000:.0f} ms")
    missed = 0
    targets = {1: 0.8, 4: 3.0, 8: 5.5, 16: 10.0}
    for prefetch, runs in ahead.items():
        times = base / statistics.median(took.whole for took in runs)
        requests = runs[0].requests / plain[0].requests
        soon = statistics.median(took.first for took in runs) / first
        good = times >= targets[prefetch] and requests <= 1.2
        missed += not good
        print(
            f"prefetch {prefetch:2}: {times:5.2f} times as fast (target {targets[prefetch]}), "
            f"{requests:.2f} times the requests (target 1.2), first session after {soon:.2f} of the time"
            f"{'' if good else '   MISSED'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
