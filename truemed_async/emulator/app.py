"""The way of one request through the emulator."""

import asyncio
import hmac
from collections.abc import Callable

import orjson
from aiohttp import web

from truemed_async.emulator.call import Call, Problem, invalid
from truemed_async.emulator.faults import Cut, Exchange, Faults
from truemed_async.emulator.routes import Found, find_route
from truemed_async.emulator.state import State
from truemed_async.emulator.wirelog import API_KEY_HEADER, WireLog, WireRequest

_RECORD = web.RequestKey("record", WireRequest)


class App:
    """Answers requests: log, host check, faults, latency, key, handler, faults, in this order."""

    def __init__(
        self,
        *,
        state: State,
        requests: WireLog,
        faults: Faults,
        api_key: str,
        delay: Callable[[], float],
    ) -> None:
        """`delay` returns the seconds that the next request has to wait."""
        self.hosts: frozenset[str] = frozenset()  # the values of Host that mean us: known once there is a port
        self._state = state
        self._requests = requests
        self._faults = faults
        self._api_key = api_key.encode()
        self._delay = delay
        self._running: set[asyncio.Task[object]] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, keeping the log true whatever happens."""
        path, _, query = request.raw_path.partition("?")
        found = find_route(request.method, path)
        route = None if isinstance(found, Problem) else found.route
        record = WireRequest(
            method=request.method,
            path=path,
            query=query,
            headers=request.headers.items(),
            route=None if route is None else route.name,
            authenticated=self._is_authenticated(request),
        )
        request[_RECORD] = record
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self._requests.opened(record)
        try:
            # First the log, then the wire: who has the answer can rely on what the log says of the request.
            try:
                response = await self._respond(Exchange(request, record, route, self._state), found)
                record.status = response.status
            finally:
                self._requests.closed()
            await response.prepare(request)
            await response.write_eof()
        except (Cut, ConnectionError):
            record.status = None
            if request.transport is not None and not request.transport.is_closing():
                request.transport.abort()
            # Nobody receives it: the server finds the transport closed and lets go.
            return web.Response()
        else:
            return response
        finally:
            self._running.discard(task)

    def failed(self, request: web.BaseRequest, status: int) -> None:
        """Take note of an answer that the server gives by itself: to what is no HTTP, or when `handle` breaks."""
        record = request.get(_RECORD)
        if record is None:
            record = WireRequest(method="", path="", query="", headers=(), route=None, authenticated=False)
            self._requests.opened(record)
            self._requests.closed()
        record.status = status

    async def cancel(self) -> None:
        """End the requests that are being answered, however long they meant to wait."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _respond(self, exchange: Exchange, found: Found | Problem) -> web.StreamResponse:
        request = exchange.request
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            exchange.record.body = await request.read()
        except web.RequestPayloadError:
            return _refusal(invalid("the body cannot be read"))
        except web.HTTPRequestEntityTooLarge:
            return _refusal(Problem(413, "PayloadTooLarge", "the body is too large"))
        # A web page can point its own name at 127.0.0.1 (DNS rebinding), but the Host it sends is still that name.
        if request.headers.get("Host", "").lower() not in self.hosts:
            return _refusal(Problem(421, "MisdirectedRequest", "Host must be the emulator's own address"))

        response = await self._faults.before(exchange)
        if response is not None:
            return response
        delay = self._delay()
        if delay:
            await asyncio.sleep(delay)
        try:
            response = _json(200, self._answer(exchange, found))
        except Problem as problem:
            response = _refusal(problem)
        return await self._faults.after(exchange, response)

    def _answer(self, exchange: Exchange, found: Found | Problem) -> object:
        # Truemed documents no answer to a missing or wrong key: the 401 and its body are our choice.
        if not exchange.record.authenticated:
            raise Problem(401, "Unauthorized", f"{API_KEY_HEADER} is missing or wrong")
        if isinstance(found, Problem):
            raise found
        if found.route.handler is None:
            raise Problem(501, "NotImplemented", f"the emulator does not answer {found.route.name} yet")
        with self._state.lock:
            return found.route.handler(self._state, Call(found.params, exchange.request.query, exchange.record.body))

    def _is_authenticated(self, request: web.BaseRequest) -> bool:
        given = request.headers.get(API_KEY_HEADER, "")
        return hmac.compare_digest(given.encode(errors="surrogateescape"), self._api_key)


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), headers=headers, content_type="application/json")


def _refusal(problem: Problem) -> web.Response:
    headers = {"Allow": problem.allow} if problem.allow else None
    return _json(problem.status, {"error": problem.error, "message": problem.message}, headers)
