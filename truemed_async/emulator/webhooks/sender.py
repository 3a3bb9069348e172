"""Sends due deliveries, one at a time to each endpoint, and reports each attempt to the outbox.

Truemed publishes what is signed and how; that the header reads ``t=…,v1=<hex>`` is an assumption.
"""

import asyncio
import hashlib
import hmac
import secrets as random_secrets
import time
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Final

import aiohttp

from truemed_async.emulator.clock import Clock
from truemed_async.emulator.webhooks.faults import OutgoingRequest
from truemed_async.emulator.webhooks.model import DeliveryAttempt, Mode
from truemed_async.emulator.webhooks.outbox import Outbox, PendingAttempt

SIGNATURE: Final = "x-truemed-signature"
API_KEY: Final = "x-truemed-api-key"
_USER_AGENT: Final = "truemed-emulator"


class Sender:
    """Sends in the loop that serves the emulator; it shares neither code nor connections with the SDK."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        """Start sending in the running loop."""
        self._outbox = outbox
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None  # started with the first delivery
        outbox.on_change.append(self._on_change)
        self._wake()

    async def stop(self) -> None:
        """Stop; a request in progress is aborted and counts as not acknowledged."""
        self._outbox.on_change.remove(self._on_change)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._outbox.requeue_unsent()

    def _on_change(self) -> None:
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._changed.set()
        running = self._on_change in self._outbox.on_change
        if self._task is None and running and self._outbox.seconds_until_due() is not None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        # One connection for each request: the merchant could close a reused one at any moment.
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as attempts,
        ):
            while True:
                self._changed.clear()
                for pending in self._outbox.take_due():
                    attempts.create_task(self._attempt(session, pending))
                try:
                    async with asyncio.timeout(self._outbox.seconds_until_due()):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def _attempt(self, session: aiohttp.ClientSession, pending: PendingAttempt) -> None:
        """Make one attempt and report it, however it ends."""
        at, started = self._clock.now(), time.monotonic()
        attempt = DeliveryAttempt(at=at, failure="aborted")
        try:
            if pending.request is None:
                attempt = DeliveryAttempt(at=at, failure="lost", fault=pending.fault)
                return
            headers = _headers(pending.request)
            status, failure = await _post(session, pending.request, headers, self._outbox.timeout)
            attempt = DeliveryAttempt(
                at=at,
                seconds=time.monotonic() - started,
                status=status,
                failure=failure,
                headers=tuple((name, "***" if name == API_KEY else value) for name, value in headers),
                fault=pending.fault,
            )
        finally:
            for error in self._outbox.record_attempt(pending.delivery, attempt):
                self._loop.call_exception_handler({"message": "an on_attempt callback failed", "exception": error})


async def _post(
    session: aiohttp.ClientSession, request: OutgoingRequest, headers: list[tuple[str, str]], seconds: float
) -> tuple[int | None, str | None]:
    """Return the status of the response, or the name of the error."""
    url, timeout = request.endpoint.url, aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.post(
            url, data=BytesIO(request.body), headers=headers, allow_redirects=False, timeout=timeout
        ) as response:
            await response.content.read(1024)
            return response.status, None
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return None, type(error).__name__


def _headers(request: OutgoingRequest) -> list[tuple[str, str]]:
    endpoint = request.endpoint
    headers = [("Content-Type", "application/json"), ("User-Agent", _USER_AGENT)]
    if request.forged or request.doubled:
        headers.append(_authenticate(endpoint.mode, [random_secrets.token_hex(16)], request.body, request.signed_at))
    if not request.forged:
        headers.append(_authenticate(endpoint.mode, endpoint.secrets, request.body, request.signed_at))
    return headers


def _authenticate(mode: Mode, secrets: Sequence[str], body: bytes, at: datetime) -> tuple[str, str]:
    """Return the header that authenticates a body: a signature for each secret, or the first secret itself."""
    if mode == "unsigned":
        return API_KEY, secrets[0]
    t = str(int(at.timestamp()))
    signatures = (hmac.new(secret.encode(), t.encode() + b"." + body, hashlib.sha256).hexdigest() for secret in secrets)
    return SIGNATURE, ",".join([f"t={t}", *(f"v1={signature}" for signature in signatures)])
