"""Faults of the connection: refused, closed, reset, or silent."""

import asyncio
import ssl
import time

import attrs
from aiohttp import web

from truemed_async.emulator.faults.base import AbortConnection, ConnectionFault, Exchange, Fault
from truemed_async.emulator.faults.registry import NonNegative, Positive, fault
from truemed_async.emulator.faults.responses import ResponseBytes, reset_connection
from truemed_async.emulator.request import ApiError, error_response
from truemed_async.emulator.resources.state import State

_SERVER_ERROR = ("ServerError", "something went wrong on our side")


@fault("connect", name="refuse_connection")
@attrs.define(eq=False, kw_only=True)
class RefuseConnection(ConnectionFault):
    """Connections are refused for ``duration`` seconds or until removed; idle ones are closed. It has no hits.

    Happens while a server restarts, or when nothing listens on its port.
    """

    refuses = True

    duration: Positive | None = None
    _ends: float | None = attrs.field(default=None, init=False)

    def begin(self, state: State, seed: str) -> None:
        """Start the time."""
        del state, seed
        if self.duration is not None:
            self._ends = time.monotonic() + self.duration

    @property
    def remaining(self) -> float | None:
        """Seconds until connections are accepted again."""
        return None if self._ends is None else max(0, self._ends - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the duration has passed."""
        return self.remaining == 0


@fault("connect", name="accept_then_close")
@attrs.define(eq=False, kw_only=True)
class AcceptThenClose(ConnectionFault):
    """A new connection is closed before a byte of a response: with FIN, or with RST if ``reset`` is true.

    Happens when a load balancer has no healthy server behind it, or a server is at its limit of connections.
    """

    reset: bool = False

    def connected(self, transport: asyncio.Transport) -> None:
        """Close the connection."""
        if self.reset:
            reset_connection(transport)
        else:
            transport.close()


def _load_context(certificate: ssl.SSLContext | str) -> ssl.SSLContext:
    if isinstance(certificate, ssl.SSLContext):
        return certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except OSError as error:
        raise ValueError(f"certificate must name a PEM file with a certificate and its key: {error}") from error
    return context


@fault("connect", name="tls_bad_certificate")
@attrs.define(eq=False, kw_only=True)
class TlsBadCertificate(ConnectionFault):
    """The TLS handshake shows this ``certificate``: a context, or the path of a PEM file.

    An emulator without TLS shows it, too, but not in uvloop. Happens when a certificate has expired or is for another
    name, or a proxy decrypts the traffic.
    """

    certificate: ssl.SSLContext | str
    _context: ssl.SSLContext = attrs.field(
        init=False, default=attrs.Factory(lambda self: _load_context(self.certificate), takes_self=True)
    )

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """The context of the certificate."""
        return self._context


@fault("connect", name="tls_handshake_stall")
class TlsHandshakeStall(ConnectionFault):
    """A new connection is accepted and never read from: a TLS handshake hangs.

    Happens when a server is overloaded, or a firewall drops the packets of an open connection.
    """

    stalls = True


@fault("before")
def empty_response() -> ResponseBytes:
    """The connection is closed without a byte of a response, and the request has no effect.

    Happens when a server process is killed before it handles the request.
    """
    return ResponseBytes()


@fault("before")
def reset_peer() -> ResponseBytes:
    """The connection is reset (RST) without a byte of a response, and the request has no effect.

    Happens when a server or load balancer drops its connections, as in a deployment.
    """
    return ResponseBytes(end="reset")


@fault("before")
async def hang(exchange: Exchange) -> None:
    """No response ever arrives, and the request has no effect. It ends when the client disconnects.

    Happens when a server waits for what never comes, such as a locked row.
    """
    await exchange.gone.wait()
    raise AbortConnection


@fault("before", name="stale_keepalive")
@attrs.define(eq=False, kw_only=True)
class StaleKeepalive(Fault):
    """A connection that was idle for ``after`` seconds is closed by its next request, which has no effect.

    A first request passes. Happens when the server's keep-alive timeout ends just as the client reuses the connection.
    """

    _after: NonNegative = 0

    def applies_to(self, exchange: Exchange) -> bool:
        """Return whether the connection was idle for long enough."""
        return exchange.idle is not None and exchange.idle >= self._after

    async def before(self, exchange: Exchange) -> ResponseBytes:
        """Close the connection."""
        del exchange
        return ResponseBytes()


@fault("after")
def applied_then_reset() -> ResponseBytes:
    """The effect is applied, then the connection is reset (RST): the client cannot know the outcome.

    Happens when a server or proxy fails between the commit and the response.
    """
    return ResponseBytes(end="reset")


@fault("after")
async def applied_then_hang(exchange: Exchange) -> None:
    """The effect is applied, but no response ever arrives. It ends when the client disconnects.

    Happens when a server hangs after its commit, or the network loses the response.
    """
    await exchange.gone.wait()
    raise AbortConnection


@fault("after")
def applied_then_500() -> web.Response:
    """The effect is applied, although the response is a 500.

    Happens when an error follows the commit, such as one in the code that writes the response.
    """
    return error_response(ApiError(500, *_SERVER_ERROR))


@fault("after")
def applied_then_400_server_error() -> web.Response:
    """The effect is applied, although the response is a 400 with the error ``ServerError``.

    Truemed documents this error for captures and voids, which may be sent again with the same key.
    """
    return error_response(ApiError(400, *_SERVER_ERROR))
