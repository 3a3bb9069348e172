"""Webhook deliveries over two processes that share a PostgreSQL server, with its store and its inbox."""

from __future__ import annotations

import os
import sys

from tests.benchmarks import bench_stores, suite
from tests.support.databases import find_postgres

GROUP = "deliveries"
PROCESSES, ROUNDS = 3, 2
RECEIVERS, THREADS, DELIVERIES = 2, 4, 2_000
STORES = {"postgres-store": "the store", "postgres-inbox": "the inbox"}


def measure(rounds: int) -> list[suite.Figure]:
    """On all cores: receivers, the server and its own processes share them."""
    if find_postgres() is None:
        print("    PostgreSQL is not installed: not measured", file=sys.stderr)
        return []
    os.sched_setaffinity(0, suite.CORES)
    count = suite.scale(DELIVERIES) + bench_stores.WARM_UP * RECEIVERS
    figures = []
    for name, words in STORES.items():
        with bench_stores.place(name, durable=False) as (url, server):
            runs = [
                bench_stores.receive_all(name, url, server, range(at * count, (at + 1) * count), RECEIVERS, THREADS)
                for at in range(rounds)
            ]
        rate = max(run[0] for run in runs)
        receiver, work = (min(run[part] for run in runs) for part in (1, 2))
        print(f"    {name:16} CPU of a delivery {receiver * 1e6:.0f} µs, server {work * 1e6:.0f} µs", file=sys.stderr)
        what = f"deliveries a second, two processes with {words} on PostgreSQL"
        figures.append(
            suite.Figure(
                group=GROUP,
                what=what,
                value=rate,
                unit="/s",
                clock="elapsed",
                other=len(suite.CORES) / (receiver + work),
            )
        )
    return figures
