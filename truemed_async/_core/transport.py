"""The only file that does HTTP: it makes one attempt and returns a response or an :class:`AttemptFailure`.

Prevented defaults of aiohttp: following redirects with the API key, repeating a GET by itself, storing cookies, reading
proxies and passwords from the environment, and reading responses of any size. Its exceptions contain the key and raw
headers, so none of them leaves this file.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import ssl as ssl_module
import sys
import traceback
import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
import attrs
from aiohttp import hdrs
from multidict import CIMultiDict, istr
from yarl import URL

from truemed_async._core.content_encoding import decode_content
from truemed_async._core.event_loop import abandon_inherited_loop, running_loop
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.request import Request
from truemed_async._core.response import BODY_LIMIT, ERROR_BODY_LIMIT, RawResponse, new_raw_response
from truemed_async._core.time_limit import TimeLimiter
from truemed_async._sensitive import Secret
from truemed_async._validation.urls import is_loopback, validate_proxy
from truemed_async._version import __version__
from truemed_async.errors import (
    AttemptTimeoutError,
    CallError,
    CallOutcome,
    ClientClosedError,
    ConnectError,
    DecodeError,
    DisconnectedError,
    InvalidArgumentError,
    ProtocolError,
    ResponseTooLargeError,
    TLSError,
    TruncatedResponseError,
)

KEY_HEADER = istr("x-truemed-api-key")
IDLE_SECONDS = 4.0
"""How long an idle connection is reused. If the server closes one while it is written to, the outcome is unknown."""
MAX_HEADER_SIZE = 8190
"""Bytes of a header that are accepted, as by default in aiohttp."""
READ_BUFFER = 64 * 1024
"""Bytes of a body that are buffered before the connection stops reading, as by default in aiohttp."""
_REPEATS = "_retry_connection"
"""The attribute of aiohttp's session by which it repeats a GET itself; aiohttp's own test client switches it off, too."""
READ_CHUNK = 64 * 1024
"""Bytes to read at once. The standard library allocates a buffer of 256 KiB for each read; a quarter of it is faster."""


@attrs.frozen(kw_only=True, eq=False)
class ConnectionOptions:
    """How connections are made.

    Attributes:
        session: A borrowed session. It is never closed.
        proxy: The proxy's URL.
        ssl_context: How certificates are verified; by default as the system does.
    """

    session: aiohttp.ClientSession | None = None
    proxy: URL | None = attrs.field(default=None, repr=False)
    ssl_context: ssl_module.SSLContext | None = None

    @classmethod
    def of(cls, session: object, proxy: object, ssl_context: object) -> ConnectionOptions:
        """Validate the three options."""
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise InvalidArgumentError("session must be an aiohttp.ClientSession")
        if ssl_context is not None and not isinstance(ssl_context, ssl_module.SSLContext):
            raise InvalidArgumentError("ssl_context must be an ssl.SSLContext; verification cannot be switched off")
        return cls(session=session, proxy=None if proxy is None else validate_proxy(proxy), ssl_context=ssl_context)


class _ConnectionBroken(aiohttp.ClientError):
    """A connection that broke during a request, as an exception after which aiohttp does not repeat the request."""


class _SendAttempt:
    """One attempt: it knows how far it got.

    As the outermost middleware of a borrowed session it also keeps aiohttp from repeating the request, as
    ``_REPEATS`` does for an own session. A repetition would ignore the attempts, the deadline and the retry budget.
    """

    __slots__ = ("request",)

    def __init__(self) -> None:
        self.request: aiohttp.ClientRequest | None = None  # aiohttp's

    @property
    def was_sent(self) -> bool:
        """Whether the request may have been sent. Before that there is at most a connection, or one to a proxy."""
        return self.request is None or self.request.response is not None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        self.request = request
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            broken = _ConnectionBroken(type(error).__name__)
        raise broken


_attempt: ContextVar[_SendAttempt] = ContextVar("_attempt")
"""The attempt of the running task, by which the connector of an own session finds it without a middleware."""


class _Connector(aiohttp.TCPConnector):
    """A connection pool that can be abandoned: in a forked child, or together with its event loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]  # aiohttp's own annotation
        self._pid = os.getpid()
        self._protocols: weakref.WeakSet[Any] = weakref.WeakSet()  # not all transports can be referenced weakly

    def connect(self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Any:
        """Note the request of the attempt, and connect."""
        _attempt.get().request = req
        return super().connect(req, traces, timeout)

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
        """Give up connections whose loop is not running, so that they cannot be closed as usual."""
        self._closed = True
        if not self._loop.is_closed():  # the loop is not running here; it closes them when it resumes
            self.abort()
            return
        for protocol in self._protocols:
            _close_socket(protocol.transport)

    def __del__(self, *args: Any) -> None:
        # A forked child shares the parent's selector: closing here would unregister the parent's sockets.
        if self._pid == os.getpid():
            super().__del__(*args)


def _abandon(connector: _Connector, _: aiohttp.ClientSession | None) -> None:
    connector.abandon()


def _close_socket(transport: Any) -> None:
    """Close a transport's socket directly. Its loop is closed, so its own ``close`` would raise an error instead."""
    inner = getattr(transport, "_ssl_protocol", None)
    if inner is not None:
        transport._closed = True  # noqa: SLF001  # there is no public way, and the alternative is a leaked socket
        transport = inner._transport  # noqa: SLF001
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        sock.close()
        transport._sock = None  # noqa: SLF001


class AiohttpTransport:
    """The connection pool of a client and its copies, bound to the event loop of its first request."""

    def __init__(self, *, api_key: Secret, options: ConnectionOptions, max_concurrency: int) -> None:
        self._options = options
        self._max_concurrency = max_concurrency
        headers = _base_headers(api_key)
        self._session_headers: CIMultiDict[str] | None = None
        # With a proxy they are not those of the session, which aiohttp would send to the proxy as well.
        if options.session is None and options.proxy is None:
            self._session_headers, headers = headers, CIMultiDict[str]()
        self._headers: CIMultiDict[str] = headers
        self._headers_with_body = CIMultiDict({**headers, hdrs.CONTENT_TYPE: "application/json"})
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._session: aiohttp.ClientSession | None = None
        self._connector: _Connector | None = None
        self._slots: asyncio.Semaphore | None = None
        self._time_limiter: TimeLimiter | None = None
        self._is_borrowed = options.session is not None
        self._borrowed_middlewares = _middlewares_of(options.session)
        self._needs_middleware = True
        self._timeout = _connect_timeout(0)

    @property
    def options(self) -> ConnectionOptions:
        """How connections are made."""
        return self._options

    def bind(self) -> asyncio.Semaphore:
        """Prepare for the running loop, and return the slots that limit how many requests are in flight."""
        loop = running_loop()
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._loop is not loop or self._slots is None:
            self._bind_to_loop(loop)
        return self._slots  # type: ignore[return-value]  # set by _bind_to_loop

    def _bind_to_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to another loop. A loop that has ended is abandoned; one that still runs is the caller's mistake."""
        if self._loop is not None and self._pid == os.getpid() and self._loop.is_running():
            raise ClientClosedError(
                "this client belongs to another event loop, which is still running: make one client per event loop"
            )
        self._release_connector()
        self._loop, self._pid = loop, os.getpid()
        self._slots = asyncio.Semaphore(self._max_concurrency)
        self._time_limiter = TimeLimiter(loop)
        self._session, self._connector = self._options.session, None

    async def send(self, request: Request, *, connect: float, seconds: float) -> RawResponse | AttemptFailure:
        """Make one attempt of at most ``seconds``, including the connection and the complete body."""
        handled = sys.exception()  # the caller may be handling one
        attempt = _SendAttempt()
        token = _attempt.set(attempt)
        try:
            with self._time_limiter.limit(seconds):  # type: ignore[union-attr]  # set by _bind_to_loop
                return await self._exchange(request, connect, attempt)
        except aiohttp.ConnectionTimeoutError:
            failure = _failure(ConnectError, "no connection in time", outcome="not_sent")
        except TimeoutError:
            if attempt.was_sent:
                failure = _failure(AttemptTimeoutError, "no complete response in time")
            else:
                failure = _failure(AttemptTimeoutError, "no connection in time", outcome="not_sent")
        except aiohttp.ClientConnectorCertificateError:
            failure = _failure(TLSError, "the server's certificate was not accepted", outcome="not_sent", max_retries=0)
        except aiohttp.ClientSSLError:
            failure = _failure(TLSError, "the TLS handshake failed", outcome="not_sent")
        except aiohttp.ClientConnectorError as error:
            failure = _failure(ConnectError, _describe_connect_error(error), outcome="not_sent")
        except aiohttp.ClientHttpProxyError as error:
            failure = _proxy_failure(error.status)
        except aiohttp.ClientResponseError as error:
            failure_or_response = _read_response_error(error) if attempt.was_sent else _BROKEN_BEFORE_REQUEST
            if isinstance(failure_or_response, RawResponse):
                return failure_or_response
            failure = failure_or_response
        except aiohttp.ClientPayloadError as error:
            if _is_bad_encoding(error):
                failure = _failure(ProtocolError, "the response's compression is broken", max_retries=1)
            else:
                failure = _failure(TruncatedResponseError, "the response ended early")
        except aiohttp.ClientError:
            failure = _BROKEN_BEFORE_REQUEST
            if attempt.was_sent:
                failure = _failure(DisconnectedError, "the connection broke before the response")
        finally:
            _attempt.reset(token)
            attempt.request = None  # a connection that stays open keeps a copy of this context
            _clear_tracebacks(sys.exception(), handled)
        if self._closed:
            raise ClientClosedError("the client was closed during the call")
        return failure

    async def _exchange(self, request: Request, connect: float, attempt: _SendAttempt) -> RawResponse | AttemptFailure:
        # Everything that a borrowed session may have set differently is stated here.
        session = self._open()
        response = await session.request(
            request.endpoint.method,
            request.url,
            headers=self._headers_of(request),
            data=None if request.body is None else request.body.value,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=self._is_borrowed,  # its middlewares, cache or recorder may use the body
            read_bufsize=READ_BUFFER,
            max_line_size=MAX_HEADER_SIZE,
            max_field_size=MAX_HEADER_SIZE,
            middlewares=(attempt, *self._borrowed_middlewares) if self._needs_middleware else (),
            proxy=self._options.proxy,
            ssl=self._options.ssl_context or True,
            timeout=self._timeout_of(connect),
        )
        try:
            # A middleware may have read the body; there is no public way to know. Mostly all of it has come at once.
            body: bytes | None = getattr(response, "_body", None)
            if body is None:
                content = response.content
                body = content.read_nowait() if content.is_eof() else await _read_stream(content, _limit(response))
                if not body and content.total_bytes and _limit(response) == BODY_LIMIT:
                    return _failure(DecodeError, "a middleware of the session consumed the body", max_retries=0)
            return _decode(response, body, is_decoded=self._is_borrowed)
        finally:
            response.release()  # at once what ``async with`` does in three coroutines

    def _open(self) -> aiohttp.ClientSession:
        """Return the session. It is created on first use because it must be created inside its loop."""
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._session is None:
            self._connector = _Connector(limit=0, keepalive_timeout=IDLE_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers=self._session_headers,
            )
            self._needs_middleware = not hasattr(self._session, _REPEATS)
            if not self._needs_middleware:
                setattr(self._session, _REPEATS, False)
        elif self._is_borrowed:
            self._check_borrowed(self._session)
        return self._session

    def _check_borrowed(self, session: aiohttp.ClientSession) -> None:
        if session.closed:
            raise ClientClosedError("the session of this client is closed")
        if getattr(session, "_loop", self._loop) is not self._loop:
            raise ClientClosedError("the session belongs to another event loop: create it inside the loop that uses it")

    def _headers_of(self, request: Request) -> Mapping[str, str]:
        """Return the headers of the request that are not those of the session."""
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
        if self._loop is None:
            return  # nothing was opened, perhaps because no event loop is running
        if self._loop is not asyncio.get_running_loop() or self._pid != os.getpid():
            self._release_connector()
            return
        if self._session is not None and self._connector is not None:
            self._connector.abort()
            await asyncio.sleep(0)  # so that the calls in flight end
            await self._session.close()
        assert self._time_limiter is not None  # set with the loop
        self._time_limiter.close()

    def _release_connector(self) -> None:
        """Drop connections that belong to another loop than the running one."""
        if self._loop is None:
            return
        if self._pid != os.getpid():
            abandon_inherited_loop(self._loop, self._session)
        elif self._connector is not None and self._loop.is_running():
            # The session is passed along: otherwise it would be finalized before it is closed.
            self._loop.call_soon_threadsafe(_abandon, self._connector, self._session)
        elif self._connector is not None:
            self._connector.abandon()
        self._loop = self._session = self._connector = None


def _clear_tracebacks(error: BaseException | None, handled: BaseException | None) -> None:
    """Clear the frames of an exception, including those of aiohttp.

    They hold the URL, the headers and the received data, which a traceback with local variables would show: that of a
    canceled call, for example, which is not replaced here.
    """
    if error is not None and error is not handled:
        traceback.clear_frames(error.__traceback__)


def _base_headers(api_key: Secret) -> CIMultiDict[str]:
    agent = f"truemed-async/{__version__} Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
    return CIMultiDict({KEY_HEADER: api_key, hdrs.ACCEPT: "application/json", hdrs.USER_AGENT: agent})


def _middlewares_of(session: aiohttp.ClientSession | None) -> tuple[aiohttp.ClientMiddlewareType, ...]:
    """Return the middlewares of a borrowed session: those that are passed with a request replace them."""
    return tuple(getattr(session, "_middlewares", ()))


def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    """Return aiohttp's timeouts: only that of the connection, and not rounded up to whole seconds."""
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds, ceil_threshold=float("inf"))


def _failure(
    error: type[CallError], reason: str, *, outcome: CallOutcome = "unknown", max_retries: int | None = None
) -> AttemptFailure:
    return AttemptFailure(error=error, reason=reason, outcome=outcome, max_retries=max_retries)


_BROKEN_BEFORE_REQUEST = _failure(ConnectError, "the connection broke before the request was sent", outcome="not_sent")


def _is_bad_encoding(error: BaseException) -> bool:
    """Whether a payload failed because its compression is invalid, rather than because it ended early."""
    cause = error.__cause__ or error.__context__
    return isinstance(error, aiohttp.ContentTypeError) or type(cause).__name__ == "ContentEncodingError"


def _describe_connect_error(error: aiohttp.ClientConnectorError) -> str:
    """Say to which host there is no connection, and why. Neither is personal."""
    host = f"{error.host}:{error.port}"
    through_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
    target = f"the proxy {host}" if through_proxy else host
    if isinstance(error.os_error, socket.gaierror):
        return f"the host name {error.host} cannot be resolved"
    reason = f" ({os.strerror(error.errno)})" if error.errno is not None and error.errno > 0 else ""
    hint = ": is the emulator running?" if is_loopback(error.host) and not through_proxy else ""
    return f"no connection to {target}{reason}{hint}"


def _proxy_failure(status: int) -> AttemptFailure:
    """Return the failure of a proxy that responded to CONNECT with a status other than 200."""
    if status == 407:
        reason = "the proxy requires other credentials (407): pass them in the proxy's URL"
        return _failure(ConnectError, reason, outcome="not_sent", max_retries=0)
    return _failure(ConnectError, f"the proxy refused the connection ({status})", outcome="not_sent")


def _read_response_error(error: aiohttp.ClientResponseError) -> RawResponse | AttemptFailure:
    """Read an exception with a status: from the parser, or from a middleware of a borrowed session.

    The parser sets status 400, which is not the server's, and no headers. A middleware that calls
    ``raise_for_status()`` has a response whose body is lost; one that calls ``json()`` found something else.
    """
    if error.headers is None:
        return _failure(ProtocolError, "the response is not well-formed HTTP", max_retries=1)
    if error.status >= 400:
        return RawResponse(error.status, error.headers, b"", has_length=True)
    return _failure(DecodeError, "a middleware of the session rejected the response", max_retries=0)


def _limit(response: aiohttp.ClientResponse) -> int:
    return BODY_LIMIT if 200 <= response.status < 300 else ERROR_BODY_LIMIT


def _decode(response: aiohttp.ClientResponse, body: bytes, *, is_decoded: bool) -> RawResponse | AttemptFailure:
    """Decode a body up to the limit: a few hundred compressed bytes can expand to a gigabyte.

    Args:
        response: Where the body comes from.
        body: The body, or slightly more than the limit of it.
        is_decoded: Whether aiohttp has decoded the body, if it knows its encoding.
    """
    limit = _limit(response)
    success = limit == BODY_LIMIT
    encoding = response.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if encoding and (not is_decoded or encoding == "x-gzip") and (len(body) <= limit or not success):
        try:
            body = decode_content(body, encoding, limit + 1)
        except ValueError:
            return _failure(ProtocolError, "the response's compression is broken", max_retries=1)
    if len(body) > limit:
        response.close()
        if success:
            return _failure(ResponseTooLargeError, f"the response is larger than {limit} bytes", max_retries=0)
        body = body[:limit]
    return new_raw_response(response.status, response.headers, body, hdrs.CONTENT_LENGTH in response.headers)


async def _read_stream(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return the bytes of a stream, or slightly more than ``limit`` of them."""
    body = await content.readany()
    if content.at_eof():
        return body
    pieces, size = [body], len(body)
    async for piece in content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            break
    return b"".join(pieces)
