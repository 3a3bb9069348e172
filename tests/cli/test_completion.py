"""Completion: the script in a real bash, the installed files, the scripts of other shells."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys

import docstring_parser
import pytest
from cyclopts.completion import ShellDetectionError

from tests.cli.conftest import DEADLINE
from tests.support.paths import ROOT
from tests.support.processes import environment_without_coverage
from truemed_async.cli.front_page import COMMANDS
from truemed_async.cli.options import GlobalOptions

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None or sys.platform == "win32", reason="there is no bash")
# What bash does when a person presses Tab after the words.
PRESS_TAB = """
press_tab() {
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
    "$(complete -p truemed | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
    echo "${COMPREPLY[*]}"
}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home directory with an installed script, and the command ``truemed``."""
    home = tmp_path_factory.mktemp("home")
    (home / "bin").mkdir()
    program = home / "bin" / "truemed"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m truemed_async "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    run_truemed(home, "completion", "bash", "--install")
    return home


def environment_of(home):
    paths = {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(home)}
    return {**environment_without_coverage(), **paths, "XDG_CONFIG_HOME": str(home / "config")}


def run_truemed(home, *argv):
    command = [sys.executable, "-m", "truemed_async", *argv]
    return subprocess.run(
        command, env=environment_of(home), capture_output=True, text=True, timeout=DEADLINE, check=True
    )


@pytest.fixture
def complete(home):
    def complete(*words):
        """Return what bash offers for the last word; its start-up file is the one that was written."""
        assert BASH is not None
        script = f'. "$HOME/.bashrc"\n{PRESS_TAB}\npress_tab truemed "$@"'
        done = subprocess.run(
            [BASH, "-c", script, "bash", *words],
            env=environment_of(home), capture_output=True, text=True, timeout=DEADLINE, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split()

    return complete


@needs_bash
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("",), [*COMMANDS]),
        (("se",), ["sessions"]),
        (("--env", "emulator", "se"), ["sessions"]),
        (("sessions", "e"), ["export", "expiring"]),
        (("sessions", "--env", "sandbox", "m"), ["mirror"]),
        (("webhooks", "schema", ""), ["postgres"]),
        (("webhooks", "listen", "--f"), ["--forward-to", "--format"]),
        (("webhooks", "listen", "--mode", ""), ["signed", "unsigned"]),
        (("logs", "t"), ["tail"]),
        (("logs", "tail", "--no"), ["--no-follow"]),
        (("open", ""), ["inspector", "dashboard", "webhooks", "api-keys"]),
        (("payments", "li"), ["list", "link"]),
        (("sessions", "list", "--format", "j"), ["json", "jsonl"]),
        (("sessions", "list", "--env", ""), ["production", "sandbox", "emulator"]),
        (("payments", "list", "--pag"), ["--page", "--page-size"]),
        (("webhooks", "explain", "--"), ["--body", "--headers", "--mode", "--help", "--version"]),
    ],
)
def test_bash_offers_commands_options_and_choices(complete, words, offered):
    assert complete(*words) == offered


@needs_bash
def test_bash_offers_the_profiles(complete, home):
    folder = home / "config" / "truemed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text("[profiles.shop]\n[profiles.other]\n")
    assert complete("sessions", "list", "--profile", "s") == ["shop"]
    (folder / "config.toml").write_text("[profiles")
    assert complete("sessions", "list", "--profile", "s") == []


def test_profiles_are_offered_by_name(truemed, config_folder, capfd):
    (config_folder / "truemed").mkdir()
    (config_folder / "truemed" / "config.toml").write_text("[profiles.shop]\n[profiles.other]\n")
    assert truemed("__complete", "sessions", "list", "--profile", "").code == 0
    assert capfd.readouterr().out.split() == ["begin", "shop", "other"]


def test_script_is_installed_and_loaded_once(home):
    script = home / ".local" / "share" / "bash-completion" / "completions" / "truemed"
    done = run_truemed(home, "completion", "bash", "--install")
    assert done.stdout == ""
    assert done.stderr == f"installed in {script}; it is loaded by the next bash\n"
    assert (home / ".bashrc").read_text().count(str(script)) == 2  # in one line: if it exists, load it


def test_other_file_changes_no_start_up_file(truemed, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    done = truemed("completion", "bash", "--install", "--output", str(tmp_path / "x.bash"))
    assert (done.code, done.out) == (0, "")
    assert [file.name for file in tmp_path.iterdir()] == ["x.bash"]


@pytest.mark.parametrize(
    ("shell", "start"),
    [("bash", "# Bash completion for truemed"), ("zsh", "#compdef truemed"), ("fish", "# Fish completion for truemed")],
)
def test_script_has_every_command(truemed, shell, start):
    done = truemed("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(start)
    assert all(
        name in done.out for name in (*COMMANDS, "find-valid", "cancel-stale", "no-follow", "show-server-messages")
    )


def test_each_docstring_is_parsed_once(truemed, monkeypatch):
    parsed = []
    parse = docstring_parser.parse_from_object

    def count(thing):
        parsed.append(thing)
        return parse(thing)

    monkeypatch.setattr(docstring_parser, "parse_from_object", count)
    assert truemed("completion", "bash").code == 0
    assert GlobalOptions in parsed
    assert len(parsed) == len(set(parsed))
    assert docstring_parser.parse_from_object is count


def test_shell_is_that_of_the_user(truemed, monkeypatch):
    monkeypatch.setattr("truemed_async.cli.completion.detect_shell", lambda: "fish")
    assert truemed("completion").out.startswith("# Fish completion for truemed")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "the shell is not known: pass bash, zsh, fish or powershell"),
        (("bash", "--output", "x"), "--output requires --install"),
        (("bsh",), 'SHELL: unknown choice "bsh"; did you mean "bash"?'),
    ],
)
def test_usage_error_says_what_to_pass(truemed, monkeypatch, argv, message):
    def detect_shell():
        raise ShellDetectionError

    monkeypatch.setattr("truemed_async.cli.completion.detect_shell", detect_shell)
    done = truemed("completion", *argv)
    assert (done.code, done.out, done.err) == (2, "", f"error: {message}\n")
