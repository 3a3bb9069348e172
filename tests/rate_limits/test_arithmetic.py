"""The shared limits with a clock of the test: no window exceeds the rate, and Lua computes what Python computes."""

import contextlib
import json
import random

import pytest
import redis
import redis.asyncio

from tests.support.databases import redis_server  # noqa: F401  # a fixture
from truemed_async._core.rate_limiter import MAX_SUCCESSES, AdaptiveRateLimiter
from truemed_async.errors import ConfigurationError, InvalidArgumentError
from truemed_async.options import Reservation
from truemed_async.rate_limits import FileRateLimit
from truemed_async.rate_limits.redis import RedisRateLimit

START = 1_800_000_000.0


@pytest.fixture
def clock(monkeypatch):
    """Return a list with the time."""
    now = [START]
    monkeypatch.setattr("truemed_async.rate_limits.redis.TIMEOUT", 60)  # a step that is repeated would count twice
    for kind in (FileRateLimit, RedisRateLimit):
        monkeypatch.setattr(kind, "_now", staticmethod(lambda: now[0]))
    return now


@pytest.fixture(params=["file", "redis"])
def make(request, tmp_path, clock):
    """Return a function that makes a limit; each has the same memory."""
    if request.param == "file":
        return lambda **options: FileRateLimit(tmp_path / "limit", **options)
    server = request.getfixturevalue("redis_server")
    with contextlib.closing(redis.Redis.from_url(server.url)) as client:
        client.flushall()
    return lambda **options: RedisRateLimit(server.url, **options)


async def reserve(limit, *, within=1e6, successes=0, generation=None, channel="one"):
    return await limit.reserve(channel, within=within, successes=successes, generation=generation)


async def test_there_is_no_limit_before_the_first_429(make):
    limit = make()
    assert [await reserve(limit, successes=1) for _ in range(50)] == [Reservation(0.0, 0)] * 50
    await limit.aclose()


async def test_retry_after_that_one_has_seen_holds_for_all_of_the_same_channel(make, clock):
    one, other = make(), make()
    await one.on_rate_limited("one", generation=0, retry_after=30)
    found = await reserve(other)
    assert (found.wait, found.generation) == (pytest.approx(30), 1)
    assert await reserve(other, within=5) is None
    assert await reserve(other, channel="two") == Reservation(0.0, 0)
    clock[0] += found.wait
    assert await reserve(other, generation=1) == Reservation(0.0, 1)
    await one.aclose()
    await other.aclose()


async def test_void_reservation_waits_again(make):
    limit = make()
    await limit.on_rate_limited("one", generation=0, retry_after=None)
    assert (await reserve(limit)).generation == 1
    await limit.on_rate_limited("one", generation=1, retry_after=20)
    assert (await reserve(limit, generation=1)).wait == pytest.approx(20)
    await limit.aclose()


@pytest.mark.parametrize("rate", [0.2, 7, 250])
async def test_no_window_exceeds_the_configured_rate(make, clock, rate):
    limit, chance, starts = make(max_rate=rate), random.Random(1), []
    for _ in range(150):
        clock[0] += chance.choice([0, 0, 0.3 / rate, 3 / rate])
        successes = chance.randrange(3)
        starts.append(clock[0] + (await reserve(limit, successes=successes)).wait)
        if chance.random() < 0.05:
            generation = (await reserve(limit)).generation
            await limit.on_rate_limited("one", generation=generation, retry_after=None)
            starts = [start for start in starts if start <= clock[0]]  # the others are void
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            assert last - first <= rate * (starts[last] - starts[first]) + 1e-3  # the time has microseconds
    await limit.aclose()


async def test_windows_are_exceeded_without_a_limit(make, clock):
    """The negative control of the test before."""
    limit = make()
    assert {clock[0] + (await reserve(limit)).wait for _ in range(10)} == {START}
    await limit.aclose()


async def test_slots_are_granted_in_the_order_in_which_processes_ask(make, clock):
    """So none is starved: whoever asks again is behind all that wait."""
    processes, waits = [make(max_rate=10) for _ in range(4)], []
    for turn in range(20):
        clock[0] += 0.01
        waits.append(clock[0] + (await reserve(processes[turn * turn % 4])).wait)
    assert waits == pytest.approx([START + 0.01 + turn / 10 for turn in range(20)], abs=1e-4)
    for limit in processes:
        await limit.aclose()


async def test_slot_after_the_deadline_is_not_reserved(make):
    limit = make(max_rate=1)
    assert (await reserve(limit)).wait == 0
    assert await reserve(limit, within=0.5) is None
    assert (await reserve(limit)).wait == pytest.approx(1)
    await limit.aclose()


async def test_clock_that_was_set_back_makes_no_endless_wait(make, clock):
    limit = make()
    await limit.on_rate_limited("one", generation=0, retry_after=30)
    clock[0] -= 3600
    assert await reserve(limit) == Reservation(0.0, 0)
    await limit.aclose()


@pytest.mark.parametrize("max_rate", [None, 0.3, 40.0])
async def test_any_history_gives_what_the_local_limiter_computes(make, clock, max_rate):
    """The file stores its state, and Redis has the algorithm in Lua."""
    limit, model, chance = make(max_rate=max_rate), AdaptiveRateLimiter(max_rate), random.Random(f"{max_rate}")
    for _ in range(300):
        clock[0] += chance.choice([0, 0.001, 0.05, 0.4, 1, 70 if chance.random() < 0.1 else 0.1])
        if chance.random() < 0.2:
            generation = model.generation - (chance.random() < 0.3)
            retry_after = chance.choice([None, 0, 0.5, 2, 1e6])
            await limit.on_rate_limited("one", generation=generation, retry_after=retry_after)
            model.on_rate_limited(clock[0], generation=generation, retry_after=retry_after)
            continue
        successes, within = chance.choice([0, 1, 7]), chance.choice([0.01, 1, 100])
        generation = model.generation if chance.random() < 0.2 else None
        found = await reserve(limit, within=within, successes=successes, generation=generation)
        for _ in range(successes):
            model.on_success(clock[0])
        wait = 0.0 if generation is not None else model.reserve(clock[0], until=clock[0] + within)
        assert (found and found.wait) == (None if wait is None else pytest.approx(wait, abs=1e-5))
        assert found is None or found.generation == model.generation
    await limit.aclose()


async def test_file_is_for_its_owner_and_has_no_key(tmp_path):
    path = tmp_path / "limit"
    limit = FileRateLimit(str(path))
    await reserve(limit, successes=10**9)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(path.read_bytes())) == ["one"]
    assert json.loads(path.read_bytes())["one"][8] == MAX_SUCCESSES
    assert repr(limit) == f"FileRateLimit({str(path)!r}, max_rate=None)"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b'{"one": 7}', b'{"one": [1e999]}', b'{"one": [1800000000, "x"]}', b"\xff" * 999],
)
async def test_damaged_file_is_replaced(tmp_path, clock, content):
    path = tmp_path / "limit"
    path.write_bytes(content)
    assert await reserve(FileRateLimit(path)) == Reservation(0.0, 0)
    assert list(json.loads(path.read_bytes())) == ["one"]


async def test_idle_channel_is_removed_from_the_file(tmp_path, clock):
    path = tmp_path / "limit"
    await reserve(FileRateLimit(path), channel="old")
    clock[0] += 4000
    await reserve(FileRateLimit(path), channel="new")
    assert list(json.loads(path.read_bytes())) == ["new"]


@pytest.mark.parametrize("rate", [0, -1, "10", True, float("nan"), float("inf")])
def test_rate_that_is_none_is_rejected(tmp_path, rate):
    with pytest.raises(InvalidArgumentError, match="max_rate"):
        FileRateLimit(tmp_path / "limit", max_rate=rate)
    with pytest.raises(InvalidArgumentError, match="max_rate"):
        RedisRateLimit("redis://127.0.0.1", max_rate=rate)


def test_windows_error_names_redis(tmp_path, monkeypatch):
    path = tmp_path / "limit"
    monkeypatch.setattr("truemed_async.rate_limits.os.name", "nt")
    with pytest.raises(ConfigurationError, match="RedisRateLimit"):
        FileRateLimit(path)


@pytest.mark.parametrize("client", [7, object()])
def test_other_object_than_a_client_is_rejected(client):
    with pytest.raises(InvalidArgumentError, match="client"):
        RedisRateLimit(client)


async def test_own_client_is_used_and_not_closed(redis_server):  # noqa: F811
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        limit = RedisRateLimit(client)
        assert (await reserve(limit, channel="own")).wait == 0
        await limit.aclose()
        assert await client.ttl("truemed:rate:own") > 3000
