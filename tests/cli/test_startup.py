"""Starting the command line loads only what the command needs."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from truemed_async.cli.app import load_command, make_app
from truemed_async.cli.front_page import COMMANDS
from truemed_async.cli.output import Streams

HEAVY = ("aiohttp", "asyncio", "attr", "cyclopts", "inspect", "pathlib", "rich", "truemed_async.models._base")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_all_commands_says_the_same_as_the_command(name):
    streams = Streams(io.StringIO(), io.StringIO())
    listed = make_app(streams, ())[name]
    loaded = load_command(name)
    assert listed.name == loaded.name == (name,)
    described = loaded.help or loaded.default_command.__doc__
    assert listed.help == described.partition("\n")[0]


def test_all_commands_are_built_without_words():
    app = make_app(Streams(io.StringIO(), io.StringIO()))
    assert all(list(app[name]) or app[name].default_command for name in COMMANDS)


@pytest.mark.parametrize(("words", "loaded"), [(["--help"], ()), (["sessions", "--help"], ("sessions",))])
def test_only_the_named_command_is_imported(words, loaded):
    code = (  # what measures the coverage of processes is loaded before
        "import sys; before = {*sys.modules}; from truemed_async.__main__ import main; main(sys.argv[1:]);"
        "print(*sys.modules.keys() - before, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, timeout=120)
    modules = set(done.stderr.split())
    assert {name for name in COMMANDS if f"truemed_async.cli.{name}" in modules} == set(loaded)
    if not loaded:
        assert not modules.intersection(HEAVY)
    assert "aiohttp" not in modules


def test_command_in_a_pipe_loads_nothing_that_draws(emulator):
    emulator.state.qualification_sessions.add(qualification_session_id="qs_1")
    code = (
        "import sys; from truemed_async.__main__ import main; main(['sessions', 'get', 'qs_1']);"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert '"qs_1"' in done.stdout
    assert not {name for name in done.stderr.split() if name.partition(".")[0] == "rich"}
