"""The emulator with many sessions in it: how much memory they take, in a process of its own."""

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.processes import environment_without_coverage

PROGRAM = """
import gc, json, os, sys
from pathlib import Path
from truemed_async.emulator import Emulator

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

before = resident()
emulator = Emulator(sessions=int(sys.argv[1]), payment_sessions=int(sys.argv[1]))
gc.collect()
state = emulator.state
print(json.dumps([before, resident(), state.qualification_sessions.count, state.payment_sessions.count]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_hundred_thousand_sessions_fit_in_memory(scale):
    """Half of each kind: about 190 MiB, payouts and transactions included; 500 are allowed, and as much a session."""
    each = scale(5_000, 50_000)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(each)],
        cwd=ROOT,
        env=environment_without_coverage(),
        capture_output=True,
        check=True,
        timeout=300,
    )
    before, after, *counts = json.loads(done.stdout)
    assert counts == [each, each]
    assert after - before < 500 * each / 50_000, f"{before:.0f} MiB, then {after:.0f}"
