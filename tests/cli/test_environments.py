"""Commands in random environments: no traceback, and an exit code that says whether every byte arrived.

The environments are random combinations with a fixed seed: locale, time zone, size and kind of terminal, closed and
full streams, umask, directory, ignored signals, settings of Python. ``TRUEMED_LONG=1`` runs 1,000 of them; the ordinary
run takes a sample.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.cli.conftest import DEADLINE
from tests.support.paths import ROOT
from tests.support.scale import scale
from truemed_async.emulator import Emulator

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not Path("/dev/full").exists(), reason="streams and directories of Linux"
)

SESSIONS = 20
ID = "qs_known"
VARIABLES = {
    "LC_ALL": ("C", "POSIX", "C.UTF-8", "xx_YY.nonsense", ""),
    "LANG": ("C", "de_DE.ISO-8859-1", ""),
    "TZ": ("UTC", "Pacific/Kiritimati", "Nowhere/Unknown", ":", ""),
    "COLUMNS": ("0", "1", "2", "80", "-1", "junk", ""),
    "LINES": ("0", "1", "80", "junk"),
    "TERM": ("dumb", "xterm-256color", "unknown", ""),
    "NO_COLOR": ("1", ""),
    "FORCE_COLOR": ("1", "0", ""),
    "HOME": ("/nonexistent", ""),
    "TMPDIR": ("/nonexistent",),
    "PYTHONUNBUFFERED": ("1",),
    "PYTHONOPTIMIZE": ("1", "2"),
    "PYTHONIOENCODING": ("ascii", "latin-1:strict", "utf-16", ":surrogateescape"),
    "PYTHONUTF8": ("0", "1"),
    "PYTHONCOERCECLOCALE": ("0",),
    "PYTHONWARNINGS": ("error", "default"),
    "PYTHONDEVMODE": ("1",),
}
COMMANDS = {
    **{f"list {format}": ("sessions", "list", "--format", format) for format in ("table", "json", "jsonl", "csv")},
    "list": ("sessions", "list"),
    "get": ("sessions", "get", ID),
    "get unknown": ("sessions", "get", "qs_unknown"),
    "update": ("sessions", "update", ID, "--metadata", '{"name": "Zo\\u00eb"}', "--idempotency-key", "key-1"),
    "summary": ("sessions", "summary"),
    "export": ("sessions", "export", "--output", "{file}.{format}"),
    "relative export": ("sessions", "export", "--output", "rows.{format}"),
    "export -": ("sessions", "export", "--output", "-", "--format", "{format}"),
    "help": ("--help",),
    "help of command": ("sessions", "export", "--help"),
    "version": ("--version",),
    "usage error": ("sessions", "list", "--page", "x"),
}
FAILURES = {"get unknown": 1, "usage error": 2}
"""The exit codes of the commands that fail in every environment, with a message and without data."""
CHANGEABLE = re.compile(rb'\x1b\[[0-9;]*m|"as_of": "[^"]*"')
STDOUTS = ("file", "pipe", "early", "full", "closed")
STDERRS = ("file", "file", "file", "full", "closed")
DIRECTORIES = ("ordinary", "removed", "read-only", "not UTF-8")
SIGNALS = (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP)


@attrs.frozen
class Environment:
    """One environment and the command that runs in it."""

    command: str
    format: str
    variables: dict[str, str]
    stdout: str
    stderr: str
    is_stdin_closed: bool
    umask: int
    directory: str
    ignored: tuple[signal.Signals, ...]

    @classmethod
    def choose(cls, seed: int) -> Environment:
        chance = random.Random(seed)
        names = chance.sample(sorted(VARIABLES), chance.randint(0, 8))
        return cls(
            command=[*COMMANDS][seed % len(COMMANDS)],
            format=chance.choice(("csv", "jsonl", "parquet")),
            variables={name: chance.choice(VARIABLES[name]) for name in names},
            stdout=chance.choice(STDOUTS),
            stderr=chance.choice(STDERRS),
            is_stdin_closed=chance.random() < 0.3,
            umask=chance.choice((0, 0o022, 0o077, 0o177, 0o777)),
            directory=chance.choice(DIRECTORIES),
            ignored=tuple(number for number in SIGNALS if chance.random() < 0.2),
        )

    @property
    def writes_relative_file(self) -> bool:
        return self.command == "relative export"

    @property
    def can_write_file(self) -> bool:
        """Whether the directory accepts a new file; root writes to read-only directories as well."""
        return self.directory != "removed" and not (self.directory == "read-only" and os.geteuid() != 0)

    @property
    def exit_codes(self) -> set[int]:
        """The right exit codes."""
        if self.writes_relative_file and not self.can_write_file:
            return {1, 2}
        if self.command in FAILURES:
            # A message that cannot be written is a failure of its own.
            return {FAILURES[self.command], 1} if self.stderr == "full" else {FAILURES[self.command]}
        if self.has_output and self.stdout in ("full", "closed"):
            return {1}
        code = 0
        if self.stderr == "full" and self.has_message and not (self.has_output and self.stdout == "early"):
            code = 1
        # In this mode asyncio also logs each step that takes long, which depends on the machine.
        return {code, 1} if self.stderr == "full" and "PYTHONDEVMODE" in self.variables else {code}

    @property
    def has_output(self) -> bool:
        return self.command not in FAILURES and self.command not in ("export", "relative export")

    @property
    def has_message(self) -> bool:
        """Whether the command also writes to standard error when it succeeds."""
        return self.command in ("export", "relative export", "export -")


@attrs.frozen
class Done:
    code: int
    out: bytes
    err: str
    file: Path


@pytest.fixture(scope="module")
def emulator():
    with Emulator(sessions=SESSIONS) as emulator:
        emulator.state.qualification_sessions.add(
            qualification_session_id=ID, user_name="Zoë \x1b[2J \u202e", status="approved"
        )
        yield emulator


@pytest.fixture(scope="module")
def expected(emulator, tmp_path_factory):
    """Return the complete output of a command, as an ordinary environment receives it."""
    outputs = {}

    def expected(environment):
        ordinary = attrs.evolve(
            environment, variables={}, stdout="file", stderr="file", is_stdin_closed=False, umask=0o022,
            directory="ordinary", ignored=(),
        )  # fmt: skip
        key = (environment.command, environment.format)
        if key not in outputs:
            done = run_command(ordinary, emulator, tmp_path_factory.mktemp("ordinary"))
            assert done.code in ordinary.exit_codes, done.err
            outputs[key] = done.file.read_bytes() if done.file.exists() else done.out
        return outputs[key]

    return expected


def run_command(environment, emulator, folder):
    """Run the command in its environment, at most ``DEADLINE`` seconds."""
    file = folder / f"out.{environment.format}"
    cwd = folder / ("cwd\udcff" if environment.directory == "not UTF-8" else "cwd")
    cwd.mkdir(mode=0o555 if environment.directory == "read-only" else 0o755)
    argv = [
        word.format(file=folder / "out", format=environment.format) if "{f" in word else word
        for word in COMMANDS[environment.command]
    ]
    variables = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "HOME")}
    variables |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",  # a umask of 0777 would leave files that nobody can read
        "TRUEMED_API_KEY": emulator.api_key,
        "TRUEMED_BASE_URL": emulator.url,
    }
    outputs = {"file": folder / "stdout", "full": Path("/dev/full"), "closed": Path(os.devnull)}
    read, write = os.pipe()
    out_path = outputs.get(environment.stdout)
    out = write if out_path is None else os.open(out_path, os.O_WRONLY | os.O_CREAT, 0o600)
    errors = folder / "stderr" if environment.stderr == "file" else None
    err = os.open(errors or outputs[environment.stderr], os.O_WRONLY | os.O_CREAT, 0o600)

    def prepare():
        os.chdir(cwd)
        if environment.directory == "removed":
            cwd.rmdir()
        os.umask(environment.umask)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in environment.ignored else signal.SIG_DFL)
        closed = (environment.is_stdin_closed, environment.stdout == "closed", environment.stderr == "closed")
        for number, is_closed in enumerate(closed):
            if is_closed:
                os.close(number)

    if environment.stdout == "early":
        os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "truemed_async", *argv], env=variables | environment.variables, stdin=subprocess.DEVNULL,
        stdout=out, stderr=err, preexec_fn=prepare, restore_signals=False,
    )  # fmt: skip
    for descriptor in {out, err, write}:
        os.close(descriptor)
    try:
        code = process.wait(DEADLINE)  # no command writes more than a pipe holds
    finally:
        process.kill()
        process.wait()
    received = b""
    if environment.stdout != "early":
        with os.fdopen(read, "rb") as reader:
            received = reader.read()
    if environment.stdout == "file":
        received = (folder / "stdout").read_bytes()
    text = errors.read_text(encoding="utf-8", errors="replace") if errors else ""
    if environment.writes_relative_file:
        file = cwd / f"rows.{environment.format}"
    return Done(code, received, text, file)


@pytest.mark.parametrize("seed", range(scale(len(COMMANDS), 1000)))
def test_environment_causes_no_traceback_and_no_wrong_exit_code(emulator, expected, tmp_path, seed):
    environment = Environment.choose(seed)

    done = run_command(environment, emulator, tmp_path)

    report = f"{environment}\nexit code {done.code}\n{done.err}"
    assert "Traceback" not in done.err, report
    assert "Exception ignored" not in done.err, report
    assert done.code in environment.exit_codes, report
    if done.code != 0 and environment.stderr == "file":
        assert done.err, report
    if done.code == 0 and environment.has_output and environment.stdout in ("file", "pipe"):
        assert_same(environment, done.out, expected(environment), report)
    if done.code == 0 and not environment.has_output:
        done.file.chmod(0o600)
        assert_same(environment, done.file.read_bytes(), expected(environment), report)
    shutil.rmtree(tmp_path)


def assert_same(environment, received, whole, report):
    """Compare the bytes, except what may differ: colors, the time of a summary, and the width of help texts."""
    received, whole = (CHANGEABLE.sub(b"", output) for output in (received, whole))
    if environment.command.startswith("help"):
        assert received.startswith(b"Usage: truemed"), report
        assert received.split()[-1] == whole.split()[-1], report
    else:
        assert received == whole, report
