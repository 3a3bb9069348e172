"""Runs command lines: inside the test, with streams of its own, and as processes with a deadline."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.support.paths import ROOT
from truemed_async.cli.output import Streams
from truemed_async.cli.start import run
from truemed_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 60  # seconds after which a process that hangs is ended


@attrs.frozen
class Done:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give tables a known width."""
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(autouse=True)
def config_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the configuration file an empty directory, and return the file's path."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    for name in ("TRUEMED_CONFIG", "TRUEMED_PROFILE", "TRUEMED_ENVIRONMENT", "TRUEMED_BASE_URL", "TRUEMED_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def truemed() -> Callable[..., Done]:
    def truemed(
        *argv: str, out: io.StringIO | None = None, err: io.StringIO | None = None, source: io.StringIO | None = None
    ) -> Done:
        streams = Streams(
            io.StringIO() if out is None else out,
            io.StringIO() if err is None else err,
            io.StringIO() if source is None else source,
        )
        code = run(argv, streams)
        return Done(code, streams.out.getvalue(), streams.err.getvalue())

    return truemed


@pytest.fixture
def terminal() -> type[Terminal]:
    return Terminal


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator without sessions, and the environment variables that lead to it."""
    with Emulator(sessions=0, max_page_size=50) as emulator:
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
        yield emulator


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own; those that still run at the end of the test are ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*argv: str, program: tuple[str, ...] = ("-m", "truemed_async"), **options: Any) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(
            [sys.executable, *program, *argv], env=os.environ | {"PYTHONPATH": str(ROOT)}, **(pipes | options)
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def finish() -> Callable[[subprocess.Popen[str]], Done]:
    def finish(process: subprocess.Popen[str]) -> Done:
        out, err = process.communicate(timeout=DEADLINE)
        return Done(process.returncode, out, err)

    return finish
