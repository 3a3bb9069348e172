"""Starting the command line loads only what the command needs."""

from __future__ import annotations

import gc
import io
import subprocess
import sys

import pytest

from truemed_async.__main__ import GC_THRESHOLD, main
from truemed_async.cli.app import load_command, make_app
from truemed_async.cli.front_page import COMMANDS
from truemed_async.cli.output import Streams

HEAVY = ("aiohttp", "asyncio", "attr", "cyclopts", "inspect", "pathlib", "rich", "truemed_async.models._base")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_all_commands_says_the_same_as_the_command(name):
    streams = Streams(io.StringIO(), io.StringIO())
    listing = make_app(streams, ())[name]
    loaded = load_command(name)
    assert listing.name == loaded.name == (name,)
    described = loaded.help or loaded.default_command.__doc__
    assert listing.help == described.partition("\n")[0]


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


# Of the parts of the command line, those that `sessions get` needs.
PARTS_OF_GET = {
    "app", "connection", "examples", "failures", "fields", "files", "front_page", "options", "output", "profiles",
    "progress", "resources", "rows", "sessions", "settings", "start",
}  # fmt: skip


def load_by(*argv):
    """Run a command as a process of its own; the modules that it loads are on standard error."""
    code = (  # what measures the coverage of processes is loaded before
        "import sys; before = {*sys.modules}; from truemed_async.__main__ import main; main();"
        "print(*sys.modules.keys() - before, file=sys.stderr)"
    )
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True, timeout=120)


def test_get_in_a_pipe_loads_only_what_it_needs(emulator):
    emulator.state.qualification_sessions.add(qualification_session_id="qs_1")
    done = load_by("sessions", "get", "qs_1")
    assert '"qs_1"' in done.stdout
    modules = done.stderr.split()
    prefix = "truemed_async.cli."
    assert {name.removeprefix(prefix) for name in modules if name.startswith(prefix)} == PARTS_OF_GET
    assert not {"truemed_async.exports", "difflib", "docstring_parser", "sqlite3", "rich"}.intersection(modules)


@pytest.mark.parametrize("command", ["link", "find-valid", "expiring", "mirror", "attach"])
def test_other_command_of_a_resource_loads_only_its_own(command):
    modules = load_by("sessions", command, "--help").stderr.split()
    assert not {"truemed_async.cli.listing", "truemed_async.cli.summary"}.intersection(modules)


@pytest.mark.parametrize(
    ("words", "defined"),
    [(("sessions", "get", "qs_1"), {"get"}), (("sessions", "link"), {"link"}), (("sessions",), None), (None, None)],
)
def test_only_the_named_command_of_a_resource_is_defined(words, defined):
    app = make_app(Streams(io.StringIO(), io.StringIO()), words)["sessions"]
    resource = ("list", "get", "export", "summary")
    expected = {*resource} if defined is None else defined.intersection(resource)
    assert {name for name in resource if app[name].default_command is not None} == expected


class TestGarbageCollection:
    @pytest.fixture(autouse=True)
    def collector(self):
        thresholds = gc.get_threshold()
        yield
        gc.set_threshold(*thresholds)
        gc.unfreeze()

    def test_process_does_not_look_through_what_it_loads(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["truemed", "--version"])
        assert main() == 0
        assert gc.get_threshold()[0] == GC_THRESHOLD
        assert gc.get_freeze_count()

    def test_call_with_arguments_leaves_the_collector_alone(self, capsys):
        before = gc.get_threshold(), gc.get_freeze_count()
        assert main(["--version"]) == 0
        assert (gc.get_threshold(), gc.get_freeze_count()) == before
