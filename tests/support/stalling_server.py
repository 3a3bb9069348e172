"""A server in a separate thread that returns the requested id, and stalls for some ids."""

import asyncio
import json
import sys
import threading

import pytest

from tests.support.recording_server import KEY, RecordingServer
from tests.support.scale import LONG

__all__ = ["KEY", "Server", "on_either_loop"]


ROWS = 500


class Server:
    """Answers ``get`` with that id, and ``list`` with pages of :data:`ROWS` rows.

    ``qs_body`` stops in the middle of the body, ``qs_pause`` is unavailable, ``qs_silent`` never
    answers, and so does any page from ``stall_from`` on. ``reached`` is set whenever the server waits.
    """

    def __init__(self, tls=None):
        self.reached = threading.Event()
        self.stall_from = sys.maxsize
        self.failing_from = sys.maxsize
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.wire = RecordingServer(self._script)

    def __enter__(self):
        self._thread.start()
        self._do(self.wire.start(self._tls))
        self.url = self.wire.url
        return self

    def __exit__(self, *_):
        self._do(self.wire.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    @property
    def pages(self):
        """The number of requested pages."""
        return sum("?" in each.target for each in list(self.wire.requests))

    async def _script(self, exchange):
        path, _, query = exchange.request.target.partition("?")
        name = path.rsplit("/", 1)[-1]
        if query:
            parameters = dict(pair.split("=") for pair in query.split("&"))
            await self._page(exchange, int(parameters["page"]), int(parameters["page_size"]))
        elif name == "qs_pause":
            await exchange.respond(503)
            self.reached.set()
        elif name == "qs_silent":
            await self._stall()
        elif name == "qs_body":
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            await self._stall()
        else:
            await exchange.respond(200, json.dumps(_row(name)).encode())

    async def _page(self, exchange, page, page_size):
        if page >= self.failing_from:
            await exchange.respond(400, b'{"error": "ValidationError"}')
            return
        if page >= self.stall_from:
            await self._stall()
        begin = (page - 1) * page_size
        rows = [_row(f"qs_{number}", number) for number in range(begin, min(begin + page_size, ROWS))]
        pagination = {"count": ROWS, "current_page": page, "last_page": -(-ROWS // page_size), "page_size": page_size}
        await exchange.respond(200, json.dumps({"qualification_sessions": rows, "pagination": pagination}).encode())

    async def _stall(self):
        self.reached.set()
        await asyncio.sleep(60)


def _row(name, number=0):
    minutes, seconds = divmod(number, 60)
    created_at = f"2026-01-01T00:{minutes:02}:{seconds:02}Z"
    return {"qualification_session_id": name, "status": "approved", "created_at": created_at}


def on_either_loop(cases):
    """Parametrise by ``case`` and ``loop``: the loops take turns, or with TRUEMED_LONG=1 each case runs on both."""
    loops = ["asyncio", "uvloop"]
    return pytest.mark.parametrize(
        ("case", "loop"),
        [
            pytest.param(case, loop, id=f"{name}-{loop}")
            for number, (name, case) in enumerate(cases.items())
            for loop in (loops if LONG else [loops[number % 2]])
        ],
    )
