"""What an import costs, in CPU time of a process of its own, above a bare interpreter."""

from __future__ import annotations

import resource
import subprocess
import sys

from tests.benchmarks import suite

GROUP = "import"
STATEMENTS = {
    "bare": "pass",
    "package": "import truemed_async",
    "client": "from truemed_async import AsyncTruemed",
    "webhooks": "import truemed_async.webhooks",
    "stack": "import aiohttp, cattrs, orjson",
}


def seconds(statement: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def loads_aiohttp(statement: str) -> bool:
    check = f"{statement}\nimport sys\nprint('aiohttp' in sys.modules)"
    return "True" in subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout


def measure(rounds: int) -> list[suite.Figure]:
    found: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for number in range(4 * rounds + 1):
        for name, statement in STATEMENTS.items():
            took = seconds(statement)
            if number:
                found[name].append(took)
    least = {name: min(times) for name, times in found.items()}  # noise only adds
    suite.show({name: [time] for name, time in least.items()}, 1e3, "ms")
    above = (least["package"] - least["bare"]) * 1000
    figures = [
        suite.Figure(group=GROUP, what="import truemed_async, above bare", value=above, target=15, unit="ms"),
        suite.Figure(
            group=GROUP,
            what="import the client / import aiohttp, cattrs, orjson",
            value=(least["client"] - least["bare"]) / (least["stack"] - least["bare"]),
            target=1.15,
        ),
    ]
    what = "truemed_async.webhooks imports aiohttp (0: no)"
    return [
        *figures,
        suite.Figure(group=GROUP, what=what, value=loads_aiohttp(STATEMENTS["webhooks"]), target=0, unit=""),
    ]
