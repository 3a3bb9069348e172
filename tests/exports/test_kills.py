"""Exports as processes that are killed: the resumed file is that of an uninterrupted run.

``TRUEMED_LONG=1`` kills each export twenty times, with and without faults of the server; the ordinary run takes a sample.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.processes import environment_without_coverage
from tests.support.scale import LONG
from truemed_async import AsyncTruemed, export
from truemed_async.emulator import Emulator

KILLS = 20 if LONG else 2
DEADLINE = 120  # seconds after which a process that hangs is ended
PORTIONS = 20  # pages, about

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class Exports:
    """The same export as processes, one after another."""

    def __init__(self, emulator, path, *options):
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        settings = {"TRUEMED_BASE_URL": emulator.url, "TRUEMED_API_KEY": emulator.api_key, "PYTHONPATH": str(ROOT)}
        self._environment = environment_without_coverage() | settings
        self._options = options

    def start(self, *more):
        argv = [sys.executable, "-m", "truemed_async", "sessions", "export", "--output", str(self.path)]
        return subprocess.Popen(
            [*argv, *self._options, *more], env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip

    def end(self, process):
        out, err = process.communicate(timeout=DEADLINE)
        assert out == ""
        return process.returncode, err

    def finish(self, *more):
        process = self.start(*more)
        try:
            return self.end(process)
        finally:
            process.kill()

    def stop(self, number, size, *more):
        """Send a signal once the unfinished file has so many bytes; return how the process ended."""
        process = self.start(*more)
        try:
            deadline = time.monotonic() + DEADLINE
            while process.poll() is None and self._size() < size:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            process.send_signal(number)
            return self.end(process)
        finally:
            process.kill()

    def _size(self):
        try:
            return self.partial.stat().st_size
        except FileNotFoundError:
            return 0


@pytest.fixture
def emulator():
    """A server that takes its time, so that a process can be killed between any two pages."""
    with Emulator(sessions=15 * PORTIONS, max_page_size=20, latency=0.03) as emulator:
        yield emulator


def uninterrupted(emulator, path):
    async def main():
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            await export(client.qualification_sessions.iter(page_size=20), path)

    asyncio.run(main())


FAULTS = (
    ("reset_peer", {}),
    ("truncate_body", {"fraction": 0.5}),
    ("status", {"code": 503}),
)


CASES = [(format, faulty) for faulty in (False, True) for format in ("csv", "jsonl", "parquet")]
SAMPLE = [("csv", True), ("jsonl", False), ("parquet", False)]


@pytest.mark.parametrize(("format", "faulty"), CASES if LONG else SAMPLE)
def test_killed_export_when_resumed_equals_uninterrupted_run(emulator, tmp_path, format, faulty):
    whole = tmp_path / f"whole.{format}"
    uninterrupted(emulator, whole)
    killed = Exports(emulator, tmp_path / f"x.{format}")
    if faulty:
        for name, parameters in FAULTS:
            emulator.faults.add(name, probability=0.03, **parameters)
    # How long the unfinished file gets; that of Parquet is another one.
    length = len(whole.read_bytes()) if format != "parquet" else 300 * 15 * PORTIONS
    again = ("--resume", "--force")  # an export that is complete when it is killed begins anew
    draw = random.Random(f"{format} {faulty}")
    sizes = sorted(draw.randrange(length) for _ in range(KILLS))

    codes = [killed.stop(signal.SIGKILL, size, *again)[0] for size in sizes]
    for _ in range(20):  # a fault may outlast the retries of a run
        code, err = killed.finish(*again)
        codes.append(code)
        if code == 0:
            break

    assert codes[-1] == 0, err
    assert codes.count(-signal.SIGKILL) >= KILLS // 2
    assert set(codes) <= ({0, -signal.SIGKILL, 1} if faulty else {0, -signal.SIGKILL})
    assert "from the previous run" in err
    assert killed.path.read_bytes() == whole.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([killed.path.name, whole.name])


def test_ctrl_c_leaves_resumable_file_and_says_how(emulator, tmp_path):
    exports = Exports(emulator, tmp_path / "x.csv")
    code, err = exports.stop(signal.SIGINT, 10_000)

    assert code == 130
    assert err == (
        f"unfinished: the rows so far are in {exports.partial}; run the same command with --resume to continue\n"
        "interrupted\n"
    )
    assert not exports.path.exists()
    code, err = exports.finish("--resume")
    assert (code, exports.partial.exists()) == (0, False)
    assert len(exports.path.read_text(encoding="utf-8").splitlines()) == 1 + 15 * PORTIONS


def test_second_process_on_same_file_is_rejected(emulator, tmp_path):
    exports = Exports(emulator, tmp_path / "x.jsonl")
    first = exports.start()
    deadline = time.monotonic() + DEADLINE
    while not (exports.partial.exists() and exports.partial.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    # Stopped, so that it still has the file when the other one asks for it.
    first.send_signal(signal.SIGSTOP)
    try:
        code, err = exports.finish("--resume")
    finally:
        first.send_signal(signal.SIGCONT)
        done = exports.end(first)

    assert code == 2
    assert err == "error: another export is writing this file\n"
    assert done[0] == 0
    assert len(exports.path.read_text(encoding="utf-8").splitlines()) == 15 * PORTIONS


def test_file_size_limit_is_one_line_error_and_resumable(emulator, tmp_path):
    """The system refuses to write on, as on a full disk."""
    import resource

    exports = Exports(emulator, tmp_path / "x.jsonl")
    process = exports.start()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        code, err = exports.end(process)
    finally:
        process.kill()

    assert code == 1
    assert err.splitlines() == [
        f"unfinished: the rows so far are in {exports.partial}; run the same command with --resume to continue",
        "error: File too large",
    ]
    assert exports.finish("--resume")[0] == 0
    assert len(exports.path.read_text(encoding="utf-8").splitlines()) == 15 * PORTIONS


def test_full_standard_output_exits_1(emulator, tmp_path):
    exports = Exports(emulator, tmp_path / "x.jsonl")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "truemed_async", "sessions", "export", "--output", "-"],
            env=exports._environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")
