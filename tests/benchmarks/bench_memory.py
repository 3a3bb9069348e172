"""What a long listing and many gets hold: resident memory above an idle client, in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import suite
from truemed_async import AsyncTruemed

GROUP = "memory"
PROCESSES, ROUNDS = 3, 1
ROWS, IDS = 200_000, 5_000


def resident() -> float:
    """Return this process's memory in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def listing(client: AsyncTruemed) -> float:
    await client.qualification_sessions.list(page_size=100)
    idle, most, rows = resident(), 0.0, 0
    async for _ in client.qualification_sessions.iter(prefetch=8):
        rows += 1
        if rows % 2_000 == 0:
            most = max(most, resident() - idle)
    assert rows == suite.scale(ROWS)
    return most


async def get_many(client: AsyncTruemed) -> float:
    async for _ in client.qualification_sessions.get_many(["qs_1"] * 200, concurrency=100):
        pass
    idle, most, found = resident(), 0.0, 0
    ids = (f"qs_{number:08d}" for number in range(IDS))
    async for _ in client.qualification_sessions.get_many(ids, concurrency=100):
        found += 1
        if found % 100 == 0:
            most = max(most, resident() - idle)
    return most


async def child(what: str, url: str) -> None:
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        print(await {"listing": listing, "get_many": get_many}[what](client))


def measure(rounds: int) -> list[suite.Figure]:
    figures = []
    for what, name, target in (
        ("listing", "listing 200,000 sessions, prefetch 8, above an idle client", 5.0),
        ("get_many", "get_many of 5,000, outcomes not kept, above an idle client", 3.0),
    ):
        with suite.server(rows=suite.scale(ROWS)) as url:
            found = [
                float(
                    subprocess.run(
                        [sys.executable, "-m", "tests.benchmarks.bench_memory", what, url],
                        stdout=subprocess.PIPE,
                        text=True,
                        timeout=600,
                        check=True,
                    ).stdout
                )
                for _ in range(rounds)
            ]
        figures.append(suite.Figure(group=GROUP, what=name, value=max(found), target=target, unit="MiB"))
    return figures


if __name__ == "__main__":
    asyncio.run(child(sys.argv[1], sys.argv[2]))
