"""Bounded memory, however much comes: measured in a process of its own, against a server in another.

The sample is a tenth of what is promised; ``TRUEMED_LONG=1`` runs the whole: 200,000 sessions, 1,000,000 ids.
"""

import subprocess
import sys
import textwrap

import pytest

from tests.support.paths import ROOT
from tests.support.processes import environment_without_coverage

SERVER = ROOT / "tests" / "benchmarks" / "server.py"
WATCHDOG = 300

# Prints the memory of the process above that of an idle client, in MiB, at each tenth of the work.
MEASURE = """
    import asyncio, gc, sys
    from pathlib import Path
    from truemed_async import AsyncTruemed

    def resident():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def watch(total):
        idle, count = resident(), 0
        def seen(many):
            nonlocal count
            before, count = count, count + many
            if before * 10 // total != count * 10 // total:
                print(round(resident() - idle, 2), flush=True)
        return seen
"""
LISTING = """
    async def main():
        total = int(sys.argv[1])
        async with AsyncTruemed("a-key-of-the-tests") as client:
            await client.qualification_sessions.list(page_size=100)
            seen = watch(total)
            rows = 0
            async for session in client.qualification_sessions.iter(prefetch=8):
                rows += 1
                seen(1)
            assert rows == total

    asyncio.run(main())
"""
STREAMING = """
    from truemed_async.resources import QualificationSessions

    class Stubbed(QualificationSessions):
        async def get(self, id, *, options=None):
            await asyncio.sleep(0)
            return id

    async def main():
        total = int(sys.argv[1])
        async with AsyncTruemed("a-key-of-the-tests") as client:
            client._resources["qualification_sessions"] = Stubbed(client)
            async for _ in client.qualification_sessions.get_many(["qs_1"] * 100): pass
            ids = (f"qs_{number:036d}" for number in range(total))
            seen = watch(total)
            async for _ in client.qualification_sessions.get_many(ids, concurrency=100, unique=len(sys.argv) > 2):
                seen(1)

    asyncio.run(main())
"""


@pytest.fixture
def served():
    """Start the server; return its URL."""
    running = []

    def start(rows):
        process = subprocess.Popen(
            [sys.executable, str(SERVER), "--rows", str(rows)],
            env=environment_without_coverage(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return f"http://127.0.0.1:{int(process.stdout.readline())}"

    yield start
    for process in running:
        process.communicate(timeout=WATCHDOG)


@pytest.fixture
def growth(tmp_path):
    """Run a program; return its memory above an idle client at each tenth, in MiB."""

    def run(program, *arguments, url="http://127.0.0.1:9"):
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(MEASURE) + textwrap.dedent(program), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            env={**environment_without_coverage(), "TRUEMED_BASE_URL": url},
            capture_output=True,
            text=True,
            timeout=WATCHDOG,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [float(line) for line in done.stdout.split()]

    return run


def test_listing_holds_only_the_current_pages(served, growth, scale):
    total = scale(20_000, 200_000)
    tenths = growth(LISTING, total, url=served(total))
    assert len(tenths) == 10
    assert max(tenths) <= 5
    assert max(tenths[5:]) - max(tenths[:5]) <= 1, "flat: the second half adds nothing"


def test_ids_from_a_generator_are_held_no_longer_than_their_call(growth, scale):
    tenths = growth(STREAMING, scale(50_000, 1_000_000))
    assert len(tenths) == 10
    assert max(tenths) <= 3
    assert max(tenths[5:]) - max(tenths[:5]) <= 0.5


def test_memory_of_remembered_ids_is_bounded(growth, scale):
    total = scale(50_000, 1_000_000)
    tenths = growth(STREAMING, total, "unique")
    assert max(tenths) <= 3 + 20 * min(1, total / 100_000)


def test_memory_probe_detects_retained_objects(served, growth):
    """The control: a program that keeps the sessions is far beyond."""
    keeps = LISTING.replace("rows += 1", "rows += 1; kept.append(session)").replace("rows = 0", "rows = 0; kept = []")
    assert max(growth(keeps, 20_000, url=served(20_000))) > 8
