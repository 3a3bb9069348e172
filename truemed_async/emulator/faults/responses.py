"""Responses in raw bytes, and parts of them: what a correct HTTP library cannot be made to send."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Iterable
from email.utils import formatdate
from typing import Literal

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

End = Literal["keep", "close", "reset"]


class ResponseBytes(web.StreamResponse):
    """A response that is sent as the given bytes."""

    def __init__(
        self, pieces: Iterable[bytes] = (), *, status: int | None = None, delay: float = 0, end: End = "close"
    ) -> None:
        """Create a response.

        Args:
            pieces: What is written.
            status: The status for the request log; None if the client gets no complete response.
            delay: Seconds to wait after each piece.
            end: What happens to the connection afterwards.
        """
        super().__init__()
        self.logged_status = status
        self._pieces = pieces
        self._delay = delay
        self._end = end
        self._keep = False

    @property
    def keep_alive(self) -> bool | None:
        """Whether the server waits for another request."""
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything; a second call sends nothing."""
        self._keep = self._end == "keep" and request.keep_alive
        pieces, self._pieces = self._pieces, ()
        for piece in pieces:
            await request.writer.write(piece)
            await request.writer.drain()
            await asyncio.sleep(self._delay)
        if self._end == "reset" and request.transport is not None:
            reset_connection(request.transport)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing: the body is complete."""


def reset_connection(transport: asyncio.Transport) -> None:
    """Close a connection with a reset (RST)."""
    # Closing a socket with a linger time of zero sends RST; Windows packs shorter integers.
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def format_http_date(seconds: float) -> str:
    """Return the time in so many seconds as an HTTP date."""
    return formatdate(time.time() + seconds, usegmt=True)


def require_response(response: web.StreamResponse) -> web.Response:
    """Return the response; TypeError if it is not one with a body to read."""
    if not isinstance(response, web.Response):
        raise TypeError(f"this fault needs a web.Response, not {type(response).__name__}")
    return response


def body_of(response: web.Response) -> bytes:
    """Return the body; TypeError if it is not bytes."""
    body = response.body
    if body is None:
        return b""
    if not isinstance(body, bytes):
        raise TypeError(f"this fault needs a body of bytes, not {type(body).__name__}")
    return body


def encode_head(response: web.StreamResponse, *fields: str) -> bytes:
    """Return status line and headers, with ``fields`` instead of the length of the body."""
    headers = {**response.headers, "Date": response.headers.get("Date", format_http_date(0))}
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(f"{name}: {value}" for name, value in headers.items() if name.lower() != "content-length"),
        *fields,
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def encode_response(response: web.Response, *fields: str) -> bytes:
    """Return the complete, correct response, with more header ``fields``."""
    body = body_of(response)
    return encode_head(response, f"Content-Length: {len(body)}", *fields) + body


def encode_chunk(data: bytes) -> bytes:
    """Return the data as one chunk; nothing for no data, because an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
