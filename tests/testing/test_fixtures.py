"""The fixtures of clients, and the requests in the report of a failed test."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import zlib

import pytest

from truemed_async import AsyncTruemed, RetryPolicy, Truemed
from truemed_async.errors import DeadlineExceededError, RateLimitedError
from truemed_async.testing import pytest_plugin, skip_waits

PLUGINS = ("truemed_async.emulator.pytest_plugin", "truemed_async.testing.pytest_plugin", "pytest_asyncio.plugin")

CLIENTS = """
import os
import pytest

@pytest.fixture
def truemed_client_options():
    return {"timeout": 7}

@pytest.mark.truemed_emulator(sessions=3)
def test_synchronous(truemed_client):
    assert len(list(truemed_client.qualification_sessions.iter())) == 3

@pytest.mark.asyncio
@pytest.mark.truemed_emulator(sessions=3)
async def test_asynchronous(async_truemed_client):
    assert len(await async_truemed_client.qualification_sessions.list()) == 3

def test_environment(truemed_environment, truemed_emulator):
    from truemed_async import Truemed
    assert os.environ["TRUEMED_BASE_URL"] == truemed_emulator.url == truemed_environment["TRUEMED_BASE_URL"]
    with Truemed() as client:
        client.qualification_sessions.list()
"""

FAILING = """
import pytest
from truemed_async import errors

def test_fails(truemed_client, truemed_emulator):
    truemed_emulator.faults.add("reset_peer", nth=1)
    for number in range(NUMBER):
        with pytest.raises(errors.NotFoundError):
            truemed_client.qualification_sessions.get("qs_nobody")
    assert False, "on purpose"

def test_fails_without_requests(truemed_emulator_session):
    assert False, "on purpose"

def test_fails_without_an_emulator():
    assert False, "on purpose"

def test_passes(truemed_client):
    truemed_client.qualification_sessions.list()
"""


@pytest.fixture
def inner(tmp_path, monkeypatch):
    """Write a test file and return the arguments that run it with the plugins and no other of this environment."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def inner(tests, *, plugins=PLUGINS, mode="strict"):
        mode = f"\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function" if mode else ""
        (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers -p no:cacheprovider{mode}\n")
        file = tmp_path / f"test_inner_{zlib.crc32(tests.encode())}.py"
        file.write_text(tests)
        return ["-q", *(f"-p{plugin}" for plugin in plugins), "-c", str(tmp_path / "pytest.ini"), str(file)]

    return inner


def run_pytest(arguments, **variables):
    """Run it in a process of its own, with a watchdog."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **variables})  # fmt: skip


def test_fixtures_give_clients_of_the_emulator(inner):
    assert pytest.main(inner(CLIENTS)) == pytest.ExitCode.OK


def test_fixtures_work_in_strict_and_automatic_mode_of_asyncio_and_with_xdist(inner):
    for arguments in (inner(CLIENTS), inner(CLIENTS, mode="auto")):
        done = run_pytest([*arguments, "-p", "xdist", "-n", "2"], PYTHONWARNINGS="error")
        assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_asynchronous_fixture_works_with_anyio(inner):
    tests = CLIENTS.replace("@pytest.mark.asyncio", "@pytest.mark.anyio")
    tests = f"{tests}\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    done = run_pytest(inner(tests, plugins=(*PLUGINS[:2], "anyio.pytest_plugin"), mode=""))
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_report_of_a_failed_test_lists_its_requests(inner, capsys):
    assert pytest.main(inner(FAILING.replace("NUMBER", "2"))) == pytest.ExitCode.TESTS_FAILED
    output = capsys.readouterr().out
    assert output.count("- requests to truemed_emulator -") == 1
    lines = output.partition("- requests to truemed_emulator -")[2].splitlines()[1:4]
    name = "GET    qualification_sessions.get"
    assert lines == [f"{name}: no response", f"{name}: 404", f"{name}: 404"]
    assert output.partition("- requests to truemed_emulator_session -")[2].splitlines()[1] == "none"
    assert "qs_nobody" not in "".join(lines)


def test_report_of_many_requests_has_the_last_ones(inner, capsys):
    number = pytest_plugin.MAX_REPORTED_REQUESTS + 5
    pytest.main(inner(FAILING.replace("NUMBER", str(number))))
    output = capsys.readouterr().out
    assert f"the last 30 of {number + 1}:" in output
    assert output.count("qualification_sessions.get: 404") == 30


@pytest.mark.truemed_emulator(sessions=1)
def test_client_without_waits_retries_at_once_after_the_time_it_would_have_waited(truemed_emulator):
    truemed_emulator.faults.add("status", code=429, headers={"Retry-After": "50"}, times=2)
    start = time.monotonic()
    with skip_waits(Truemed(truemed_emulator.api_key, base_url=truemed_emulator.url, timeout=900)) as client:
        assert len(client.qualification_sessions.list()) == 1
    assert time.monotonic() - start < 60
    assert len(truemed_emulator.requests) == 3


@pytest.mark.truemed_emulator(sessions=1)
def test_client_without_waits_keeps_its_deadline(truemed_emulator):
    truemed_emulator.faults.add("status", code=429, headers={"Retry-After": "3600"}, times=2)
    client = skip_waits(Truemed(truemed_emulator.api_key, base_url=truemed_emulator.url, timeout=60))
    with client, pytest.raises(RateLimitedError):
        client.qualification_sessions.list()


async def test_client_without_waits_polls_as_often_as_it_would_and_gives_up(truemed_emulator):
    id = truemed_emulator.state.qualification_sessions.add()
    async with AsyncTruemed(truemed_emulator.api_key, base_url=truemed_emulator.url) as client:
        with pytest.raises(DeadlineExceededError, match="after 3600 seconds"):
            await skip_waits(client).qualification_sessions.wait_until_final(id, timeout=3600)
    assert 100 < len(truemed_emulator.requests) < 150


async def test_call_beside_one_that_skips_its_wait_loses_no_time(truemed_emulator):
    """A retry of the other call must not move the deadline of this one."""
    truemed_emulator.faults.add("status", code=503, headers={"Retry-After": "50"}, times=1, nth=1)
    retry = RetryPolicy(max_attempts=2)
    async with AsyncTruemed(truemed_emulator.api_key, base_url=truemed_emulator.url, timeout=60, retry=retry) as client:
        skip_waits(client)
        first = asyncio.create_task(client.qualification_sessions.list())
        second = asyncio.create_task(client.qualification_sessions.list())
        await asyncio.gather(first, second)
        before = client.clock.wall()
    assert before - time.time() < 1
