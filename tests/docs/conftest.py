"""Fixtures for the examples in the documentation: an emulator and the environment variables for it."""

import os
import stat
import sys
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
    """Serve the sessions that the examples use, among others, and change to an empty directory."""
    with Emulator(sessions=120) as emulator:
        emulator.state.qualification_sessions.add(qualification_session_id="qs_abc123", status="approved")
        emulator.state.qualification_sessions.add(qualification_session_id="qs_def456", status="processing")
        monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        monkeypatch.delenv("TRUEMED_ENVIRONMENT", raising=False)
        monkeypatch.chdir(tmp_path)
        yield emulator


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
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
