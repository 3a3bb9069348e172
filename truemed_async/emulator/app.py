"""How the emulator handles one request."""

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs
from aiohttp import web

from truemed_async.emulator import admin, api
from truemed_async.emulator.context import EmulatorContext
from truemed_async.emulator.faults import AbortConnection, Exchange, FaultChain, ResponseBytes
from truemed_async.emulator.inspector import site as inspector
from truemed_async.emulator.pages import site as pages
from truemed_async.emulator.request import (
    HOSTED,
    ApiError,
    ReceivedRequest,
    error_response,
    json_response,
    validation_error,
)
from truemed_async.emulator.request_log import API_KEY_HEADER, CURRENT_REQUEST, LoggedRequest
from truemed_async.emulator.routing import Group, Match, Route, Router

_MAX_BODY_BYTES = 1024**2
_MAX_STATE_BYTES = 256 * 1024**2
_PORT = re.compile(r":[0-9]+\Z")
_RECORD = web.RequestKey("record", LoggedRequest)


class Connection(web.RequestHandler):
    """One connection. It measures its idle time, and logs the responses that the server produces by itself."""

    __slots__ = ("_app", "busy", "gone", "responded")

    def __init__(self, app: "App", server: web.Server) -> None:
        """Create a connection that is not open yet."""
        # No access log: its lines contain the query, and with it search terms.
        options: dict[str, Any] = {"access_log": None}
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._app = app
        self.responded: float | None = None  # the monotonic time of the last response
        self.busy: bool = False  # whether a request is in flight
        self.gone: asyncio.Event = asyncio.Event()

    def retire(self) -> None:
        """Close after the response in flight, or at once if there is none."""
        self.close()
        if not self.busy and self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wake the faults that wait for the client to disconnect."""
        super().connection_lost(exc)
        self.gone.set()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to invalid HTTP, or to a request whose handler raised."""
        self._app.record_failure(request, status)
        return super().handle_error(request, status, exc, message)


class App:
    """Handles requests: log, host check, faults, latency, key, handler, faults, in this order."""

    def __init__(
        self,
        *,
        contexts: Sequence[EmulatorContext],
        delay: Callable[[], float],
    ) -> None:
        """``contexts`` are the sales channels; ``delay`` returns the latency of the next request in seconds."""
        # The accepted values of Host, known once there is a port; one without a port stands for any port.
        self.hosts: frozenset[str] = frozenset()
        self._contexts = contexts
        self._context = contexts[0]  # it stands for the whole emulator where there is no key
        self._keys = tuple((context.api_key.encode(), context) for context in contexts)
        self._delay = delay
        self._inspector = Group(inspector.ROUTES, inspector.call, prefixes=inspector.PREFIXES)
        self._router = Router(
            Group(pages.ROUTES, pages.call, prefixes=pages.PREFIXES),
            self._inspector,
            Group(admin.ROUTES, admin.call, prefixes=admin.PREFIXES, authenticated=True),
            Group(api.ROUTES, _call_api, authenticated=True, is_api=True),
        )
        self._running: set[asyncio.Task[object]] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to one request. The log is correct whatever happens."""
        connection, task = request.protocol, asyncio.current_task()
        assert isinstance(connection, Connection)
        assert task is not None
        connection.busy = True
        self._running.add(task)
        try:
            # The log is written before the response: a client that has the response can rely on the log.
            response = await self._dispatch(request, connection)
            await response.prepare(request)
            await response.write_eof()
        except (AbortConnection, ConnectionError):
            record = request.get(_RECORD)
            if record is not None:
                record.status = None
            if request.transport is not None and not request.transport.is_closing():
                request.transport.abort()
            # Never sent: the transport is already closed.
            return web.Response()
        else:
            return response
        finally:
            connection.responded = time.monotonic()
            connection.busy = False
            self._running.discard(task)

    def record_failure(self, request: web.BaseRequest, status: int) -> None:
        """Log a response that the server produced by itself: to invalid HTTP, or when ``handle`` raised."""
        record = request.get(_RECORD)
        if record is None:
            at = self._context.state.clock.now()
            record = LoggedRequest(
                method="", path="", query="", headers=(), route=None, authenticated=False, status=status, at=at
            )
            self._context.requests.record_start(record)
            self._context.requests.record_end(record)
        record.status = status

    async def cancel(self) -> None:
        """Cancel the requests in flight."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _dispatch(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        group = self._router.group(path)
        match = group.match(request.method, path)
        if group.is_api:
            return await self._handle_api(request, connection, group, match)
        try:
            content = await self._read(request, self._max_bytes(request))
            context = self._channel_of(request)
            if context is None:
                chosen = group is self._inspector
                context = self._chosen_channel(request) if chosen else self._channel_with(match, path)
            return self._respond(context, request, content, group, match)
        except ApiError as error:
            return self._respond_with_error(request, error)

    async def _handle_api(
        self, request: web.BaseRequest, connection: Connection, group: Group, match: Match
    ) -> web.StreamResponse:
        """Respond to a request to the API: log it, and apply the faults."""
        path, _, query = request.raw_path.partition("?")
        channel = self._channel_of(request)
        context = channel or self._context
        record = LoggedRequest(
            method=request.method,
            path=path,
            query=query,
            headers=request.headers.items(),
            route=None if match.route is None else match.route.name,
            authenticated=channel is not None,
            at=context.state.clock.now(),
            sales_channel=None if channel is None else channel.number,
        )
        request[_RECORD] = record
        idle = None if connection.responded is None else time.monotonic() - connection.responded
        log = self._context.requests
        log.record_start(record)
        token = CURRENT_REQUEST.set(record)
        try:
            exchange = Exchange(request, record, match.route, context.state, idle, connection.gone)
            response = await self._respond_with_faults(context, exchange, group, match)
            record.status = response.logged_status if isinstance(response, ResponseBytes) else response.status
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                log.record_response_body(record, response.body)
        finally:
            CURRENT_REQUEST.reset(token)  # one task serves all requests of a connection
            log.record_end(record)
        return response

    async def _respond_with_faults(
        self, context: EmulatorContext, exchange: Exchange, group: Group, match: Match
    ) -> web.StreamResponse:
        try:
            exchange.record.body = await self._read(exchange.request, _MAX_BODY_BYTES)
        except ApiError as error:
            return self._context.dialects.translate_response(
                match.route, exchange.request.method, error_response(error)
            )
        chain = FaultChain(exchange, self._context.faults)
        response = await chain.before()
        if response is None:
            delay = self._delay()
            if delay:
                await asyncio.sleep(delay)
            # Faults of consistency replace the state that the handler sees: that of the first sales channel.
            if exchange.state is not context.state and context is self._context:
                context = attrs.evolve(context, state=exchange.state)
            try:
                response = self._respond(context, exchange.request, exchange.record.body, group, match)
            except ApiError as error:
                response = self._respond_with_error(exchange.request, error)
            if (
                isinstance(response, web.Response)
                and isinstance(response.body, bytes)
                and response.content_type == "application/json"
            ):
                exchange.handler_body = response.body
        dialects = self._context.dialects
        response = dialects.translate_response(match.route, exchange.request.method, response)
        return await chain.after(response)

    def _respond(
        self, context: EmulatorContext, request: web.BaseRequest, content: bytes, group: Group, match: Match
    ) -> web.StreamResponse:
        if group.authenticated and self._channel_of(request) is None:
            # Truemed does not document its response to a missing or wrong key: the 401 and its body are assumed.
            raise ApiError(401, "Unauthorized", f"{API_KEY_HEADER} is missing or wrong")
        if match.error is not None:
            raise match.error
        assert match.route is not None
        received = ReceivedRequest(
            method=request.method,
            target=request.raw_path,
            params=match.params,
            query=request.query,
            headers=request.headers,
            content=content,
            origin=f"{request.scheme}://{request.host}",
        )
        return group.call(match.route, context, received)

    def _respond_with_error(self, request: web.BaseRequest, error: ApiError) -> web.Response:
        """Return Truemed's error response, or a page to a person who lost the way; programs do not accept HTML."""
        is_lost = error.status in {401, 404} and request.method == "GET"
        if is_lost and "text/html" in request.headers.get("Accept", ""):
            with suppress(ApiError):  # Jinja is not installed
                return pages.error_page(self._context, error)
        return error_response(error)

    async def _read(self, request: web.BaseRequest, max_bytes: int) -> bytes:
        """Return the body of a request to this emulator, up to so many bytes."""
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = bytearray()
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > max_bytes:
                    raise ApiError(413, "PayloadTooLarge", "the body is too large")
        except web.RequestPayloadError:
            raise validation_error("the body cannot be read") from None
        # A web page can point its own name at 127.0.0.1 (DNS rebinding), but it still sends that name as Host.
        host = request.headers.get("Host", "").lower()
        if host not in self.hosts and _PORT.sub("", host) not in self.hosts:
            raise ApiError(421, "MisdirectedRequest", "Host must be the emulator's own address, or an allowed one")
        return bytes(body)

    def _max_bytes(self, request: web.BaseRequest) -> int:
        """Return how large a body may be: a state is larger than any other request, but requires the key."""
        is_state = request.raw_path == admin.STATE_PATH and self._channel_of(request) is not None
        return _MAX_STATE_BYTES if is_state else _MAX_BODY_BYTES

    def _channel_of(self, request: web.BaseRequest) -> EmulatorContext | None:
        """Return the sales channel to which the key of the request belongs, or ``None`` if it belongs to none."""
        received = request.headers.get(API_KEY_HEADER, "").encode(errors="surrogateescape")
        return next((context for key, context in self._keys if hmac.compare_digest(received, key)), None)

    def _chosen_channel(self, request: web.BaseRequest) -> EmulatorContext:
        """Return the sales channel that a page of the inspector shows: that of its query or cookie, or the first."""
        cookie = request.cookies.get(inspector.channel_cookie(request.host), "")
        number = request.query.get(inspector.CHANNEL_PARAMETER, cookie)
        return next((context for context in self._contexts if str(context.number) == number), self._context)

    def _channel_with(self, match: Match, path: str) -> EmulatorContext:
        """Return the sales channel that holds the object of a hosted page: a shopper has no key."""
        resource, id = path.removeprefix(f"{HOSTED}/").partition("/")[0], match.params.get("id", "")
        stores = ((context, context.state.stores.get(resource)) for context in self._contexts)
        return next((context for context, store in stores if store is not None and id in store), self._context)


def _call_api(route: Route, context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Validate a request, handle it under the lock, and return the response."""
    context.dialects.translate_request(route, request)
    route.validate(request)
    with context.state.lock:
        return json_response(route.status, route.handle(context.dialects.view(context.state), request))
