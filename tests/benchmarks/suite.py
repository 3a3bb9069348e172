"""What the benchmarks share: servers on a core of their own, measuring in turns, figures beside their targets.

Contenders take turns, and a ratio is taken within a round, in which all of them had the same moment of the machine. The
figure of a process is the median of its rounds. Every benchmark runs in several processes, because what differs between
processes (addresses, hashes) stays for their life: the figure is the median of the processes, its spread their lowest
and highest.

The client's own work is compared in CPU time, which holds still where elapsed time doubles; what waits, in elapsed time.
Both are measured.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import attrs

HERE = Path(__file__).parent
KEY = "a-key-of-the-benchmarks"
SPIN = "import os, sys\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nos.sched_setaffinity(0, {%d})\nwhile os.getppid() == %d: pass"
QUICK = "BENCH_QUICK"

# Read before anything is pinned: a child of a pinned process does not see the others.
CORES = tuple(map(int, os.environ.get("BENCH_CORES", "").split())) or tuple(sorted(os.sched_getaffinity(0)))
CLIENT_CORE, SERVER_CORE = CORES[0], CORES[-1]

Clock = Literal["cpu", "elapsed"]
Verdict = Literal["met", "MISSED", "undecided", ""]


@attrs.frozen
class Took:
    """Seconds of one unit of work: of this process and its threads, and of the clock on the wall."""

    cpu: float
    elapsed: float

    def on(self, clock: Clock) -> float:
        return self.cpu if clock == "cpu" else self.elapsed


Times = Mapping[str, list[Took]]


@attrs.frozen(kw_only=True)
class Figure:
    """One measured value beside its target.

    Attributes:
        group: The module that measured it.
        what: What it is.
        value: The value.
        target: The value to reach; ``None`` if it is only reported.
        at_most: Whether the target is a ceiling rather than a floor.
        unit: What the value counts; a bare ratio has none.
        clock: The clock of the value, where it comes from times.
        other: The same on the other clock.
        spread: The lowest and the highest process.
    """

    group: str
    what: str
    value: float
    target: float | None = None
    at_most: bool = True
    unit: str = "×"
    clock: Clock | None = None
    other: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def verdict(self) -> Verdict:
        """``undecided`` where the processes differ by more than the distance to the target."""
        if self.target is None:
            return ""
        low, high = self.spread or (self.value, self.value)
        if high - low > abs(self.value - self.target):
            return "undecided"
        return "met" if (self.value <= self.target if self.at_most else self.value >= self.target) else "MISSED"

    @property
    def limit(self) -> str:
        return "" if self.target is None else f"{'≤' if self.at_most else '≥'} {self.target:g}"

    def line(self) -> str:
        low, high = self.spread or (self.value, self.value)
        spread = f"{low:.2f}…{high:.2f}"
        other = "" if self.other is None else f"{'elapsed' if self.clock == 'cpu' else 'CPU'} {self.other:.2f}"
        return f"{self.what:82} {self.value:10.2f} {self.unit:5} {self.limit:9} {self.verdict:9} {spread:16} {other}"


def merge(processes: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Return the figures of several processes as one: the median, with the lowest and the highest."""
    found: dict[str, list[Figure]] = {}
    for figure in (figure for process in processes for figure in process):
        found.setdefault(figure.what, []).append(figure)
    return [
        attrs.evolve(
            same[0],
            value=statistics.median(figure.value for figure in same),
            other=None if same[0].other is None else statistics.median(figure.other or 0.0 for figure in same),
            spread=(min(figure.value for figure in same), max(figure.value for figure in same)),
        )
        for same in found.values()
    ]


def scale(number: int) -> int:
    """Return how much of something to use: all of it, or a tenth in a quick run."""
    return max(1, number // 10) if os.environ.get(QUICK) else number


def take_turns(contenders: Mapping[str, Callable[[], Took]], rounds: int) -> Times:
    """Have each contender measure once a round, after one round that does not count."""
    times: dict[str, list[Took]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, measure in contenders.items():
            took = measure()
            if number:
                times[name].append(took)
    return times


def time_work(work: Callable[[], int]) -> Took:
    """Run it once; return the seconds of each unit of work that it reports."""
    gc.collect()
    cpu, elapsed = time.process_time(), time.perf_counter()
    units = work()
    return Took((time.process_time() - cpu) / units, (time.perf_counter() - elapsed) / units)


def time_in_turns(contenders: Mapping[str, Callable[[], int]], rounds: int) -> Times:
    """Run each contender once a round; return seconds per unit of work."""
    return take_turns({name: partial(time_work, work) for name, work in contenders.items()}, rounds)


def ratio(
    times: Times,
    one: str,
    other: str,
    *,
    group: str,
    what: str,
    target: float | None,
    at_most: bool = True,
    clock: Clock = "cpu",
) -> Figure:
    """How much of ``other``'s time ``one`` takes, as the median of the rounds."""
    pairs = list(zip(times[one], times[other], strict=True))
    cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
    elapsed = statistics.median(a.elapsed / b.elapsed for a, b in pairs)
    value, beside = (cpu, elapsed) if clock == "cpu" else (elapsed, cpu)
    return Figure(group=group, what=what, value=value, other=beside, target=target, at_most=at_most, clock=clock)


def median(took: Sequence[Took], clock: Clock) -> float:
    return statistics.median(each.on(clock) for each in took)


def show(times: Times, scale: float = 1e6, unit: str = "µs") -> None:
    """Print each contender's medians."""
    for name, took in sorted(times.items(), key=lambda pair: median(pair[1], "cpu")):
        cpu, elapsed = (median(took, clock) * scale for clock in ("cpu", "elapsed"))
        print(f"    {name:44} {cpu:10.1f} {unit} CPU {elapsed:10.1f} {unit} elapsed", file=sys.stderr)


def pin(core: int, pid: int = 0) -> None:
    os.sched_setaffinity(pid, {core})


@attrs.frozen
class Server:
    """A server in another process."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu(self) -> float:
        """The CPU time of its main thread so far, in seconds."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


@contextlib.contextmanager
def serve(*command: str) -> Iterator[Server]:
    """Run a server on its core: it prints its port, and ends when its standard input does."""
    process = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        pin(SERVER_CORE, process.pid)
        assert process.stdout is not None
        yield Server(int(process.stdout.readline()), process.pid)
    finally:
        process.communicate(timeout=30)


@contextlib.contextmanager
def server(*, rows: int = 10_000, latency: float = 0.0, jitter: float = 0.0) -> Iterator[str]:
    """Run the server of sessions and yield its URL."""
    with serve(
        str(HERE / "server.py"), *map(str, ("--rows", rows, "--latency", latency, "--jitter", jitter))
    ) as started:
        yield started.url


def emulator(*, sessions: int) -> contextlib.AbstractContextManager[Server]:
    """Run an emulator; its key is ``KEY``."""
    return serve("-m", "tests.benchmarks.emulator_process", str(sessions))


class Contender:
    """A process of its own on the client's core: what one leaves in memory must not help or slow another."""

    def __init__(self, stack: contextlib.ExitStack, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(self.process.communicate, timeout=120)

    def wait(self) -> None:
        """Wait until it says that it can begin."""
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def measure(self, *command: object) -> Took:
        """Have it do one thing, and return the seconds of each unit of work."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{' '.join(map(str, command))}\n")
        self.process.stdin.flush()
        return Took(*map(float, self.process.stdout.readline().split()))


def report(took: Took) -> None:
    """Print what a contender measured."""
    print(took.cpu, took.elapsed, flush=True)


@contextlib.contextmanager
def keep_awake() -> Iterator[None]:
    """Keep the cores from falling asleep between a request and its answer, by work of the lowest priority."""
    spinners = [subprocess.Popen([sys.executable, "-c", SPIN % (core, os.getpid())]) for core in CORES]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait(timeout=30)


def find_installed(*names: str) -> list[str]:
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
