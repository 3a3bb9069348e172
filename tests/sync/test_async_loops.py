"""The async client binds to the loop of its first request, and moves on when that one has ended."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.support.stalling_server import KEY
from truemed_async import AsyncTruemed, errors


@pytest.fixture
def plain(server):
    """An async client that was made before any loop."""
    client = AsyncTruemed(KEY, base_url=server.url)
    yield client
    asyncio.run(client.aclose())


async def works(client, name="qs_1"):
    return (await client.qualification_sessions.get(name)).qualification_session_id == name


def test_two_runs_one_after_another(plain, server):
    assert asyncio.run(works(plain))
    assert asyncio.run(works(plain, "qs_2"))
    assert server.wire.connections == 2


def test_many_loops_of_many_threads_one_after_another(plain):
    results = []
    for number in range(5):
        thread = threading.Thread(target=lambda name=f"qs_{number}": results.append(asyncio.run(works(plain, name))))
        thread.start()
        thread.join(20)
    assert results == [True] * 5


def test_loop_that_ended_during_calls_is_replaced(plain, server):
    async def leave():
        calls = [asyncio.create_task(works(plain, "qs_silent")) for _ in range(3)]
        while len(server.wire.requests) < 3:
            await asyncio.sleep(0.001)
        return len(calls)  # asyncio.run cancels them

    assert asyncio.run(leave()) == 3
    assert asyncio.run(works(plain))


def test_loop_that_ended_during_an_iteration_is_replaced(plain):
    async def begin():
        iteration = plain.qualification_sessions.iter(page_size=20)
        return iteration, [await anext(iteration) for _ in range(25)]

    iteration, rows = asyncio.run(begin())
    assert len(rows) == 25
    del iteration

    async def read():
        return [each async for each in plain.qualification_sessions.iter()]

    assert len(asyncio.run(read())) == 500


def test_copies_move_on_together(plain, server):
    copy = plain.with_options(timeout=50)
    assert asyncio.run(works(plain))

    async def both():
        return await works(copy), await works(plain)

    assert asyncio.run(both()) == (True, True)
    assert server.wire.connections == 2


def test_client_of_another_running_loop_raises(plain):
    begun, done = threading.Event(), threading.Event()

    async def hold():
        assert await works(plain)
        begun.set()
        await asyncio.to_thread(done.wait, 20)

    thread = threading.Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    assert begun.wait(20)
    with pytest.raises(errors.ClientClosedError, match="one client per event loop"):
        asyncio.run(works(plain))
    done.set()
    thread.join(20)
    assert asyncio.run(works(plain))


async def test_async_and_synchronous_clients_work_side_by_side(server):
    """Each has a loop of its own."""
    from truemed_async import Truemed

    async with AsyncTruemed(KEY, base_url=server.url) as client:
        assert await works(client)

        def elsewhere():
            with Truemed(KEY, base_url=server.url) as other:
                return other.qualification_sessions.get("qs_2").qualification_session_id

        assert await asyncio.to_thread(elsewhere) == "qs_2"
        assert await works(client, "qs_3")


def test_functions_of_pytest_share_a_client_made_at_import(server, tmp_path):
    """Each has a loop of its own."""
    (tmp_path / "test_shared.py").write_text(
        textwrap.dedent("""
            import pytest
            from truemed_async import AsyncTruemed

            client = AsyncTruemed()

            @pytest.mark.parametrize("number", range(3))
            async def test_call(number):
                name = f"qs_{number}"
                assert (await client.qualification_sessions.get(name)).qualification_session_id == name

            async def test_iteration():
                assert len([each async for each in client.qualification_sessions.iter()]) == 500
        """),
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            sys.executable, "-X", "dev", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider",
            "--disable-plugin-autoload", "-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto",
            "-o", "asyncio_default_fixture_loop_scope=function", str(tmp_path),
        ],
        env={**os.environ, "TRUEMED_API_KEY": KEY, "TRUEMED_BASE_URL": server.url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
