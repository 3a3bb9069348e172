"""Faults of the connection: not there, cut, or silent."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

import asyncio
import ssl
import time

import attrs
from aiohttp import web
from attrs.validators import ge, gt, optional

from truemed_async.emulator.faults.base import AbortConnection, ConnectionFault, Exchange, Fault, RawResponse, reset
from truemed_async.emulator.request import ApiError, error_response
from truemed_async.emulator.state import State


@attrs.define(eq=False)
class RefuseConnection(ConnectionFault):
    """Nobody listens, for `duration` seconds or until removed; idle connections are closed. It has no hits."""

    refuses = True

    duration: float | None = attrs.field(default=None, validator=optional(gt(0)))
    _ends: float | None = attrs.field(default=None, init=False)

    def begin(self, state: State, seed: str) -> None:
        del state, seed
        if self.duration is not None:
            self._ends = time.monotonic() + self.duration

    @property
    def remaining(self) -> float | None:
        return None if self._ends is None else max(0, self._ends - time.monotonic())

    @property
    def is_over(self) -> bool:
        return self.remaining == 0


@attrs.define(eq=False)
class AcceptThenClose(ConnectionFault):
    """A new connection is closed at once: with an end (FIN), or a `reset` (RST)."""

    reset: bool = False

    def connected(self, transport: asyncio.Transport) -> None:
        if self.reset:
            reset(transport)
        else:
            transport.close()


def _context(certificate: ssl.SSLContext | str) -> ssl.SSLContext:
    if isinstance(certificate, ssl.SSLContext):
        return certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except OSError as error:
        raise ValueError(f"certificate must name a PEM file with a certificate and its key: {error}") from error
    return context


@attrs.define(eq=False)
class TlsBadCertificate(ConnectionFault):
    """TLS with this `certificate`: a context, or the path of a PEM file; with or without TLS otherwise, but not in a uvloop."""

    certificate: ssl.SSLContext | str
    _context: ssl.SSLContext = attrs.field(
        init=False, default=attrs.Factory(lambda self: _context(self.certificate), takes_self=True)
    )

    @property
    def greeting(self) -> ssl.SSLContext | None:
        return self._context


class TlsHandshakeStall(ConnectionFault):
    """A new connection is taken in, and nothing sent on it is ever answered: TLS hangs in its handshake."""

    stalls = True


class EmptyResponse(Fault):
    """The connection is closed without a byte of an answer; no effect."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        del exchange
        return RawResponse()


class ResetPeer(Fault):
    """The connection is reset (RST) without a byte of an answer; no effect."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        del exchange
        return RawResponse(ending="reset")


class Hang(Fault):
    """No answer ever comes; no effect. It ends when the client goes away."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        await exchange.gone.wait()
        raise AbortConnection


@attrs.define(eq=False)
class StaleKeepalive(Fault):
    """A request on a connection that was idle for `after` seconds finds it closed; no effect. A first one passes."""

    after_: float = attrs.field(default=0, validator=ge(0), alias="after")

    def selects(self, exchange: Exchange) -> bool:
        return exchange.idle is not None and exchange.idle >= self.after_

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        del exchange
        return RawResponse()


class AppliedThenReset(Fault):
    """The effect is applied, then the connection reset (RST): the client cannot know."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange, response
        return RawResponse(ending="reset")


class AppliedThenHang(Fault):
    """The effect is applied, then no answer ever comes. It ends when the client goes away."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del response
        await exchange.gone.wait()
        raise AbortConnection


class AppliedThen500(Fault):
    """The effect is applied, and the answer is a 500."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange, response
        return error_response(ApiError(500, "ServerError", "something went wrong on our side"))


class AppliedThen400ServerError(Fault):
    """The effect is applied, and the answer is the 400 whose error is `ServerError`."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange, response
        return error_response(ApiError(400, "ServerError", "something went wrong on our side"))
