"""``truemed webhooks listen``: receive the deliveries of an emulator, show each, and forward it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from errno import EADDRINUSE
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias, cast, get_args

import attrs
from rich.text import Text as StyledText

import truemed_async
from truemed_async._sensitive import Sensitive
from truemed_async.cli.connection import Context
from truemed_async.cli.control import DASHBOARD_WEBHOOKS, EmulatorControl, require_emulator, server_url
from truemed_async.cli.emulator import DEFAULT_WEBHOOK_SECRET
from truemed_async.cli.endpoint import SECRET_VARIABLE, ForwardedResponse, parse_endpoint, send_delivery
from truemed_async.cli.failures import describe_server
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.lines import LINE_OUTPUT, LineOutput, LineTarget
from truemed_async.cli.options import CONTEXT, LITERAL, PORT, Text, WebhookEvent
from truemed_async.cli.output import printable
from truemed_async.cli.signals import stop_on_signal
from truemed_async.errors import (
    ConfigurationError,
    InvalidArgumentError,
    PayloadError,
    TransportError,
    TruemedError,
    WebhookError,
)

if TYPE_CHECKING:
    from types import TracebackType

    from yarl import URL

    from truemed_async.webhooks import Event

Mode = Literal["signed", "unsigned"]
Headers: TypeAlias = Sequence[tuple[str, str]]

DELIVERIES: Final = RowLayout(
    columns=("at", "event", "delivery_id", "object_id", "verified", "status", "seconds", "error")
)
HOST: Final = "127.0.0.1"
MAX_BODY_BYTES: Final = (
    16 * 1024**2
)  # more than any endpoint should accept, so that what is too large for it is forwarded
CHECK_SECONDS: Final = 2.0  # how often to see whether the emulator was started again, and no longer knows the webhook
_ACKNOWLEDGED: Final = ForwardedResponse(HTTPStatus.NO_CONTENT)  # the only success that Truemed documents
_IDLE_SECONDS: Final = 60.0  # how long a connection may send nothing
_HOP_HEADERS: Final = frozenset({"host", "connection"})
_OBJECT_IDS: Final = ("payment_session_id", "payment_token", "qualification_session_id", "sku")


async def listen(
    *,
    forward_to: Text = None,
    events: Text = None,
    mode: Annotated[Mode, LITERAL] = "signed",
    port: Annotated[int, PORT] = 0,
    output: LineOutput = LINE_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Receive the webhooks of an emulator, show each delivery, and forward it to your endpoint, until Ctrl-C.

    The command registers itself with the emulator, and removes itself at its end. Your endpoint receives the same bytes
    and headers, the signature included, and the emulator its response: any but 204 is followed by redeliveries. Without
    --forward-to each delivery is answered with 204.

    Deliveries are signed with the secret in TRUEMED_WEBHOOK_SECRET, or with that which `truemed emulator` prints. Each line
    says whether the signature is right, as your endpoint would verify it. No value of a payload is shown but the id of
    the object.

    Args:
        forward_to: The URL of your endpoint, such as http://127.0.0.1:8000/webhooks/truemed.
        events: Only these events, separated by commas: payment_session_complete, payment_token_updated, \
qualification_session_complete, product_catalog_item_eligibility_updated. Default: all.
        mode: Whether deliveries are signed, or carry the secret itself: signed or unsigned.
        port: The port to listen on; 0 takes a free one.
    """
    target = output.prepare(context.streams, DELIVERIES)
    forward = None if forward_to is None else parse_endpoint("--forward-to", forward_to)
    names = None if events is None else parse_events(events)
    validate_server(context)
    secret = Sensitive(os.environ.get(SECRET_VARIABLE) or DEFAULT_WEBHOOK_SECRET)
    with stop_on_signal() as stop:
        await run_until(stop, serve(context, port, Forwarder(forward, secret, mode, target), names))


def validate_server(context: Context) -> None:
    """Refuse a server that is no emulator of this machine, before anything is sent."""
    from truemed_async._validation.urls import is_loopback  # noqa: PLC0415  # not for --help

    target = context.target
    require_emulator(target, f"its webhooks are set at {{dashboard}}{DASHBOARD_WEBHOOKS}, and need a public URL")
    if not is_loopback(server_url(target).host or ""):
        raise ConfigurationError(
            f"{describe_server(target)} is on another machine, and an emulator sends webhooks to its own one only: run "
            "this command there"
        )


def parse_events(text: str) -> list[str]:
    """Return the events of ``--events``."""
    known = get_args(WebhookEvent)
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(known):
        raise InvalidArgumentError(f"--events must be of {', '.join(known)}, separated by commas")
    return names


async def run_until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run work until it ends or the event is set, and let it clean up; raise its error."""
    tasks = (asyncio.create_task(work), asyncio.create_task(stop.wait()))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()


async def serve(context: Context, port: int, forwarder: Forwarder, events: Sequence[str] | None) -> None:
    """Be registered with the emulator and respond to its deliveries, until this is canceled."""
    loop = asyncio.get_running_loop()
    failures: asyncio.Queue[BaseException] = asyncio.Queue()

    def fail(error: BaseException) -> None:
        loop.call_soon_threadsafe(failures.put_nowait, error)

    async with context.target.connect() as client:
        control = EmulatorControl(client=client, target=context.target)
        with DeliveryServer(port, forwarder.respond, fail) as listener:
            registration = Registration(control, context, listener.url, forwarder, events)
            try:
                await registration.renew()
                _print_banner(context, listener.url, forwarder)
                while True:
                    try:
                        error = await asyncio.wait_for(failures.get(), CHECK_SECONDS)
                    except TimeoutError:
                        await registration.renew()
                    else:
                        raise error
            finally:
                await registration.end()


def _print_banner(context: Context, url: str, forwarder: Forwarder) -> None:
    streams = context.streams
    streams.print_message(f"listening on {url} for the webhooks of {describe_server(context.target)}")
    is_set = bool(os.environ.get(SECRET_VARIABLE))
    streams.print_message(f"secret    {f'from {SECRET_VARIABLE}' if is_set else DEFAULT_WEBHOOK_SECRET}")
    if forwarder.url is not None:
        # Without a user or a query, which may hold a password.
        streams.print_message(f"forwarding to {forwarder.url.with_user(None).with_query(None)}")


@attrs.define
class Registration:
    """The webhook that is registered with the emulator for a listener."""

    control: EmulatorControl
    context: Context
    url: str
    forwarder: Forwarder
    events: Sequence[str] | None
    _id: str | None = attrs.field(init=False, default=None)
    _is_lost: bool = attrs.field(init=False, default=False)

    async def renew(self) -> None:
        """Register the webhook, unless the emulator knows it; one that was started again does not."""
        try:
            webhooks = await self.control.list_webhooks(retry=self._id is None)
        except TransportError:
            if self._id is None:
                raise
            if not self._is_lost:
                self.context.streams.print_message("the emulator does not respond; waiting for it")
            self._is_lost = True
            return
        self._is_lost = False
        if any(webhook["id"] == self._id for webhook in webhooks):
            return
        for webhook in webhooks:
            # A command that was killed has left its webhook: no other program can listen on this port now.
            if webhook["url"] == self.url:
                await self.control.unregister_webhook(webhook["id"])
        is_new = self._id is None
        self._id = await self.control.register_webhook(
            self.url, self.forwarder.secret, mode=self.forwarder.mode, events=self.events
        )
        if not is_new:
            self.context.streams.print_message(
                "the emulator was started again, or the webhook removed: registered anew"
            )

    async def end(self) -> None:
        """Remove the webhook."""
        if self._id is not None:
            await self.control.unregister_webhook(self._id)


# --- deliveries -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Forwarder:
    """Shows deliveries, and forwards them to a URL if there is one. Called from several threads."""

    url: URL | None
    secret: Sensitive[str]
    mode: Mode
    target: LineTarget
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)

    def respond(self, method: str, headers: Headers, body: bytes) -> ForwardedResponse:
        """Return the response to a request of the emulator."""
        at, start = datetime.now(UTC), time.monotonic()
        reading = self._read(headers, body) if method == "POST" else _Reading()
        response, failure = _ACKNOWLEDGED, None
        if self.url is not None:
            forwarded_headers = [(name, value) for name, value in headers if name.lower() not in _HOP_HEADERS]
            try:
                response = send_delivery(self.url, forwarded_headers, body, method=method)
            except TruemedError as error:
                failure = str(error)
                response = ForwardedResponse(HTTPStatus.BAD_GATEWAY, "text/plain", failure.encode())
        row = {
            "at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "event": reading.event and str(reading.event.raw_type or reading.event.type),
            "delivery_id": reading.event and reading.event.delivery_id,
            "object_id": reading.event and _object_id(reading.event),
            "verified": reading.verified,
            "status": None if failure else int(response.status),
            "seconds": round(time.monotonic() - start, 4),
            "error": failure or reading.error,
        }
        with self._lock:
            self.target.write(row, _describe(row, at, method))
        return response

    def _read(self, headers: Headers, body: bytes) -> _Reading:
        """Verify and parse a delivery; one that cannot be verified is shown, too."""
        from truemed_async.webhooks._parse import parse_body  # noqa: PLC0415  # loads the models: not for --help

        fields: dict[str, list[str]] = {}
        for name, value in headers:
            fields.setdefault(name.lower(), []).append(value)
        try:
            event = truemed_async.webhooks.verify_and_parse(body, fields, secrets=self.secret.value, mode=self.mode)
        except PayloadError as error:
            return _Reading(verified=True, error=str(error))
        except WebhookError as error:
            parsed = parse_body(body, None, None)
            return _Reading(
                event=None if isinstance(parsed, PayloadError) else parsed, verified=False, error=str(error)
            )
        return _Reading(event=event, verified=True)


@attrs.frozen(kw_only=True)
class _Reading:
    """What a delivery says; ``verified`` is ``None`` for a request that is no delivery."""

    event: Event | None = None
    verified: bool | None = None
    error: str | None = None


def _object_id(event: Event) -> str | None:
    """Return the id of the object that an event is about."""
    return next((id for name in _OBJECT_IDS if (id := getattr(event.data, name, None)) is not None), None)


def _describe(row: Mapping[str, Any], at: datetime, method: str) -> StyledText:
    """Return the line of a delivery."""
    status = row["status"]
    style = "green" if status == HTTPStatus.NO_CONTENT else "red"
    words = [row["event"] or f"{method} without an event", row["object_id"]]
    text = StyledText(f"{at.astimezone():%H:%M:%S} {printable(' '.join(filter(None, words)))} ")
    text.append(str(status or "no response"), style)
    text.append(f" in {row['seconds']:.3f} s")
    if row["verified"] is not None:
        text.append(", ")
        text.append("verified" if row["verified"] else "not verified", "" if row["verified"] else "red")
    return text.append(f": {printable(row['error'])}" if row["error"] else "")


# --- the server -------------------------------------------------------------------------------------------------------

Respond: TypeAlias = "Callable[[str, Headers, bytes], ForwardedResponse]"


class DeliveryServer(ThreadingTCPServer):
    """An HTTP server on loopback that hands each request to a function, in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True  # a forwarded request may take long: the end of the command does not wait for it

    def __init__(self, port: int, respond: Respond, fail: Callable[[BaseException], None]) -> None:
        """Bind the port.

        Raises:
            ConfigurationError: It cannot be bound.
        """
        self.respond = respond
        self._report: Callable[[BaseException], None] | None = fail
        self._reporting = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="truemed-listen", daemon=True)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            hint = "; without --port a free one is taken" if error.errno == EADDRINUSE else ""
            raise ConfigurationError(f"cannot listen on port {port}: {error.strerror}{hint}") from error

    @property
    def url(self) -> str:
        """The URL at which it listens."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, without waiting for requests in flight."""
        with self._reporting:
            self._report = None
        self.shutdown()
        self.server_close()
        self._thread.join()

    def fail(self, error: BaseException) -> None:
        """Report the error of a thread, but none after the end, when the event loop of the command may be closed."""
        with self._reporting:
            if self._report is not None:
                self._report(error)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report the error of a thread, unless the client has gone: then it will ask again."""
        del request, client_address
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.fail(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def receive(self) -> None:
        """Respond to one request."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._send(ForwardedResponse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError("the client has gone")
        server = cast("DeliveryServer", self.server)
        try:
            response = server.respond(self.command, self.headers.items(), body)
        except Exception as error:  # noqa: BLE001  # the command raises it, a closed standard output included
            self.close_connection = True
            server.fail(error)
        else:
            self._send(response)

    do_GET = do_HEAD = do_POST = receive  # noqa: N815  # the names that the library looks for

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the line of the delivery is shown."""

    def _send(self, response: ForwardedResponse) -> None:
        self.send_response(response.status)
        if response.content_type is not None:
            self.send_header("Content-Type", response.content_type)
        has_body = response.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        if has_body:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(response.body)
