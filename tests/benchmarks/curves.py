"""Measures how the cost grows, and where it goes, and draws both for docs/performance.md.

    python -m tests.benchmarks.curves [NAME ...] [--quick] [--docs]

``--docs`` writes the pictures into docs/performance/, ``--quick`` measures a tenth, to show that everything runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from tests.benchmarks import bench_get, suite
from tests.benchmarks.bench_memory import resident
from tests.benchmarks.charts import LineChart, Points, draw_bar
from truemed_async import AsyncTruemed, Truemed

FOLDER = Path(__file__).parents[2] / "docs" / "performance"
OURS, BASE = bench_get.OURS, "aiohttp + orjson"
LATENCY = 0.05
SECONDS = 2.0  # of each point of the curves that wait
SAMPLE_SECONDS = 0.0005
ID = bench_get.ID


def measure_in_child(what: str, *arguments: object) -> list[float]:
    """Have a process of its own measure something on the client's core."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.curves", "--child", what, *map(str, arguments)],
        env={**os.environ, "BENCH_CORES": " ".join(map(str, suite.CORES))},
        preexec_fn=lambda: suite.pin(suite.CLIENT_CORE),
        stdout=subprocess.PIPE, text=True, timeout=900, check=True,
    )  # fmt: skip
    print(what, *arguments[1:], done.stdout.strip(), file=sys.stderr)
    return json.loads(done.stdout)


# In flight.


async def calls_in_flight(name: str, url: str, in_flight: int, calls: int) -> list[float]:
    """Return calls a second, and the CPU time of a call in microseconds."""
    async with contextlib.AsyncExitStack() as inside:
        if name == OURS:
            client = await inside.enter_async_context(AsyncTruemed(suite.KEY, base_url=url, max_concurrency=in_flight))
            call = partial(client.qualification_sessions.get, ID)
        else:
            import aiohttp
            import orjson

            session = await inside.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight))
            )

            async def call() -> object:
                async with session.get(url + bench_get.GET) as response:
                    return orjson.loads(await response.read())

        await bench_get.time_calls(call, in_flight * 2, in_flight)  # opens the connections
        took = await bench_get.time_calls(call, calls, in_flight)
    return [1 / took.elapsed, took.cpu * 1e6]


def in_flight() -> list[tuple[str, str]]:
    steps = (1, 3, 10, 30, 100, 300, 1_000)
    lines: dict[str, list[tuple[float, float]]] = {OURS: [], BASE: []}
    costs: dict[str, list[tuple[float, float]]] = {OURS: [], BASE: []}
    with suite.server(latency=LATENCY) as url, suite.keep_awake():
        for step in steps:
            calls = max(step * 2, suite.scale(min(int(step / LATENCY * SECONDS), 10_000)))
            for name in (OURS, BASE):
                rate, cpu = measure_in_child("in_flight", name, url, step, calls)
                lines[name].append((step, rate))
                costs[name].append((step, cpu))
    ideal = [(step, step / LATENCY) for step in steps if step / LATENCY <= 10_000]
    return [
        (
            "in-flight",
            LineChart(
                title="Calls a second, 50 ms from the server", x="calls in flight", y="calls a second",
                lines=lines, ideal={"ideal": ideal}, log=True,
            ).draw(),
        ),
        (
            "cost-in-flight",
            LineChart(title="CPU time of a call", x="calls in flight", y="µs", lines=costs).draw(),
        ),
    ]  # fmt: skip


# Rows of a page.


async def rows_of_a_page(url: str, rows: int, pages: int) -> list[float]:
    """Return the CPU time of a page in milliseconds, and that of a row in microseconds."""
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        call = partial(client.qualification_sessions.list, page=1, page_size=rows)
        await bench_get.time_calls(call, 3, 1)
        took = await bench_get.time_calls(call, pages, 1)
    return [took.cpu * 1e3, took.cpu / rows * 1e6]


def page_size() -> list[tuple[str, str]]:
    steps = (30, 50, 100, 200, 500, 1_000)
    found = []
    with suite.server() as url, suite.keep_awake():
        for step in steps:
            found.append(measure_in_child("page_size", url, step, max(2, suite.scale(30_000 // step))))
    chart = LineChart(
        title="CPU time of a session in a list",
        x="sessions on a page", y="µs", lines={OURS: [(step, row) for step, (_, row) in zip(steps, found, strict=True)]},
    )  # fmt: skip
    return [("page-size", chart.draw())]


# Length of a list.


async def list_sessions(url: str) -> list[float]:
    """Return the seconds of a whole listing, those of the CPU, and the most memory above an idle client in MiB."""
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        await client.qualification_sessions.list(page_size=100)
        idle, most, rows = resident(), 0.0, 0
        cpu, started = time.process_time(), time.perf_counter()
        async for _ in client.qualification_sessions.iter(prefetch=8):
            rows += 1
            if rows % 1_000 == 0:
                most = max(most, resident() - idle)
        return [time.perf_counter() - started, time.process_time() - cpu, most]


def length() -> list[tuple[str, str]]:
    steps = [suite.scale(step) for step in (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)]
    found = []
    for step in steps:
        with suite.server(rows=step) as url, suite.keep_awake():
            found.append(measure_in_child("length", url))

    def line(number: int) -> Points:
        return [(step, values[number]) for step, values in zip(steps, found, strict=True)]

    seconds = LineChart(
        title="A whole list of sessions, prefetch 8, without the network", x="sessions", y="seconds",
        lines={"elapsed": line(0), "CPU time": line(1)}, log=True,
    )  # fmt: skip
    memory = LineChart(
        title="Memory above an idle client", x="sessions", y="MiB", lines={"iter, prefetch 8": line(2)}, top=5
    )
    return [("list-time", seconds.draw()), ("list-memory", memory.draw())]


# Threads and processes.


def calls_of_threads(url: str, threads: int, seconds: float) -> list[float]:
    """Return calls a second of one synchronous client in several threads."""
    counted = [0] * threads

    def work(number: int) -> None:
        while time.perf_counter() < end:
            client.qualification_sessions.get(ID)
            counted[number] += 1

    with Truemed(suite.KEY, base_url=url) as client:
        end = time.perf_counter() + 0.5  # opens the connections
        _join(threading.Thread(target=work, args=(number,)) for number in range(threads))
        counted[:] = [0] * threads
        started = time.perf_counter()
        end = started + seconds
        _join(threading.Thread(target=work, args=(number,)) for number in range(threads))
        return [sum(counted) / (time.perf_counter() - started)]


def _join(threads: Iterator[threading.Thread]) -> None:
    begun = list(threads)
    for thread in begun:
        thread.start()
    for thread in begun:
        thread.join()


def threads() -> list[tuple[str, str]]:
    steps = (1, 2, 4, 8, 16, 32)
    with suite.server(latency=LATENCY) as url, suite.keep_awake():
        points = [(step, measure_in_child("threads", url, step, SECONDS)[0]) for step in steps]
    chart = LineChart(
        title="Threads of the synchronous client, 50 ms from the server", x="threads", y="calls a second",
        lines={OURS: points}, ideal={"ideal": [(step, step / LATENCY) for step in steps]}, log=True,
    )  # fmt: skip
    return [("threads", chart.draw())]


async def contend(url: str) -> None:
    """Measure on request, in one of several processes that do so at the same time."""
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        call = partial(client.qualification_sessions.get, ID)
        await bench_get.time_calls(call, 20, 10)
        print("ready", flush=True)
        for line in sys.stdin:
            calls, at_once = map(int, line.split())
            suite.report(await bench_get.time_calls(call, calls, at_once))


def processes() -> list[tuple[str, str]]:
    steps, at_once = (1, 2, 4, 8, 16), 10
    calls = suite.scale(int(at_once / LATENCY * SECONDS))
    points = []
    with suite.server(latency=LATENCY) as url:
        for step in steps:
            with contextlib.ExitStack() as stack:
                started = [suite.Contender(stack, "curves", "--contend", url) for _ in range(step)]
                for each in started:
                    each.wait()
                rates: list[float] = []

                def measure(contender: suite.Contender, rates: list[float] = rates) -> None:
                    rates.append(1 / contender.measure(calls, at_once).elapsed)

                _join(threading.Thread(target=measure, args=(each,)) for each in started)
            points.append((step, sum(rates)))
            print("processes", step, sum(rates), file=sys.stderr)
    chart = LineChart(
        title="Processes with ten calls in flight each, 50 ms from the server", x="processes", y="calls a second",
        lines={OURS: points}, ideal={"ideal": [(step, step * at_once / LATENCY) for step in steps]}, log=True,
    )  # fmt: skip
    return [("processes", chart.draw())]


# Where the time of a call goes.

PARTS = (
    ("event loop and sockets", ("/asyncio/", "/selectors.py", "/socket.py")),
    ("aiohttp", ("/aiohttp/", "/yarl/", "/multidict/", "/aiosignal/", "/propcache/", "/frozenlist/")),
    ("decoding", ("/_core/response.py", "/_core/content_encoding.py", "/models/", "<compiled", "<structure")),
    ("building the request", ("/_core/request.py", "/resources/", "/client.py", "/_validation/", "/_sensitive.py")),
    ("transport", ("/_core/transport.py", "/_core/event_loop.py", "/_core/time_limit.py")),
    ("retries, rate limit, hooks", ("/_core/", "/options.py", "/errors.py")),
)


def find_part(frame: FrameType | None) -> str:
    """Return the part of the innermost frame that belongs to one; what C code does belongs to its caller."""
    while frame is not None:
        for part, marks in PARTS:
            if any(mark in frame.f_code.co_filename for mark in marks):
                return part
        frame = frame.f_back
    return "the caller"


async def sample_calls(url: str, calls: int) -> dict[str, float]:
    """Return the CPU time of a call in microseconds, by part: from samples of what runs."""
    found: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        found[find_part(frame)] += 1

    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        call = partial(client.qualification_sessions.get, ID)
        await bench_get.time_calls(call, 200, 10)
        signal.signal(signal.SIGPROF, sample)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
        took = await bench_get.time_calls(call, calls, 10)
        signal.setitimer(signal.ITIMER_PROF, 0)
    total = found.total()
    return {part: took.cpu * 1e6 * number / total for part, number in found.most_common()}


def call() -> list[tuple[str, str]]:
    with suite.server() as url, suite.keep_awake():
        shares = measure_in_child("call", url, suite.scale(20_000))
    assert isinstance(shares, dict)
    return [("call", draw_bar("CPU time of one get, ten in flight", shares, "µs"))]


CURVES: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "in_flight": in_flight,
    "page_size": page_size,
    "length": length,
    "threads": threads,
    "processes": processes,
    "call": call,
}


def child(what: str, arguments: Sequence[str]) -> object:
    """Measure one point in this process."""
    if what == "in_flight":
        name, url, at_once, calls = arguments
        return asyncio.run(calls_in_flight(name, url, int(at_once), int(calls)))
    if what == "page_size":
        return asyncio.run(rows_of_a_page(arguments[0], int(arguments[1]), int(arguments[2])))
    if what == "length":
        return asyncio.run(list_sessions(arguments[0]))
    if what == "threads":
        return calls_of_threads(arguments[0], int(arguments[1]), float(arguments[2]))
    return asyncio.run(sample_calls(arguments[0], int(arguments[1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*CURVES, []], metavar="NAME", help=", ".join(CURVES))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--contend", help=argparse.SUPPRESS)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096) if hard > 0 else 4_096, hard))  # 1,000 connections
    if options.contend:
        asyncio.run(contend(options.contend))
        return
    if options.child:
        print(json.dumps(child(options.child[0], options.child[1:])))
        return
    os.environ[suite.QUICK] = "1" if options.quick else ""
    for name in options.names or CURVES:
        started = time.monotonic()
        for picture, drawn in CURVES[name]():
            if options.docs:
                FOLDER.mkdir(exist_ok=True)
                (FOLDER / f"{picture}.svg").write_text(drawn, encoding="utf-8")
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
