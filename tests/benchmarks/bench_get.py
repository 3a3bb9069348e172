"""One session, ten at a time, and a page of a hundred: the asynchronous client against bare aiohttp and its peers."""

from __future__ import annotations

import asyncio
import contextlib
import json
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
PROCESSES, ROUNDS = 7, 4
CALLS, AT_ONCE, LISTS = 400, 10, 60
ID = "qs_00000001-1c8e-4c47-9a5b-2f1f5f0e7d11"
GET, LIST = f"/api/v1/qualification_session/{ID}", "/api/v1/qualification_sessions?page=1&page_size=100"
OURS, BASE, GENERATED = "truemed-async", "aiohttp", "openapi-python-client"
ON_UVLOOP = " on uvloop"
Call = Callable[[], Awaitable[Any]]


async def contend(name: str, url: str) -> None:
    """Measure on request, in the process of one contender."""
    async with contextlib.AsyncExitStack() as inside:
        contender = generated.load().asynchronous(url, ID) if name == GENERATED else contenders(url)[name]
        get, list_ = await contender(inside)
        for line in sys.stdin:
            what, calls, at_once = line.split()
            suite.report(await time_calls({"get": get, "list": list_}[what], int(calls), int(at_once)))


async def time_calls(call: Call, calls: int, at_once: int) -> suite.Took:
    left = iter(range(calls))

    async def worker(left: Iterator[int]) -> None:
        for _ in left:
            await call()

    cpu, elapsed = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker(left) for _ in range(at_once)))
    return suite.Took((time.process_time() - cpu) / calls, (time.perf_counter() - elapsed) / calls)


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

    return {BASE: bare, OURS: ours, "httpx": httpx_}


def start(stack: contextlib.ExitStack, url: str, peers: list[str]) -> dict[str, suite.Contender]:
    """Start a process for each: what one leaves in memory must not help or slow another.

    Every run starts them anew. Bare aiohttp reads into 256 KiB, which costs a third of a call or nothing, depending on
    where its memory happens to lie.
    """
    names = [BASE, OURS, *(["httpx"] if "httpx" in peers else []), *([GENERATED] if generated.load() else [])]
    contenders_by_name = {name: suite.Contender(stack, "bench_get", name, url, "asyncio") for name in names}
    if "uvloop" in peers:
        for name in (BASE, OURS):
            contenders_by_name[name + ON_UVLOOP] = suite.Contender(stack, "bench_get", name, url, "uvloop")
    return contenders_by_name


def measure(rounds: int) -> list[suite.Figure]:
    peers = suite.find_installed("httpx", "uvloop")
    with suite.server() as url, suite.keep_awake(), contextlib.ExitStack() as stack:
        stacks = start(stack, url, peers)
        gets, lists = (
            suite.take_turns(
                {name: partial(each.measure, what, suite.scale(calls), at_once) for name, each in stacks.items()},
                rounds,
            )
            for what, calls, at_once in (("get", CALLS, AT_ONCE), ("list", LISTS, 1))
        )
    print("  get, ten at a time", file=sys.stderr)
    suite.show(gets)
    print("  list of 100, one at a time", file=sys.stderr)
    suite.show(lists)
    ratio = partial(suite.ratio, group=GROUP)
    figures = [ratio(gets, OURS, BASE, what="get, 10 in flight / aiohttp + orjson", target=1.10)]
    if "uvloop" in peers:
        what = "get on uvloop / aiohttp + orjson on uvloop"
        figures.append(ratio(gets, OURS + ON_UVLOOP, BASE + ON_UVLOOP, what=what, target=1.12))
    figures += [
        ratio(gets, peer, OURS, what=f"{peer} / get, 10 in flight", target=4.0, at_most=False)
        for peer in ("httpx", GENERATED)
        if peer in gets
    ]
    figures.append(ratio(lists, OURS, BASE, what="list of 100, typed / aiohttp + resp.json()", target=0.95))
    if GENERATED in lists:
        figures.append(ratio(lists, OURS, GENERATED, what=f"list of 100 / {GENERATED}", target=0.35))
    return figures


if __name__ == "__main__":
    if sys.argv[3] == "uvloop":
        import uvloop

        uvloop.run(contend(sys.argv[1], sys.argv[2]))
    else:
        asyncio.run(contend(sys.argv[1], sys.argv[2]))
