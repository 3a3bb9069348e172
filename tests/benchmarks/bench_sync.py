"""The synchronous client, one call at a time, on asyncio's loop and on uvloop's, against its peers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks import generated, suite
from truemed_async import AsyncTruemed, Truemed

GROUP = "sync"
CALLS, ROWS = 300, 10_000
ID = "qs_00000001-1c8e-4c47-9a5b-2f1f5f0e7d11"
GET = f"/api/v1/qualification_session/{ID}"
OURS = "truemed-async"


def repeated(call: Callable[[], Any]) -> Callable[[], int]:
    def work() -> int:
        for _ in range(CALLS):
            call()
        return CALLS

    return work


def peers(url: str, stack: contextlib.ExitStack) -> dict[str, Callable[[], Any]]:
    headers = {"x-truemed-api-key": suite.KEY}
    found: dict[str, Callable[[], Any]] = {}
    names = suite.installed("requests", "httpx")
    if "requests" in names:
        import requests

        session = stack.enter_context(requests.Session())
        session.headers.update(headers)
        found["requests"] = lambda: session.get(url + GET).json()
    if "httpx" in names:
        import httpx

        client = stack.enter_context(httpx.Client(base_url=url, headers=headers))
        found["httpx"] = lambda: client.get(GET).json()
    made = generated.load()
    if made is not None:
        found["openapi-python-client"] = made.synchronous(url, ID, stack)
    return found


def iterations(url: str, client: Truemed, stack: contextlib.ExitStack) -> dict[str, Callable[[], int]]:
    """Both worlds over the same rows, as they come by default."""
    runner = stack.enter_context(asyncio.Runner())
    other = runner.run(_entered(AsyncTruemed(suite.KEY, base_url=url)))
    stack.callback(lambda: runner.run(other.aclose()))

    async def count() -> int:
        found = 0
        async for _ in other.qualification_sessions.iter():
            found += 1
        return found

    def counted() -> int:
        found = 0
        for _ in client.qualification_sessions.iter():
            found += 1
        return found

    return {"async": lambda: runner.run(count()), "sync": counted}


async def _entered(client: AsyncTruemed) -> AsyncTruemed:
    return await client.__aenter__()


def measure(rounds: int) -> list[suite.Figure]:
    """In two processes: which loop the synchronous client has is settled by its first call."""
    if os.environ.get("BENCH_SYNC_LOOP") is None:
        found: list[suite.Figure] = []
        for loop in ("asyncio", "uvloop"):
            if loop == "uvloop" and not suite.installed("uvloop"):
                continue
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.run", "--child", "bench_sync", "--rounds", str(rounds)],
                env={**os.environ, "BENCH_SYNC_LOOP": loop},
                stdout=subprocess.PIPE,
                text=True,
                timeout=900,
                check=True,
            )
            found += suite.figures_of(done.stdout)
        return found
    return _measure(rounds, os.environ["BENCH_SYNC_LOOP"])


def _measure(rounds: int, loop: str) -> list[suite.Figure]:
    if loop == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # an import of it fails, as where it is missing
    with suite.server(rows=ROWS) as url, suite.awake(), contextlib.ExitStack() as stack:
        client = stack.enter_context(Truemed(suite.KEY, base_url=url))
        calls = {OURS: lambda: client.qualification_sessions.get(ID), **peers(url, stack)}
        times = suite.in_turns({n: repeated(call) for n, call in calls.items()}, 3 * rounds, time.perf_counter)
        print(f"  get, one at a time, {loop}", file=sys.stderr)
        suite.show(times)
        where = "" if loop == "asyncio" else " on uvloop"
        figures = [
            suite.ratio(times, OURS, "requests", group=GROUP, what=f"get{where} / requests.Session", target=target)
            for target in ([0.45] if loop == "asyncio" else [0.32])
            if "requests" in times
        ]
        if loop == "asyncio":
            figures += [
                suite.ratio(times, OURS, peer, group=GROUP, what=f"get / {peer}, synchronous", target=0.75)
                for peer in ("httpx", "openapi-python-client")
                if peer in times
            ]
            rows = suite.in_turns(iterations(url, client, stack), rounds, time.perf_counter)
            what = "iterating, a session / the asynchronous iteration"
            figures.append(suite.ratio(rows, "sync", "async", group=GROUP, what=what, target=1.10))
    return figures
