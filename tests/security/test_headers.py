"""Header values are checked before anything is opened; reserved headers cannot be set."""

import pytest

from tests.support.recording_server import KEY, respond_with
from truemed_async import AsyncTruemed, RequestOptions, RetryPolicy, Truemed, errors

SESSION = b'{"qualification_session_id": "qs_1", "status": "approved"}'
FORBIDDEN = [*map(chr, range(32)), "\x7f", "\x80", "\x85", "\xa0", "\xad", "\xff", "\u0100", "\u2028", "\ufeff", "\ud800", "\U0001f642"]  # fmt: skip
OWN = [
    "x-truemed-api-key", "X-TRUEMED-API-KEY", "Content-Type", "content-type", "Content-Length", "Transfer-Encoding", "Connection",
    "Host", "HOST", "Accept-Encoding",
]  # fmt: skip


async def refused(serve, headers):
    """Return what was said; nothing may have been opened."""
    server = await serve(respond_with(SESSION))
    async with AsyncTruemed(KEY, base_url=server.url) as client:
        options = RequestOptions(headers=headers)
        for call in (
            client.qualification_sessions.get("qs_1", options=options),
            client.qualification_sessions.list(options=options),
            client.qualification_sessions.update("qs_1", user_id="u", options=options),
        ):
            with pytest.raises(errors.InvalidArgumentError) as caught:
                call.send(None)
        assert client._state.transport._session is None
    assert server.connections == 0
    return str(caught.value)


@pytest.mark.parametrize("where", ["inside", "before", "after", "alone"])
@pytest.mark.parametrize("letter", FORBIDDEN, ids=ascii)
async def test_character_that_does_not_belong_is_rejected(serve, letter, where):
    value = {
        "inside": f"hidden{letter}value",
        "before": f"{letter}hidden",
        "after": f"hidden{letter}",
        "alone": letter,
    }[where]
    message = await refused(serve, {"X-Trace": "fine", "X-Bad": value})
    assert "x-bad" in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    "value", [" hidden", "hidden ", " ", "hidden\r\nX-Truemed-Api-Key: other", None, 1, b"hidden", ["hidden"]]
)
async def test_value_that_is_no_plain_text_is_rejected(serve, value):
    message = await refused(serve, {"X-Bad": value})
    assert "x-bad" in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    "name", ["", " ", "X Bad", "X:Bad", "X-Bad\r\nY", "X-Bad:", "X\0", "\u00e9", "X-B\u212ad", "X(", 1, None, b"X"]
)
async def test_name_that_is_no_token_is_rejected(serve, name):
    assert "name" in await refused(serve, {name: "value"})


@pytest.mark.parametrize("name", OWN)
async def test_client_headers_cannot_be_set(serve, name):
    message = await refused(serve, {name: "hidden"})
    assert name.lower() in message
    assert "hidden" not in message


def test_sync_facade_rejects_invalid_argument():
    with Truemed(KEY, base_url="http://127.0.0.1:1") as client:
        for headers in ({"X-Bad": "hidden\r\n"}, {"Host": "hidden"}, {"X Bad": "hidden"}):
            with pytest.raises(errors.InvalidArgumentError) as caught:
                client.qualification_sessions.get("qs_1", options=RequestOptions(headers=headers))
            assert "hidden" not in str(caught.value)
        assert client._async._state.transport._session is None


async def test_every_printable_character_arrives_as_it_is(serve, client_for):
    value = "".join(map(chr, range(33, 127))) + " x"
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    await client.qualification_sessions.get("qs_1", options=RequestOptions(headers={"X-Trace": value}))
    assert server.requests[0].header("x-trace") == [value]
    assert server.requests[0].header("x-truemed-api-key") == [KEY]


async def test_headers_changed_after_the_check_do_not_count(serve, client_for):
    """What was checked is what is sent, on every attempt."""
    headers = {"X-Trace": "first"}

    async def script(exchange):
        headers["X-Trace"] = "second\r\nX-Evil: 1"
        await exchange.respond(200 if exchange.number == 2 else 500, SESSION)

    server = await serve(script)
    client = await client_for(server, retry=RetryPolicy(base=0.001, cap=0.001))
    await client.qualification_sessions.get("qs_1", options=RequestOptions(headers=headers))
    assert [request.header("x-trace") for request in server.requests] == [["first"], ["first"]]


async def test_key_header_is_sent_once_to_one_server(serve, client_for):
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    await client.qualification_sessions.update("qs_1", user_id="u")
    (request,) = server.requests
    assert request.raw.count(KEY.encode()) == 1
    assert KEY not in request.target
