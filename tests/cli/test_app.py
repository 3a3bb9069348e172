"""The frame of all commands: settings, usage errors, exit codes, streams."""

from __future__ import annotations

import builtins
import errno
import gc
import io
import os
import runpy
import sys
from importlib import import_module
from typing import get_args

import pytest
from cyclopts import ValidationError

import truemed_async
from truemed_async import __version__
from truemed_async.__main__ import main
from truemed_async.cli import options
from truemed_async.cli.app import format_usage_error
from truemed_async.cli.front_page import COMMANDS
from truemed_async.cli.output import Streams
from truemed_async.cli.start import run

LIST = ("sessions", "list")
EMULATOR = ("--env", "emulator")


class TestSettings:
    def test_key_and_server_are_read_from_environment(self, truemed, emulator):
        emulator.state.qualification_sessions.add()

        assert len(truemed(*LIST).rows) == 1

    def test_option_overrides_environment(self, truemed, emulator, monkeypatch):
        monkeypatch.setenv("TRUEMED_BASE_URL", "http://127.0.0.1:1")

        assert truemed("--base-url", emulator.url, *LIST).code == 0

    def test_missing_key_exits_2(self, truemed):
        done = truemed("--env", "sandbox", *LIST)

        assert (done.code, done.out) == (2, "")
        assert "TRUEMED_API_KEY" in done.err

    def test_invalid_environment_variable_exits_2(self, truemed, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "some-api-key")
        monkeypatch.setenv("TRUEMED_ENVIRONMENT", "staging")

        assert truemed(*LIST).code == 2

    def test_embedded_emulator_ignores_environment_variables(self, truemed, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "ö")
        monkeypatch.setenv("TRUEMED_ENVIRONMENT", "staging")
        monkeypatch.setenv("TRUEMED_BASE_URL", "http://127.0.0.1:1")

        assert truemed(*EMULATOR, *LIST).code == 0

    def test_global_options_after_command_are_accepted(self, truemed):
        assert truemed(*LIST, *EMULATOR, "--sessions", "1").code == 0

    @pytest.mark.parametrize("place", range(4))
    def test_global_options_are_accepted_everywhere(self, truemed, place):
        words = ["sessions", "get", "qs_abc123"]
        done = truemed(*words[:place], "--env", "emulator", *words[place:])
        assert (done.code, done.err) == (0, "")
        assert done.rows[0]["qualification_session_id"] == "qs_abc123"


class TestExitCodes:
    def test_failed_call_exits_1(self, truemed, emulator, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "another-key")

        done = truemed(*LIST)

        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error: qualification_sessions.list: 401")
        assert "another-key" not in done.err

    @pytest.mark.parametrize(
        "argv",
        [
            ("nonsense",),
            ("sessions", "nonsense"),
            ("--nonsense", *LIST),
            (*LIST, "--nonsense"),
            (*LIST, "nonsense"),
            (*LIST, "--page", "x"),
            (*LIST, "--page", "none"),
            (*LIST, "--format", "xml"),
            (*LIST, "--format", "none"),
            (*EMULATOR, *LIST, "--page", "0"),
            (*EMULATOR, *LIST, "--expires-at", "2026-02-30"),
            ("--env", "staging", *LIST),
            ("--env", "none", *LIST),
            ("--sessions", "3", *LIST),
            ("--env", "sandbox", "--seed", "3", *LIST),
            (*EMULATOR, "--base-url", "http://127.0.0.1:1", *LIST),
            (*EMULATOR, "--sessions", "-1", *LIST),
            (*EMULATOR, "--sessions", "none", *LIST),
        ],
    )
    def test_usage_error_exits_2(self, truemed, argv):
        done = truemed(*argv)

        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1

    @pytest.mark.parametrize(
        "argv", [("--api-key=hush", *LIST), ("--api-key", "hush", *LIST), (*LIST, "--api-key=hush")]
    )
    def test_api_key_option_is_rejected(self, truemed, argv):
        done = truemed(*argv)

        assert done.code == 2
        assert "TRUEMED_API_KEY" in done.err
        assert "hush" not in done.err

    @pytest.mark.parametrize("argv", [(*LIST, "--email=hush"), ("--email=hush", *LIST), (*LIST, "hush")])
    def test_usage_error_does_not_show_values(self, truemed, argv):
        done = truemed(*argv)

        assert done.code == 2
        assert "hush" not in done.err

    def test_ctrl_c_exits_130(self, truemed):
        class Interrupted(io.StringIO):
            def write(self, text: str) -> int:
                raise KeyboardInterrupt

        done = truemed(*EMULATOR, *LIST, out=Interrupted())

        assert (done.code, done.err) == (130, "interrupted\n")

    def test_ctrl_c_keeps_unfinished_export(self, truemed, tmp_path, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(import_module("truemed_async.exports.export").RowWriter, "add", interrupted)
        file = tmp_path / "x.csv"

        done = truemed(*EMULATOR, "sessions", "export", "--output", str(file))

        assert done.code == 130
        assert done.err == (
            f"unfinished: the rows so far are in {file}.partial; run the same command with --resume to continue\n"
            "interrupted\n"
        )
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv.partial", "x.csv.partial.journal"]

    def test_full_disk_exits_1(self, truemed):
        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

        done = truemed(*EMULATOR, *LIST, out=Full())

        assert (done.code, done.err) == (1, "error: No space left on device\n")

    def test_closed_pipe_exits_0(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w", encoding="utf-8") as out:
            streams = Streams(out, io.StringIO())

            assert run((*EMULATOR, *LIST), streams) == 0
        assert streams.err.getvalue() == ""

    def test_closed_pipe_after_failure_exits_1(self, emulator):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w", encoding="utf-8") as out:
            streams = Streams(out, io.StringIO())

            assert run(("sessions", "get", emulator.state.qualification_sessions.add(), "qs_unknown"), streams) == 1
        assert streams.err.getvalue().startswith("error: qs_unknown")

    def test_internal_error_is_raised(self, truemed, monkeypatch):
        monkeypatch.setattr("truemed_async.cli.rows._to_json", None)

        with pytest.raises(TypeError):
            truemed(*EMULATOR, *LIST)


class TestHelp:
    @pytest.mark.parametrize("argv", [("--help",), (), (*LIST, "--help"), ("sessions",), ("emulator", "-h")])
    def test_help_is_written_to_standard_output(self, truemed, argv):
        done = truemed(*argv)

        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("Usage: truemed")

    @pytest.mark.parametrize(
        ("argv", "usage"),
        [
            (("--env", "sandbox"), "truemed COMMAND"),
            (("--env", "sandbox", "--help"), "truemed COMMAND"),
            (("--env", "sandbox", "sessions"), "truemed sessions COMMAND"),
            (("--env", "sandbox", "sessions", "get", "--help"), "truemed sessions get"),
            (("sessions", "--env", "sandbox", "get", "--help"), "truemed sessions get"),
            (("sessions", "get", "--env", "sandbox", "--help"), "truemed sessions get"),
            (("--verbose", "emulator", "--help"), "truemed emulator"),
        ],
    )
    def test_help_after_global_options_is_that_of_the_command(self, truemed, argv, usage):
        done = truemed(*argv)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"Usage: {usage}")

    def test_help_names_key_variable(self, truemed):
        assert "TRUEMED_API_KEY" in truemed("--help").out

    def test_help_shows_no_internal_parameters(self, truemed):
        for argv in (LIST, ("sessions", "get"), ("sessions", "update"), ("sessions", "export"), ("emulator",)):
            help = truemed(*argv, "--help").out
            assert "Not an option" not in help
            assert "context" not in help.lower()

    @pytest.mark.parametrize("option", ["--version", "-V"])
    def test_version_is_printed(self, truemed, option):
        assert truemed(option).out == f"{__version__}\n"


class TestMain:
    def test_main_runs_its_arguments(self, capsys):
        assert main([*EMULATOR, *LIST, "--page-size", "1"]) == 0
        assert capsys.readouterr().out.startswith('{"qualification_session_id"')

    def test_module_runs_process_arguments(self, capsys, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["truemed", "--version"])
        monkeypatch.setattr(gc, "set_threshold", lambda *_: None)  # this process stays
        monkeypatch.setattr(gc, "freeze", lambda: None)

        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(main.__globals__["__file__"]), run_name="__main__")

        assert ended.value.code == 0
        assert capsys.readouterr().out == f"{__version__}\n"

    @pytest.mark.parametrize("argv", [["--help"], ["sessions", "--help"]])
    @pytest.mark.parametrize("missing", ["cyclopts", "rich"])
    def test_missing_extra_names_install_command(self, capsys, monkeypatch, missing, argv):
        without(missing, monkeypatch)

        assert main(argv) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert "pip install 'truemed-async[cli]'" in err

    def test_other_missing_module_is_raised(self, monkeypatch):
        without("attrs", monkeypatch)

        with pytest.raises(ModuleNotFoundError, match="attrs"):
            main(["whoami"])


def without(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the commands imported anew, as where the module ``missing`` is not installed."""
    real = builtins.__import__

    def importing(name, *args, **options):
        if name.split(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, *args, **options)

    monkeypatch.setattr(truemed_async, "cli", truemed_async.cli)  # so that it is put back too
    for name in [name for name in sys.modules if name.startswith("truemed_async.cli")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(builtins, "__import__", importing)


class TestStreams:
    def test_pipe_receives_utf_8_with_unchanged_line_ends(self, monkeypatch):
        bytes_out = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_out, encoding="ascii", newline="\r\n"))

        streams = Streams.standard()
        streams.print_data("Zoë")
        streams.out.flush()

        assert bytes_out.getvalue() == "Zoë\n".encode()

    def test_terminal_shows_unencodable_characters_as_escapes(self, monkeypatch):
        class Terminal(io.TextIOWrapper):
            def isatty(self) -> bool:
                return True

        bytes_out = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", Terminal(bytes_out, encoding="ascii", newline=""))

        streams = Streams.standard()
        streams.print_data("Zoë")
        streams.out.flush()

        assert bytes_out.getvalue() == b"Zo\\xeb\n"

    def test_other_streams_are_used_unchanged(self, monkeypatch):
        out = io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)

        assert Streams.standard().out is out


class TestUsageErrors:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (("sesions", "list"), 'unknown command "sesions"; did you mean "sessions"?'),
            (("sessions", "lst"), 'unknown command "lst"; did you mean "list"?'),
            (("sessions", "help"), "help is an option: --help"),
            (("--versoin",), "unknown option --versoin; did you mean --version?"),
            (
                ("nonsense",),
                f'unknown command "nonsense"; choose from {", ".join(COMMANDS)}',
            ),
            ((*LIST, "--formt", "csv"), "unknown option --formt; did you mean --format?"),
            ((*LIST, "--nonsense"), "unknown option --nonsense; see --help"),
            ((*LIST, "--month", "2026-10"), "unknown option --month; see --help"),
            ((*LIST, "--format", "cvs"), '--format: unknown choice "cvs"; did you mean "csv"?'),
            ((*LIST, "--format", "xml"), '--format: unknown choice "xml"; choose from table, csv, json, jsonl'),
            (("sessions", "--nonsense", "list"), "unknown option --nonsense; see --help"),
            (("config", "path", "--env", "sandbox"), "--env: `truemed config path` has no such option"),
            (("--env", "prodction", *LIST), '--env: unknown choice "prodction"; did you mean "production"?'),
            ((*LIST, "--page", "x"), "--page must be a whole number"),
            ((*LIST, "--page"), "--page requires a value"),
            ((*LIST, "x"), "too many arguments; put quotes around a value that contains spaces"),
            (("sessions", "export"), "--output is required"),
            (("sessions", "export", "--output"), "--output requires a value"),
            (("sessions", "export", "--output", "x", "--resume=maybe"), "--resume has an invalid value"),
            (("sessions", "get"), "pass ids, or - to read them from standard input, one a line"),
            (("emulator", "--port", "70000"), "--port must be <= 65535"),
            (("sessions", "update", "--user-id", "u", "qs_1", "--user-id", "v"), "invalid command line; see --help"),
        ],
    )
    def test_message_error_describes_the_problem(self, truemed, argv, message):
        assert truemed(*argv).err == f"error: {message}\n"

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (("sk_live_12",), "unknown command; choose from sessions"),
            ((*LIST, "--format", "sk_live_12"), "--format: unknown choice; choose from table"),
            ((*LIST, "--sk_live_12"), "unknown option; see --help\n"),
        ],
    )
    def test_values_that_may_be_a_key_are_not_shown(self, truemed, argv, message):
        done = truemed(*argv)

        assert message in done.err
        assert "sk_live" not in done.err

    def test_error_without_argument_has_a_generic_message(self):
        assert format_usage_error(ValidationError(exception_message="Must be odd."), ()) == "an option must be odd"


# --- options in the messages of the library -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("sessions list --expires-at soon", "--expires-at must be a date, a datetime or a valid 'YYYY-MM-DD'"),
        ("payments list --status captured --page 0", "--page must be a whole number >= 1"),
        ("payments list --status captured --page-size 0", "--page-size must be a whole number >= 1"),
        ("payments summary --month 2026-00", "--month must be a valid 'YYYY-MM'"),
        (
            "payments export --output - --month 2026-10 --until 2026-11-01",
            "pass either --month, or --since and --until",
        ),
        (
            "payments export --output - --since 2026-11-02 --until 2026-11-01",
            "--until must be later than the start of the period",
        ),
        (
            "sessions export --output - --until yesterday",
            "--until must be YYYY-MM-DD, or a time such as 2026-11-01T09:30",
        ),
        ("catalog create MAT --name Mat --image-url ftp://a", "--image-url[0] must be an absolute http or https URL"),
    ],
)
def test_message_names_the_option(truemed, emulator, command, expected):
    done = truemed(*command.split())
    assert (done.code, done.err) == (2, f"error: {expected}\n")
    assert len(emulator.requests) == 0


# --- choices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "enumeration"),
    [
        (options.SessionStatus, truemed_async.QualificationStatus),
        (options.PaymentStatus, truemed_async.PaymentSessionStatus),
        (options.PaymentKind, truemed_async.PaymentSessionKind),
        (options.RefundReason, truemed_async.RefundReason),
        (options.Eligibility, truemed_async.CatalogEligibility),
    ],
)
def test_choices_are_those_of_the_library(choices, enumeration):
    assert get_args(choices) == tuple(member.value for member in enumeration)


@pytest.mark.parametrize(
    "command",
    [
        "sessions list --status aproved",
        "payments export --output - --status aproved",
        "payments refund id --amount 1.00 --yes --reason aproved",
        "payments create --amount 1.00 --success-url https://a.example --kind aproved",
        "catalog list --eligibility aproved",
    ],
)
def test_choice_is_checked_before_anything_is_sent(truemed, emulator, command):
    done = truemed(*command.split())
    assert (done.code, done.out) == (2, "")
    assert 'unknown choice "aproved"; ' in done.err
    assert len(emulator.requests) == 0
