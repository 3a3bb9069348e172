"""The fault matrix, written from the reference and not from the code: what each fault must become.

A cell says how many requests reach the server when the fault strikes every attempt (three are allowed), and what the
caller gets.
"""

import asyncio
import gzip
import json
import zlib
from dataclasses import dataclass

from tests.support.recording_server import Exchange

BODY = b'{"qualification_session_id": "qs_1", "status": "approved"}'
# Each answer ends its connection, and says so: else the next attempt may find a kept one just as it goes away.
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True)
class Row:
    """One fault: what it does, and per kind of call (read, keyed write, write without a key) how often it is sent."""

    name: str
    script: object
    error: str
    outcome: str
    sent: tuple[int, int, int]
    status: int | None = None


def send_raw(data: bytes, *, close=True):
    async def script(exchange: Exchange):
        await exchange.send(data)
        if close:
            exchange.close()

    return script


def send_status(code, body=b"", headers=()):
    async def script(exchange: Exchange):
        await exchange.respond(code, body, headers)

    return script


async def empty_response(exchange):
    exchange.close()


async def reset_peer(exchange):
    exchange.reset()


async def hang(exchange):
    await asyncio.sleep(30)


async def dribble(exchange):
    await exchange.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY))
    for byte in BODY:
        await exchange.send(bytes([byte]))
        await asyncio.sleep(0.2)


async def reset_in_body(exchange):
    await exchange.send(HEAD + b"Content-Length: 500\r\n\r\n" + BODY[:20])
    await asyncio.sleep(0.02)
    exchange.reset()


def send_gzip(data, cut=0):
    packed = gzip.compress(data)
    packed = packed[: len(packed) - cut]
    return send_raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


def send_json(body, content_type=b"application/json"):
    return send_raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: " + content_type + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
        close=False,
    )


def write_error(code, **fields):
    return json.dumps({"error": code, "message": "canary.person@example.com", **fields}).encode()


DEFLATED = zlib.compress(BODY)[:-12]

UNKNOWN = "unknown"
REJECTED = "rejected"
RETRIED = (3, 3, 1)  # a write without a key is never repeated when its fate is open
ALWAYS = (3, 3, 3)
ONCE_MORE = (2, 2, 1)
NEVER = (1, 1, 1)

ROWS = [
    Row("empty_response", empty_response, "DisconnectedError", UNKNOWN, RETRIED),
    Row("reset_peer", reset_peer, "DisconnectedError", UNKNOWN, RETRIED),
    Row("partial_status_line", send_raw(b"HTTP/1.1 20"), "DisconnectedError", UNKNOWN, RETRIED),
    Row("partial_headers", send_raw(HEAD + b"Content-Le"), "DisconnectedError", UNKNOWN, RETRIED),
    Row(
        "truncate_body",
        send_raw(HEAD + b"Content-Length: 500\r\n\r\n" + BODY),
        "TruncatedResponseError",
        UNKNOWN,
        RETRIED,
    ),
    Row(
        "truncate_chunked",
        send_raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + BODY[:16] + b"\r\n"),
        "TruncatedResponseError",
        UNKNOWN,
        RETRIED,
    ),
    Row("reset_in_body", reset_in_body, "TruncatedResponseError", UNKNOWN, RETRIED),
    Row("truncate_gzip_clean", send_gzip(BODY[:-9], cut=8), "TruncatedResponseError", UNKNOWN, RETRIED),
    Row("truncate_close_delimited", send_raw(HEAD + b"\r\n" + BODY[:-1]), "TruncatedResponseError", UNKNOWN, RETRIED),
    Row("close_delimited_empty", send_raw(HEAD + b"\r\n"), "TruncatedResponseError", UNKNOWN, RETRIED),
    Row(
        "malformed_chunk",
        send_raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
        "ProtocolError",
        UNKNOWN,
        ONCE_MORE,
    ),
    Row("garbage_then_close", send_raw(b"\x00\x01garbage\r\n\r\n"), "ProtocolError", UNKNOWN, ONCE_MORE),
    Row(
        "duplicate_content_length",
        send_raw(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        "ProtocolError",
        UNKNOWN,
        ONCE_MORE,
    ),
    Row(
        "header_flood",
        send_raw(HEAD + b"".join(b"X-%d: x\r\n" % n for n in range(5000)) + b"\r\n"),
        "ProtocolError",
        UNKNOWN,
        ONCE_MORE,
    ),
    Row("huge_header", send_raw(HEAD + b"X-Big: " + b"x" * 20_000 + b"\r\n\r\n"), "ProtocolError", UNKNOWN, ONCE_MORE),
    Row(
        "bad_gzip",
        send_raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 30\r\n\r\n" + b"this is not gzip, not at all.."),
        "ProtocolError",
        UNKNOWN,
        ONCE_MORE,
    ),
    Row(
        "truncate_deflate",
        send_raw(HEAD + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(DEFLATED) + DEFLATED),
        "TruncatedResponseError",
        UNKNOWN,
        RETRIED,
    ),
    Row(
        "unexpected_101",
        send_raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        "ProtocolError",
        UNKNOWN,
        NEVER,
        status=None,
    ),
    Row("html_error_page", send_json(b"<html>sorry</html>", b"text/html"), "DecodeError", UNKNOWN, NEVER),
    Row("empty_200", send_json(b""), "DecodeError", UNKNOWN, NEVER),
    Row("unexpected_204", send_raw(b"HTTP/1.1 204 No Content\r\n\r\n", close=False), "DecodeError", UNKNOWN, NEVER),
    Row("invalid_utf8", send_json(b'{"status": "\xff\xfe"}'), "DecodeError", UNKNOWN, NEVER),
    Row("nan", send_json(b'{"qualification_session_id": "q", "status": NaN}'), "DecodeError", UNKNOWN, NEVER),
    Row("deep_json", send_json(b"[" * 100_000 + b"]" * 100_000), "DecodeError", UNKNOWN, NEVER),
    Row("wrong_shape", send_json(b'{"qualification_session_id": 7, "status": "x"}'), "DecodeError", UNKNOWN, NEVER),
    Row("wrong_top", send_json(b"[]"), "DecodeError", UNKNOWN, NEVER),
    *(
        Row(
            f"redirect_{code}",
            send_status(code, b"", ("Location: http://127.0.0.1:1/elsewhere",)),
            "UnexpectedRedirectError",
            REJECTED,
            NEVER,
        )
        for code in (301, 302, 303, 307, 308)
    ),
    Row("400_server_error", send_status(400, write_error("ServerError")), "ServerError", UNKNOWN, RETRIED, status=400),
    Row("400_other", send_status(400, write_error("ValidationError")), "BadRequestError", REJECTED, NEVER, status=400),
    Row("401", send_status(401, write_error("Unauthorized")), "AuthenticationError", REJECTED, NEVER, status=401),
    Row("403", send_status(403), "PermissionDeniedError", REJECTED, NEVER, status=403),
    Row("404", send_status(404, write_error("NotFound")), "NotFoundError", REJECTED, NEVER, status=404),
    Row("405", send_status(405), "APIError", REJECTED, NEVER, status=405),
    Row("408", send_status(408), "APIError", UNKNOWN, RETRIED, status=408),
    Row(
        "409_user_id",
        send_status(409, write_error("user_id_already_set")),
        "UserIdAlreadySetError",
        REJECTED,
        NEVER,
        status=409,
    ),
    Row("409_other", send_status(409), "ConflictError", REJECTED, NEVER, status=409),
    Row("422", send_status(422, write_error("Declined")), "UnprocessableError", REJECTED, NEVER, status=422),
    Row(
        "422_declined",
        send_status(422, write_error("Declined", redirect_url="https://app.example/canary.person@example.com")),
        "PaymentMethodError",
        REJECTED,
        NEVER,
        status=422,
    ),
    Row("425", send_status(425), "APIError", REJECTED, ALWAYS, status=425),
    Row("429", send_status(429), "RateLimitedError", REJECTED, ALWAYS, status=429),
    Row("429_later", send_status(429, b"", ("Retry-After: 61",)), "RateLimitedError", REJECTED, NEVER, status=429),
    Row("500", send_status(500, b"<html>"), "ServerError", UNKNOWN, RETRIED, status=500),
    Row("501", send_status(501), "ServerError", REJECTED, NEVER, status=501),
    Row("502", send_status(502), "ServerError", UNKNOWN, RETRIED, status=502),
    Row("503", send_status(503), "ServerError", UNKNOWN, RETRIED, status=503),
    Row("503_later", send_status(503, b"", ("Retry-After: 0",)), "ServerError", UNKNOWN, RETRIED, status=503),
    Row("504", send_status(504), "ServerError", UNKNOWN, RETRIED, status=504),
    Row("505", send_status(505), "ServerError", UNKNOWN, NEVER, status=505),
    Row(
        "500_do_not_retry", send_status(500, b"", ("X-Should-Retry: false",)), "ServerError", UNKNOWN, NEVER, status=500
    ),
    Row("409_do_retry", send_status(409, b"", ("X-Should-Retry: true",)), "ConflictError", REJECTED, NEVER, status=409),
    Row("hang", hang, "AttemptTimeoutError", UNKNOWN, RETRIED),
    Row("dribble", dribble, "AttemptTimeoutError", UNKNOWN, RETRIED),
]
