"""A server that allows a number of requests in each window of time, and refuses the others until the next one begins."""

import asyncio
import math
import threading
import time

from aiohttp import web

BODY = {"qualification_session_id": "qs_1", "status": "approved"}


class RateLimitedServer:
    """Serves in a thread of its own. ``statuses`` has the time and the status of each response."""

    def __init__(self, *, allowed, window):
        self.allowed, self.window = allowed, window
        self.statuses = []
        self._begin, self._left = 0.0, 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._run(self._serve())
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    def __exit__(self, *_):
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def count(self, status):
        return sum(found == status for _, found in self.statuses)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _serve(self):
        self._runner = web.ServerRunner(web.Server(self._respond, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def _respond(self, request):
        now = time.monotonic()
        if now >= self._begin + self.window:
            self._begin, self._left = now, self.allowed
        self._left -= 1
        status = 200 if self._left >= 0 else 429
        self.statuses.append((now, status))
        if status == 200:
            return web.json_response(BODY)
        return web.json_response(
            {"error": "RateLimited"},
            status=429,
            headers={"Retry-After": str(math.ceil(self._begin + self.window - now))},
        )
