"""What the benchmarks share: a server apart, runs in turns, figures beside their targets.

Times are the client's CPU time wherever the client's own work is measured: it holds still where wall time doubles.
Ratios are taken within a round, in which all contenders had the same moment of the machine, and their median is given.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import attrs

HERE = Path(__file__).parent
KEY = "a-key-of-the-benchmarks"
SPIN = "import os, sys\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nos.sched_setaffinity(0, {%d})\nwhile os.getppid() == %d: pass"


@attrs.frozen(kw_only=True)
class Figure:
    """One measured value beside its target.

    Attributes:
        group: The module that measured it.
        what: What it is.
        value: The value.
        target: The value to reach.
        at_most: Whether the target is a ceiling rather than a floor.
        unit: What the value counts; a bare ratio has none.
        spread: The lowest and the highest round, where there were rounds.
    """

    group: str
    what: str
    value: float
    target: float
    at_most: bool = True
    unit: str = "×"
    spread: tuple[float, float] | None = None

    @property
    def met(self) -> bool:
        return self.value <= self.target if self.at_most else self.value >= self.target

    def line(self) -> str:
        sign = "≤" if self.at_most else "≥"
        spread = "" if self.spread is None else f"  ({self.spread[0]:.2f}…{self.spread[1]:.2f})"
        verdict = "met" if self.met else "MISSED"
        return f"{self.what:78} {self.value:10.2f} {self.unit:5} {sign} {self.target:<8g} {verdict}{spread}"


Times = Mapping[str, list[float]]


def measured_in_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Times:
    """Have each contender measure once a round, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, measure in contenders.items():
            took = measure()
            if number:
                times[name].append(took)
    return times


def in_turns(contenders: Mapping[str, Callable[[], int]], rounds: int, clock: Callable[[], float]) -> Times:
    """Run each contender once a round; return seconds per unit of work."""

    def timed(work: Callable[[], int]) -> float:
        gc.collect()
        started = clock()
        units = work()
        return (clock() - started) / units

    return measured_in_turns({name: partial(timed, work) for name, work in contenders.items()}, rounds)


def cpu_in_turns(contenders: Mapping[str, Callable[[], int]], rounds: int) -> Times:
    return in_turns(contenders, rounds, time.process_time)


def ratio(times: Times, one: str, other: str, *, group: str, what: str, target: float, at_most: bool = True) -> Figure:
    """How much of ``other``'s time ``one`` takes."""
    ratios = [a / b for a, b in zip(times[one], times[other], strict=True)]
    return Figure(
        group=group,
        what=what,
        value=statistics.median(ratios),
        target=target,
        at_most=at_most,
        spread=(min(ratios), max(ratios)),
    )


def show(times: Times, scale: float = 1e6, unit: str = "µs") -> None:
    """Print each contender's median."""
    for name, values in sorted(times.items(), key=lambda pair: statistics.median(pair[1])):
        print(f"    {name:44} {statistics.median(values) * scale:10.1f} {unit}", file=sys.stderr)


@contextlib.contextmanager
def server(*, rows: int = 10_000, latency: float = 0.0, jitter: float = 0.0) -> Iterator[str]:
    """Run the server in a process and on a core of its own, and yield its URL."""
    process = subprocess.Popen(
        [
            sys.executable,
            str(HERE / "server.py"),
            *map(str, ("--rows", rows, "--latency", latency, "--jitter", jitter)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cores[-1]})
        os.sched_setaffinity(0, set(cores[:-1]) or set(cores))
        yield f"http://127.0.0.1:{port}"
        os.sched_setaffinity(0, set(cores))
    finally:
        process.communicate(timeout=30)


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Keep the cores from falling asleep between a request and its answer, by work of the lowest priority."""
    spinners = [
        subprocess.Popen([sys.executable, "-c", SPIN % (core, os.getpid())]) for core in os.sched_getaffinity(0)
    ]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait(timeout=30)


def installed(*names: str) -> list[str]:
    """Say which of the peers are there."""
    found = []
    for name in names:
        with contextlib.suppress(ImportError):
            __import__(name)
            found.append(name)
    missing = sorted({*names} - {*found})
    if missing:
        print(f"    not installed, so not compared: {', '.join(missing)}", file=sys.stderr)
    return found


def figures_of(printed: str) -> list[Figure]:
    """Read figures that a child printed."""
    return [Figure(**{**each, "spread": each["spread"] and tuple(each["spread"])}) for each in json.loads(printed)]
