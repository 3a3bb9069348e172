"""A borrowed ``aiohttp.ClientSession`` may be configured in any way, with any middlewares."""

import asyncio
import gzip
import threading

import aiohttp
import pytest

from tests.support.recording_server import respond_with
from truemed_async import RetryPolicy, errors

SESSION = b'{"qualification_session_id": "qs_1", "status": "approved"}'
UPDATED = b'{"qualification_session_id": "qs_1", "status": "approved"}'
CONFLICT = b'{"error": "user_id_already_set", "message": "no"}'
ONCE = RetryPolicy(max_attempts=1)


async def reads_body(request, handler):
    """As a middleware that logs or records does."""
    response = await handler(request)
    await response.read()
    return response


async def releases_response(request, handler):
    response = await handler(request)
    await response.read()
    response.release()
    return response


async def consumes_stream(request, handler):
    response = await handler(request)
    await response.content.read()
    return response


async def raises_for_status(request, handler):
    response = await handler(request)
    response.raise_for_status()
    return response


async def decodes_json(request, handler):
    response = await handler(request)
    await response.json()
    return response


async def breaks(request, handler):
    raise aiohttp.ClientOSError(104, "reset")


@pytest.mark.parametrize("middleware", [reads_body, releases_response], ids=lambda each: each.__name__)
@pytest.mark.parametrize("headers", [[], ["Content-Encoding: gzip"]], ids=["plain", "gzip"])
async def test_body_that_a_middleware_has_read_is_used(serve, client_for, middleware, headers):
    body = gzip.compress(SESSION) if headers else SESSION
    server = await serve(respond_with(body, headers=headers))
    async with aiohttp.ClientSession(middlewares=(middleware,)) as session:
        client = await client_for(server, session=session, retry=ONCE)
        assert (await client.qualification_sessions.get("qs_1")).qualification_session_id == "qs_1"
        updated = await client.qualification_sessions.update("qs_1", user_id="u")
        assert updated.qualification_session_id == "qs_1"


async def test_error_code_survives_a_middleware_that_reads_the_body(serve, client_for):
    server = await serve(respond_with(CONFLICT, status=409))
    async with aiohttp.ClientSession(middlewares=(reads_body,)) as session:
        client = await client_for(server, session=session)
        with pytest.raises(errors.UserIdAlreadySetError) as caught:
            await client.qualification_sessions.update("qs_1", user_id="u")
    assert caught.value.message == "no"


async def test_large_body_that_a_middleware_has_read_is_still_too_large(serve, client_for):
    server = await serve(respond_with(b"[" + b"1," * 5_000_000 + b"1]"))
    async with aiohttp.ClientSession(middlewares=(reads_body,)) as session:
        client = await client_for(server, session=session)
        with pytest.raises(errors.ResponseTooLargeError):
            await client.qualification_sessions.get("qs_1")


async def test_body_that_a_middleware_has_consumed_is_named(serve, client_for):
    server = await serve(respond_with(SESSION))
    async with aiohttp.ClientSession(middlewares=(consumes_stream,)) as session:
        client = await client_for(server, session=session)
        with pytest.raises(errors.DecodeError, match="a middleware of the session consumed the body"):
            await client.qualification_sessions.get("qs_1")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "error"), [(409, errors.ConflictError), (503, errors.ServerError)])
async def test_status_survives_a_middleware_that_raises_for_it(serve, client_for, status, error):
    server = await serve(respond_with(b"{}", status=status))
    async with aiohttp.ClientSession(middlewares=(raises_for_status,)) as session:
        client = await client_for(server, session=session, retry=ONCE)
        with pytest.raises(error) as caught:
            await client.qualification_sessions.get("qs_1")
    assert caught.value.status == status


async def test_middleware_that_cannot_decode_a_page_is_named(serve, client_for):
    async def script(exchange):
        await exchange.respond(200, b"<html>", content_type="text/html")

    server = await serve(script)
    async with aiohttp.ClientSession(middlewares=(decodes_json,)) as session:
        client = await client_for(server, session=session)
        with pytest.raises(errors.DecodeError, match="a middleware of the session rejected the response"):
            await client.qualification_sessions.get("qs_1")


async def test_middleware_that_fails_before_the_request_leaves_nothing_sent(serve, client_for):
    server = await serve(respond_with(SESSION))
    async with aiohttp.ClientSession(middlewares=(breaks,)) as session:
        client = await client_for(server, session=session, retry=ONCE)
        with pytest.raises(errors.ConnectError) as caught:
            await client.qualification_sessions.update("qs_1", user_id="u")
    assert caught.value.outcome == "not_sent"
    assert server.requests == []


OPTIONS = {
    "raise_for_status": {"raise_for_status": True},
    "auto_decompress": {"auto_decompress": False},
    "json_serialize": {"json_serialize": None},
    "read_bufsize": {"read_bufsize": 1},
    "max_line_size": {"max_line_size": 10},
    "max_field_size": {"max_field_size": 10},
    "version": {"version": aiohttp.HttpVersion10},
    "trust_env": {"trust_env": True},
    "base_url": {"base_url": "https://other.example/"},
    "requote": {"requote_redirect_url": False},
    "skip_auto_headers": {"skip_auto_headers": {"Content-Type", "User-Agent", "Accept-Encoding"}},
    "timeout": {"timeout": aiohttp.ClientTimeout(total=0.0001)},
    "headers": {"headers": {"Authorization": "Basic eA==", "Content-Type": "text/plain", "X-Truemed-Api-Key": "other"}},
    "cookies": {"cookies": {"a": "b"}},
}


@pytest.mark.parametrize("name", OPTIONS)
async def test_options_of_a_borrowed_session_do_not_change_the_result(serve, client_for, name):
    server = await serve(respond_with(gzip.compress(UPDATED), headers=["Content-Encoding: gzip"]))
    async with aiohttp.ClientSession(**OPTIONS[name]) as session:
        client = await client_for(server, session=session, retry=ONCE)
        updated = await client.qualification_sessions.update("qs_1", user_id="u", idempotency_key="k-1")
    assert updated.qualification_session_id == "qs_1"
    request = server.requests[0]
    assert request.body == b'{"idempotency_key":"k-1","user_id":"u"}'
    assert request.header("content-type") == ["application/json"]
    assert request.header("x-truemed-api-key") == ["canary-key-0123456789"]


class QuietResponse(aiohttp.ClientResponse):
    """A response class of an application, with behavior of its own."""

    async def json(self, **_):
        raise AssertionError("not for us")


async def test_response_class_cookie_jar_and_connector_may_be_the_applications(serve, client_for):
    server = await serve(respond_with(SESSION))
    connector = aiohttp.TCPConnector(force_close=True, limit=1)
    async with aiohttp.ClientSession(
        response_class=QuietResponse, cookie_jar=aiohttp.CookieJar(unsafe=True), connector=connector
    ) as session:
        client = await client_for(server, session=session)
        assert (await client.qualification_sessions.get("qs_1")).status == "approved"


async def test_waiting_for_a_connection_of_a_borrowed_pool_is_not_sent(serve, client_for):
    """The pool belongs to the application, which may have no connection left."""
    release = asyncio.Event()

    async def script(exchange):
        await release.wait()
        await exchange.respond(200, SESSION)

    server = await serve(script)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        client = await client_for(server, session=session, retry=ONCE)
        first = asyncio.create_task(client.qualification_sessions.get("qs_1"))
        while not server.requests:
            await asyncio.sleep(0.01)
        hurried = client.with_options(timeout=0.2)
        with pytest.raises(errors.DeadlineExceededError) as caught:
            await hurried.qualification_sessions.update("qs_1", user_id="u")
        assert caught.value.outcome == "not_sent"
        release.set()
        await first
    assert len(server.requests) == 1


async def test_session_of_another_event_loop_is_refused(serve, client_for):
    server = await serve(respond_with(SESSION))
    sessions: list[aiohttp.ClientSession] = []

    async def make() -> None:
        sessions.append(aiohttp.ClientSession())

    thread = threading.Thread(target=asyncio.run, args=(make(),))
    thread.start()
    thread.join()
    client = await client_for(server, session=sessions[0])
    with pytest.raises(errors.ClientClosedError, match="belongs to another event loop"):
        await client.qualification_sessions.get("qs_1")
    assert server.requests == []
    await sessions[0].close()
