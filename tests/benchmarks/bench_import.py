"""What imports and commands cost, in CPU time of a process of its own."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks import suite

GROUP = "import"
PROCESSES, ROUNDS = 5, 9
ID = "qs_abc123"
TRUEMED = shutil.which("truemed", path=str(Path(sys.executable).parent)) or "truemed"
BARE = "bare interpreter"
PACKAGE, TYPING = "import truemed_async", "import typing, collections.abc"
CLIENT, STACK = "from truemed_async import AsyncTruemed", "import aiohttp, cattrs, orjson"
IMPORTS = (PACKAGE, TYPING, CLIENT, STACK)
RICH, HELP = "import rich", "truemed --help"
GET, CALL = "truemed sessions get", "the client's import and the call"
CALLING = f"""
import asyncio
from truemed_async import AsyncTruemed
async def main():
    async with AsyncTruemed() as client:
        await client.qualification_sessions.get("{ID}")
asyncio.run(main())
"""


def run(*command: str) -> suite.Took:
    """Return the seconds of a process, from its start to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
    elapsed = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return suite.Took(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, elapsed)


def python(statement: str) -> suite.Took:
    return run(sys.executable, "-c", statement)


def above(times: suite.Times, name: str) -> list[suite.Took]:
    """Return what it costs above a bare interpreter, round by round."""
    pairs = zip(times[name], times[BARE], strict=True)
    return [suite.Took(one.cpu - bare.cpu, one.elapsed - bare.elapsed) for one, bare in pairs]


def least(times: suite.Times) -> suite.Times:
    """Return the fastest round alone: a start only ever takes longer than it needs."""
    return {
        name: [suite.Took(min(each.cpu for each in took), min(each.elapsed for each in took))]
        for name, took in times.items()
    }


def loads_aiohttp(statement: str) -> bool:
    check = f"{statement}\nimport sys\nprint('aiohttp' in sys.modules)"
    return "True" in subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def environment(url: str) -> Iterator[None]:
    """Let the children find the emulator."""
    os.environ.update(TRUEMED_BASE_URL=url, TRUEMED_API_KEY=suite.KEY)
    yield
    del os.environ["TRUEMED_BASE_URL"], os.environ["TRUEMED_API_KEY"]


def measure(rounds: int) -> list[suite.Figure]:
    contenders = {
        BARE: partial(python, "pass"),
        **{statement: partial(python, statement) for statement in (*IMPORTS, RICH)},
        HELP: partial(run, TRUEMED, "--help"),
        GET: partial(run, TRUEMED, "sessions", "get", ID),
        CALL: partial(python, CALLING),
    }
    with suite.emulator(sessions=100) as emulator, environment(emulator.url):
        times = least(suite.take_turns(contenders, rounds))
    suite.show(times, 1e3, "ms")
    net = {name: above(times, name) for name in times}
    ratio = partial(suite.ratio, group=GROUP)
    return [
        ratio(net, PACKAGE, TYPING, what=f"{PACKAGE} / {TYPING}, above a bare interpreter", target=1.3),
        ratio(net, CLIENT, STACK, what=f"{CLIENT} / {STACK}", target=1.10),
        suite.Figure(
            group=GROUP, what="truemed_async.webhooks imports aiohttp (0: no)", unit="", target=0,
            value=loads_aiohttp("import truemed_async.webhooks"),
        ),
        ratio(times, HELP, RICH, what=f"{HELP} / python -c 'import rich'", target=1.5),
        suite.Figure(
            group=GROUP, what=HELP, unit="s", target=0.25, clock="cpu",
            value=times[HELP][0].cpu, other=times[HELP][0].elapsed,
        ),
        ratio(times, GET, CALL, what="truemed sessions get / the client's import and the call", target=1.15),
    ]  # fmt: skip
