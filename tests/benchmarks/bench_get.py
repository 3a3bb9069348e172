"""One session, ten at a time, and a page of a hundred: the asynchronous client against bare aiohttp and its peers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import generated
import orjson
import suite

from truemed_async import AsyncTruemed

GROUP = "get"
CALLS, AT_ONCE = 400, 10
ID = "qs_00000001-1c8e-4c47-9a5b-2f1f5f0e7d11"
GET, LIST = f"/api/v1/qualification_session/{ID}", "/api/v1/qualification_sessions?page=1&page_size=100"
Call = Callable[[], Awaitable[Any]]


class Contender:
    """A loop with a client of one kind."""

    def __init__(self, stack: contextlib.ExitStack, make: Callable[..., Any], loop_factory: Any = None) -> None:
        self.runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory))
        self.inside = contextlib.AsyncExitStack()
        self.get: Call
        self.list: Call
        self.get, self.list = self.runner.run(make(self.inside))
        stack.callback(lambda: self.runner.run(self.inside.aclose()))

    def work(self, call: Call, calls: int, at_once: int) -> Callable[[], int]:
        async def run() -> None:
            left = iter(range(calls))

            async def worker() -> None:
                for _ in left:
                    await call()

            await asyncio.gather(*(worker() for _ in range(at_once)))

        def work() -> int:
            self.runner.run(run())
            return calls

        return work


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

        async def asked(path: str) -> Any:
            return (await client.get(path)).json()

        return lambda: asked(GET), lambda: asked(LIST)

    return {"aiohttp": bare, "truemed-async": ours, "httpx": httpx_}


def measure(rounds: int) -> list[suite.Figure]:
    with suite.server() as url, suite.awake(), contextlib.ExitStack() as stack:
        makers = contenders(url)
        peers = suite.installed("httpx", "uvloop")
        made = {name: Contender(stack, make) for name, make in makers.items() if name != "httpx" or "httpx" in peers}
        if "uvloop" in peers:
            import uvloop

            made["truemed-async on uvloop"] = Contender(stack, makers["truemed-async"], uvloop.new_event_loop)
            made["aiohttp on uvloop"] = Contender(stack, makers["aiohttp"], uvloop.new_event_loop)
        client = generated.load()
        if client is not None:
            made["openapi-python-client"] = Contender(stack, client.asynchronous(url, ID))
        gets = suite.cpu_in_turns({n: each.work(each.get, CALLS, AT_ONCE) for n, each in made.items()}, 3 * rounds)
        lists = suite.cpu_in_turns({n: each.work(each.list, CALLS // 8, 1) for n, each in made.items()}, 2 * rounds)
    print("  get, ten at a time", file=suite.sys.stderr)
    suite.show(gets)
    print("  list of 100, one at a time", file=suite.sys.stderr)
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
        suite.ratio(
            gets, peer, ours, group=GROUP, what=f"{peer} / get, 10 in flight", target=4.0, at_most=False
        )
        for peer in ("httpx", "openapi-python-client")
        if peer in gets
    ]
    if "openapi-python-client" in lists:
        what = "list of 100 / openapi-python-client"
        figures.append(suite.ratio(lists, ours, "openapi-python-client", group=GROUP, what=what, target=0.35))
    return figures
