"""Runs the benchmarks and says what is reached, what is missed, and what the measurement cannot tell.

    python -m tests.benchmarks.run [GROUP ...] [--quick] [--json FILE] [--docs]

A group is a module ``bench_GROUP``, which runs in several processes, one after another: ``PROCESSES`` of them, each
with so many ``ROUNDS``. ``--quick`` only shows that everything runs. ``--json`` writes
the figures for machines, ``--docs`` the table of docs/performance.md. It exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import attrs

from tests.benchmarks import generated, suite

GROUPS = (
    "decode", "get", "sync", "get_many", "listing", "export", "webhooks", "deliveries", "memory", "import", "emulator",
)  # fmt: skip
QUICK_PROCESSES = 2
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MARKS = ("<!-- figures: written by nox -s bench -->", "<!-- end of figures -->")
NAMED = (
    "aiohttp", "attrs", "cattrs", "orjson", "uvloop", "httpx", "requests", "pydantic", "mashumaro", "pyarrow", "dlt",
    "openapi-python-client",
)  # fmt: skip


def machine() -> dict[str, str]:
    """Describe the machine without naming it."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    versions = {}
    for name in NAMED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": str(len(suite.CORES)),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **versions,
    }


def child(module: str, rounds: int | None) -> None:
    """Measure once in this process, and print the figures."""
    benchmark = importlib.import_module(f"tests.benchmarks.{module}")
    figures = benchmark.measure(rounds or benchmark.ROUNDS)
    print(json.dumps([attrs.asdict(figure) for figure in figures]))


def run(group: str, *, quick: bool) -> list[suite.Figure]:
    module = f"bench_{group}"
    processes = QUICK_PROCESSES if quick else importlib.import_module(f"tests.benchmarks.{module}").PROCESSES
    started, measured = time.monotonic(), []
    for number in range(processes):
        print(f"\n{group}, process {number + 1} of {processes}", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.run", "--child", module, *(["--rounds", "1"] if quick else [])],
            env={**os.environ, "BENCH_CORES": " ".join(map(str, suite.CORES)), suite.QUICK: "1" if quick else ""},
            preexec_fn=lambda: suite.pin(suite.CLIENT_CORE),
            stdout=subprocess.PIPE, text=True, timeout=900, check=True,
        )  # fmt: skip
        measured.append(suite.figures_of(done.stdout))
    figures = suite.merge(measured)
    print(f"\n{group}: {processes} processes, {time.monotonic() - started:.0f} s", flush=True)
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def table(figures: list[suite.Figure], described: dict[str, str]) -> str:
    """Write the figures as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in described.items() if name in NAMED)
    verdicts = {"MISSED": "**missed**"}
    rows = [
        f"| {figure.what} | {_measured(figure)} | {_spread(figure)} | {_target(figure)} "
        f"| {verdicts.get(figure.verdict, figure.verdict)} | {_other(figure)} |"
        for figure in figures
    ]
    return "\n".join(
        [
            f"{described['cores']} cores, {described['cpu']}, {described['python']}; {versions}.",
            "",
            "| figure | measured | lowest and highest process | target | | other clock |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
        ]
    )


def _measured(figure: suite.Figure) -> str:
    clock = {"cpu": " CPU", "elapsed": " elapsed", None: ""}[figure.clock]
    return f"{_format(figure.value, figure.unit)}{clock}"


def _spread(figure: suite.Figure) -> str:
    low, high = figure.spread or (figure.value, figure.value)
    return "" if low == high else f"{_number(low, figure.unit)} to {_number(high, figure.unit)}"


def _target(figure: suite.Figure) -> str:
    return "" if figure.target is None else f"{'≤' if figure.at_most else '≥'} {_format(figure.target, figure.unit)}"


def _other(figure: suite.Figure) -> str:
    return "" if figure.other is None else _format(figure.other, figure.unit)


def _format(value: float, unit: str) -> str:
    return f"{_number(value, unit)}{' ' * (unit not in ('×', ''))}{unit}"


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f}" if value >= 1000 or unit == "" else f"{value:.2f}"


def write_page(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    PAGE.write_text(f"{head}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="run everything once, with a tenth of the data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.rounds)
        return 0
    started = time.monotonic()
    with generated.written():
        figures = [figure for group in options.groups or GROUPS for figure in run(group, quick=options.quick)]
    found = {
        verdict: [each for each in figures if each.verdict == verdict] for verdict in ("met", "undecided", "MISSED")
    }
    print(
        f"\n{', '.join(f'{len(each)} {verdict}' for verdict, each in found.items())}; {time.monotonic() - started:.0f} s"
    )
    for verdict in ("undecided", "MISSED"):
        for figure in found[verdict]:
            print(f"{verdict:9} {figure.group}: {figure.line()}")
    described = machine()
    if options.json:
        content = {
            "machine": described,
            "figures": [{**attrs.asdict(each), "verdict": each.verdict} for each in figures],
        }
        options.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.docs:
        write_page(table(figures, described))
    return 1 if found["MISSED"] else 0


if __name__ == "__main__":
    sys.exit(main())
