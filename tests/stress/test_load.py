"""Under load and in an outage: bounded requests, kept deadlines, nothing leaked by cancellation or a long run."""

import asyncio
import contextlib
import gc
import random

import pytest

from tests.support.recording_server import KEY, RecordingServer
from truemed_async import AsyncTruemed, RetryPolicy, Timeouts
from truemed_async.emulator import Emulator
from truemed_async.errors import CallError, DeadlineExceededError, TruemedError

QUICK = RetryPolicy(base=0.001, cap=0.002)


@contextlib.asynccontextmanager
async def serving(script):
    server = await RecordingServer(script).start()
    try:
        yield server
    finally:
        await server.stop()


async def test_outage_is_not_met_with_three_times_the_load(scale):
    """The retry budget: 500 tokens, 14 a retry, so 35 retries for all calls together."""
    calls = scale(2_000, 10_000)

    async def down(exchange):
        server.requests.clear()
        counted.append(1)
        await exchange.respond(503)

    counted = []
    suppressed = 0
    async with serving(down) as server, AsyncTruemed(KEY, base_url=server.url, retry=QUICK) as client:
        work = iter(range(calls))

        async def drive():
            nonlocal suppressed
            for _ in work:
                with pytest.raises(CallError) as caught:
                    await client.qualification_sessions.get("qs_1")
                suppressed += caught.value.retries_suppressed

        await asyncio.gather(*(drive() for _ in range(20)))
    assert calls < len(counted) <= calls + 500 // 14
    assert suppressed > calls * 0.9


async def test_after_an_outage_retries_come_back():
    broken = True

    async def script(exchange):
        await exchange.respond(503 if broken else 200, b'{"qualification_session_id":"q","status":"pending"}')

    async with serving(script) as server, AsyncTruemed(KEY, base_url=server.url, retry=QUICK) as client:
        for _ in range(60):
            with pytest.raises(CallError) as caught:
                await client.qualification_sessions.get("qs_1")
        assert (caught.value.attempts, caught.value.retries_suppressed) == (1, True)
        broken = False
        for _ in range(14):
            await client.qualification_sessions.get("qs_1")
        broken = True
        with pytest.raises(CallError) as caught:
            await client.qualification_sessions.get("qs_1")
        assert caught.value.attempts == 2


async def test_no_call_outlives_its_deadline(scale):
    async def slow(exchange):
        await asyncio.sleep(30)

    late = []
    timeout = Timeouts(connect=5, attempt=0.15, total=0.5)
    async with serving(slow) as server, AsyncTruemed(KEY, base_url=server.url, retry=QUICK, timeout=timeout) as client:
        loop = asyncio.get_running_loop()

        async def call():
            began = loop.time()
            with pytest.raises(TruemedError):
                await client.with_options(retry=RetryPolicy(max_attempts=10, base=0.01)).qualification_sessions.get("x")
            late.append(loop.time() - began - 0.5)

        for _ in range(scale(2, 10)):
            await asyncio.gather(*(call() for _ in range(100)))
    assert max(late) < scale(5, 0.25), "of 30 seconds that the server would take"


async def test_deadline_and_attempt_timeout_are_distinguished():
    async def slow(exchange):
        await asyncio.sleep(30)

    async with serving(slow) as server:
        timeout = Timeouts(connect=10, attempt=10, total=0.5)
        async with AsyncTruemed(KEY, base_url=server.url, timeout=timeout) as client:
            with pytest.raises(DeadlineExceededError) as caught:
                await client.qualification_sessions.get("qs_1")
    assert (caught.value.attempts, caught.value.outcome) == (1, "unknown")


async def test_cancelling_at_random_leaks_nothing(scale, open_files):
    choose = random.Random(3)
    async with Emulator(sessions=50, latency=(0, 0.01)) as emulator:
        ids = [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as client:
            await client.qualification_sessions.get(ids[0])
            tasks_before = len(asyncio.all_tasks())
            cancelled = 0
            for _ in range(scale(20, 100)):
                calls = [asyncio.create_task(client.qualification_sessions.get(choose.choice(ids))) for _ in range(20)]
                for call in calls:
                    asyncio.get_running_loop().call_later(choose.uniform(0, 0.012), call.cancel)
                results = await asyncio.gather(*calls, return_exceptions=True)
                cancelled += sum(isinstance(result, asyncio.CancelledError) for result in results)
                assert all(result is not None for result in results)
            assert cancelled > 20
            # The client is as good as new: every slot is free again.
            slots = client._state.transport.bind()
            assert slots._value == 100
            assert await client.qualification_sessions.get(ids[0])
            assert len(client._state.transport._connector._acquired) == 0
        while emulator.requests.in_flight:
            await asyncio.sleep(0)
        gc.collect()
        assert len(asyncio.all_tasks()) <= tasks_before + 20  # connections that the server has not yet seen closed
    gc.collect()


async def test_cancelling_inside_the_body_frees_the_connection():
    sent = asyncio.Event()

    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        sent.set()
        await asyncio.sleep(30)

    async with serving(script) as server, AsyncTruemed(KEY, base_url=server.url) as client:
        call = asyncio.create_task(client.qualification_sessions.get("qs_1"))
        await sent.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not client._state.transport._connector._acquired
        assert not client._state.transport._connector._conns, "a connection with half an answer on it is not reused"


async def test_long_run_under_faults_does_not_grow(scale, open_files, resident):
    rounds, calls = scale((4, 400), (10, 10_000))
    async with Emulator(sessions=20, seed=5) as emulator:
        ids = [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]
        for name in ("reset_peer", "empty_response", "truncate_body"):
            emulator.faults.add(name, probability=0.03)
        emulator.faults.add("status", code=503, probability=0.05)
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as client:

            async def drive(work):
                for each in work:
                    with contextlib.suppress(CallError):
                        await client.qualification_sessions.get(each)

            grown = []
            for _ in range(rounds):
                work = iter(ids * (calls // len(ids)))
                await asyncio.gather(*(drive(work) for _ in range(8)))
                emulator.requests.clear()
                gc.collect()
                grown.append((resident(), open_files(), len(gc.get_objects())))
    _, settled, *_, last = grown
    assert last[0] - settled[0] <= 2, grown
    assert last[1] - settled[1] <= 8, grown
    assert last[2] - settled[2] <= 400, grown
