"""The way of one request through the emulator."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from truemed_async.emulator.admin.site import ADMIN, STATE, administered
from truemed_async.emulator.call import Problem, invalid
from truemed_async.emulator.faults import AbortConnection, Exchange, Passage, RawResponse
from truemed_async.emulator.inspector.desk import Desk
from truemed_async.emulator.inspector.site import inspected, is_inspector
from truemed_async.emulator.pages.site import is_page, visited
from truemed_async.emulator.request_log import API_KEY_HEADER, LoggedRequest
from truemed_async.emulator.responses import answer, refusal
from truemed_async.emulator.routes import Found, find_route

_MOST_OF_A_REQUEST = 1024**2
_MOST_OF_A_STATE = 256 * 1024**2
_RECORD = web.RequestKey("record", LoggedRequest)


class Connection(web.RequestHandler):
    """One connection: it knows how long it was idle, and tells the log what the server answers by itself."""

    __slots__ = ("_app", "answered", "busy", "gone")

    def __init__(self, app: "App", server: web.Server) -> None:
        """Make a connection that is not open yet."""
        # No access log: its lines hold the query, and in it what was searched for.
        options: dict[str, Any] = {"access_log": None}
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._app = app
        self.answered: float | None = None  # when the last request on it was, by the monotonic clock
        self.busy: bool = False  # whether a request on it is being answered
        self.gone: asyncio.Event = asyncio.Event()

    def retire(self) -> None:
        """Close when the answer that is under way is out, or at once if there is none."""
        self.close()
        if not self.busy and self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wake who waits for the client to go away."""
        super().connection_lost(exc)
        self.gone.set()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a request whose handling broke."""
        self._app.failed(request, status)
        return super().handle_error(request, status, exc, message)


_Answerer: TypeAlias = "Callable[[web.BaseRequest, Connection], Awaitable[web.StreamResponse]]"


class App:
    """Answers requests: log, host check, faults, latency, key, handler, faults, in this order."""

    def __init__(
        self,
        *,
        desk: Desk,
        delay: Callable[[], float],
    ) -> None:
        """`delay` returns the seconds that the next request has to wait."""
        self.hosts: frozenset[str] = frozenset()  # the values of Host that mean us: known once there is a port
        self._desk = desk
        self._state = desk.state
        self._requests = desk.requests
        self._faults = desk.faults
        self._api_key = desk.api_key.encode()
        self._delay = delay
        self._running: set[asyncio.Task[object]] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, keeping the log true whatever happens."""
        connection, task = request.protocol, asyncio.current_task()
        assert isinstance(connection, Connection)
        assert task is not None
        connection.busy = True
        self._running.add(task)
        try:
            # First the log, then the wire: who has the answer can rely on what the log says of the request.
            response = await self._of_whom(request)(request, connection)
            await response.prepare(request)
            await response.write_eof()
        except (AbortConnection, ConnectionError):
            record = request.get(_RECORD)
            if record is not None:
                record.status = None
            if request.transport is not None and not request.transport.is_closing():
                request.transport.abort()
            # Nobody receives it: the server finds the transport closed and lets go.
            return web.Response()
        else:
            return response
        finally:
            connection.answered = time.monotonic()
            connection.busy = False
            self._running.discard(task)

    def failed(self, request: web.BaseRequest, status: int) -> None:
        """Take note of an answer that the server gives by itself: to what is no HTTP, or when `handle` breaks."""
        record = request.get(_RECORD)
        if record is None:
            record = LoggedRequest(method="", path="", query="", headers=(), route=None, authenticated=False)
            self._requests.record_start(record)
            self._requests.record_end(record)
        record.status = status

    async def cancel(self) -> None:
        """End the requests that are being answered, however long they meant to wait."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _logged(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        found = find_route(request.method, path)
        route = None if isinstance(found, Problem) else found.route
        record = LoggedRequest(
            method=request.method,
            path=path,
            query=query,
            headers=request.headers.items(),
            route=None if route is None else route.name,
            authenticated=self._is_authenticated(request),
        )
        request[_RECORD] = record
        idle = None if connection.answered is None else time.monotonic() - connection.answered
        self._requests.record_start(record)
        try:
            response = await self._respond(Exchange(request, record, route, self._state, idle, connection.gone), found)
            record.status = response.recorded if isinstance(response, RawResponse) else response.status
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                self._requests.record_response_body(record, response.body)
        finally:
            self._requests.record_end(record)
        return response

    async def _respond(self, exchange: Exchange, found: Found | Problem) -> web.StreamResponse:
        try:
            exchange.record.body = await self._read(exchange.request)
        except Problem as problem:
            return refusal(problem)
        passage = Passage(exchange, self._faults)
        response = await passage.before()
        if response is None:
            delay = self._delay()
            if delay:
                await asyncio.sleep(delay)
            try:
                response = self._answer(exchange, found)
            except Problem as problem:
                response = refusal(problem)
        return await passage.after(response)

    async def _read(self, request: web.BaseRequest, most: int = _MOST_OF_A_REQUEST) -> bytes:
        """Return the body, up to so many bytes, of a request that is meant for this emulator."""
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = bytearray()
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > most:
                    raise Problem(413, "PayloadTooLarge", "the body is too large")
        except web.RequestPayloadError:
            raise invalid("the body cannot be read") from None
        # A web page can point its own name at 127.0.0.1 (DNS rebinding), but the Host it sends is still that name.
        if request.headers.get("Host", "").lower() not in self.hosts:
            raise Problem(421, "MisdirectedRequest", "Host must be the emulator's own address")
        return bytes(body)

    def _answer(self, exchange: Exchange, found: Found | Problem) -> web.Response:
        if not exchange.record.authenticated:
            raise _unauthenticated()
        if isinstance(found, Problem):
            raise found
        route = found.route
        if route.handler is None:
            raise Problem(501, "NotImplemented", f"the emulator does not answer {route.name} yet")
        call = route.call(found.params, exchange.request.query, exchange.record.body, _origin(exchange.request))
        with exchange.state.lock:
            return answer(route.status, route.handler(exchange.state, call))

    def _of_whom(self, request: web.BaseRequest) -> _Answerer:
        """Return who answers: the pages, the emulator's own paths, or the API."""
        path = request.raw_path.partition("?")[0]
        if is_page(path) or is_inspector(path):
            return self._visited
        return self._administer if request.raw_path.startswith(ADMIN) else self._logged

    async def _visited(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        del connection
        try:
            body = await self._read(request)
            sent = (request.method, request.raw_path, request.headers, body)
            if is_inspector(request.raw_path.partition("?")[0]):
                return inspected(self._desk, *sent)
            return visited(self._state, *sent)
        except Problem as problem:
            return refusal(problem)

    async def _administer(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        del connection
        try:
            body = await self._read(request, self._most(request))
            if not self._is_authenticated(request):
                raise _unauthenticated()
            path = request.raw_path.partition("?")[0]
            return administered(self._desk, request.method, path, body, _origin(request))
        except Problem as problem:
            return refusal(problem)

    def _most(self, request: web.BaseRequest) -> int:
        """Return how large a body may be: a whole state is larger than any request, but not from just anybody."""
        whole = request.raw_path == STATE and self._is_authenticated(request)
        return _MOST_OF_A_STATE if whole else _MOST_OF_A_REQUEST

    def _is_authenticated(self, request: web.BaseRequest) -> bool:
        given = request.headers.get(API_KEY_HEADER, "")
        return hmac.compare_digest(given.encode(errors="surrogateescape"), self._api_key)


def _origin(request: web.BaseRequest) -> str:
    return f"{request.scheme}://{request.host}"


def _unauthenticated() -> Problem:
    # Truemed documents no answer to a missing or wrong key: the 401 and its body are our choice.
    return Problem(401, "Unauthorized", f"{API_KEY_HEADER} is missing or wrong")
