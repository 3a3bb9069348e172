"""Several processes with one key against a server that limits the rate: with a shared limit, and without."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support.databases import RedisServer, redis_server  # noqa: F401  # a fixture
from tests.support.paths import ROOT
from tests.support.rate_limited_server import RateLimitedServer
from tests.support.recording_server import KEY
from tests.support.waiting import wait_until
from truemed_async import AsyncTruemed, RetryPolicy, Truemed, TruemedWarning
from truemed_async.errors import RateLimitedError
from truemed_async.rate_limits import FileRateLimit
from truemed_async.rate_limits.redis import RedisRateLimit

ALLOWED, WINDOW = 20, 1.0
TIMEOUT = 300


def start(server, limit, *, processes, calls, max_rate=None, concurrency=1):
    options = {
        "limit": str(limit),
        "max_rate": max_rate,
        "key": KEY,
        "url": server.url,
        "session": "qs_1",
        "calls": calls,
        "concurrency": concurrency,
        "processes": processes,
    }
    command = [sys.executable, "-m", "tests.support.rate_limit_worker", json.dumps(options)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    output, errors = process.communicate(timeout=TIMEOUT)
    assert not errors
    return json.loads(output.splitlines()[-1])["results"]


@pytest.fixture
def processes(scale):
    return scale(4, 16)


@pytest.fixture(params=["file", "redis"])
def limit(request, tmp_path):
    """Return the path or the URL of a shared limit."""
    return tmp_path / "limit" if request.param == "file" else request.getfixturevalue("redis_server").url


def test_configured_rate_avoids_nearly_every_429(limit, processes, scale):
    calls = scale(40, 80)  # at once, half of them and more would be refused
    with RateLimitedServer(allowed=ALLOWED, window=WINDOW) as server:
        results = finish(
            start(server, limit, processes=processes, calls=calls // processes, max_rate=0.7 * ALLOWED / WINDOW)
        )
        assert server.count(200) == calls
        assert server.count(429) <= 3
    assert [result["failed"] for result in results] == [0] * processes


def test_without_a_shared_limit_each_process_learns_the_same_429(processes, scale):
    """The negative control, so slow that any machine runs into the limit."""
    with RateLimitedServer(allowed=8, window=2) as server:
        results = finish(start(server, "", processes=processes, calls=scale(24, 48) // processes))
        assert server.count(429) >= processes
    assert [result["failed"] for result in results] == [0] * processes


def test_retry_after_that_one_client_has_seen_holds_for_the_others(limit):
    options = {"retry": RetryPolicy(max_attempts=1), "timeout": 60}
    with (
        RateLimitedServer(allowed=1, window=2) as server,
        Truemed(KEY, base_url=server.url, rate_limit=make(limit), **options) as one,
        Truemed(KEY, base_url=server.url, rate_limit=make(limit), **options) as other,
    ):
        one.qualification_sessions.get("qs_1")
        with pytest.raises(RateLimitedError):
            one.qualification_sessions.get("qs_1")
        other.qualification_sessions.get("qs_1")
        assert server.count(429) == 1


def make(limit):
    return FileRateLimit(limit) if isinstance(limit, os.PathLike) else RedisRateLimit(limit)


def test_killed_processes_leave_no_lock(tmp_path):
    with RateLimitedServer(allowed=10_000, window=WINDOW) as server:
        for _ in range(3):
            process = start(server, tmp_path / "limit", processes=3, calls=100_000)
            children = json.loads(process.stdout.readline())
            wait_until(lambda: server.count(200) >= 50)
            for child in children:
                os.kill(child, signal.SIGKILL)
            assert finish(process) == [None] * 3
            server.statuses.clear()
        assert finish(start(server, tmp_path / "limit", processes=1, calls=5))[0]["warnings"] == []


def test_lock_of_a_process_that_is_killed_is_free(tmp_path):
    """It is killed while it certainly holds the lock."""
    path = tmp_path / "limit"
    path.touch()
    code = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()

        async def scenario():
            waiting = asyncio.create_task(FileRateLimit(path).reserve("one", within=60, successes=0, generation=None))
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            assert not done
            holder.kill()
            return await asyncio.wait_for(waiting, 30)

        assert asyncio.run(scenario()).wait == 0


async def test_file_that_stays_locked_does_not_stop_calls(tmp_path, monkeypatch):
    monkeypatch.setattr("truemed_async._core.shared_limiter.MAX_SECONDS", 0.05)
    path = tmp_path / "limit"
    with path.open("w") as file, RateLimitedServer(allowed=100, window=WINDOW) as server:
        fcntl.flock(file, fcntl.LOCK_EX)
        async with AsyncTruemed(KEY, base_url=server.url, rate_limit=FileRateLimit(path)) as client:
            with pytest.warns(TruemedWarning, match="TimeoutError"):
                await client.qualification_sessions.get("qs_1")
            await client.qualification_sessions.get("qs_1")


def test_file_that_cannot_be_written_does_not_stop_calls(tmp_path):
    with (
        RateLimitedServer(allowed=100, window=WINDOW) as server,
        Truemed(KEY, base_url=server.url, rate_limit=FileRateLimit(tmp_path)) as client,
        pytest.warns(TruemedWarning, match="shared rate limit failed"),
    ):
        assert client.qualification_sessions.get("qs_1").status == "approved"


def test_redis_may_stop_and_come_back(redis_server, monkeypatch):  # noqa: F811
    monkeypatch.setattr("truemed_async._core.shared_limiter.RETRY_SECONDS", 0)
    own = RedisServer()
    try:
        own.start()
        with (
            RateLimitedServer(allowed=1000, window=WINDOW) as server,
            Truemed(KEY, base_url=server.url, rate_limit=RedisRateLimit(own.url, max_rate=1000)) as client,
        ):
            client.qualification_sessions.get("qs_1")
            own.stop()
            with pytest.warns(TruemedWarning, match="ConnectionError"):
                client.qualification_sessions.get("qs_1")
            own.start()
            client.qualification_sessions.get("qs_1")
            own.stop()
            with pytest.warns(TruemedWarning, match="ConnectionError"):  # so it was used again
                client.qualification_sessions.get("qs_1")
    finally:
        own.close()
