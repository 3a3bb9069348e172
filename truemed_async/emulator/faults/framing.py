"""Broken framing: responses that are cut short, malformed, or followed by extra bytes. The effect is applied."""

import gzip
from random import Random
from typing import Annotated

from aiohttp import web

from truemed_async.emulator.faults.registry import Bound, Count, fault
from truemed_async.emulator.faults.responses import (
    End,
    RawResponse,
    body_of,
    encode_chunk,
    encode_head,
    encode_response,
)

_CHUNKED = "Transfer-Encoding: chunked"

Fraction = Annotated[float, Bound(">=", 0), Bound("<", 1)]


def _raw_response(content: bytes, *, end: End = "close", delay: float = 0) -> RawResponse:
    return RawResponse([content], delay=delay, end=end)


def _complete(response: web.Response, content: bytes) -> RawResponse:
    return RawResponse([content], status=response.status, end="keep")


def _cut(body: bytes, fraction: float) -> bytes:
    return body[: int(len(body) * fraction)]


def _encode_cut_response(response: web.Response, fraction: float) -> bytes:
    body = body_of(response)
    return encode_head(response, f"Content-Length: {len(body)}") + _cut(body, fraction)


@fault("after")
def partial_status_line(response: web.Response) -> RawResponse:
    """The connection is closed within the status line."""
    return _raw_response(encode_head(response)[: len("HTTP/1.1 20")])


@fault("after")
def partial_headers(response: web.Response) -> RawResponse:
    """The connection is closed within the headers."""
    return _raw_response(encode_head(response, "Content-Length: ").rstrip())


@fault("after")
def garbage_then_close(random: Random, *, size: Count = 64) -> RawResponse:
    """``size`` bytes that are not HTTP, then the connection is closed."""
    # No status line starts with a zero byte, so the random bytes are never valid HTTP.
    return _raw_response(b"\0" + random.randbytes(size - 1))


@fault("after")
def malformed_chunk(response: web.Response) -> RawResponse:
    """A chunked body whose second chunk has no valid size."""
    body = body_of(response)
    start = encode_head(response, _CHUNKED) + encode_chunk(body[:5])
    return _raw_response(start + b"XYZ\r\n" + body[5:] + b"\r\n0\r\n\r\n")


@fault("after")
def truncate_body(response: web.Response, *, fraction: Fraction = 0.5) -> RawResponse:
    """The connection is closed after this ``fraction`` of the body that Content-Length announces."""
    return _raw_response(_encode_cut_response(response, fraction))


@fault("after")
def truncate_chunked(response: web.Response, *, fraction: Fraction = 0.5) -> RawResponse:
    """The connection is closed after this ``fraction`` of a chunked body, between two chunks."""
    return _raw_response(encode_head(response, _CHUNKED) + encode_chunk(_cut(body_of(response), fraction)))


@fault("after")
def truncate_gzip_clean(response: web.Response, *, fraction: Fraction = 0.5) -> web.Response:
    """A gzip body with only this ``fraction`` of its bytes; Content-Length and keep-alive are as they should be."""
    response.body = _cut(gzip.compress(body_of(response)), fraction)
    response.headers["Content-Encoding"] = "gzip"
    return response


@fault("after")
def truncate_close_delimited(response: web.Response, *, fraction: Fraction = 0.5) -> RawResponse:
    """The body ends with the connection after this ``fraction``; HTTP cannot detect that it is incomplete."""
    return _raw_response(encode_head(response, "Connection: close") + _cut(body_of(response), fraction))


@fault("after")
def reset_in_body(response: web.Response, *, fraction: Fraction = 0.5) -> RawResponse:
    """The connection is reset (RST) after this ``fraction`` of the body that Content-Length announces."""
    # Without the delay the reset could overtake the bytes before it.
    return _raw_response(_encode_cut_response(response, fraction), end="reset", delay=0.05)


@fault("after")
def duplicate_content_length(response: web.Response, *, difference: int = 1) -> RawResponse:
    """Two Content-Length headers: the correct one, and one that is off by ``difference``."""
    wrong = f"Content-Length: {len(body_of(response)) + difference}"
    return _complete(response, encode_response(response, wrong))


@fault("after")
def content_length_and_chunked(response: web.Response) -> RawResponse:
    """Content-Length and a chunked body at once, which HTTP forbids."""
    body = body_of(response)
    head = encode_head(response, f"Content-Length: {len(body)}", _CHUNKED)
    return _complete(response, head + encode_chunk(body) + b"0\r\n\r\n")


@fault("after")
def extra_bytes_after_body(response: web.Response, *, extra: str = "extra") -> RawResponse:
    """A complete response, then ``extra``: the start of a response to no request."""
    return _complete(response, encode_response(response) + extra.encode())


@fault("after")
def header_flood(response: web.Response, *, count: Count = 10_000) -> RawResponse:
    """``count`` more headers."""
    return _complete(response, encode_response(response, *(f"X-Flood-{number}: {number}" for number in range(count))))


@fault("after")
def huge_header(response: web.Response, *, size: Count = 1_000_000) -> RawResponse:
    """One more header, with a value of ``size`` bytes."""
    return _complete(response, encode_response(response, f"X-Huge: {'x' * size}"))


@fault("after")
def informational_flood(response: web.Response, *, count: Count = 10_000) -> RawResponse:
    """``count`` responses with status 103 before the real one."""
    return _complete(response, b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + encode_response(response))


@fault("after")
def unexpected_101() -> RawResponse:
    """A 101 response, although the client asked for no upgrade."""
    return _raw_response(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
