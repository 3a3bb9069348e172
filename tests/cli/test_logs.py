"""``truemed logs tail`` against a running emulator."""

from __future__ import annotations

import io
import json
import signal
import sys
import threading

import pytest

from tests.emulator.conftest import Api
from tests.support.canary import EMAIL, leaks
from tests.support.waiting import wait_until
from truemed_async.cli import logs
from truemed_async.cli.logs import MAX_LISTED
from truemed_async.emulator import Emulator
from truemed_async.emulator.admin import MAX_REQUESTS

TAIL = ("logs", "tail")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture
def api(emulator):
    return Api(emulator)


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.02)


class Watching(io.StringIO):
    """Standard output that acts after each number of lines, and is interrupted after the last."""

    def __init__(self, *actions):
        super().__init__()
        self.actions = list(actions)

    def flush(self):
        if self.actions and self.getvalue().count("\n") >= self.actions[0][0]:
            self.actions.pop(0)[1]()


def interrupt():
    signal.raise_signal(signal.SIGINT)


class TestTail:
    def test_last_requests_are_shown_in_their_order(self, truemed, api):
        for number in range(5):
            api.get(f"qs_{number}")
        done = truemed(*TAIL, "--limit", "3", "--no-follow")
        assert (done.code, done.err) == (0, "")
        assert [row["path"] for row in done.rows] == [
            f"/api/v1/qualification_session/qs_{number}" for number in (2, 3, 4)
        ]
        row = done.rows[0]
        assert (row["number"], row["method"], row["status"], row["authenticated"]) == (3, "GET", 404, True)
        assert (row["route"], row["sales_channel"]) == ("qualification_sessions.get", 1)
        assert row["seconds"] >= 0

    def test_limit_of_0_shows_none(self, truemed, api):
        api.list()
        assert truemed(*TAIL, "--limit", "0", "--no-follow").out == ""

    def test_further_requests_follow_until_ctrl_c(self, truemed, api):
        api.get("qs_1")
        out = Watching((1, lambda: [api.get("qs_2"), api.get("qs_3")]), (3, interrupt))
        done = truemed(*TAIL, "--json", "path", out=out)
        assert (done.code, done.err) == (130, "interrupted\n")
        assert [row["path"][-1] for row in done.rows] == ["1", "2", "3"]

    def test_many_requests_at_once_are_all_shown(self, truemed, api, monkeypatch):
        monkeypatch.setattr(logs, "MAX_LISTED", 2)
        api.get("qs_0")
        out = Watching((1, lambda: [api.get(f"qs_{number}") for number in range(1, 8)]), (8, interrupt))
        assert [row["path"][-1] for row in truemed(*TAIL, out=out).rows] == list("01234567")

    def test_slow_request_is_shown_with_its_response_and_no_other_is_left_out(self, truemed, emulator, api):
        emulator.faults.add("latency", seconds=1, route="qualification_sessions.get", times=1)
        thread = threading.Thread(target=api.get, args=("qs_slow",))
        thread.start()
        wait_until(lambda: emulator.requests.in_flight)
        api.list()
        done = truemed(*TAIL, "--json", "number,path", out=Watching((2, interrupt)))
        thread.join(10)
        assert [(row["number"], row["path"].rpartition("/")[2]) for row in done.rows] == [
            (2, "qualification_sessions"),
            (1, "qs_slow"),
        ]

    def test_emulator_that_was_started_again_is_followed_from_its_beginning(self, truemed, emulator, api):
        for _ in range(3):
            api.get("qs_old")

        def start_again():
            emulator.__exit__(None, None, None)
            fresh = Emulator(sessions=0, port=emulator.port, api_key=emulator.api_key)
            fresh.__enter__()
            started.append(fresh)
            Api(fresh).get("qs_new")

        started: list[Emulator] = []
        emulator.requests.on_response.clear()
        out = Watching((3, start_again), (4, interrupt))
        try:
            done = truemed(*TAIL, out=out)
        finally:
            for fresh in started:
                fresh.__exit__(None, None, None)
            emulator.__enter__()  # its fixture ends it
        assert done.rows[-1]["path"].endswith("qs_new")
        assert "note: the emulator was started again\n" in done.err

    @pytest.mark.parametrize(
        ("status", "expected"),
        [("404", [404]), ("2xx", [200]), ("4XX, none", [401, 404, None]), ("2xx,404", [200, 404])],
    )
    def test_statuses_are_selected(self, truemed, emulator, api, status, expected):
        api.list()
        api.send("GET", "/api/v1/qualification_sessions", headers={})
        api.get("qs_unknown")
        with emulator.faults.add("reset_peer", times=1), pytest.raises(ConnectionError):
            api.list()
        wait_until(lambda: emulator.requests.in_flight == 0)
        rows = truemed(*TAIL, "--status", status, "--no-follow").rows
        assert [row["status"] for row in rows] == expected

    def test_followed_requests_are_selected_too(self, truemed, api):
        api.get("qs_0")
        out = Watching((1, lambda: [api.list(), api.get("qs_1")]), (2, interrupt))
        assert [row["status"] for row in truemed(*TAIL, "--status", "4xx", out=out).rows] == [404, 404]

    def test_terminal_shows_lines_for_people(self, truemed, emulator, api, terminal):
        api.list(f"?search={EMAIL}")
        api.get("qs_1")
        api.send("GET", f"/api/v1/qualification_session/{EMAIL}")
        with emulator.faults.add("status", code=503):
            api.list()
        done = truemed(*TAIL, "--no-follow", out=terminal())
        first, second, third, fourth = done.out.splitlines()
        assert first[9:].startswith("GET  /api/v1/qualification_sessions ")
        assert first.endswith(" s")
        assert "/api/v1/qualification_session/qs_1" in second
        assert "/api/v1/qualification_session/*** " in third
        assert "503" in fourth
        assert leaks(done.out) == []

    def test_request_without_a_response_is_said(self, truemed, emulator, api, terminal):
        with emulator.faults.add("reset_peer", times=1), pytest.raises(ConnectionError):
            api.list()
        wait_until(lambda: emulator.requests.in_flight == 0)
        assert "no response" in truemed(*TAIL, "--no-follow", out=terminal()).out

    @posix
    def test_process_ends_on_ctrl_c(self, start, finish, api):
        api.get("qs_1")
        process = start(*TAIL)
        assert json.loads(process.stdout.readline())["status"] == 404
        process.send_signal(signal.SIGINT)
        done = finish(process)
        assert (done.code, done.err) == (130, "interrupted\n")

    @posix
    def test_closed_pipe_ends_quietly(self, start, api):
        process = start(*TAIL)
        api.get("qs_1")
        process.stdout.readline()
        process.stdout.close()
        api.get("qs_2")
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


class TestUsage:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (("--status", "600"), "--status must be statuses such as 404 or 4xx"),
            (("--status", "4xx,"), "--status must be statuses such as 404 or 4xx"),
            (("--limit", "-1"), "--limit must be"),
            (("--json", "body"), "--json has an unknown field"),
            (("--env", "sandbox"), "its requests are in the dashboard, https://dev.truemed.com"),
            (("--env", "emulator"), "the emulator of --env emulator ends with this command"),
        ],
    )
    def test_wrong_use_is_an_error_before_anything_is_sent(self, truemed, emulator, monkeypatch, argv, message):
        if "--env" in argv:
            monkeypatch.delenv("TRUEMED_BASE_URL")
        done = truemed(*TAIL, *argv)
        assert (done.code, done.out) == (2, "")
        assert message in done.err

    def test_server_that_is_no_emulator_is_named(self, truemed, emulator):
        done = truemed(*TAIL, "--base-url", f"{emulator.url}/elsewhere")
        assert done.code == 2
        assert "is no emulator, or one of an older version" in done.err

    def test_emulator_returns_at_most_the_limit(self):
        assert MAX_LISTED == MAX_REQUESTS
