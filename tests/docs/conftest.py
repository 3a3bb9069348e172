"""Fixtures for the examples in the documentation: an emulator and the environment variables for it."""

import os
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import truemed_async
from tests.support.paths import ROOT
from truemed_async.emulator import Emulator

# Tests of the built documentation and of the examples run in the `docs` session.
collect_ignore = [] if "TRUEMED_DOCS" in os.environ else ["test_built.py", "test_examples.py"]

TRUEMED = """#!/bin/sh
exec {python} -m truemed_async "$@"
"""
PYTHON = """#!/bin/sh
exec {python} "$@"
"""
NOTHING = """#!/bin/sh
exit 0
"""


@pytest.fixture
def emulator(monkeypatch, tmp_path):
    """Serve an emulator that examples with a set-up of their own change, and change to an empty directory."""
    with Emulator(sessions=120, examples=True) as emulator:
        use(monkeypatch, tmp_path, TRUEMED_API_KEY=emulator.api_key, TRUEMED_BASE_URL=emulator.url)
        yield emulator


@pytest.fixture(scope="session")
def emulator_process():
    """Run ``truemed emulator``, with a free port only because tests run at once; yield the variables that it prints."""
    command = [sys.executable, "-m", "truemed_async", "emulator", "--port", "0", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("url ")
            exports = [process.stdout.readline().removeprefix("export ").strip() for _ in range(3)]
            yield dict(each.split("=", 1) for each in exports)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="session")
def emulator_state(emulator_process):
    """The state of the process at its start."""
    return send_state(emulator_process, "GET")


@pytest.fixture
def plain_emulator(emulator_process, emulator_state, monkeypatch, tmp_path):
    """Lead an example to the process, as it is after its start, and change to an empty directory."""
    send_state(emulator_process, "PUT", emulator_state)
    use(monkeypatch, tmp_path, **emulator_process)


def send_state(variables, method, state=None):
    headers = {"x-truemed-api-key": variables["TRUEMED_API_KEY"]}
    url = f"{variables['TRUEMED_BASE_URL']}/_emulator/state"
    with urllib.request.urlopen(urllib.request.Request(url, state, headers, method=method), timeout=60) as response:
        return response.read()


def use(monkeypatch, directory, **variables):
    """Set the environment variables of an emulator, and change to a directory."""
    for name in ("TRUEMED_ENVIRONMENT", "TRUEMED_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(directory)


@pytest.fixture
def package_on_path(monkeypatch):
    """Let other processes import the tested package, installed or not."""
    before = os.environ.get("PYTHONPATH")
    here = str(Path(truemed_async.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", here if before is None else f"{here}{os.pathsep}{before}")


@pytest.fixture
def shell_path(package_on_path, monkeypatch, tmp_path_factory):
    """Put the command ``truemed`` on the path, and commands that do nothing in place of ``pip`` and ``nox``."""
    folder = tmp_path_factory.mktemp("bin")
    # The commands of the pages run in a clone of the repository.
    Path("docs").symlink_to(ROOT / "docs")
    programs = {"truemed": TRUEMED, "python": PYTHON}
    shims = {name: text.format(python=sys.executable) for name, text in programs.items()}
    for name, text in {**shims, "pip": NOTHING, "nox": NOTHING}.items():
        file = folder / name
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("HOME", str(folder))  # an example writes to it
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
