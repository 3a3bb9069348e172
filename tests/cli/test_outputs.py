"""Every byte of output arrives, or the exit code says that it did not: all kinds of standard streams.

``TRUEMED_LONG=1`` runs every format with and without buffering; the ordinary run takes a sample.
"""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.processes import environment_without_coverage
from tests.support.scale import LONG
from truemed_async.cli.output import Streams, printable
from truemed_async.emulator import Emulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors and terminals of POSIX")

ROOT = Path(__file__).parents[2]

SESSIONS = 400  # more than a pipe holds
COMMANDS = {
    "csv": ("export", "--output", "-", "--format", "csv"),
    "jsonl": ("export", "--output", "-", "--format", "jsonl"),
    "parquet": ("export", "--output", "-", "--format", "parquet"),
    "table": ("list", "--page-size", str(SESSIONS), "--format", "table"),
}


def command_of(format, output="-"):
    words = [output if word == "-" else word for word in COMMANDS[format]]
    return [sys.executable, "-m", "truemed_async", "sessions", *words]


def environment_of(buffering, **more):
    unbuffered = {"PYTHONUNBUFFERED": "1"} if buffering == "unbuffered" else {}
    return {**environment_without_coverage(), "PYTHONPATH": str(ROOT), **unbuffered, **more}


@pytest.fixture(scope="module")
def served():
    """Return the variables that lead commands to one emulator: most of the time of ``--env emulator`` is its start."""
    with Emulator(sessions=SESSIONS) as emulator:
        yield {"TRUEMED_BASE_URL": emulator.url, "TRUEMED_API_KEY": emulator.api_key}


@pytest.fixture(scope="module")
def run_command(served):
    def run_command(format, buffering, stdout, output="-", **options):
        done = subprocess.run(
            command_of(format, output), env=environment_of(buffering, **served), stdin=subprocess.DEVNULL,
            stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run_command


@pytest.fixture(scope="module")
def expected(served):
    """Return the complete output of a format."""

    @functools.cache
    def expected(format):
        return subprocess.run(
            command_of(format), env=environment_of("buffered", **served), capture_output=True, timeout=60, check=True
        ).stdout

    return expected


ALL = [(format, buffering) for format in COMMANDS for buffering in ("buffered", "unbuffered")]
SAMPLE = [("csv", "unbuffered"), ("table", "unbuffered"), ("parquet", "buffered")]


@pytest.mark.parametrize(("format", "buffering"), ALL if LONG else SAMPLE)
class TestMatrix:
    def test_file_receives_all_bytes(self, run_command, expected, tmp_path, format, buffering):
        with (tmp_path / "out").open("wb") as out:
            code, _ = run_command(format, buffering, out)

        assert (code, (tmp_path / "out").read_bytes()) == (0, expected(format))

    @pytest.mark.parametrize("is_blocking", [True, False])
    def test_pipe_with_slow_reader_receives_all_bytes(self, run_command, expected, format, buffering, is_blocking):
        read, write = os.pipe()
        os.set_blocking(write, is_blocking)
        received = []

        def drain():
            with os.fdopen(read, "rb", buffering=0) as reader:
                while data := reader.read(5000):
                    received.append(data)
                    threading.Event().wait(0.001)

        thread = threading.Thread(target=drain)
        thread.start()
        try:
            code, _ = run_command(format, buffering, write)
        finally:
            os.close(write)
            thread.join(30)

        assert (code, b"".join(received)) == (0, expected(format))

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_full_disk_exits_1(self, run_command, format, buffering):
        with Path("/dev/full").open("wb") as out:
            code, err = run_command(format, buffering, out)

        assert (code, err) == (1, "error: No space left on device\n")

    def test_file_size_limit_exits_1(self, run_command, tmp_path, format, buffering):
        import resource

        with (tmp_path / "out").open("wb") as out:
            code, err = run_command(
                format, buffering, out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
            )

        assert (code, err) == (1, "error: File too large\n")

    def test_closed_standard_output_exits_1(self, run_command, format, buffering):
        code, err = run_command(format, buffering, None, preexec_fn=lambda: os.close(1))

        assert (code, err) == (1, "error: standard output is closed\n")

    @pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
    def test_dev_stdout_receives_all_bytes(self, run_command, expected, tmp_path, format, buffering):
        with (tmp_path / "out").open("wb") as out:
            code, _ = run_command(format, buffering, out, output="/dev/stdout")

        assert (code, (tmp_path / "out").read_bytes()) == (0, expected(format))

    def test_link_remains_and_file_receives_all_bytes(self, run_command, expected, tmp_path, format, buffering):
        if format == "table":
            pytest.skip("a table has no --output")
        real, link = tmp_path / "real", tmp_path / "link"
        real.touch()
        link.symlink_to(real)

        code, _ = run_command(format, buffering, subprocess.DEVNULL, output=str(link))

        assert link.is_symlink()
        assert (code, real.read_bytes()) == (0, expected(format))


class TestClosedStreams:
    @pytest.mark.parametrize("closed", [(0, 2), (0, 1, 2)])
    def test_closed_streams_cause_no_traceback(self, served, tmp_path, closed):
        done = subprocess.run(
            command_of("csv", str(tmp_path / "x.csv")), env=environment_of("buffered", **served), timeout=60, check=False,
            preexec_fn=lambda: [os.close(number) for number in closed], capture_output=True,
        )  # fmt: skip

        assert done.returncode == 0
        assert b"Traceback" not in done.stderr
        assert len((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()) == 1 + SESSIONS

    @pytest.mark.parametrize("argv", [("--help",), ("sessions", "get", "qs_nobody")])
    def test_full_standard_error_and_output_exit_without_traceback(self, argv):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "truemed_async", "--env", "emulator", *argv],
                env=environment_of("buffered"), stdout=full, stderr=full, timeout=60, check=False,
            )  # fmt: skip

        assert done.returncode == 1

    def test_python_messages_that_full_standard_error_rejects_exit_with_1(self):
        """The interpreter flushes them at its exit, and would replace the exit code with 120."""
        program = (
            "import logging, sys; from truemed_async.__main__ import main; "
            "logging.raiseExceptions = False; logging.warning('slow'); sys.exit(main())"
        )
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-c", program, "--version"],
                env=environment_of("buffered"), stdout=subprocess.PIPE, stderr=full, timeout=60, check=False,
            )  # fmt: skip

        assert done.returncode == 1
        assert done.stdout

    def test_closed_python_stream_is_an_error(self, monkeypatch, capsys):
        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(sys, "stdout", closed)
        monkeypatch.setattr(sys, "stderr", None)

        streams = Streams.standard()

        streams.print_message("nobody sees it")
        with pytest.raises(OSError, match="standard output is closed"):
            streams.print_data("data")


HOSTILE = "Sam\x1b[2J\x9b1m\u202e\u200f\r\x07"


class TestTerminals:
    @pytest.mark.parametrize(
        "argv",
        [
            ("list", "--format", "table"),
            ("list", "--format", "json"),
            ("list", "--format", "jsonl"),
            ("list", "--format", "csv"),
            ("export", "--output", "-", "--format", "csv"),
            ("export", "--output", "-"),
            ("get", "qs_1"),
            ("summary",),
            ("summary", "--format", "csv"),
            ("summary", "--format", "json"),
        ],
    )
    def test_control_and_bidi_characters_are_escaped(self, truemed, terminal, emulator, monkeypatch, argv):
        monkeypatch.setenv("NO_COLOR", "1")
        emulator.state.qualification_sessions.add(qualification_session_id="qs_1", status=HOSTILE, user_name=HOSTILE)

        done = truemed("sessions", *argv, out=terminal())

        assert done.code == 0
        assert "\\u001b[2J" in done.out
        assert not {"\x9b", "\u202e", "\u200f", "\r", "\x07"} & {*done.out}
        assert "\x1b[2J" not in done.out

    def test_csv_on_terminal_of_process_is_escaped(self, emulator):
        import pty

        emulator.state.qualification_sessions.add(user_name=HOSTILE)
        emulator.state.qualification_sessions.add(user_name="Zoë")
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "truemed_async", "sessions", "export", "--output", "/dev/stdout", "--format", "csv"],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
            env=environment_of("buffered", PYTHONIOENCODING="ascii"),
        )  # fmt: skip
        os.close(theirs)
        received = b""
        try:
            while data := os.read(ours, 65536):
                received += data
        except OSError:  # the end of a terminal on Linux
            pass
        os.close(ours)

        assert process.wait(60) == 0
        assert b"\\u001b[2J" in received
        assert b"\x1b[2J" not in received
        assert b"Zo\\xeb" in received

    @pytest.mark.parametrize("columns", ["0", "1", "2", "3", "nonsense", "-5"])
    @pytest.mark.parametrize(
        "argv",
        [
            ("sessions", "list"),
            ("sessions", "summary"),
            ("sessions", "export", "--help"),
            ("payments", "list"),
            ("sessions", "export", "--output", "-"),
        ],
    )
    def test_terminal_of_any_width_is_supported(self, truemed, terminal, monkeypatch, columns, argv):
        monkeypatch.setenv("COLUMNS", columns)

        done = truemed("--env", "emulator", "--sessions", "3", *argv, out=terminal(), err=terminal())

        assert done.code == 0


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain ë €", "plain ë €"),
        ("\x1b", "\\u001b"),
        ("\u202e", "\\u202e"),
        ("\U000e0001", "\\udb40\\udc01"),
        ("\udcff", "\\udcff"),
        ("a\nb", "a\\u000ab"),
    ],
)
def test_printable_escapes_as_json(text, printed):
    assert printable(text) == printed
    assert printable("a\nb", keep="\n") == "a\nb"


def test_file_name_that_is_not_utf_8_is_written_and_shown(run_command, tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.csv"

    code, err = run_command("csv", "buffered", subprocess.DEVNULL, output=name)

    assert code == 0
    assert "\\udcff.csv" in err


def test_optimized_interpreter_runs_commands(emulator):
    emulator.state.qualification_sessions.add(qualification_session_id="qs_1")
    for argv in (
        ("list",),
        ("get", "qs_1"),
        ("export", "--output", "-"),
        ("summary",),
        ("--help",),
        ("list", "--help"),
    ):
        done = subprocess.run(
            [sys.executable, "-OO", "-m", "truemed_async", "sessions", *argv], env=environment_of("buffered"),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


def test_standard_streams_show_their_descriptors(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", None)
        streams = Streams.standard()

        assert streams.out.fileno() == out.fileno()
        assert not streams.err.isatty()
        assert streams.err.buffer.write(b"data") == 4


def test_failed_export_to_standard_output_reports_no_unfinished_file(truemed, emulator):
    emulator.faults.add("status", code=403)

    done = truemed("sessions", "export", "--output", "-")

    assert done.code == 1
    assert "unfinished" not in done.err


@pytest.mark.parametrize("name", ["payments", "tokens", "catalog"])
def test_every_listing_has_export_and_summary(truemed, terminal, name):
    counts = ("--env", "emulator", "--sessions", "1")

    assert truemed(*counts, name, "export", "--output", "-").code == 0
    assert truemed(*counts, name, "summary").code == 0
    chart = truemed(*counts, name, "summary", out=terminal()).out
    assert ("Letters" in chart) is (name == "tokens")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
class TestDescriptors:
    LIST = ("--env", "emulator", "sessions", "list", "--page-size", "1", "--format", "jsonl", "--output")

    def test_descriptor_receives_the_rows(self, truemed, tmp_path):
        with (tmp_path / "rows").open("wb") as file:
            done = truemed(*self.LIST, f"/dev/fd/{file.fileno()}")

        assert (done.code, done.out, done.err) == (0, "", "")
        assert (tmp_path / "rows").read_text().startswith('{"qualification_session_id"')

    def test_descriptor_that_is_not_open_is_refused(self, truemed):
        done = truemed(*self.LIST, "/dev/fd/987654")

        assert (done.code, done.out) == (2, "")
        assert done.err == "error: /dev/fd/987654 cannot be written: No such file or directory\n"


def test_state_that_is_no_regular_file_is_refused(truemed, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    for state, why in ((tmp_path / "pipe", "read"), ("/dev/fd/987654", "written")):
        done = truemed("emulator", "--port", "0", "--state", str(state))

        assert done.code == 2
        assert done.err == f"error: --state cannot be {why}: it is not a regular file\n"


def test_state_link_remains(tmp_path):
    from truemed_async.cli.emulator import EmulatorSnapshot, write_snapshot

    real, link = tmp_path / "real.json", tmp_path / "state.json"
    real.write_text("old")
    real.chmod(0o644)
    link.symlink_to(real)

    write_snapshot(link, EmulatorSnapshot.capture(Emulator(sessions=1)))

    assert link.is_symlink()
    assert real.read_text(encoding="utf-8").startswith("{")
    assert real.stat().st_mode & 0o777 == 0o600


def test_bom_option_begins_csv(truemed, tmp_path):
    path = tmp_path / "x.csv"

    done = truemed("--env", "emulator", "sessions", "export", "--bom", "--output", str(path))

    assert done.code == 0
    assert path.read_bytes().startswith(b"\xef\xbb\xbfqualification_session_id,")
