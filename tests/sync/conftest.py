"""An emulator, a synchronous client of it, and programs in processes of their own."""

import os
import subprocess
import sys
import textwrap

import pytest

from truemed_async import Truemed
from truemed_async.emulator import Emulator


@pytest.fixture
def emulator():
    with Emulator(sessions=250) as running:
        yield running


@pytest.fixture
def client(emulator):
    with Truemed(emulator.api_key, base_url=emulator.url) as made:
        yield made


@pytest.fixture
def ids(emulator):
    return [session.qualification_session_id for session in emulator.state.sessions]


@pytest.fixture
def run_program(emulator, tmp_path):
    """Run a program against the emulator, with every warning an error, and a watchdog."""

    def run(source, *, timeout=30, expect=0, options=("-X", "dev", "-W", "error")):
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(source), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *options, str(script)],
            env={**os.environ, "TRUEMED_API_KEY": emulator.api_key, "TRUEMED_BASE_URL": emulator.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        return done

    return run
