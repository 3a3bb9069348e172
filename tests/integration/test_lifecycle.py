"""How a client lives: when it opens, which event loop it belongs to, when it closes, whose session it uses."""

import asyncio
import gc
import ssl
import threading
import warnings
from pathlib import Path

import aiohttp
import pytest
import trustme

from tests.support.recording_server import KEY, RecordingServer, respond_with
from tests.support.waiting import wait_until
from truemed_async import AsyncTruemed, RetryPolicy, Timeouts, errors
from truemed_async._core import transport
from truemed_async._core.transport import _close_socket
from truemed_async.emulator import Emulator

SESSION = b'{"qualification_session_id": "qs_1", "status": "approved"}'


@pytest.fixture
def emulator():
    with Emulator(sessions=3) as running:
        yield running


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def first_id(emulator):
    return emulator.state.qualification_sessions.rows[0].qualification_session_id


@pytest.fixture
def certificates():
    """A certificate for 127.0.0.1 and who signed it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def test_no_connection_before_the_first_call(serve):
    server = await serve(respond_with(SESSION))
    async with AsyncTruemed(KEY, base_url=server.url):
        pass
    assert server.connections == 0


async def test_closing_closes_the_connections_and_may_be_repeated(serve):
    server = await serve(respond_with(SESSION))
    client = AsyncTruemed(KEY, base_url=server.url)
    await client.qualification_sessions.get("qs_1")
    assert server.open_connections == 1
    await client.aclose()
    await client.aclose()
    await server.idle.wait()
    with pytest.raises(errors.ClientClosedError, match="closed"):
        await client.qualification_sessions.get("qs_1")


async def test_closing_before_any_call_is_fine():
    await AsyncTruemed(KEY).aclose()


async def test_copy_shares_the_connection_and_closes_with_the_original(serve, client_for):
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    copy = client.with_options(timeout=5)
    await client.qualification_sessions.get("qs_1")
    await copy.qualification_sessions.get("qs_1")
    assert server.connections == 1
    await client.aclose()
    with pytest.raises(errors.ClientClosedError):
        await copy.qualification_sessions.get("qs_1")


async def call_until_closed(serve, calls):
    """Return what calls of a client with one slot raise that is closed while the first waits for its response."""
    reached = asyncio.Event()

    async def script(exchange):
        reached.set()
        await asyncio.sleep(30)

    server = await serve(script)
    client = AsyncTruemed(KEY, base_url=server.url, max_concurrency=1)
    tasks = [asyncio.create_task(client.qualification_sessions.get("qs_1")) for _ in range(calls)]
    await reached.wait()
    await client.aclose()
    raised = await asyncio.gather(*tasks, return_exceptions=True)
    assert server.connections == 1
    return raised


async def test_closing_during_a_call_ends_the_call(serve):
    (error,) = await call_until_closed(serve, 1)
    assert type(error) is errors.ClientClosedError
    assert "during the call" in str(error)


async def test_closing_ends_a_call_that_waits_for_a_slot(serve):
    _, error = await call_until_closed(serve, 2)
    assert type(error) is errors.ClientClosedError
    assert "the client is closed" in str(error)


async def test_borrowed_session_is_used_and_never_closed(serve):
    server = await serve(respond_with(SESSION))
    async with aiohttp.ClientSession(headers={"X-Theirs": "yes"}) as session:
        async with AsyncTruemed(KEY, base_url=server.url, session=session) as client:
            await client.qualification_sessions.get("qs_1")
        assert not session.closed
        async with session.get(server.url) as response:
            assert response.status == 200
    assert server.requests[0].header("x-theirs") == ["yes"]
    assert server.requests[0].header("x-truemed-api-key") == [KEY]
    assert server.requests[1].header("x-truemed-api-key") == [], "the key stays out of the borrowed session"


async def test_middlewares_of_a_borrowed_session_still_run(serve):
    seen = []

    async def theirs(request, handler):
        seen.append(request.method)
        return await handler(request)

    server = await serve(respond_with(SESSION))
    async with aiohttp.ClientSession(middlewares=(theirs,)) as session:
        await AsyncTruemed(KEY, base_url=server.url, session=session).qualification_sessions.get("qs_1")
    assert seen == ["GET"]


@pytest.mark.parametrize("own", ["own", "own, of another aiohttp", "borrowed"])
async def test_get_on_a_connection_that_breaks_is_not_repeated_by_aiohttp(serve, monkeypatch, own):
    if own == "own, of another aiohttp":
        monkeypatch.setattr(transport, "_REPEATS", "_missing")

    async def script(exchange):
        if exchange.number == 1:
            await exchange.respond(body=SESSION)
        else:
            exchange.close()

    server = await serve(script)
    async with aiohttp.ClientSession() as borrowed:
        options = {"session": borrowed} if own == "borrowed" else {}
        async with AsyncTruemed(KEY, base_url=server.url, retry=RetryPolicy(max_attempts=1), **options) as client:
            await client.qualification_sessions.get("qs_1")
            with pytest.raises(errors.DisconnectedError) as caught:
                await client.qualification_sessions.get("qs_1")
    assert caught.value.outcome == "unknown"
    assert len(server.requests) == 2


async def test_session_of_aiohttp_has_the_attribute_by_which_it_repeats():
    """Without it each request of an own session costs a middleware more."""
    async with aiohttp.ClientSession() as session:
        assert getattr(session, transport._REPEATS) is True


async def test_closed_borrowed_session_is_a_clear_error(serve):
    server = await serve(respond_with(SESSION))
    session = aiohttp.ClientSession()
    await session.close()
    client = AsyncTruemed(KEY, base_url=server.url, session=session)
    with pytest.raises(errors.ClientClosedError, match="session of this client is closed"):
        await client.qualification_sessions.get("qs_1")


@pytest.mark.parametrize(
    "options",
    [
        {"session": object()},
        {"ssl_context": False},
        {"ssl_context": True},
        {"proxy": "socks5://x"},
        {"proxy": "http://["},
    ],
)
def test_invalid_session_context_or_proxy_raises(options):
    with pytest.raises(errors.InvalidArgumentError):
        AsyncTruemed(KEY, **options)


def test_client_moves_on_when_its_event_loop_has_ended(emulator):
    """Two `asyncio.run`s, pytest, Celery: the old loop is gone, so a new connection is opened, and nothing complains."""
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    for _ in range(3):
        assert asyncio.run(client.qualification_sessions.get(first_id(emulator)))
    asyncio.run(client.aclose())
    gc.collect()


@pytest.fixture
def tls_server(certificates):
    """A TLS server in a thread of its own, so that it outlives the loops of its clients."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = RecordingServer(respond_with(SESSION))
    asyncio.run_coroutine_threadsafe(server.start(certificates[0]), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_client_moves_on_over_tls_too(tls_server, certificates):
    """The sockets of the ended loop are freed, without a ResourceWarning, under TLS as well."""
    client = AsyncTruemed(KEY, base_url=tls_server.url, ssl_context=certificates[1])
    asyncio.run(client.qualification_sessions.get("qs_1"))
    before = open_files()
    for _ in range(3):
        asyncio.run(client.qualification_sessions.get("qs_1"))
    gc.collect()
    wait_until(lambda: open_files() <= before)  # the server closes its end in a thread of its own
    asyncio.run(client.aclose())
    gc.collect()
    assert tls_server.connections == 4


def test_loop_that_merely_stopped_is_left_behind_too(emulator):
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    loops = [asyncio.new_event_loop() for _ in range(2)]
    for loop in loops * 2:
        assert loop.run_until_complete(client.qualification_sessions.get(first_id(emulator)))
    loops[1].run_until_complete(client.aclose())
    for loop in loops:
        loop.run_until_complete(asyncio.sleep(0))  # an open loop closes abandoned connections when it resumes
        loop.close()
    gc.collect()


async def test_loop_that_still_runs_keeps_its_client(emulator):
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    await client.qualification_sessions.get(first_id(emulator))

    def elsewhere():
        asyncio.run(client.qualification_sessions.get(first_id(emulator)))

    with pytest.raises(errors.ClientClosedError, match="one client per event loop"):
        await asyncio.to_thread(elsewhere)
    await client.aclose()


async def test_client_may_be_closed_from_another_loop_while_its_own_runs(emulator):
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    await client.qualification_sessions.get(first_id(emulator))
    await asyncio.to_thread(asyncio.run, client.aclose())
    for _ in range(3):  # its own loop closes the sockets, in its next turns
        await asyncio.sleep(0)
    with pytest.raises(errors.ClientClosedError):
        await client.qualification_sessions.get(first_id(emulator))


def test_client_closed_on_another_loop_than_its_own_frees_its_sockets(emulator):
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    before = open_files()
    asyncio.run(client.qualification_sessions.get(first_id(emulator)))
    asyncio.run(client.aclose())
    gc.collect()
    wait_until(lambda: open_files() <= before)  # the server closes its end in a thread of its own


async def test_untrusted_certificate_is_rejected(serve, certificates):
    server_context, client_context = certificates
    server = await serve(respond_with(SESSION), ssl=server_context)
    async with AsyncTruemed(KEY, base_url=server.url) as client:
        with pytest.raises(errors.TLSError) as caught:
            await client.qualification_sessions.get("qs_1")
    assert (caught.value.outcome, caught.value.attempts, server.requests) == ("not_sent", 1, [])
    async with AsyncTruemed(KEY, base_url=server.url, ssl_context=client_context) as client:
        assert (await client.qualification_sessions.get("qs_1")).status == "approved"


async def test_server_without_tls_fails_the_handshake():
    async def no_tls(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncTruemed(KEY, base_url=f"https://127.0.0.1:{port}") as client:
        with pytest.raises(errors.TLSError) as caught:
            await client.with_options(retry=RetryPolicy(max_attempts=1)).qualification_sessions.get("qs_1")
    assert caught.value.outcome == "not_sent"


async def test_handshake_that_stalls_is_a_connection_that_was_never_made(serve, client_for):
    server = await serve(respond_with(SESSION))  # waits for a request in the clear, which never comes
    server.url = server.url.replace("http:", "https:")
    client = await client_for(server, timeout=Timeouts(connect=0.1, attempt=5, total=5))
    with pytest.raises(errors.ConnectError, match="no connection in time") as caught:
        await client.with_options(retry=RetryPolicy(max_attempts=1)).qualification_sessions.get("qs_1")
    assert caught.value.outcome == "not_sent"


async def test_options_of_another_type_are_rejected(emulator):
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    with pytest.raises(errors.InvalidArgumentError, match="RequestOptions"):
        await client.qualification_sessions.get(first_id(emulator), options={"timeout": 5})


async def test_proxy_is_used_only_when_given(serve, client_for, monkeypatch):
    server = await serve(respond_with(SESSION))
    proxy = await serve(respond_with(SESSION))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    client = await client_for(server)
    await client.qualification_sessions.get("qs_1")
    assert (len(server.requests), len(proxy.requests)) == (1, 0)
    through = await client_for(server, proxy=proxy.url)
    await through.qualification_sessions.get("qs_1")
    assert (len(server.requests), len(proxy.requests)) == (1, 1)
    assert proxy.requests[0].target == f"{server.url}/api/v1/qualification_session/qs_1"


async def test_in_flight_requests_are_bounded():
    async with Emulator(sessions=40, latency=0.005) as emulator:
        ids = [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, max_concurrency=3) as client:
            await asyncio.gather(*(client.qualification_sessions.get(each) for each in ids))
        assert emulator.requests.max_in_flight == 3


async def test_pool_of_another_process_is_not_closed_by_a_finaliser(emulator):
    """A forked child that merely drops the client must not touch what its parent uses."""
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    await client.qualification_sessions.get(first_id(emulator))
    connector = client._state.transport._connector
    connector._pid = 0
    connector.__del__()
    assert not connector.closed
    await client.aclose()


def test_transport_that_has_let_go_of_its_socket_needs_no_release():
    _close_socket(object())


def test_closing_a_borrowed_session_client_closes_nothing(emulator):
    async def once():
        async with aiohttp.ClientSession() as session:
            client = AsyncTruemed(emulator.api_key, base_url=emulator.url, session=session)
            assert await client.qualification_sessions.get(first_id(emulator))
            return client

    client = asyncio.run(once())
    asyncio.run(client.aclose())
    with pytest.raises(errors.ClientClosedError):
        asyncio.run(client.qualification_sessions.get(first_id(emulator)))


async def test_error_that_the_caller_is_handling_keeps_its_frames(emulator):
    """Only values inside the client are cleared, not those of the caller."""

    def fail():
        clue = "what went wrong"
        raise LookupError(len(clue))

    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        try:
            fail()
        except LookupError as error:
            await client.qualification_sessions.get(first_id(emulator))
            assert error.__traceback__.tb_next.tb_frame.f_locals == {"clue": "what went wrong"}


async def test_no_warning_from_a_whole_life(emulator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            await client.qualification_sessions.get(first_id(emulator))
        gc.collect()
