"""The synchronous client, one call at a time, on asyncio's loop and on uvloop's, against its peers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.benchmarks import generated, suite
from truemed_async import AsyncTruemed, Truemed

GROUP = "sync"
PROCESSES, ROUNDS = 7, 9
CALLS, ROWS = 200, 10_000
ID = "qs_00000001-1c8e-4c47-9a5b-2f1f5f0e7d11"
GET = f"/api/v1/qualification_session/{ID}"
OURS = "truemed-async"
LOOP = "BENCH_SYNC_LOOP"


def repeated(call: Callable[[], Any]) -> Callable[[], int]:
    calls = suite.scale(CALLS)

    def work() -> int:
        for _ in range(calls):
            call()
        return calls

    return work


def peers(url: str, stack: contextlib.ExitStack) -> dict[str, Callable[[], Any]]:
    headers = {"x-truemed-api-key": suite.KEY}
    found: dict[str, Callable[[], Any]] = {}
    names = suite.find_installed("requests", "httpx")
    if "requests" in names:
        import requests

        session = stack.enter_context(requests.Session())
        session.headers.update(headers)
        found["requests"] = lambda: session.get(url + GET).json()
    if "httpx" in names:
        import httpx

        client = stack.enter_context(httpx.Client(base_url=url, headers=headers))
        found["httpx"] = lambda: client.get(GET).json()
    client_module = generated.load()
    if client_module is not None:
        found["openapi-python-client"] = client_module.synchronous(url, ID, stack)
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
    if os.environ.get(LOOP) is not None:
        return _measure(rounds, os.environ[LOOP])
    found: list[suite.Figure] = []
    for loop in ("asyncio", *suite.find_installed("uvloop")):
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.run", "--child", "bench_sync", "--rounds", str(rounds)],
            env={**os.environ, LOOP: loop}, stdout=subprocess.PIPE, text=True, timeout=600, check=True,
        )  # fmt: skip
        found += suite.figures_of(done.stdout)
    return found


def _measure(rounds: int, loop: str) -> list[suite.Figure]:
    if loop == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # an import of it fails, as where it is missing
    ratio = partial(suite.ratio, group=GROUP)
    with suite.server(rows=ROWS) as url, suite.keep_awake(), contextlib.ExitStack() as stack:
        client = stack.enter_context(Truemed(suite.KEY, base_url=url))
        calls = {OURS: lambda: client.qualification_sessions.get(ID), **peers(url, stack)}
        times = suite.time_in_turns({name: repeated(call) for name, call in calls.items()}, rounds)
        print(f"  get, one at a time, {loop}", file=sys.stderr)
        suite.show(times)
        if loop == "uvloop":
            what = "get, synchronous on uvloop / requests.Session"
            return [ratio(times, OURS, "requests", what=what, target=0.30)]
        targets = {"requests": 0.45, "httpx": 0.75, "openapi-python-client": 0.75}
        figures = [
            ratio(times, OURS, peer, what=f"get, synchronous / {peer}", target=target)
            for peer, target in targets.items()
            if peer in times
        ]
        rows = suite.time_in_turns(iterations(url, client, stack), rounds)
        print("  iterating, a session", file=sys.stderr)
        suite.show(rows)
        what = "iterating synchronously / asynchronously, a session"
        return [*figures, ratio(rows, "sync", "async", what=what, target=1.05)]
