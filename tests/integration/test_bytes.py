"""What goes over the wire, byte by byte. Expectations are written from Truemed's pages, not from the code."""

import gzip
import platform
import zlib
from datetime import UTC, date, datetime, timedelta, timezone

import aiohttp
import pytest

import truemed_async
from tests.support.recording_server import KEY, respond_with
from truemed_async import QualificationStatus, RequestOptions, RetryPolicy, errors

SESSION = b'{"qualification_session_id": "qs_abc123", "status": "approved"}'
PAGE = b'{"qualification_sessions": [], "pagination": null}'
UPDATED = b'{"qualification_session_id": "qs_abc123", "status": "approved"}'


def expected(server, verb, target, body=None):
    """The whole request as it has to arrive."""
    agent = (
        f"truemed-async/{truemed_async.__version__} Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
    )
    lines = [
        f"{verb} {target} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"x-truemed-api-key: {KEY}",
        "Accept: application/json",
        f"User-Agent: {agent}",
        *(["Content-Type: application/json"] if body is not None else []),
        "Accept-Encoding: gzip, deflate, br",
        *([f"Content-Length: {len(body)}"] if body is not None else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


async def test_get_is_byte_exact(serve, client_for):
    """Truemed, "Get Qualification Session Details": the id is in the path; docs/truemed-api.md 1.2: the key is in a header."""
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    session = await client.qualification_sessions.get("qs_abc123")
    assert session.qualification_session_id == "qs_abc123"
    assert server.requests[0].raw == expected(server, "GET", "/api/v1/qualification_session/qs_abc123")


async def test_update_is_byte_exact(serve, client_for):
    """Truemed, "Update a Qualification Session": POST, JSON, the key of the caller in the body."""
    server = await serve(respond_with(UPDATED))
    client = await client_for(server)
    result = await client.qualification_sessions.update(
        "qs_abc123",
        user_id="Zoë + 東京",
        metadata={"order": "26 07", "ä": [1, None]},
        success_url="https://shop.example/ok?a=1&b=%20",
        failure_url="http://localhost:8000/no",
        idempotency_key="your-unique-key-123",
    )
    body = (
        '{"idempotency_key":"your-unique-key-123","user_id":"Zoë + 東京",'
        '"metadata":"{\\"order\\":\\"26 07\\",\\"ä\\":[1,null]}",'
        '"success_url":"https://shop.example/ok?a=1&b=%20","failure_url":"http://localhost:8000/no"}'
    ).encode()
    assert server.requests[0].raw == expected(server, "POST", "/api/v1/qualification_session/qs_abc123/update", body)
    assert result.idempotency_key == "your-unique-key-123"


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, ""),
        ({"page": 2, "page_size": 50}, "?page=2&page_size=50"),
        ({"status": QualificationStatus.APPROVED}, "?status=approved"),
        ({"status": "brand_new"}, "?status=brand_new"),
        ({"user_id": "a b+c&d=e#f/g?h%20"}, "?user_id=a%20b%2Bc%26d%3De%23f%2Fg%3Fh%2520"),
        ({"search": "Zoë 東京 🙂"}, "?search=Zo%C3%AB%20%E6%9D%B1%E4%BA%AC%20%F0%9F%99%82"),
        ({"expires_at": date(2026, 12, 31)}, "?expires_at=2026-12-31"),
        ({"expires_at": "2026-12-31"}, "?expires_at=2026-12-31"),
        ({"expires_at": datetime(2026, 12, 31, 23, 59)}, "?expires_at=2026-12-31"),  # noqa: DTZ001  # naive is UTC
        ({"expires_at": datetime(2026, 12, 31, 23, 59, tzinfo=UTC)}, "?expires_at=2026-12-31"),
        (
            {"expires_at": datetime(2026, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5)))},
            "?expires_at=2027-01-01",
        ),
        (
            {
                "page_size": 7,
                "page": 1,
                "search": "x",
                "expires_at": "2026-01-01",
                "user_id": "u",
                "status": "pending",
            },
            "?status=pending&user_id=u&expires_at=2026-01-01&search=x&page=1&page_size=7",
        ),
    ],
)
async def test_list_is_byte_exact(serve, client_for, arguments, query):
    """Truemed, "List Qualification Sessions": names of the query parameters; expires_at is YYYY-MM-DD."""
    server = await serve(respond_with(PAGE))
    client = await client_for(server)
    page = await client.qualification_sessions.list(**arguments)
    assert page.items == ()
    assert server.requests[0].raw == expected(server, "GET", f"/api/v1/qualification_sessions{query}")


async def test_headers_of_one_call_are_sent_and_those_of_the_client_stay(serve, client_for):
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    options = RequestOptions(headers={"X-Trace": "abc"})
    await client.qualification_sessions.get("qs_1", options=options)
    await client.qualification_sessions.get("qs_1")
    first, second = server.requests
    assert first.header("x-trace") == ["abc"]
    assert second.header("x-trace") == []
    assert first.header("x-truemed-api-key") == second.header("x-truemed-api-key") == [KEY]


async def test_one_connection_serves_call_after_call(serve, client_for):
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    for _ in range(5):
        await client.qualification_sessions.get("qs_1")
    assert (len(server.requests), server.connections) == (5, 1)


async def test_cookies_are_not_kept(serve, client_for):
    server = await serve(respond_with(SESSION, headers=("Set-Cookie: session=1; Path=/",)))
    client = await client_for(server)
    await client.qualification_sessions.get("qs_1")
    await client.qualification_sessions.get("qs_1")
    assert [request.header("cookie") for request in server.requests] == [[], []]


@pytest.mark.parametrize("is_borrowed", [False, True])
async def test_x_gzip_is_decoded_like_gzip(serve, client_for, is_borrowed):
    server = await serve(respond_with(gzip.compress(SESSION), headers=["Content-Encoding: x-gzip"]))
    async with aiohttp.ClientSession() as session:
        client = await client_for(server, session=session if is_borrowed else None)
        assert (await client.qualification_sessions.get("qs_1")).status == "approved"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP ", "x-gzip", "deflate"])
async def test_compressed_body_with_zeros_after_it_is_read(serve, client_for, encoding):
    encode = zlib.compress if encoding == "deflate" else gzip.compress
    server = await serve(respond_with(encode(SESSION) + bytes(512), headers=[f"Content-Encoding: {encoding}"]))
    client = await client_for(server)
    assert (await client.qualification_sessions.get("qs_1")).status == "approved"


async def test_error_with_zeros_after_its_compressed_body_keeps_its_code(serve, client_for):
    body = gzip.compress(b'{"error": "user_id_already_set", "message": "no"}') + bytes(512)
    server = await serve(respond_with(body, status=409, headers=["Content-Encoding: gzip"]))
    client = await client_for(server)
    with pytest.raises(errors.UserIdAlreadySetError):
        await client.qualification_sessions.update("qs_1", user_id="u")


@pytest.mark.parametrize("is_borrowed", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
async def test_broken_compression_is_a_protocol_error(serve, client_for, encoding, is_borrowed):
    server = await serve(respond_with(b"\x1f\x8bjunk", headers=[f"Content-Encoding: {encoding}"]))
    async with aiohttp.ClientSession() as session:
        client = await client_for(server, session=session if is_borrowed else None, retry=RetryPolicy(max_attempts=1))
        with pytest.raises(errors.ProtocolError, match="compression is broken"):
            await client.qualification_sessions.get("qs_1")


async def test_x_gzip_bomb_is_too_large(serve, client_for):
    server = await serve(respond_with(gzip.compress(bytes(50_000_000)), headers=["Content-Encoding: x-gzip"]))
    client = await client_for(server)
    with pytest.raises(errors.ResponseTooLargeError):
        await client.qualification_sessions.get("qs_1")
