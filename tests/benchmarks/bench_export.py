"""An export of 200,000 sessions: to CSV, JSONL and Parquet, against code written by hand and dlt's generic REST source.

What is written by hand reads as many pages ahead and writes the same columns. It checks nothing, loses sessions when
the list changes, and cannot be resumed. dlt gets fewer rows, because it needs minutes for all of them: its rate does not
depend on their number.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks import suite

GROUP = "export"
PROCESSES, ROUNDS = 3, 1
ROWS, DLT_ROWS = 200_000, 10_000
PAGE_SIZE, PREFETCH = 100, 8
FORMATS = ("csv", "jsonl", "parquet")
OURS, HAND, DLT = "truemed-async", "by hand", "dlt"
PATH, KEY = "/api/v1/qualification_sessions", "qualification_sessions"


async def ours(url: str, rows: int, path: Path) -> None:
    from truemed_async import AsyncTruemed, export

    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        stream = client.qualification_sessions.iter(page_size=PAGE_SIZE, prefetch=PREFETCH)
        result = await export(stream, path)
    assert result.rows == rows


async def pages(url: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Read so many pages ahead, and yield them in their order."""
    import aiohttp
    import orjson

    async with aiohttp.ClientSession(headers={"x-truemed-api-key": suite.KEY}) as session:

        async def fetch(page: int) -> dict[str, Any]:
            async with session.get(f"{url}{PATH}?page={page}&page_size={PAGE_SIZE}") as response:
                return orjson.loads(await response.read())

        first = await fetch(1)
        last = first["pagination"]["last_page"]
        numbers = iter(range(2, last + 1))
        ahead = deque(asyncio.create_task(fetch(page)) for page in islice(numbers, PREFETCH))
        yield first[KEY]
        while ahead:
            rows = (await ahead.popleft())[KEY]
            for page in numbers:
                ahead.append(asyncio.create_task(fetch(page)))
                break
            yield rows


async def by_hand(url: str, rows: int, path: Path) -> None:
    written = await {"csv": to_csv, "jsonl": to_jsonl, "parquet": to_parquet}[path.suffix[1:]](url, path)
    assert written == rows


async def to_csv(url: str, path: Path) -> int:
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        async for page in pages(url):
            if writer is None:
                writer = csv.DictWriter(file, list(page[0]))
                writer.writeheader()
            writer.writerows(page)
            written += len(page)
    return written


async def to_jsonl(url: str, path: Path) -> int:
    import orjson

    written = 0
    with path.open("wb") as file:
        async for page in pages(url):
            file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in page)
            written += len(page)
    return written


async def to_parquet(url: str, path: Path) -> int:
    """With the same types and row groups: times are times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    times = ("charge_group_created_at", "created_at", "expires_at", "lmn_reviewed_at", "stripe_invoice_paid_at")
    amounts = ("eligible_amount", "fee")
    written, pending = 0, list[dict[str, Any]]()
    raw = target = writer = None

    def write() -> None:
        assert writer is not None
        writer.write_table(pa.Table.from_pylist(pending, raw).cast(target))
        pending.clear()

    async for page in pages(url):
        if writer is None:
            text = {name: pa.float64() if name in amounts else pa.string() for name in page[0]}
            raw = pa.schema(text)
            target = pa.schema({**text, **dict.fromkeys(times, pa.timestamp("us", "UTC"))})
            writer = pq.ParquetWriter(path, target, compression="zstd")
        pending += page
        written += len(page)
        if len(pending) >= 65_536:
            write()
    write()
    assert writer is not None
    writer.close()
    return written


def with_dlt(url: str, rows: int, path: Path) -> None:
    """As its documentation shows: a declared resource with page numbers, loaded into files."""
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {"base_url": url, "headers": {"x-truemed-api-key": suite.KEY}},
            "resources": [
                {
                    "name": "sessions",
                    "endpoint": {
                        "path": PATH,
                        "params": {"page_size": PAGE_SIZE},
                        "data_selector": KEY,
                        "paginator": {"type": "page_number", "base_page": 1, "total_path": "pagination.last_page"},
                    },
                }
            ],
        }
    )
    folder = path.parent / "dlt"
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=(folder / "loaded").as_uri()),
        dataset_name="sessions",
        dev_mode=True,
    )
    pipeline.run(source, loader_file_format=path.suffix[1:])
    (extracted,) = pipeline.last_trace.last_extract_info.metrics.values()
    assert extracted[0]["table_metrics"]["sessions"].items_count == rows


def contend(name: str, url: str) -> None:
    """Export on request, in the process of one contender."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            format, rows = line.split()
            path = Path(folder, f"sessions.{format}")
            suite.report(suite.time_work(partial(export_once, name, url, int(rows), path)))


def export_once(name: str, url: str, rows: int, path: Path) -> int:
    if name == DLT:
        with_dlt(url, rows, path)
    else:
        asyncio.run((ours if name == OURS else by_hand)(url, rows, path))
    return rows


def measure(rounds: int) -> list[suite.Figure]:
    rows, dlt_rows = suite.scale(ROWS), suite.scale(DLT_ROWS)
    figures: list[suite.Figure] = []
    with suite.server(rows=rows) as url, suite.server(rows=dlt_rows) as fewer, suite.keep_awake():
        for format in FORMATS:
            with contextlib.ExitStack() as stack:
                contenders: dict[str, Callable[[], suite.Took]] = {
                    name: partial(suite.Contender(stack, "bench_export", name, url).measure, format, rows)
                    for name in (HAND, OURS)
                }
                if suite.find_installed("dlt"):
                    dlt = suite.Contender(stack, "bench_export", DLT, fewer)
                    contenders[DLT] = partial(dlt.measure, format, dlt_rows)
                times = suite.take_turns(contenders, rounds)
            print(f"  {format}, a session", file=sys.stderr)
            suite.show(times)
            figures += compare(times, format)
    return figures


def compare(times: suite.Times, format: str) -> list[suite.Figure]:
    """Compare sessions a second: how many times as many as another way."""
    ratio = partial(suite.ratio, times, group=GROUP, at_most=False, clock="elapsed")
    found = [ratio(HAND, OURS, what=f"{format}, sessions a second / aiohttp and {WRITERS[format]} by hand", target=0.7)]
    if DLT in times:
        found.append(ratio(DLT, OURS, what=f"{format}, sessions a second / dlt's REST source", target=5.0))
    return found


WRITERS = {"csv": "csv", "jsonl": "orjson", "parquet": "pyarrow"}

if __name__ == "__main__":
    contend(sys.argv[1], sys.argv[2])
