"""What a delivery costs with each store: CPU time of the receiver and of the server, and deliveries a second.

    python -m tests.benchmarks.bench_stores [STORE ...] [--deliveries N] [--processes N] [--threads N] [--durable]
    python -m tests.benchmarks.bench_stores STORE --profile

It starts its own PostgreSQL and Redis servers. Each store gets signed deliveries of events of its own, with a handler
that does nothing, in some processes that begin at the same time. ``--durable`` lets PostgreSQL wait for the disk at each
commit. ``--profile`` shows where the time of one process goes, and what each statement takes in PostgreSQL.

CPU time holds still where other work shares the machine; deliveries a second do not. Both are the best of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import itertools
import multiprocessing
import os
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs

from tests.support.databases import PostgresServer, RedisServer, Server
from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
from truemed_async.webhooks import AsyncReceiver, DeliveryStatus, MemoryDedupStore, Receiver, SQLiteDedupStore
from truemed_async.webhooks.postgres import (
    AsyncPostgresDedupStore,
    AsyncPostgresInbox,
    PostgresDedupStore,
    PostgresInbox,
)
from truemed_async.webhooks.redis import RedisDedupStore

STORES: Mapping[str, Callable[[str], Any]] = {
    "none": lambda _: None,
    "memory": lambda _: MemoryDedupStore(),
    "redis": RedisDedupStore,
    "postgres-store": PostgresDedupStore,
    "postgres-inbox": PostgresInbox,
    "async-postgres-store": AsyncPostgresDedupStore,
    "async-postgres-inbox": AsyncPostgresInbox,
    "sqlite": SQLiteDedupStore,
}
SLOW = {"sqlite": 20}
"""These get one in so many deliveries."""
WARM_UP = 100
WATCHDOG = 300
TOP = 14
TICK = 1 / os.sysconf("SC_CLK_TCK")

Delivery = tuple[bytes, Mapping[str, str]]


@attrs.frozen
class Run:
    """What one process measured: when it began and ended, and its CPU time."""

    began: float
    ended: float
    cpu: float


# ---- a process that receives


def deliver(name: str, store: Any, deliveries: list[Delivery], threads: int, go: Callable[[], None]) -> Run:
    """Receive all deliveries: the first ones to warm up, and the others after ``go``."""
    if name.startswith("async"):
        with asyncio.Runner() as runner:
            return runner.run(deliver_on_a_loop(store, deliveries, threads, go))
    receiver = Receiver(lambda *_: None, secrets=SECRET, store=store)

    def work(share: list[Delivery]) -> None:
        for body, headers in share:
            assert receiver.receive(body, headers).status is DeliveryStatus.HANDLED

    def work_in_threads(share: list[Delivery]) -> None:
        workers = [threading.Thread(target=work, args=(share[number::threads],)) for number in range(1, threads)]
        for worker in workers:
            worker.start()
        work(share[::threads])
        for worker in workers:
            worker.join(WATCHDOG)

    work_in_threads(deliveries[:WARM_UP])
    go()
    began, cpu = time.monotonic(), time.process_time()
    work_in_threads(deliveries[WARM_UP:])
    return Run(began, time.monotonic(), time.process_time() - cpu)


async def deliver_on_a_loop(store: Any, deliveries: list[Delivery], tasks: int, go: Callable[[], None]) -> Run:
    async def handle(*_: object) -> None:
        pass

    receiver = AsyncReceiver(handle, secrets=SECRET, store=store)

    async def work(share: list[Delivery]) -> None:
        for body, headers in share:
            assert (await receiver.receive(body, headers)).status is DeliveryStatus.HANDLED

    async with store:
        await asyncio.gather(*(work(deliveries[:WARM_UP][number::tasks]) for number in range(tasks)))
        go()
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(work(deliveries[WARM_UP:][number::tasks]) for number in range(tasks)))
        return Run(began, time.monotonic(), time.process_time() - cpu)


def sign_deliveries(numbers: range) -> list[Delivery]:
    return [(body, make_signed_headers(body)) for body in map(make_capture_body, numbers)]


def serve(pipe: Connection, name: str, url: str, numbers: range, threads: int) -> None:
    deliveries = sign_deliveries(numbers)

    def go() -> None:
        pipe.send(None)
        pipe.recv()

    pipe.send(deliver(name, STORES[name](url), deliveries, threads, go))
    pipe.recv()


# ---- the process that measures


def server_cpu(server: Server | None) -> float:
    """Return the CPU time of a server and all of its children, also of those that ended."""
    if server is None:
        return 0.0
    fields: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    family = {server.pid}
    for _ in range(2):  # ``timeout``, the server, its children
        family |= {pid for pid, values in fields.items() if int(values[1]) in family}
    return sum(int(value) for pid in family & fields.keys() for value in fields[pid][11:15]) * TICK


def receive_all(
    name: str, url: str, server: Server | None, numbers: range, processes: int, threads: int
) -> list[float]:
    """Return the deliveries a second, and the CPU seconds per delivery of the receivers and of the server."""
    context = multiprocessing.get_context("forkserver")
    share = len(numbers) // processes
    workers = []
    try:
        for number in range(processes):
            pipe, theirs = context.Pipe()
            part = numbers[number * share : (number + 1) * share]
            process = context.Process(target=serve, args=(theirs, name, url, part, threads), daemon=True)
            process.start()
            theirs.close()
            workers.append((pipe, process))
        pipes = [pipe for pipe, _ in workers]

        def read() -> list[Any]:
            assert all(pipe.poll(WATCHDOG) for pipe in pipes)
            return [pipe.recv() for pipe in pipes]

        read()
        before = server_cpu(server)
        for pipe in pipes:
            pipe.send(None)
        runs = read()
        spent = server_cpu(server) - before
        for pipe in pipes:
            pipe.send(None)
    finally:
        for pipe, process in workers:
            process.join(30)
            process.kill()
            pipe.close()
    count = (share - WARM_UP) * processes
    wall = max(run.ended for run in runs) - min(run.began for run in runs)
    return [count / wall, sum(run.cpu for run in runs) / count, spent / count]


@contextlib.contextmanager
def place(name: str, durable: bool) -> Iterator[tuple[str, Server | None]]:
    """Yield the URL or path for a store, and its server."""
    if "postgres" in name:
        settings = {"shared_preload_libraries": "pg_stat_statements"}
        with contextlib.closing(PostgresServer(durable=durable, settings=settings)) as server:
            server.start()
            with PostgresDedupStore(server.url()) as store, contextlib.closing(server.connect()) as connection:
                store.create_schema()
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            yield server.url(), server
    elif name == "redis":
        with contextlib.closing(RedisServer()) as server:
            yield server.start().url, server
    else:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            yield str(Path(directory, "webhooks.db")), None


def compare(names: list[str], options: argparse.Namespace) -> None:
    print(f"{'store':24} {'deliveries/s':>12} {'receiver':>10} {'server':>10} {'both':>10}  (CPU of a delivery)")
    for name in names:
        count = options.deliveries // SLOW.get(name, 1) + WARM_UP * options.processes
        with place(name, options.durable) as (url, server):
            rounds = [
                receive_all(name, url, server, range(at * count, (at + 1) * count), options.processes, options.threads)
                for at in range(options.rounds)
            ]
        rate = max(measured[0] for measured in rounds)
        receiver, work = (min(measured[part] for measured in rounds) * 1e6 for part in (1, 2))
        print(f"{name:24} {rate:12,.0f} {receiver:7.0f} µs {work:7.0f} µs {receiver + work:7.0f} µs", flush=True)


def profile(name: str, options: argparse.Namespace) -> None:
    """Show where one process spends its time, in one thread, and what each statement takes in the server."""
    with place(name, options.durable) as (url, server):
        deliveries = sign_deliveries(range(options.deliveries + WARM_UP))
        profiler = cProfile.Profile()
        run = deliver(name, STORES[name](url), deliveries, 1, profiler.enable)
        profiler.disable()
        print(f"{name}: {run.cpu / options.deliveries * 1e6:.0f} µs of CPU a delivery, under the profiler")
        table = pstats.Stats(profiler, stream=sys.stdout)
        table.sort_stats("tottime").print_stats(TOP)
        if isinstance(server, PostgresServer):
            with contextlib.closing(server.connect()) as connection:
                rows = connection.execute(
                    "SELECT calls, mean_exec_time * 1000, query FROM pg_stat_statements ORDER BY total_exec_time DESC"
                ).fetchall()
            for calls, took, query in itertools.islice(rows, TOP):
                print(f"{calls:8} calls {took:8.1f} µs  {' '.join(query.split())[:100]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="*", choices=[*STORES, []], metavar="STORE", help=", ".join(STORES))
    parser.add_argument("--deliveries", type=int, default=4_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4, help="threads of each process, or tasks of its event loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    names = options.stores or list(STORES)
    if options.profile:
        for name in names:
            profile(name, options)
    else:
        compare(names, options)


if __name__ == "__main__":
    main()
