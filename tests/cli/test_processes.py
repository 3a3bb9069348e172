"""Command lines as processes of their own: pipes, signals, terminals."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.support.waiting import wait_until
from truemed_async.emulator import Emulator

EMULATOR = ("--env", "emulator")

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


def test_pipe_receives_plain_data(start, finish):
    done = finish(start(*EMULATOR, "sessions", "list", "--page-size", "500"))

    assert (done.code, done.err) == (0, "")
    assert len(done.rows) == 500


def test_data_is_utf_8_in_any_locale(start, finish, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    done = finish(start(*EMULATOR, "sessions", "list", "--page-size", "500", encoding="utf-8"))

    assert done.code == 0
    assert any(not (row["user_name"] or "").isascii() for row in done.rows)


@posix
def test_closed_pipe_ends_quietly(start, finish):
    """As `truemed sessions list | head -1`, with more rows than the pipe holds."""
    process = start(*EMULATOR, "sessions", "export", "--output", "-")
    json.loads(process.stdout.readline())
    process.stdout.close()

    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""


@posix
@pytest.mark.parametrize(
    "argv", [("--help",), ("--version",), ("sessions", "list"), ("sessions", "list", "--format", "table")], ids=" ".join
)
def test_pipe_without_reader_ends_quietly(start, finish, argv):
    read, write = os.pipe()
    os.close(read)

    process = start(*EMULATOR, *argv, stdout=write)
    os.close(write)
    done = finish(process)

    assert (done.code, done.err) == (0, "")


def test_process_exit_codes(start, finish):
    unknown = start(*EMULATOR, "sessions", "get", "qs_unknown")
    usage = start("sessions", "list", "--page", "x")
    configuration = start("sessions", "list")

    assert [finish(process).code for process in (unknown, usage, configuration)] == [1, 2, 2]


@posix
def test_ctrl_c_during_export_exits_130(start, finish, tmp_path, monkeypatch):
    file, partial = tmp_path / "all.csv", tmp_path / "all.csv.partial"
    with Emulator(sessions=5000, latency=0.05, max_page_size=20) as emulator:
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
        process = start("sessions", "export", "--output", str(file))
        wait_until(lambda: partial.exists() and partial.stat().st_size > 2000)  # the header, and rows
        process.send_signal(signal.SIGINT)
        done = finish(process)

    assert done.code == 130
    assert done.err == (
        f"unfinished: the rows so far are in {partial}; run the same command with --resume to continue\ninterrupted\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [partial.name, f"{partial.name}.journal"]
    with partial.open(encoding="utf-8", newline="") as stream:
        assert 0 < len(list(csv.DictReader(stream))) < 5000


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_attach_that_is_interrupted_attaches_each_session_once_when_it_is_run_again(
    start, finish, tmp_path, monkeypatch, number
):
    people = range(60)
    matches, report = tmp_path / "matches.csv", tmp_path / "report.csv"
    rows = "".join(f"p{person}@example.com,user-{person}\n" for person in people)
    matches.write_text(f"email,user_id\n{rows}", encoding="utf-8")
    line = ("sessions", "attach", str(matches), "--run-id", "r", "--report", str(report), "--format", "csv")
    with Emulator(sessions=0) as emulator:
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
        sessions = emulator.state.qualification_sessions
        ids = [sessions.add(email=f"p{person}@example.com", user_id=None) for person in people]
        with emulator.faults.add("latency", seconds=0.2, route="qualification_sessions.update"):
            process = start(*line)
            wait_until(lambda: sum(sessions.get(id).user_id is not None for id in ids) > 16)  # the second wave
            process.send_signal(number)
            interrupted = finish(process)
        attached = sum(sessions.get(id).user_id is not None for id in ids)
        assert 0 < attached < len(people)
        if number == signal.SIGINT:
            assert (interrupted.code, interrupted.err) == (130, "interrupted\n")
            assert 0 < report.read_text(encoding="utf-8").count("attached,") < len(people)
        done = finish(start(*line, "--force"))
        assert done.code == 0
        counts = {row["outcome"]: int(row["count"]) for row in csv.DictReader(done.out.splitlines())}
        assert counts["attached"] + counts["already_attached"] == len(people)
        assert counts["already_attached"] >= attached
        assert [sessions.get(id).user_id for id in ids] == [f"user-{person}" for person in people]
        updates = [request for request in emulator.requests if request.method == "POST"]
    keys = {json.loads(request.body)["idempotency_key"] for request in updates}
    assert len(keys) == len(people), "each session has one key, however often it was sent"


@posix
@pytest.mark.parametrize(("number", "code", "output"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 0, "")])
def test_emulator_process_serves_until_signal(start, finish, number, code, output):
    process = start("emulator", "--port", "0", "--empty")
    url, _, key, _ = (process.stdout.readline().split()[-1].rpartition("=")[2] for _ in range(4))

    path = "/api/v1/qualification_sessions"
    request = urllib.request.Request(f"{url}{path}?search=sam", headers={"x-truemed-api-key": key})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["pagination"]["count"] == 0
    process.send_signal(number)
    done = finish(process)

    pattern = rf"inspector {re.escape(url)}/\n\d\d:\d\d:\d\d GET {path} 200\n{output}"
    assert (done.code, bool(re.fullmatch(pattern, done.err))) == (code, True), done.err


@posix
def test_terminal_shows_table_and_progress(start, tmp_path):
    file = tmp_path / "all.jsonl"

    table = on_a_terminal(start, *EMULATOR, "sessions", "list", "--page-size", "2")
    export = on_a_terminal(start, *EMULATOR, "--sessions", "3000", "sessions", "export", "--output", str(file))

    assert "created_at" in table
    assert "{" not in table
    assert "2 of 1,000 sessions, page 1 of 500; --limit N, --all or --page 2 shows more" in table
    assert "3,000/3,000" in export
    assert "\x1b[2K" in export
    assert "3,000 sessions (" in export.splitlines()[-1]
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3000


@posix
def test_terminal_of_60_columns_shortens_ids_and_a_pipe_never_does(start, finish, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    payment = "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11"

    table = on_a_terminal(start, *EMULATOR, "payments", "list", "--limit", "2")
    piped = finish(start(*EMULATOR, "payments", "list", "--limit", "2", "--format", "table"))
    create = ("payments", "create", "--amount", "1.00", "--item", '{"name":"a","price":"1.00","quantity":1}')
    created = on_a_terminal(start, *EMULATOR, *create, "--success-url", "https://shop.example/")

    plain_table = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", table)
    assert re.search(r"5b0d2a3e…1d0f6c11 +captured +.*\$119\.98", plain_table)
    assert payment not in plain_table
    assert "2 of 200 payments" in plain_table
    assert re.search(rf"{payment} +captured +Captured +\$119\.98 +\$119\.98", piped.out)
    assert (piped.err, "\x1b" in piped.out) == ("", False)
    assert re.search(r"\x1b\]8;[^;]*;(http://\S+)\x1b\\\1\x1b\]8;;", created), "a link that can be clicked, on one line"


def test_help_does_not_import_http_library(start, finish):
    program = """
import sys
from truemed_async.__main__ import main
assert main(["sessions", "list", "--help"]) == 0
print([name for name in ("aiohttp", "cattrs", "truemed_async.client") if name in sys.modules])
"""
    done = finish(start(program=("-c", program)))

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_process_without_extra_exits_2(start, finish, missing):
    program = f"import sys; sys.modules[{missing!r}] = None; import truemed_async.__main__ as m; sys.exit(m.main())"

    done = finish(start("--help", program=("-c", program)))

    assert (done.code, done.out) == (2, "")
    assert done.err == "the command line needs more libraries: pip install 'truemed-async[cli]'\n"


def on_a_terminal(start, *argv: str) -> str:
    """Run a command on a terminal of its own and return all that it shows."""
    import pty

    leader, follower = pty.openpty()
    process: subprocess.Popen[str] = start(*argv, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:
        pass  # a terminal without a writer raises this
    finally:
        os.close(leader)
    assert process.wait(timeout=30) == 0
    return output.decode().replace("\r\n", "\n")
