"""Counts the instructions of what is done most often, and compares them with those of the last commit.

    python -m tests.benchmarks.instructions [--update]

Times differ from run to run by more than a regression is worth; the number of instructions hardly does. It is that of
one toolchain: the interpreter as it was built, and the versions of the libraries. On that of ``instructions.json``, more
than 5 % above its count is a failure; on another one the counts are only printed. ``--update`` writes the file.

Callgrind counts in one process. It is told where a part begins by a call of ``getsid`` in the C library, which Python
calls for ``os.getsid`` alone: each call ends a part of the profile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib.metadata
import io
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.benchmarks import bench_decode, bench_get, bench_webhooks, suite
from truemed_async import AsyncTruemed, export
from truemed_async.exports.columns import ROW_TYPES
from truemed_async.models import QualificationSession
from truemed_async.webhooks import verify_and_parse

FILE = Path(__file__).with_suffix(".json")
TOLERANCE = 0.05
LIBRARIES = ("aiohttp", "attrs", "cattrs", "multidict", "orjson", "yarl")
DECODE, GET, VERIFY, CSV = (
    "decode, a session of a page of 500",
    "get, a call",
    "verify_and_parse, a delivery",
    "CSV, a row",
)
PARTS = (DECODE, GET, VERIFY, CSV)
PAGES, WARM_CALLS, CALLS, DELIVERIES = 2, 20, 100, 100


def find_toolchain() -> dict[str, str]:
    """Return what the number of instructions depends on."""
    options = f"{sysconfig.get_config_var('CONFIG_ARGS')} {sysconfig.get_config_var('OPT')}"
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True, timeout=60)
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "build": f"{platform.python_compiler()}, options {sha256(options.encode()).hexdigest()[:12]}",
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": valgrind.stdout.strip(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }


class Sessions:
    """A stream of the sessions of one page, as the synchronous client yields it."""

    source = None

    def __init__(self, sessions: Sequence[QualificationSession]) -> None:
        self.sessions = sessions

    def batches(self) -> Generator[Sequence[QualificationSession], None, None]:
        yield self.sessions

    def close(self) -> None:
        pass


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """Make what is done inside a part of the profile; it begins without anything for the collector to visit."""
    gc.collect()
    gc.freeze()
    os.getsid(0)
    yield
    os.getsid(0)


def count(work: Callable[[], object], times: int) -> None:
    """Run it once for all caches, then as a part of the profile."""
    work()
    with counting():
        for _ in range(times):
            work()


async def count_calls(call: Callable[[], Awaitable[object]]) -> None:
    for _ in range(WARM_CALLS):
        await call()
    with counting():
        for _ in range(CALLS):
            await call()


async def count_gets(url: str) -> None:
    async with AsyncTruemed(suite.KEY, base_url=url) as client:
        await count_calls(lambda: client.qualification_sessions.get(bench_get.ID))


def work(url: str) -> None:
    """Do everything that is counted, in the order of ``PARTS``; each is one part of the profile between two others."""
    count(lambda: bench_decode.ours(bench_decode.BODY), PAGES)
    asyncio.run(count_gets(url))
    body = bench_webhooks.delivery()
    headers = bench_webhooks.sign_delivery(body)
    count(lambda: verify_and_parse(body, headers, secrets=bench_webhooks.SECRET), DELIVERIES)
    sessions: list[Any] = list(bench_decode.ours(bench_decode.BODY))
    row_type = ROW_TYPES[QualificationSession]
    count(lambda: export(Sessions(sessions), io.BytesIO(), format="csv", row_type=row_type), PAGES)


def measure() -> dict[str, int]:
    """Return the instructions of each part."""
    with suite.server() as url, tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                "valgrind", "--tool=callgrind", "--dump-before=getsid", f"--callgrind-out-file={folder}/part",
                sys.executable, "-m", "tests.benchmarks.instructions", "--child", url,
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, timeout=1200, check=True,
        )  # fmt: skip
        # part.1 ends where the first thing that is counted begins; every second part is between two of them.
        totals = [_read_total(Path(folder, f"part.{2 * number + 2}")) for number in range(len(PARTS))]
    sessions = PAGES * 500
    units = {DECODE: sessions, GET: CALLS, VERIFY: DELIVERIES, CSV: sessions}
    return {part: round(total / units[part]) for part, total in zip(PARTS, totals, strict=True)}


def _read_total(profile: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", profile.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def compare(counted: dict[str, int], committed: dict[str, int]) -> list[str]:
    """Print each part beside its committed count; return those that became worse by more than the tolerance."""
    worse = []
    for part, instructions in counted.items():
        before = committed.get(part)
        change = "" if before is None else f"{instructions / before - 1:+7.1%} of {before:,}"
        print(f"{part:44} {instructions:10,} {change}")
        if before is not None and instructions > before * (1 + TOLERANCE):
            worse.append(part)
    return worse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        work(options.child)
        return 0
    toolchain, counted = find_toolchain(), measure()
    if options.update:
        content = {"toolchain": toolchain, "instructions": counted}
        FILE.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    committed = json.loads(FILE.read_text(encoding="utf-8"))
    worse = compare(counted, committed["instructions"])
    others = {name: value for name, value in toolchain.items() if committed["toolchain"].get(name) != value}
    if others:
        print("\n*** ANOTHER TOOLCHAIN: INSTRUCTIONS ARE NOT COMPARED ***\n", file=sys.stderr)
        for name, value in others.items():
            print(f"{name}: {value}, not {committed['toolchain'].get(name)}", file=sys.stderr)
        return 0
    for part in worse:
        print(f"WORSE by more than {TOLERANCE:.0%}: {part}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
