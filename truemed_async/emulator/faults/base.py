"""What a fault is: the moments of a connection and of a request at which it may act, and bytes of its own making."""

import asyncio
import os
import random
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from email.utils import formatdate
from typing import ClassVar, Literal

import attrs
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from truemed_async.emulator.request_log import LoggedRequest
from truemed_async.emulator.routing import Route
from truemed_async.emulator.state import State


class AbortConnection(Exception):  # noqa: N818 - it is what a fault wants, not a failure of the emulator
    """Raised by a fault that leaves the request without an answer.

    Before raising it the fault may write to the transport and close it in its own way; a transport that is still
    open is aborted.
    """


@attrs.define(eq=False)
class Exchange:
    """One request on its way: what a fault may look at and act on.

    `route` is None for a path or verb that Truemed does not document. `request.transport` is the connection, `idle`
    the seconds since the last answer on it (None for its first request); `gone` is set when it is lost. `state` is
    what the handler will be given: a fault may put another in its place.
    """

    request: web.BaseRequest
    record: LoggedRequest
    route: Route | None
    state: State
    idle: float | None
    gone: asyncio.Event


class Fault:
    """Something that goes wrong. A subclass overrides the moments at which it acts; the others pass by.

    Every method but `begin` runs on the emulator's loop. A method that waits is cancelled when the emulator stops.
    """

    def begin(self, state: State, seed: str) -> None:
        """Be put in force; `seed` is the same for the same seed of the emulator and order of adding."""

    @property
    def is_over(self) -> bool:
        """Whether the fault has done what it was to do: it is then taken out of force."""
        return False

    def connected(self, transport: asyncio.Transport) -> None:
        """Act on a new connection, before anything is read from it: abort it, close it, stop reading."""

    def selects(self, exchange: Exchange) -> bool:
        """Tell whether this request is one to act on: asked once for each request in the scope of a named fault."""
        del exchange
        return True

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        """Act before the handler: a response is sent in its place, so the request has no effect. May raise `AbortConnection`."""
        del exchange
        return None

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        """Act after the handler, its effect applied: return what to send. May raise `AbortConnection`."""
        del exchange
        return response


class ConnectionFault(Fault):
    """What goes wrong with a connection, whatever would be sent on it."""

    refuses: ClassVar[bool] = False  # nobody listens on the port
    stalls: ClassVar[bool] = False  # the connection is taken in and never read from

    @property
    def remaining(self) -> float | None:
        """Seconds to the end; None when it does not come by itself."""
        return None

    @property
    def greeting(self) -> ssl.SSLContext | None:
        """What TLS is spoken with instead of the emulator's own context."""
        return None


class Drawing(Fault):
    """What goes wrong by chance, the same for the same seed."""

    _draw: random.Random

    def begin(self, state: State, seed: str) -> None:
        """Be put in force."""
        del state
        self._draw = random.Random(seed)  # noqa: S311 - repeatable on purpose


Ending = Literal["keep", "close", "reset"]


class RawResponse(web.StreamResponse):
    """An answer in the very bytes given: what no correct HTTP library can be made to send."""

    def __init__(
        self, pieces: Iterable[bytes] = (), *, status: int | None = None, delay: float = 0, ending: Ending = "close"
    ) -> None:
        """Send the pieces with `delay` seconds after each, then end the connection or keep it.

        status: what the log says; None when the client is left without an answer.
        """
        super().__init__()
        self.recorded = status
        self._pieces = pieces
        self._delay = delay
        self._ending = ending
        self._kept = False

    @property
    def keep_alive(self) -> bool | None:
        """Whether the server waits for another request."""
        return self._kept

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything; asked again, send nothing."""
        self._kept = self._ending == "keep" and request.keep_alive
        pieces, self._pieces = self._pieces, ()
        for piece in pieces:
            await request.writer.write(piece)
            await request.writer.drain()
            await asyncio.sleep(self._delay)
        if self._ending == "reset" and request.transport is not None:
            reset(request.transport)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing follows."""


def reset(transport: asyncio.Transport) -> None:
    """Let the other side see a reset (RST) in place of an end."""
    # A socket that may linger for no time at all is not closed but torn down; Windows has shorter numbers in it.
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def http_date(seconds: float) -> str:
    """Return the moment so many seconds from now, as a header says it."""
    return formatdate(time.time() + seconds, usegmt=True)


def plain(response: web.StreamResponse) -> web.Response:
    """Return the response; TypeError when it is none with a body to look at."""
    if not isinstance(response, web.Response):
        raise TypeError(f"this fault needs a whole response, not {type(response).__name__}")
    return response


def body(response: web.StreamResponse) -> bytes:
    """Return the body in full."""
    content = plain(response).body
    if content is None:
        return b""
    if not isinstance(content, bytes):
        raise TypeError(f"this fault needs a body of bytes, not {type(content).__name__}")
    return content


def head(response: web.StreamResponse, *fields: str) -> bytes:
    """Return status line and header, with `fields` in place of what says how long the body is."""
    headers = {**response.headers, "Date": response.headers.get("Date", http_date(0))}
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(f"{name}: {value}" for name, value in headers.items() if name.lower() != "content-length"),
        *fields,
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def message(response: web.StreamResponse, *fields: str) -> bytes:
    """Return the whole answer as it should be, with `fields` added to its header."""
    content = body(response)
    return head(response, f"Content-Length: {len(content)}", *fields) + content


def chunk(data: bytes) -> bytes:
    """Return the data as one chunk of a chunked body; without data there is none, for an empty one is the end."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
