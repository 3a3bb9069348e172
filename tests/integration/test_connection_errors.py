"""Connections that fail: where, why, and that nothing was sent."""

import asyncio
import socket

import aiohttp
import pytest

from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed, RetryPolicy, Timeouts, errors


async def failure(**options):
    """Return the error of a write that has no idempotency key, whose outcome therefore matters."""
    options = {"retry": RetryPolicy(max_attempts=1), "timeout": Timeouts(attempt=2, total=3), **options}
    async with AsyncTruemed(KEY, **options) as client:
        with pytest.raises(errors.CallError) as caught:
            await client.payment_sessions.cancel("ps_1")
    return caught.value


async def proxy(serve, response):
    """Start a proxy that sends ``response`` to each CONNECT, or closes the connection at once."""

    async def script(exchange):
        if response:
            await exchange.send(response)
        exchange.close()

    return await serve(script)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b"", "the connection broke before the request was sent"),
        (b"junk\r\n\r\n", "the connection broke before the request was sent"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy requires other credentials (407)"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy refused the connection (502)"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no connection to api.example:443"),
    ],
    ids=["closes", "junk", "407", "502", "breaks during TLS"],
)
async def test_failed_connect_of_a_proxy_is_not_sent(serve, response, message):
    server = await proxy(serve, response)
    error = await failure(base_url="https://api.example", proxy=server.url)
    assert isinstance(error, errors.ConnectError)
    assert error.outcome == "not_sent"
    assert message in str(error)
    assert [request.verb for request in server.requests] == ["CONNECT"]


async def test_refused_connection_of_a_borrowed_session_is_not_sent(free_port):
    async with aiohttp.ClientSession() as session:
        error = await failure(base_url=f"http://127.0.0.1:{free_port}", session=session)
    assert isinstance(error, errors.ConnectError)
    assert error.outcome == "not_sent"


async def test_missing_proxy_credentials_are_not_retried(serve):
    server = await proxy(serve, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    await failure(base_url="https://api.example", proxy=server.url, retry=RetryPolicy(max_attempts=3, base=0.01))
    assert len(server.requests) == 1


async def test_proxy_that_does_not_respond_is_not_sent(serve):
    async def script(exchange):
        await asyncio.sleep(60)

    server = await serve(script)
    error = await failure(base_url="https://api.example", proxy=server.url, timeout=Timeouts(attempt=0.2, total=3))
    assert isinstance(error, errors.AttemptTimeoutError)
    assert error.outcome == "not_sent"
    assert "no connection in time" in str(error)


async def test_unreachable_proxy_is_named(free_port):
    error = await failure(base_url="https://api.example", proxy=f"http://user:canary@127.0.0.1:{free_port}")
    assert f"no connection to the proxy 127.0.0.1:{free_port} (Connection refused)" in str(error)
    assert "canary" not in str(error)


async def test_refused_connection_names_the_host(free_port):
    error = await failure(base_url=f"http://127.0.0.1:{free_port}")
    assert f"no connection to 127.0.0.1:{free_port} (Connection refused): is the emulator running?" in str(error)
    assert error.outcome == "not_sent"


async def test_unknown_host_name_differs_from_a_refused_connection(monkeypatch):
    async def unresolvable(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unresolvable)
    error = await failure(base_url="https://api.example")
    assert isinstance(error, errors.ConnectError)
    assert "the host name api.example cannot be resolved" in str(error)
    assert error.outcome == "not_sent"
