"""What only a terminal shows, in a real one."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import DEADLINE
from tests.support.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")


def run_on_terminal(*argv):
    """Run a command whose three streams are one terminal; return the exit code and what it showed."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-m", "truemed_async", *argv], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output, end = b"", time.monotonic() + DEADLINE
    try:
        while select.select([ours], [], [], max(0, end - time.monotonic()))[0]:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # of Linux, when the other side is closed
                break
            if not piece:
                break
            output += piece
        return process.wait(DEADLINE), output.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_terminal_shows_waits_and_a_table(emulator):
    emulator.state.qualification_sessions.add(qualification_session_id="qs_1")
    emulator.faults.add("status", code=429, retry_after=1, times=1)
    code, output = run_on_terminal("sessions", "list")
    assert code == 0
    assert "rate limited; waiting 1." in output
    assert "s (attempt 2 of 3)\n" in output
    assert "created_at" in output
    assert "1 session\n" in output


def test_terminal_shows_the_servers_message(emulator):
    emulator.faults.add("status", code=422, message="this may quote a person")
    code, output = run_on_terminal("sessions", "list")
    assert code == 1
    assert "\n  server: this may quote a person\n" in output


def test_waits_do_not_tear_the_progress_bar(emulator, tmp_path):
    for _ in range(120):
        emulator.state.qualification_sessions.add()
    emulator.faults.add("status", code=503, nth=3)
    code, output = run_on_terminal("sessions", "export", "--output", str(tmp_path / "x.csv"))
    assert code == 0
    assert "\r\x1b[2Kthe server responded with 503; waiting " in output
    assert "120 sessions" in output
