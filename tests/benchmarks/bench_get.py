"""One session, ten at a time, and a page of a hundred: the asynchronous client against bare aiohttp and its peers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import aiohttp
import orjson

from tests.benchmarks import generated, suite
from truemed_async import AsyncTruemed

GROUP = "get"
CALLS, AT_ONCE = 400, 10
ID = "qs_00000001-1c8e-4c47-9a5b-2f1f5f0e7d11"
GET, LIST = f"/api/v1/qualification_session/{ID}", "/api/v1/qualification_sessions?page=1&page_size=100"
GENERATED = "openapi-python-client"
Call = Callable[[], Awaitable[Any]]


class Contender:
    """A process with a loop and a client of one kind: what one leaves in memory must not help or slow another."""

    def __init__(self, stack: contextlib.ExitStack, name: str, url: str, loop: str = "asyncio") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.bench_get", name, url, loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(self.process.communicate, timeout=60)

    def measure(self, what: str, calls: int, at_once: int) -> float:
        """Return CPU seconds a call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what} {calls} {at_once}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


async def contend(name: str, url: str) -> None:
    """Measure on request, in the process of one contender."""
    async with contextlib.AsyncExitStack() as inside:
        made = generated.load().asynchronous(url, ID) if name == GENERATED else contenders(url)[name]
        get, list_ = await made(inside)
        for line in sys.stdin:
            what, calls, at_once = line.split()
            left = iter(range(int(calls)))
            call = {"get": get, "list": list_}[what]

            async def worker(left: Iterator[int] = left, call: Call = call) -> None:
                for _ in left:
                    await call()

            gc.collect()
            started = time.process_time()
            await asyncio.gather(*(worker() for _ in range(int(at_once))))
            print((time.process_time() - started) / int(calls), flush=True)


def contenders(url: str) -> dict[str, Callable[..., Any]]:
    async def bare(inside: contextlib.AsyncExitStack) -> tuple[Call, Call]:
        session = await inside.enter_async_context(aiohttp.ClientSession(headers={"x-truemed-api-key": suite.KEY}))

        async def get() -> Any:
            async with session.get(url + GET) as response:
                return orjson.loads(await response.read())

        async def list_() -> Any:
            async with session.get(url + LIST) as response:
                return await response.json(loads=json.loads)

        return get, list_

    async def ours(inside: contextlib.AsyncExitStack) -> tuple[Call, Call]:
        client = await inside.enter_async_context(AsyncTruemed(suite.KEY, base_url=url))
        return (
            lambda: client.qualification_sessions.get(ID),
            lambda: client.qualification_sessions.list(page=1, page_size=100),
        )

    async def httpx_(inside: contextlib.AsyncExitStack) -> tuple[Call, Call]:
        import httpx

        client = await inside.enter_async_context(
            httpx.AsyncClient(base_url=url, headers={"x-truemed-api-key": suite.KEY})
        )

        async def fetch_json(path: str) -> Any:
            return (await client.get(path)).json()

        return lambda: fetch_json(GET), lambda: fetch_json(LIST)

    return {"aiohttp": bare, "truemed-async": ours, "httpx": httpx_}


def started(stack: contextlib.ExitStack, url: str, peers: list[str]) -> dict[str, Contender]:
    made = {name: Contender(stack, name, url) for name in ("aiohttp", "truemed-async")}
    if "httpx" in peers:
        made["httpx"] = Contender(stack, "httpx", url)
    if generated.load() is not None:
        made[GENERATED] = Contender(stack, GENERATED, url)
    if "uvloop" in peers:
        made |= {f"{name} on uvloop": Contender(stack, name, url, "uvloop") for name in ("aiohttp", "truemed-async")}
    return made


def measure(rounds: int) -> list[suite.Figure]:
    """Processes are started anew several times: where one's memory happens to lie stays with it for its life.

    Bare aiohttp reads into 256 KiB, which costs a third of a call or nothing, depending on that.
    """
    peers = suite.installed("httpx", "uvloop")
    found: dict[str, dict[str, list[float]]] = {"get": {}, "list": {}}
    with suite.server() as url, suite.awake():
        for _ in range(2 * rounds):
            with contextlib.ExitStack() as stack:
                made = started(stack, url, peers)
                for what, calls, at_once in (("get", CALLS, AT_ONCE), ("list", CALLS // 8, 1)):
                    times = suite.measured_in_turns(
                        {name: partial(each.measure, what, calls, at_once) for name, each in made.items()}, 3
                    )
                    for name, values in times.items():
                        found[what].setdefault(name, []).append(statistics.median(values))
    gets, lists = found["get"], found["list"]
    print("  get, ten at a time", file=sys.stderr)
    suite.show(gets)
    print("  list of 100, one at a time", file=sys.stderr)
    suite.show(lists)
    ours = "truemed-async"
    figures = [
        suite.ratio(gets, ours, "aiohttp", group=GROUP, what="get, 10 in flight / aiohttp + orjson", target=1.10),
        suite.ratio(lists, ours, "aiohttp", group=GROUP, what="list of 100, typed / aiohttp + resp.json()", target=1.0),
    ]
    if "uvloop" in peers:
        what = "get on uvloop / aiohttp + orjson on asyncio"
        figures.append(suite.ratio(gets, f"{ours} on uvloop", "aiohttp", group=GROUP, what=what, target=0.85))
    figures += [
        suite.ratio(gets, peer, ours, group=GROUP, what=f"{peer} / get, 10 in flight", target=4.0, at_most=False)
        for peer in ("httpx", GENERATED)
        if peer in gets
    ]
    if GENERATED in lists:
        what = "list of 100 / openapi-python-client"
        figures.append(suite.ratio(lists, ours, GENERATED, group=GROUP, what=what, target=0.35))
    return figures


if __name__ == "__main__":
    if sys.argv[3] == "uvloop":
        import uvloop

        uvloop.run(contend(sys.argv[1], sys.argv[2]))
    else:
        asyncio.run(contend(sys.argv[1], sys.argv[2]))
