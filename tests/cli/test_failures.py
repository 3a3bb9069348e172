"""What commands say of failed calls, requests and waits."""

from __future__ import annotations

import re

import pytest

from truemed_async.cli.connection import Target
from truemed_async.cli.failures import describe_key, describe_server
from truemed_async.cli.options import GlobalOptions
from truemed_async.cli.output import Streams
from truemed_async.options import Attempt

LIST = ("sessions", "list")
MESSAGE = "hush: this may quote a person"


@pytest.fixture
def refused(emulator):
    """The emulator refuses each call with a message that quotes something personal."""
    emulator.faults.add("status", code=422, message=MESSAGE)
    return emulator


class TestServerMessages:
    def test_pipe_receives_no_message(self, truemed, refused):
        done = truemed(*LIST)
        assert done.code == 1
        assert done.err.startswith("error: qualification_sessions.list: 422")
        assert "hush" not in done.err

    @pytest.mark.parametrize("option", ["--verbose", "--show-server-messages"])
    def test_option_shows_message_in_a_pipe(self, truemed, refused, option):
        assert f"\n  server: {MESSAGE}\n" in truemed(*LIST, option).err

    def test_terminal_shows_message(self, truemed, refused, terminal):
        assert f"\n  server: {MESSAGE}\n" in truemed(*LIST, err=terminal()).err

    def test_message_of_one_of_several_ids_is_shown(self, truemed, refused, terminal):
        assert "hush" not in truemed("sessions", "get", "qs_1").err
        assert f"\n  server: {MESSAGE}\n" in truemed("sessions", "get", "qs_1", err=terminal()).err


class TestRefusedKeys:
    def test_401_names_variable_and_server(self, truemed, emulator, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "another-key")
        host = emulator.url.removeprefix("http://")
        error, server, hint = truemed(*LIST).err.splitlines()
        assert error.startswith("error: qualification_sessions.list: 401")
        assert server == f"  the key is from TRUEMED_API_KEY; it was sent to {host} (TRUEMED_BASE_URL)"
        assert "`truemed whoami`" in hint

    def test_401_of_several_ids_names_variable_and_server_once(self, truemed, emulator, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "another-key")
        first, second, server, hint = truemed("sessions", "get", "qs_1", "qs_2").err.splitlines()
        assert first.startswith("error: qs_1: ")
        assert second.startswith("error: qs_2: ")
        assert server.startswith("  the key is from TRUEMED_API_KEY; it was sent to ")
        assert "`truemed whoami`" in hint

    def test_401_names_profile(self, truemed, emulator, monkeypatch, config_folder):
        monkeypatch.delenv("TRUEMED_API_KEY")
        monkeypatch.setenv("SHOP_KEY", "another-key")
        (config_folder / "truemed").mkdir()
        (config_folder / "truemed" / "config.toml").write_text('[profiles.shop]\napi_key_env = "SHOP_KEY"\n')
        assert "environment variable SHOP_KEY of profile shop" in truemed("--profile", "shop", *LIST).err

    def test_403_names_key_without_the_hint(self, truemed, emulator):
        emulator.faults.add("status", code=403)
        assert [line[:9] for line in truemed(*LIST).err.splitlines()] == ["error: qu", "  the key"]

    @pytest.mark.parametrize(
        ("options", "key", "server"),
        [
            ({"env": "emulator"}, "that of the emulator", "the emulator inside this command (--env)"),
            ({"env": "sandbox"}, "from TRUEMED_API_KEY", "dev-api.truemed.com (sandbox, --env)"),
            ({}, "from TRUEMED_API_KEY", "api.truemed.com (production, default)"),
            ({"base_url": "https://u:p@a.example:1"}, "from TRUEMED_API_KEY", "a.example:1 (--base-url)"),
        ],
    )
    def test_key_and_server_are_described(self, options, key, server):
        target = Target(options=GlobalOptions(**options), streams=Streams.standard())
        assert (describe_key(target), describe_server(target)) == (key, server)


def test_connection_error_names_the_host(truemed, monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", "some-api-key")
    done = truemed(*LIST, "--base-url", "http://127.0.0.1:1", "--timeout", "0.2")
    assert done.code == 1
    assert done.err.splitlines()[1] == "  host: 127.0.0.1:1 (--base-url)"


def test_verbose_shows_requests_without_ids_and_key(truemed, emulator):
    done = truemed("sessions", "get", emulator.state.qualification_sessions.add(), "--verbose")
    assert done.code == 0
    path = r"/api/v1/qualification_session/\{qualification_session_id\}"
    assert re.fullmatch(rf"GET {path} 200 in [0-9.]+ s \(attempt 1\)\n", done.err)


def test_without_verbose_requests_are_not_shown(truemed, emulator, terminal):
    assert "GET" not in truemed(*LIST, err=terminal()).err


@pytest.mark.parametrize(("timeout", "code"), [("0.001", 1), ("30", 0)])
def test_timeout_limits_a_call(truemed, emulator, timeout, code):
    emulator.faults.add("latency", seconds=0.1)
    assert truemed(*LIST, "--timeout", timeout).code == code


@pytest.mark.parametrize("timeout", ["0", "-1", "none", "x"])
def test_invalid_timeout_exits_2(truemed, timeout):
    done = truemed(*LIST, "--timeout", timeout)
    assert (done.code, done.out) == (2, "")
    assert "--timeout" in done.err


# --- waits --------------------------------------------------------------------------------------------------------


def make_attempt(**fields):
    fields = {"status": 429, "error": "RateLimitedError", "retry_in": 12.04, "number": 1, **fields}
    return Attempt(
        endpoint="a.b", method="GET", route="/a", started_at=0, elapsed=0.1, outcome="rejected", request_id=None,
        server_address="h", server_port=1, rate_limit_wait=0, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (make_attempt(), "rate limited; waiting 12.0 s (attempt 2 of 3)"),
        (make_attempt(status=503, number=2), "the server responded with 503; waiting 12.0 s (attempt 3 of 3)"),
        (make_attempt(status=None), "no response; waiting 12.0 s (attempt 2 of 3)"),
    ],
)
def test_wait_is_announced_on_a_terminal(truemed, terminal, attempt, expected):
    err = terminal()
    target = Target(options=GlobalOptions(env="emulator"), streams=Streams(terminal(), err))
    (hook,) = target.make_client()._state.defaults.hooks
    hook(attempt)
    hook(make_attempt(retry_in=None))
    assert err.getvalue() == f"\r\x1b[2K{expected}\n"


def test_rate_limited_command_says_that_it_waits(truemed, emulator, terminal):
    emulator.faults.add("status", code=503, times=1)
    done = truemed(*LIST, err=terminal())
    assert done.code == 0
    assert "the server responded with 503; waiting " in done.err
    assert "waiting" not in truemed(*LIST).err
