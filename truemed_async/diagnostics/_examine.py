"""Sends the requests: GETs, and POSTs that read. None can have an effect."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from yarl import URL

from truemed_async import endpoints
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.request import Query, Request
from truemed_async._core.transport import AiohttpTransport
from truemed_async._sensitive import Secret
from truemed_async._validation.configuration import HOSTS
from truemed_async._validation.scalars import validate_seconds
from truemed_async._validation.urls import is_loopback
from truemed_async.client import AsyncTruemed, state_of
from truemed_async.diagnostics._analysis import analyze
from truemed_async.diagnostics._report import ServerReport
from truemed_async.diagnostics._responses import (
    PAGE_SIZES,
    SESSION_ID,
    Observations,
    Reply,
    find_id,
    find_last_page,
    find_row_page_size,
)
from truemed_async.errors import InvalidArgumentError

ProgressHook = Callable[[int, int], object]
"""Called with the number of requests that were sent, and how many there will be at most."""

MAX_LOST_REQUESTS = 3
"""After so many requests in a row without a response, or with an error of the server, the others are not sent."""
MAX_ATTEMPTS = 2
RETRY_DELAY = 0.5
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_TIE_REPEATS = 4
_WRONG_KEY = "truemed-doctor-wrong-key"
_NOBODY = "truemed-doctor-unknown-id"
_PAGE_WITHOUT_ROWS = 10_000  # if the last page is unknown
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")

LISTS: tuple[Endpoint[Any], ...] = (
    endpoints.LIST_PAYMENT_SESSIONS,
    endpoints.LIST_PAYMENT_TOKENS,
    endpoints.LIST_CATALOG_ITEMS,
    endpoints.LIST_PAYOUTS,
    endpoints.LIST_TRANSACTIONS,
)
_UNKNOWN_PATH = Endpoint("unknown path", "GET", "/api/v1/truemed_doctor_unknown_path", dict[str, Any])
# A GET to a route that takes POST only.
_WRONG_METHOD = Endpoint("wrong method", "GET", endpoints.REFUND_PAYMENT_SESSION.path, dict[str, Any])
_REQUESTS = len(PAGE_SIZES) + _TIE_REPEATS + 2 + len(LISTS) + 4 + 5


async def examine_server(
    client: AsyncTruemed,
    *,
    timeout: float = 120.0,  # noqa: ASYNC109  # of all requests together
    progress: ProgressHook | None = None,
) -> ServerReport:
    """Find out what the client's server does where Truemed's documentation leaves a choice.

    It sends about 25 requests, one after another: lists, single objects, and requests that the server has to refuse
    (a wrong key, an unknown id, a wrong method). None of them can have an effect. The requests bypass hooks, and retries
    are few. The report contains no value of an object; see :class:`ServerReport`.

    Args:
        client: The client. Its timeouts apply to each request.
        timeout: How long to take, in seconds, apart from the last request.
        progress: Called after each request with the number of requests so far, and the most that there can be.

    Returns:
        The report, also if the server does not respond or refuses the key; see ``ServerReport.passed``.

    Raises:
        InvalidArgumentError: An argument is invalid.
        ClientClosedError: The client is closed, or belongs to another running event loop.
    """
    if not isinstance(client, AsyncTruemed):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgumentError(f"client must be an AsyncTruemed, not {type(client).__name__}")
    examination = _Examination(client, validate_seconds("timeout", timeout), progress)
    try:
        await examination.run()
    finally:
        await examination.close()
    return analyze(examination.found)


class _Examination:
    """One run; ``found`` grows with each response."""

    def __init__(self, client: AsyncTruemed, seconds: float, progress: ProgressHook | None) -> None:
        self.found = Observations(server=_describe_server(state_of(client).base_url))
        self._client = client
        self._state = state_of(client)
        self._deadline = client.clock.monotonic() + seconds
        self._progress = progress
        self._lost = 0
        transport = self._state.transport
        self._stranger = AiohttpTransport(api_key=Secret(_WRONG_KEY), options=transport.options, max_concurrency=1)

    async def close(self) -> None:
        """Close the connections of the wrong key."""
        await self._stranger.close()

    async def run(self) -> None:
        """Send all requests, or stop if the server does not respond or refuses the key."""
        await self._examine_connection()
        sessions = endpoints.LIST_QUALIFICATION_SESSIONS
        first = await self._send("size 30", sessions, query={"page": 1, "page_size": 30})
        await self._send("wrong key", sessions, transport=self._stranger)
        if first.status in (None, 401, 403):
            return
        await self._examine_errors()
        for size in PAGE_SIZES:
            if size != 30:
                await self._send(f"size {size}", sessions, query={"page": 1, "page_size": size})
        await self._send("second page", sessions, query={"page": 2, "page_size": max(PAGE_SIZES)})
        beyond = find_last_page(self.found)
        await self._send(
            "beyond", sessions, query={"page": _PAGE_WITHOUT_ROWS if beyond is None else beyond + 1, "page_size": 30}
        )
        size = find_row_page_size(self.found)
        for number in range(_TIE_REPEATS):
            await self._send(f"repeat {number}", sessions, query={"page": 1, "page_size": size})
        today = datetime.fromtimestamp(self._client.clock.wall(), UTC).date()
        days = {"start_date": (today - timedelta(days=30)).isoformat(), "end_date": today.isoformat()}
        for endpoint in LISTS:
            dated = days if endpoint.name.startswith("reconciliations.") else {}
            await self._send(endpoint.name, endpoint, query={**dated, "page": 1, "page_size": size})
        await self._examine_objects()

    async def _examine_errors(self) -> None:
        await self._send("invalid query", endpoints.LIST_QUALIFICATION_SESSIONS, query={"page": 0})
        await self._send("unknown id", endpoints.GET_QUALIFICATION_SESSION, path={"qualification_session_id": _NOBODY})
        await self._send("unknown path", _UNKNOWN_PATH)
        await self._send("wrong method", _WRONG_METHOD)

    async def _examine_objects(self) -> None:
        for purpose, name, endpoint in (
            ("size 30", SESSION_ID, endpoints.GET_QUALIFICATION_SESSION),
            (endpoints.LIST_PAYMENT_SESSIONS.name, "id", endpoints.GET_PAYMENT_SESSION),
            (endpoints.LIST_PAYMENT_TOKENS.name, "payment_token", endpoints.GET_PAYMENT_TOKEN),
        ):
            id = find_id(self.found, purpose, name)
            if id is not None:
                await self._send(endpoint.name, endpoint, path={endpoint.placeholders[0]: id.value})
        sku = find_id(self.found, endpoints.LIST_CATALOG_ITEMS.name, "sku")
        if sku is not None:
            await self._send(endpoints.GET_CATALOG_ITEM.name, endpoints.GET_CATALOG_ITEM, body={"sku": sku.value})

    async def _send(
        self,
        purpose: str,
        endpoint: Endpoint[Any],
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        transport: AiohttpTransport | None = None,
    ) -> Reply:
        """Send one request, once more if it fails, and remember what came back."""
        try:
            request = self._client.build_request(endpoint, path=path, query=query, body=body)
        except InvalidArgumentError:  # an id that this library would not send
            return Reply(endpoint=endpoint.name)
        del path, query, body
        reply = Reply(endpoint=endpoint.name)
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await self._client.clock.sleep(RETRY_DELAY)
            if self._lost >= MAX_LOST_REQUESTS or self._client.clock.monotonic() >= self._deadline:
                self.found.stopped = True
                return reply
            reply = await self._attempt(endpoint.name, transport or self._state.transport, request)
            if reply.status == 429:
                self.found.limited = reply
            if reply.status is not None and reply.status not in _RETRIED_STATUSES:
                break
        self._lost = self._lost + 1 if reply.status is None or reply.status in _RETRIED_STATUSES else 0
        self.found.replies[purpose] = reply
        if self._progress is not None:
            self._progress(len(self.found.replies), _REQUESTS)
        return reply

    async def _attempt(self, name: str, transport: AiohttpTransport, request: Request) -> Reply:
        timeouts, clock = self._state.defaults.timeouts, self._client.clock
        async with transport.bind():
            start, sent_at = clock.monotonic(), clock.wall()
            result = await transport.send(request, connect=timeouts.connect, seconds=timeouts.attempt)
            seconds = clock.monotonic() - start
        self.found.requests += 1
        if isinstance(result, AttemptFailure):
            return Reply(endpoint=name, failure=result.reason)
        return Reply(endpoint=name, raw=result, seconds=seconds, received_at=sent_at + seconds)

    async def _examine_connection(self) -> None:
        """Look at the way to the server: proxy, name, TLS."""
        options, url = self._state.transport.options, self._state.base_url
        names = [name for name in _PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
        self.found.proxy, self.found.ignored_proxies = options.proxy is not None, tuple(names)
        if options.proxy is not None or options.session is not None:
            return  # the proxy or the borrowed session decides about the rest
        timeout, host, port = self._state.defaults.timeouts.connect, url.host or "", url.port or 443
        try:
            async with asyncio.timeout(timeout):
                addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError):
            self.found.addresses = 0
            return
        self.found.addresses = len({address[4][0] for address in addresses})
        if url.scheme == "https":
            self.found.tls = await _read_tls(host, port, options.ssl_context or ssl.create_default_context(), timeout)


async def _read_tls(host: str, port: int, context: ssl.SSLContext, seconds: float) -> str:
    """Return the version of TLS, or what is wrong."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError:
        return "the certificate was not accepted"
    except ssl.SSLError:
        return "the handshake failed"
    except (OSError, TimeoutError):
        return "no connection"
    version = writer.get_extra_info("ssl_object").version()
    writer.transport.abort()
    return str(version)


def _describe_server(url: URL) -> str:
    """Return which server it is, without the name of a host that is not Truemed's."""
    for environment, address in HOSTS.items():
        if url.host == URL(address).host:
            return environment
    return "a server on this machine" if is_loopback(url.host or "") else "another server"
