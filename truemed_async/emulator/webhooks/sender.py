"""Sends due deliveries, one at a time to each endpoint, and reports each attempt to the outbox.

Truemed publishes what is signed and how, but not the grammar of the header: it depends on the dialect.
"""

import asyncio
import secrets as random_secrets
import time
from io import BytesIO
from typing import Final

import aiohttp
import attrs

from truemed_async.emulator.clock import EmulatorClock
from truemed_async.emulator.webhooks.encoding import sign_delivery
from truemed_async.emulator.webhooks.faults import OutgoingRequest
from truemed_async.emulator.webhooks.model import DeliveryAttempt, WebhookEndpoint
from truemed_async.emulator.webhooks.outbox import Outbox, PendingAttempt

SIGNATURE: Final = "x-truemed-signature"
API_KEY: Final = "x-truemed-api-key"
_USER_AGENT: Final = "truemed-emulator"
_MAX_RESPONSE_BYTES: Final = 1024
_TEST_EVENT: Final = b'{"webhook_delivery_id":"whd_test","event_type":"webhook.test","data":{}}'


@attrs.frozen(kw_only=True)
class _Response:
    """The response to a request, or the name of the error if there is none."""

    status: int | None = None
    failure: str | None = None
    body: bytes = b""


class Sender:
    """Sends in the loop that serves the emulator; it shares neither code nor connections with the SDK."""

    def __init__(self, outbox: Outbox, clock: EmulatorClock) -> None:
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
                for endpoint in self._outbox.take_unverified():
                    attempts.create_task(self._verify(session, endpoint))
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
            headers = self._headers(pending.request)
            response = await self._send(session, "POST", pending.request, headers)
            attempt = DeliveryAttempt(
                at=at,
                seconds=time.monotonic() - started,
                status=response.status,
                failure=response.failure,
                response_body=response.body,
                headers=tuple((name, "***" if name == API_KEY else value) for name, value in headers),
                fault=pending.fault,
            )
        finally:
            for error in self._outbox.record_attempt(pending.delivery, attempt):
                self._loop.call_exception_handler({"message": "an on_attempt callback failed", "exception": error})

    async def _verify(self, session: aiohttp.ClientSession, endpoint: WebhookEndpoint) -> None:
        """Send the request that verifies a new endpoint; Truemed does not publish which one that is."""
        result: int | str | None = "aborted"
        try:
            method = self._outbox.dialects.dialect.endpoint_verification.upper()
            request = OutgoingRequest(endpoint, _TEST_EVENT if method == "POST" else b"", self._clock.now())
            headers = self._headers(request) if method == "POST" else [("User-Agent", _USER_AGENT)]
            response = await self._send(session, method, request, headers)
            result = response.status or response.failure
        finally:
            self._outbox.record_verification(endpoint, result)

    async def _send(
        self, session: aiohttp.ClientSession, method: str, request: OutgoingRequest, headers: list[tuple[str, str]]
    ) -> _Response:
        """Return the response, or the name of the error."""
        url, timeout = request.endpoint.url, aiohttp.ClientTimeout(total=self._outbox.timeout)
        body = BytesIO(request.body) if request.body else None
        try:
            async with session.request(
                method, url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                return _Response(status=response.status, body=await response.content.read(_MAX_RESPONSE_BYTES))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _Response(failure=type(error).__name__)

    def _headers(self, request: OutgoingRequest) -> list[tuple[str, str]]:
        headers = [("Content-Type", "application/json"), ("User-Agent", _USER_AGENT)]
        if request.forged or request.doubled:
            headers.append(self._authenticate(request, (random_secrets.token_hex(16),)))
        if not request.forged:
            headers.append(self._authenticate(request, request.endpoint.secrets))
        return headers

    def _authenticate(self, request: OutgoingRequest, secrets: tuple[str, ...]) -> tuple[str, str]:
        """Return the header that authenticates a request: a signature for each secret, or the first secret itself."""
        if request.endpoint.mode == "unsigned":
            return API_KEY, secrets[0]
        return SIGNATURE, sign_delivery(self._outbox.dialects.dialect, secrets, request.body, request.signed_at)
