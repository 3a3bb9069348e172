"""The only file that does HTTP: one attempt in, an answer or a :class:`Problem` out.

What aiohttp does by itself and must not: follow redirects with our key; send a GET again behind our back; keep
cookies; read proxies and passwords from the environment; read answers of any size. What it raises holds the key and
raw headers, so nothing of it leaves this file.
"""

from __future__ import annotations

import asyncio
import os
import platform
import ssl as ssl_module
import sys
import traceback
import weakref
from collections.abc import Mapping
from typing import Any

import aiohttp
import attrs
from aiohttp import hdrs
from multidict import CIMultiDict, istr
from yarl import URL

from truemed_async._core.forks import leave_behind
from truemed_async._core.problem import Problem
from truemed_async._core.request import Request
from truemed_async._core.response import BODY_LIMIT, ERROR_BODY_LIMIT, RawResponse
from truemed_async._sensitive import Secret
from truemed_async._validation.urls import validate_proxy
from truemed_async._version import __version__
from truemed_async.errors import (
    AttemptTimeoutError,
    CallOutcome,
    ClientClosedError,
    ConnectError,
    DisconnectedError,
    InvalidArgumentError,
    ProtocolError,
    ResponseTooLargeError,
    TLSError,
    TransportError,
    TruncatedResponseError,
)

KEY_HEADER = istr("x-truemed-api-key")
IDLE_SECONDS = 4.0
"""How long an idle connection is reused. A server that closes one while we write to it leaves a write's fate open."""
READ_CHUNK = 64 * 1024
"""The standard library's transports allocate a buffer of 256 KiB for each read; a quarter of it is faster."""


@attrs.frozen(kw_only=True)
class Network:
    """How connections are made.

    Attributes:
        session: A borrowed session: used, never closed.
        proxy: The proxy's URL.
        ssl_context: How certificates are checked; the default is the system's.
    """

    session: aiohttp.ClientSession | None = None
    proxy: URL | None = attrs.field(default=None, repr=False)
    ssl_context: ssl_module.SSLContext | None = None

    @classmethod
    def of(cls, session: object, proxy: object, ssl_context: object) -> Network:
        """Check the three."""
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise InvalidArgumentError("session must be an aiohttp.ClientSession")
        if ssl_context is not None and not isinstance(ssl_context, ssl_module.SSLContext):
            raise InvalidArgumentError("ssl_context must be an ssl.SSLContext; verification cannot be switched off")
        return cls(session=session, proxy=None if proxy is None else validate_proxy(proxy), ssl_context=ssl_context)


class _Broken(aiohttp.ClientError):
    """A connection that broke under a request, in a form that aiohttp does not answer with a second request."""


async def _no_hidden_retry(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request by itself: it would be outside our attempts, deadline and quota."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        broken = _Broken(type(error).__name__)
    raise broken


class _Connector(aiohttp.TCPConnector):
    """A pool that can be left behind: in a forked child, or with the event loop that it belonged to."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]  # aiohttp's own annotation
        self._pid = os.getpid()
        self._protocols: weakref.WeakSet[Any] = weakref.WeakSet()  # transports cannot all be referenced weakly

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's
    ) -> Any:
        protocol: Any = await super()._create_connection(req, traces, timeout)
        transport = protocol.transport
        if getattr(transport, "max_size", 0) > READ_CHUNK:
            transport.max_size = READ_CHUNK
        self._protocols.add(protocol)
        return protocol

    def abort(self) -> None:
        """Break all connections, so that calls in flight end at once."""
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abort()

    def abandon(self) -> None:
        """Give up connections whose loop does not run, and which therefore cannot be closed as usual."""
        self._closed = True
        if not self._loop.is_closed():  # it stands still, or runs elsewhere: it closes them when it goes on
            self.abort()
            return
        for protocol in self._protocols:
            _release(protocol.transport)

    def __del__(self, *args: Any) -> None:
        # A forked child shares the parent's selector: closing here would unregister the parent's sockets.
        if self._pid == os.getpid():
            super().__del__(*args)


def _abandon(connector: _Connector, _: aiohttp.ClientSession | None) -> None:
    connector.abandon()


def _release(transport: Any) -> None:
    """Close a transport's socket by hand. Its loop is gone, so its own ``close`` would raise, and not close."""
    inner = getattr(transport, "_ssl_protocol", None)
    if inner is not None:
        transport._closed = True  # noqa: SLF001  # there is no public way, and the alternative is a leaked socket
        transport = inner._transport  # noqa: SLF001
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        sock.close()
        transport._sock = None  # noqa: SLF001


class Transport:
    """The connection pool of a client and its copies, bound to the event loop of its first request."""

    def __init__(self, *, api_key: Secret, network: Network, max_concurrency: int) -> None:
        self._network = network
        self._max_concurrency = max_concurrency
        self._headers = _base_headers(api_key)
        self._headers_with_body = CIMultiDict({**self._headers, hdrs.CONTENT_TYPE: "application/json"})
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._session: aiohttp.ClientSession | None = None
        self._connector: _Connector | None = None
        self._slots: asyncio.Semaphore | None = None
        self._middlewares = _middlewares(network.session)
        self._timeout = _connect_timeout(0)

    def bind(self) -> asyncio.Semaphore:
        """Make ready on the running loop, and return the slots that bound how many requests are in flight."""
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._loop is not loop or self._slots is None:
            self._rebind(loop)
        return self._slots  # type: ignore[return-value]  # set by _rebind

    def _rebind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to another loop. A loop that has ended is left behind; one that still runs is the caller's mistake."""
        if self._loop is not None and self._pid == os.getpid() and self._loop.is_running():
            raise ClientClosedError(
                "this client belongs to another event loop, which is still running: make one client per event loop"
            )
        self._let_go()
        self._loop, self._pid = loop, os.getpid()
        self._slots = asyncio.Semaphore(self._max_concurrency)
        self._session, self._connector = self._network.session, None

    async def send(self, request: Request, *, connect: float, seconds: float) -> RawResponse | Problem:
        """Make one attempt of at most ``seconds``, the connection and the whole body included."""
        handled = sys.exception()  # the caller may be dealing with one of its own
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request, connect)
        except aiohttp.ConnectionTimeoutError:
            problem = _problem(ConnectError, "no connection in time", outcome="not_sent")
        except TimeoutError:
            problem = _problem(AttemptTimeoutError, "no whole answer in time")
        except aiohttp.ClientConnectorCertificateError:
            problem = _problem(TLSError, "the server's certificate was not accepted", outcome="not_sent", retries=0)
        except aiohttp.ClientSSLError:
            problem = _problem(TLSError, "the TLS handshake failed", outcome="not_sent")
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            number = getattr(error, "errno", None)
            detail = f" ({os.strerror(number)})" if isinstance(number, int) and number > 0 else ""
            problem = _problem(ConnectError, f"no connection{detail}", outcome="not_sent")
        except (
            aiohttp.ClientResponseError
        ):  # of the parser: it says status 400, but the server said nothing of the kind
            problem = _problem(ProtocolError, "the answer is not well-formed HTTP", retries=1)
        except aiohttp.ClientPayloadError as error:
            if _is_bad_encoding(error):
                problem = _problem(ProtocolError, "the answer's compression is broken", retries=1)
            else:
                problem = _problem(TruncatedResponseError, "the answer ended early")
        except aiohttp.ClientError:
            problem = _problem(DisconnectedError, "the connection broke before the answer")
        finally:
            _clear_frames(sys.exception(), handled)
        if self._closed:
            raise ClientClosedError("the client was closed during the call")
        return problem

    async def _exchange(self, request: Request, connect: float) -> RawResponse | Problem:
        async with self._open().request(
            request.endpoint.method,
            request.url,
            headers=self._headers_of(request),
            data=None if request.body is None else request.body.value,
            allow_redirects=False,
            raise_for_status=False,
            middlewares=self._middlewares,
            proxy=self._network.proxy,
            ssl=self._network.ssl_context or True,
            timeout=self._timeout_of(connect),
        ) as response:
            return await _read(response)

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, making it on first use: it must be made inside the loop that it belongs to."""
        if self._session is None:
            self._connector = _Connector(limit=0, keepalive_timeout=IDLE_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        elif self._session.closed:
            raise ClientClosedError("the session of this client is closed")
        return self._session

    def _headers_of(self, request: Request) -> Mapping[str, str]:
        """Return the request's headers. They are never a session's: aiohttp would send those to a proxy as well."""
        if request.headers is None:
            return self._headers if request.body is None else self._headers_with_body
        return CIMultiDict({**(self._headers if request.body is None else self._headers_with_body), **request.headers})

    def _timeout_of(self, connect: float) -> aiohttp.ClientTimeout:
        if self._timeout.sock_connect != connect:
            self._timeout = _connect_timeout(connect)
        return self._timeout

    async def close(self) -> None:
        """Close the pool; a borrowed session stays open. May be called again."""
        self._closed = True
        if self._loop is not asyncio.get_running_loop() or self._pid != os.getpid():
            self._let_go()
        elif self._session is not None and self._connector is not None:
            self._connector.abort()
            await asyncio.sleep(0)  # for the calls in flight to notice
            await self._session.close()

    def _let_go(self) -> None:
        """Drop connections that belong to a loop other than the running one."""
        if self._loop is None:
            return
        if self._pid != os.getpid():
            leave_behind(self._loop, self._session)
        elif self._connector is not None and self._loop.is_running():
            # The session goes along, or it would be finalised before it is closed.
            self._loop.call_soon_threadsafe(_abandon, self._connector, self._session)
        elif self._connector is not None:
            self._connector.abandon()
        self._loop = self._session = self._connector = None


def _clear_frames(passing: BaseException | None, handled: BaseException | None) -> None:
    """Empty the frames that an exception has left on its way out, aiohttp's among them.

    They hold the URL, the headers and what was received, and a traceback that shows locals would show it: that of a
    cancelled call, which passes through here untouched.
    """
    if passing is not None and passing is not handled:
        traceback.clear_frames(passing.__traceback__)


def _base_headers(api_key: Secret) -> CIMultiDict[str]:
    agent = f"truemed-async/{__version__} Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
    return CIMultiDict({KEY_HEADER: api_key, hdrs.ACCEPT: "application/json", hdrs.USER_AGENT: agent})


def _middlewares(session: aiohttp.ClientSession | None) -> tuple[aiohttp.ClientMiddlewareType, ...]:
    """Return ours, around those of a borrowed session, which middlewares given per request would replace."""
    theirs: tuple[aiohttp.ClientMiddlewareType, ...] = tuple(getattr(session, "_middlewares", ()))
    return (_no_hidden_retry, *theirs)


def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    """Leave only the connection to aiohttp's clock, unrounded: it rounds what is over its threshold up to seconds."""
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds, ceil_threshold=float("inf"))


def _problem(
    error: type[TransportError], reason: str, *, outcome: CallOutcome = "unknown", retries: int | None = None
) -> Problem:
    return Problem(error=error, reason=reason, outcome=outcome, retries=retries)


def _is_bad_encoding(error: BaseException) -> bool:
    """Whether a payload failed because its compression cannot be undone, rather than because it ended."""
    cause = error.__cause__ or error.__context__
    return isinstance(error, aiohttp.ContentTypeError) or type(cause).__name__ == "ContentEncodingError"


async def _read(response: aiohttp.ClientResponse) -> RawResponse | Problem:
    """Read the body piece by piece up to the limit: a few hundred compressed bytes can stand for a gigabyte."""
    success = 200 <= response.status < 300
    limit = BODY_LIMIT if success else ERROR_BODY_LIMIT
    body = await response.content.readany()
    if not response.content.at_eof():
        pieces, size = [body], len(body)
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                break
        body = b"".join(pieces)
    if len(body) > limit:
        response.close()
        if success:
            return _problem(ResponseTooLargeError, f"the answer is larger than {limit} bytes", retries=0)
        body = body[:limit]
    return RawResponse(response.status, response.headers, body, hdrs.CONTENT_LENGTH in response.headers)
