"""No answer takes unbounded memory or time, and none ends in anything but a value or one of our errors."""

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.support.bombs import BLOCK, BOMBS, CLIENT
from tests.support.canary import EMAIL, NAME, OF_SERVER, leaks
from tests.support.recording_server import respond_with
from tests.support.scale import LONG
from truemed_async import Endpoint, Model, RetryPolicy, errors
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.response import BODY_LIMIT, ERROR_BODY_LIMIT, RawResponse, read_response
from truemed_async.endpoints import ENDPOINTS, GET_QUALIFICATION_SESSION

BOMB_MIB = 512 if LONG else 64
BODIES = 200_000 if LONG else 20_000
PEAK_MIB = 24
SECONDS = 30.0  # on a busy machine; by itself each takes less than 0.2
ONCE = RetryPolicy(max_attempts=1)

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from /proc")


def flooding(sent):
    """A server that answers the normal call, and any other with the bomb, or the endless body, of that name."""

    async def flood(exchange, head, pieces):
        await exchange.send(head.encode())
        for piece in pieces:
            await exchange.send(piece)
            sent[name_of(exchange)] = sent.get(name_of(exchange), 0) + len(piece)
        exchange.close()

    def forever(piece):
        while True:
            yield piece

    async def script(exchange):
        name = name_of(exchange)
        ok, failed = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 500 Oops\r\n"
        if name == "normal":
            await exchange.respond(200, b'{"qualification_session_id": "qs_1", "status": "approved"}')
        elif name == "has_length":
            await flood(exchange, f"{ok}Content-Length: {10 * 2**30}\r\n\r\n", forever(BLOCK))
        elif name == "until_close":
            await flood(exchange, f"{ok}\r\n", forever(BLOCK))
        elif name == "chunked":
            await flood(exchange, f"{ok}Transfer-Encoding: chunked\r\n\r\n", forever(b"100000\r\n" + BLOCK + b"\r\n"))
        elif name == "tiny_chunks":
            await flood(
                exchange, f"{ok}Transfer-Encoding: chunked\r\n\r\n", forever((b"40\r\n" + b"x" * 64 + b"\r\n") * 1000)
            )
        elif name == "error_announced":
            await flood(exchange, f"{failed}Content-Length: {10 * 2**30}\r\n\r\n", forever(b"x" * 65536))
        elif name == "error_chunked":
            await flood(
                exchange, f"{failed}Transfer-Encoding: chunked\r\n\r\n", forever(b"100000\r\n" + BLOCK + b"\r\n")
            )
        else:
            bomb, _, on_error = name.partition("__")
            encoding, make = BOMBS[bomb.replace("_", " ").replace("x gzip", "x-gzip")]
            head = f"{failed if on_error else ok}Content-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
            await flood(exchange, head, make(BOMB_MIB))

    return script


def name_of(exchange):
    return exchange.request.target.rsplit("/", 1)[1]


async def in_a_process(url, names):
    """Let a client of its own process meet them one after another."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, url, *names,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(45 * len(names)):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return {name: json.loads(line) for name, line in zip(names, out.splitlines(), strict=True)}


def names(on_error=""):
    return [name.replace(" ", "_").replace("-", "_") + on_error for name in BOMBS]


@linux
async def test_no_bomb_takes_much_memory_or_time(serve):
    sent = {}
    server = await serve(flooding(sent))
    results = await in_a_process(server.url, names())
    became = {name: result[0] for name, result in results.items()}
    assert became == dict.fromkeys(names(), "ResponseTooLargeError") | {
        "gzip_in_gzip": "DecodeError",  # only one layer is undone; what is left is no JSON
        "empty_gzip_members": became["empty_gzip_members"],
        "zstd": became["zstd"],  # refused where it cannot be undone, and bounded where it can
    }
    assert became["empty_gzip_members"] in ("ProtocolError", "ResponseTooLargeError")  # by their number or their size
    assert became["zstd"] in ("ProtocolError", "ResponseTooLargeError")
    assert {name: result[1] for name, result in results.items() if result[1] > PEAK_MIB} == {}
    assert {name: result[2] for name, result in results.items() if result[2] > SECONDS} == {}


@linux
async def test_no_bomb_of_an_error_takes_much_memory_or_time(serve):
    sent = {}
    server = await serve(flooding(sent))
    results = await in_a_process(server.url, names("__error"))
    for name, (became, peak, seconds, size) in results.items():
        assert became in ("ServerError", "ProtocolError", "TruncatedResponseError"), name
        assert (peak < PEAK_MIB, seconds < SECONDS, (size or 0) <= ERROR_BODY_LIMIT) == (True, True, True), (
            name,
            peak,
            seconds,
            size,
        )


@linux
async def test_no_endless_body_is_read_on(serve):
    sent = {}
    server = await serve(flooding(sent))
    endless = ["has_length", "until_close", "chunked", "tiny_chunks", "error_announced", "error_chunked"]
    results = await in_a_process(server.url, endless)
    for name, (became, peak, seconds, size) in results.items():
        assert became == ("ServerError" if name.startswith("error") else "ResponseTooLargeError"), name
        assert size == (ERROR_BODY_LIMIT if name.startswith("error") else None)
        assert peak < PEAK_MIB, name
        assert seconds < SECONDS, name
    await asyncio.sleep(0)
    limits = {name: (2 if name.startswith("error") else 20) * 2**20 for name in endless}
    kernel = 12 * 2**20  # what the sockets' buffers of both ends swallow
    assert {name: size for name, size in sent.items() if size > limits[name] + kernel} == {}


@pytest.mark.parametrize("size", [BODY_LIMIT - 100, BODY_LIMIT])
async def test_response_just_within_the_limit_is_read(serve, client_for, size):
    start = b'{"qualification_session_id": "qs_1", "status": "approved", "filler": "'
    server = await serve(respond_with(start + b"x" * (size - len(start) - 2) + b'"}'))
    client = await client_for(server)
    assert (await client.qualification_sessions.get("qs_1")).status == "approved"


async def test_response_just_over_the_limit_is_not(serve, client_for):
    start = b'{"qualification_session_id": "qs_1", "status": "approved", "filler": "'
    server = await serve(respond_with(start + b"x" * (BODY_LIMIT + 1 - len(start) - 2) + b'"}'))
    client = await client_for(server)
    with pytest.raises(errors.ResponseTooLargeError) as caught:
        await client.qualification_sessions.get("qs_1")
    assert (caught.value.attempts, caught.value.outcome) == (1, "unknown")


@pytest.mark.parametrize(
    "size", [0, 1, ERROR_BODY_LIMIT - 1, ERROR_BODY_LIMIT, ERROR_BODY_LIMIT + 1, 10 * ERROR_BODY_LIMIT]
)
async def test_body_of_an_error_is_cut_and_the_error_stays_what_it_is(serve, client_for, size):
    server = await serve(respond_with(b"x" * size, status=404))
    client = await client_for(server)
    with pytest.raises(errors.NotFoundError) as caught:
        await client.qualification_sessions.get("qs_1")
    assert len(caught.value.body or "") == min(size, ERROR_BODY_LIMIT)


# ---- parsing

ANY = Endpoint("any", "GET", "/", dict)


def timed(body, status=200, endpoint=ANY):
    raw = RawResponse(status, {}, body, True)
    started = time.thread_time()
    result = read_response(raw, endpoint, time.time())
    return result, time.thread_time() - started


MB = 1_000_000
DEEP = {
    "open brackets": b"[" * MB,
    "open braces": b'{"a":' * (MB // 5),
    "whole brackets": b"[" * (MB // 2) + b"]" * (MB // 2),
    "whole braces": b'{"a":' * (MB // 6) + b"1" + b"}" * (MB // 6),
    "depth 100,000 inside": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "closed brackets": b"]" * MB,
    "digits": b'{"a": 1' + b"0" * MB + b"}",
    "exponent": b'{"a": 1e' + b"9" * MB + b"}",
    "fraction": b'{"a": 0.' + b"1" * MB + b"}",
    "blanks": b" " * MB + b"{",
    "escapes": b'{"a": "' + b"\\u0000" * (MB // 6),
    "backslashes": b'{"a": "' + b"\\" * MB,
    "quotes": b'{"a": ' + b'"' * MB,
    "strings": b"[" + b'"",' * (MB // 3),
    "strings and brackets": b'["",' * (MB // 4),
    "keys": b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b"}",
    "one key": b"{" + b'"a":1,' * (MB // 6) + b'"a":1}',
    "not UTF-8": b'{"a": "' + b"\xff" * MB + b'"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "nulls": b"{" + b"\0" * MB,
}
VALID = ("keys", "one key", "digits", "exponent", "fraction", "byte order mark")


@pytest.mark.parametrize("shape", DEEP)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_megabyte_of_anything_is_read_quickly(shape, status):
    result, seconds = timed(DEEP[shape], status)
    assert isinstance(result, AttemptFailure) or shape in VALID
    assert seconds < 2, "of this thread's work: a second look at each byte would take minutes"


@pytest.mark.parametrize("shape", ["quotes", "strings", "strings and brackets", "backslashes", "open brackets"])
def test_largest_invalid_body_does_not_block_the_event_loop(shape):
    """Telling a cut body from a malformed one looks at every string in it."""
    pattern = {
        "quotes": b'"',
        "strings": b'"",',
        "strings and brackets": b'["",',
        "backslashes": b'"\\',
        "open brackets": b"[",
    }
    body = (b"[" + pattern[shape] * (BODY_LIMIT // len(pattern[shape])))[:BODY_LIMIT]
    _, seconds = timed(body)
    assert seconds < 8


NUMBERS = [
    b"1e400",
    b"-1e400",
    b"1" + b"0" * 5000,
    b"-0",
    b"0.1e-999999",
    b"123456789012345678901234567890",
    b"1.0",
    b"NaN",
    b"Infinity",
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:20].decode())
def test_unusual_number_is_parsed_or_rejected(number):
    result, _ = timed(
        b'{"qualification_session_id": "q", "status": "s", "fee": %s}' % number, 200, GET_QUALIFICATION_SESSION
    )
    assert isinstance(result, AttemptFailure) or isinstance(result.fee, float)


TOKENS = [
    b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 30, b"9" * 5000, b'""', b"{}", b"[]", b"{", b"}", b"[", b"]", b'"', b",",
    b":", b"\\", b"\\u", b'"\\ud800"', b'"\\u0000"', b"\xff", b"\xed\xa0\x80", b"\0", b"\n", b"[" * 2000, b'{"a":' * 500, b'"' + b"x" * 65536 + b'"',
    b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59.999999-23:59"', b'"2026-02-30T00:00:00Z"', b'"20260101"', b'"2026-W01-1T00"',
    b'"2026-01-01T24:00:00Z"', b'"2026-01-01T00:00:00+25:00"', b'"\\u0662026-01-01"', b"1.9", b'"false"', b'"email": 1,',
    b'"qualification_sessions": null', b'"pagination": []', b'"count": -1', b'"extra": 1', b'"status": 1', b'"__class__": 1', b'"self": 1',
    f'"{EMAIL}": "{NAME}"'.encode(),
]  # fmt: skip
STATUSES = [200] * 20 + [
    100,
    199,
    201,
    204,
    299,
    301,
    400,
    401,
    403,
    404,
    409,
    422,
    425,
    429,
    499,
    500,
    501,
    503,
    599,
    600,
    999,
]
VALUES = [
    "", "0", "1", "60", "61", "-1", "1.5", "nan", "inf", "1_0", "\u0661\u0662", "9" * 10, "9" * 5000, "Wed, 21 Oct 2026 07:28:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "Wed, 21 Oct 2026 07:28:00 -0000", "Wed, 99 Oct 2026",
    "Wed, 21 Oct 2026 07:28:00 +9999", "true", "false", "TRUE", "x" * 5000, "\u00e9", "\t",
]  # fmt: skip
SEEDS = [
    json.dumps({
        "qualification_session_id": "qs_1", "status": "approved", "email": EMAIL, "user_name": NAME, "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-12-31T00:00:00+00:00", "fee": 1.5, "eligible_amount": 100, "user_id": EMAIL, "new": {"a": [1, None]},
    }).encode(),
    json.dumps({
        "qualification_sessions": [{"qualification_session_id": "qs_1", "status": "new", "email": EMAIL}] * 2,
        "pagination": {"count": 2, "current_page": 1, "last_page": 1, "page_size": 30},
    }).encode(),
    json.dumps({"error": "ValidationError", "message": f"{NAME} {EMAIL}", "redirect_url": "https://x.example", "details": [{}]}).encode(),
    b"{}", b"[]", b"", b"null", b'""', b"<html></html>",
]  # fmt: skip


def mutated(choose):
    body = bytearray(choose.choice(SEEDS))
    for _ in range(choose.randrange(4)):
        at = choose.randrange(len(body) + 1)
        until = min(len(body), at + choose.choice((0, 1, 1, 4, 20, 1000)))
        match choose.randrange(4):
            case 0:
                body[at:until] = b""
            case 1:
                body[at:until] = choose.choice(TOKENS)
            case 2:
                body[at:until] = choose.randbytes(until - at)
            case 3:
                body[at:at] = body[at:until]
    headers = {
        name: choose.choice(VALUES)
        for name in choose.sample(
            ["retry-after", "date", "x-should-retry", "x-request-id", "content-type"], choose.randrange(4)
        )
    }
    return RawResponse(choose.choice(STATUSES), headers, bytes(body), choose.random() < 0.5)


def test_mutated_response_is_a_value_or_a_failure():
    choose = random.Random(20260726)
    values = problems = 0
    slowest = 0.0
    for _ in range(BODIES):
        raw, endpoint = mutated(choose), choose.choice((*ENDPOINTS, ANY))
        started = time.thread_time()
        result = read_response(raw, endpoint, 1_790_000_000.0)
        slowest = max(slowest, time.thread_time() - started)
        if isinstance(result, AttemptFailure):
            problems += 1
            assert issubclass(result.error, errors.CallError)
            assert leaks(f"{result.reason} {result.path}", OF_SERVER) == []
            assert result.retry_after is None or 0 <= result.retry_after < 1e12
            assert result.outcome in ("unknown", "rejected")
        else:
            values += 1
            assert raw.status // 100 == 2
            if isinstance(result, Model):
                assert leaks(repr(result), OF_SERVER) == [] or EMAIL in str(
                    raw.body.decode(errors="replace").split('"status"')[1:]
                )
                json.dumps(result.to_dict())
    assert min(values, problems) > BODIES / 50
    assert slowest < 2
