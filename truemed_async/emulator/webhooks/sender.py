"""Sends what is due, one delivery at a time to each endpoint, and tells the outbox what became of it."""

import asyncio
import secrets
import time
from io import BytesIO
from typing import Final

import aiohttp

from truemed_async.emulator.clock import Clock
from truemed_async.emulator.webhooks.faults import Letter
from truemed_async.emulator.webhooks.model import DeliveryAttempt
from truemed_async.emulator.webhooks.outbox import Outbox, Sending
from truemed_async.emulator.webhooks.signing import authentication, masked

_AGENT: Final = "truemed-emulator"


class Sender:
    """Runs in the loop that serves; what is sent does not go through the SDK, nor through its connections."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        """Send from now on, in the running loop."""
        self._outbox = outbox
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None  # there is none until there is something to send
        outbox.on_news.append(self._told)
        self._wake()

    async def stop(self) -> None:
        """Stop; what is under way is cut off and counts as not taken."""
        self._outbox.on_news.remove(self._told)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._outbox.put_back()

    def _told(self) -> None:
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._news.set()
        if self._task is None and self._told in self._outbox.on_news and self._outbox.seconds_left() is not None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        # A connection each: one that was kept could be closed by the merchant just when it is used again.
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as under_way,
        ):
            while True:
                self._news.clear()
                for sending in self._outbox.take():
                    under_way.create_task(self._attempt(session, sending))
                try:
                    async with asyncio.timeout(self._outbox.seconds_left()):
                        await self._news.wait()
                except TimeoutError:
                    continue

    async def _attempt(self, session: aiohttp.ClientSession, sending: Sending) -> None:
        """Make one attempt; however it ends, the outbox is told."""
        at, began = self._clock.now(), time.monotonic()
        attempt = DeliveryAttempt(at=at, failure="cut off")
        try:
            if sending.letter is None:
                attempt = DeliveryAttempt(at=at, failure="lost", fault=sending.fault)
                return
            headers = _headers(sending.letter)
            shown = tuple((name, masked(name, value)) for name, value in headers)
            status, failure = await _post(session, sending.letter, headers, self._outbox.timeout)
            attempt = DeliveryAttempt(
                at=at,
                seconds=time.monotonic() - began,
                status=status,
                failure=failure,
                headers=shown,
                fault=sending.fault,
            )
        finally:
            for error in self._outbox.done(sending.delivery, attempt):
                self._loop.call_exception_handler({"message": "told of a webhook's attempt", "exception": error})


async def _post(
    session: aiohttp.ClientSession, letter: Letter, headers: list[tuple[str, str]], seconds: float
) -> tuple[int | None, str | None]:
    """Return the status of the answer, or the name of what failed."""
    url, timeout = letter.endpoint.url, aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.post(
            url, data=BytesIO(letter.body), headers=headers, allow_redirects=False, timeout=timeout
        ) as response:
            await response.content.read(1024)
            return response.status, None
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return None, type(error).__name__


def _headers(letter: Letter) -> list[tuple[str, str]]:
    endpoint = letter.endpoint
    headers = [("Content-Type", "application/json"), ("User-Agent", _AGENT)]
    right = authentication(endpoint.mode, endpoint.secrets, letter.body, letter.at)
    wrong = authentication(endpoint.mode, [secrets.token_hex(16)], letter.body, letter.at)
    if letter.forged or letter.doubled:
        headers.append(wrong)
    if not letter.forged:
        headers.append(right)
    return headers
