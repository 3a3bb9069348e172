"""Broken framing: responses that are cut short, malformed, or followed by extra bytes. The effect is applied."""

import gzip
from random import Random
from typing import Annotated

from aiohttp import web

from truemed_async.emulator.faults.registry import Bound, Count, fault
from truemed_async.emulator.faults.responses import (
    End,
    ResponseBytes,
    body_of,
    encode_chunk,
    encode_head,
    encode_response,
)

_CHUNKED = "Transfer-Encoding: chunked"

Fraction = Annotated[float, Bound(">=", 0), Bound("<", 1)]


def _raw_response(content: bytes, *, end: End = "close", delay: float = 0) -> ResponseBytes:
    return ResponseBytes([content], delay=delay, end=end)


def _complete(response: web.Response, content: bytes) -> ResponseBytes:
    return ResponseBytes([content], status=response.status, end="keep")


def _cut(body: bytes, fraction: float) -> bytes:
    return body[: int(len(body) * fraction)]


def _encode_cut_response(response: web.Response, fraction: float) -> bytes:
    body = body_of(response)
    return encode_head(response, f"Content-Length: {len(body)}") + _cut(body, fraction)


@fault("after")
def partial_status_line(response: web.Response) -> ResponseBytes:
    """The connection is closed within the status line.

    Happens when a server process is killed as it begins to send.
    """
    return _raw_response(encode_head(response)[: len("HTTP/1.1 20")])


@fault("after")
def partial_headers(response: web.Response) -> ResponseBytes:
    """The connection is closed within the headers: the client has a status, and no response.

    Happens when a server process is killed, or a proxy gives up, as it sends the headers.
    """
    return _raw_response(encode_head(response, "Content-Length: ").rstrip())


@fault("after")
def garbage_then_close(random: Random, *, size: Count = 64) -> ResponseBytes:
    """``size`` bytes arrive that are not HTTP, then the connection is closed.

    Happens when another service has the port, or a server speaks TLS where the client does not.
    """
    # No status line starts with a zero byte, so the random bytes are never valid HTTP.
    return _raw_response(b"\0" + random.randbytes(size - 1))


@fault("after")
def malformed_chunk(response: web.Response) -> ResponseBytes:
    """The body is chunked, and its second chunk has no valid size.

    Happens when two threads of a server write into one connection, or a proxy has a bug.
    """
    body = body_of(response)
    start = encode_head(response, _CHUNKED) + encode_chunk(body[:5])
    return _raw_response(start + b"XYZ\r\n" + body[5:] + b"\r\n0\r\n\r\n")


@fault("after")
def truncate_body(response: web.Response, *, fraction: Fraction = 0.5) -> ResponseBytes:
    """The connection is closed after this ``fraction`` of the body that Content-Length announces.

    Happens when a server or proxy dies or times out in the middle of a response.
    """
    return _raw_response(_encode_cut_response(response, fraction))


@fault("after")
def truncate_chunked(response: web.Response, *, fraction: Fraction = 0.5) -> ResponseBytes:
    """The connection is closed after this ``fraction`` of a chunked body, between two chunks.

    Happens when the code that streams a response raises an error.
    """
    return _raw_response(encode_head(response, _CHUNKED) + encode_chunk(_cut(body_of(response), fraction)))


@fault("after")
def truncate_gzip_clean(response: web.Response, *, fraction: Fraction = 0.5) -> web.Response:
    """A gzip body has only this ``fraction`` of its bytes; Content-Length and keep-alive are as they should be.

    Only decompression shows the loss. Happens when a cache has stored a part of a response, and sends it as the whole.
    """
    response.body = _cut(gzip.compress(body_of(response)), fraction)
    response.headers["Content-Encoding"] = "gzip"
    return response


@fault("after")
def truncate_close_delimited(response: web.Response, *, fraction: Fraction = 0.5) -> ResponseBytes:
    """The body ends with the connection after this ``fraction``: HTTP cannot detect that it is incomplete.

    Happens when a server that states no length dies in the middle of a response.
    """
    return _raw_response(encode_head(response, "Connection: close") + _cut(body_of(response), fraction))


@fault("after")
def reset_in_body(response: web.Response, *, fraction: Fraction = 0.5) -> ResponseBytes:
    """The connection is reset (RST) after this ``fraction`` of the body that Content-Length announces.

    Happens when a server crashes, or a firewall ends the connection, in the middle of a response.
    """
    # Without the delay the reset could overtake the bytes before it.
    return _raw_response(_encode_cut_response(response, fraction), end="reset", delay=0.05)


@fault("after")
def duplicate_content_length(response: web.Response, *, difference: int = 1) -> ResponseBytes:
    """There are two Content-Length headers: the correct one, and one that is off by ``difference``.

    Happens when a proxy adds a header that is there already; attackers hide a second response this way.
    """
    wrong = f"Content-Length: {len(body_of(response)) + difference}"
    return _complete(response, encode_response(response, wrong))


@fault("after")
def content_length_and_chunked(response: web.Response) -> ResponseBytes:
    """There is a Content-Length, and the body is chunked: HTTP forbids both at once.

    Happens when a proxy changes how a body is sent and keeps the old header; attackers hide a second response this way.
    """
    body = body_of(response)
    head = encode_head(response, f"Content-Length: {len(body)}", _CHUNKED)
    return _complete(response, head + encode_chunk(body) + b"0\r\n\r\n")


@fault("after")
def extra_bytes_after_body(response: web.Response, *, extra: str = "extra") -> ResponseBytes:
    """After the complete response comes ``extra``, the start of a response to no request.

    Happens when a server states too small a length; the next request of the connection would read the rest.
    """
    return _complete(response, encode_response(response) + extra.encode())


@fault("after")
def header_flood(response: web.Response, *, count: Count = 10_000) -> ResponseBytes:
    """The response has ``count`` more headers.

    Happens when a proxy adds headers in a loop, or a server is hostile.
    """
    return _complete(response, encode_response(response, *(f"X-Flood-{number}: {number}" for number in range(count))))


@fault("after")
def huge_header(response: web.Response, *, size: Count = 1_000_000) -> ResponseBytes:
    """The response has one more header, with a value of ``size`` bytes.

    Happens with cookies, tokens and policies that grow without a limit, and with hostile servers.
    """
    return _complete(response, encode_response(response, f"X-Huge: {'x' * size}"))


@fault("after")
def informational_flood(response: web.Response, *, count: Count = 10_000) -> ResponseBytes:
    """``count`` responses with status 103 come before the real one.

    Happens when a proxy repeats early hints without end, or a server is hostile.
    """
    return _complete(response, b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + encode_response(response))


@fault("after")
def unexpected_101() -> ResponseBytes:
    """The response is a 101, although the client requested no upgrade.

    Happens when a proxy confuses a connection with that of a WebSocket.
    """
    return _raw_response(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
