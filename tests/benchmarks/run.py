"""Runs the benchmarks and says what is reached and what is missed.

    python -m tests.benchmarks.run [GROUP ...] [--rounds N] [--json FILE] [--docs]

Each group runs in a process of its own. ``--json`` writes the figures for machines, ``--docs`` the table of
docs/performance.md. It exits with 1 if a target is missed, so that a script can tell.
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
from pathlib import Path

import attrs

from tests.benchmarks import generated, suite

GROUPS = ("decode", "get", "sync", "listing", "get_many", "memory", "import", "webhooks")
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MARKS = ("<!-- figures: written by nox -s bench -->", "<!-- end of figures -->")
NAMED = (
    "aiohttp", "attrs", "cattrs", "orjson", "uvloop", "httpx", "requests", "pydantic", "mashumaro",
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
        "cores": str(os.cpu_count()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **versions,
    }


def child(module: str, rounds: int) -> None:
    figures = importlib.import_module(f"tests.benchmarks.{module}").measure(rounds)
    print(json.dumps([attrs.asdict(figure) for figure in figures]))


def run(group: str, rounds: int) -> list[suite.Figure]:
    print(f"\n{group}", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.run", "--child", f"bench_{group}", "--rounds", str(rounds)],
        stdout=subprocess.PIPE, text=True, timeout=1800, check=True,
    )  # fmt: skip
    figures = suite.figures_of(done.stdout)
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def table(figures: list[suite.Figure], described: dict[str, str]) -> str:
    """Write the figures as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in described.items() if name in NAMED)
    rows = [
        f"| {figure.what} | {_shown(figure.value, figure.unit)} | {'≤' if figure.at_most else '≥'} "
        f"{_shown(figure.target, figure.unit)} | {'met' if figure.met else '**missed**'} |"
        for figure in figures
    ]
    return "\n".join(
        [
            f"{described['cores']} cores, {described['cpu']}, {described['python']}; {versions}.",
            "",
            "| figure | measured | target | |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def _shown(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 1000 or unit == "" else f"{value:.2f}"
    return f"{number}{' ' * (unit not in ('×', ''))}{unit}".strip()


def write_page(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    PAGE.write_text(f"{head}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        child(options.child, options.rounds)
        return 0
    with generated.written():
        figures = [figure for group in options.groups or GROUPS for figure in run(group, options.rounds)]
    missed = [figure for figure in figures if not figure.met]
    print(f"\n{len(figures) - len(missed)} of {len(figures)} targets met")
    for figure in missed:
        print(f"MISSED  {figure.group}: {figure.line()}")
    described = machine()
    if options.json:
        content = {"machine": described, "figures": [{**attrs.asdict(each), "met": each.met} for each in figures]}
        options.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.docs:
        write_page(table(figures, described))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
