"""The emulator's life cycle: it serves in the caller's event loop, or in a separate thread."""

import asyncio
import random
import secrets
import ssl
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from types import MappingProxyType, TracebackType
from typing import Final, Self

import attrs

from truemed_async.emulator.app import App
from truemed_async.emulator.clock import EmulatorClock
from truemed_async.emulator.context import EmulatorContext
from truemed_async.emulator.dialect import Dialect
from truemed_async.emulator.dialect_layer import DialectLayer
from truemed_async.emulator.faults import Faults
from truemed_async.emulator.history import History
from truemed_async.emulator.listener import Listener
from truemed_async.emulator.request_log import RequestLog
from truemed_async.emulator.resources.state import State
from truemed_async.emulator.seeds import seed_rows
from truemed_async.emulator.timekeeper import Timekeeper
from truemed_async.emulator.webhooks.outbox import Outbox
from truemed_async.emulator.webhooks.sender import Sender

DEFAULT_HOST: Final = "127.0.0.1"
# An address that stands for all interfaces, and the one at which this machine reaches it.
_WILDCARDS: Final = (("0.0.0.0", DEFAULT_HOST), ("::", "::1"))  # noqa: S104 - compared, not bound


@attrs.frozen(kw_only=True, eq=False)
class SalesChannel:
    """What belongs to one API key: its objects, and its webhooks with their deliveries."""

    api_key: str = attrs.field(repr=False)
    state: State
    webhooks: Outbox


class Emulator:
    """The Truemed merchant API on this machine.

        async with Emulator() as emulator: ...    # in the running loop
        with Emulator() as emulator: ...          # in a separate thread

    ``url`` and ``api_key`` are for the client; ``requests`` is the log of requests, ``state`` the data, ``faults`` the
    active faults, ``webhooks`` the endpoints and deliveries, ``clock`` the time. An emulator can be entered again after
    it has ended: state, key, log and pending deliveries are kept.

    ``api_key``, ``state`` and ``webhooks`` are those of the first sales channel; ``sales_channels`` has all by their key.
    """

    def __init__(
        self,
        *,
        sessions: int = 1000,
        payment_sessions: int = 0,
        payment_tokens: int = 0,
        catalog_items: int = 0,
        seed: int = 0,
        examples: bool = False,
        latency: float | tuple[float, float] = 0,
        host: str = DEFAULT_HOST,
        port: int = 0,
        allowed_hosts: Iterable[str] = (),
        max_page_size: int = 500,
        tls: ssl.SSLContext | None = None,
        api_key: str | None = None,
        sales_channels: Iterable[str] = (),
        dialect: Dialect | None = None,
        merchant_name: str = "Example Shop",
    ) -> None:
        """Generate the data; ``start`` or a ``with`` block serves it.

        Args:
            sessions: The number of qualification sessions; the same for the same ``sessions`` and ``seed``.
            payment_sessions: The number of payment sessions, with their transactions and payouts. They, the tokens
                and the items are the same for the same three numbers and ``seed``.
            payment_tokens: The number of payment tokens.
            catalog_items: The number of items in the catalog.
            seed: The seed of the generated data.
            examples: Whether the first of these rows are the objects that the documentation's examples use, such as
                ``qs_abc123``, as in ``truemed emulator``. With 0 of everything the emulator is empty either way.
            latency: Seconds before each response, or (lowest, highest) of an even, seeded distribution.
            host: The address to bind. On any but a loopback address, other machines can connect: the emulator is a
                test double without protection, so bind it within a private network only.
            port: The port; 0 takes a free one.
            allowed_hosts: Further values of the Host header that are accepted, as behind a forwarded port or in
                another container: ``emulator:8080``, or ``emulator`` for any port.
            max_page_size: The maximum number of rows on a page; a larger ``page_size`` is reduced to it. Truemed does
                not document its own.
            tls: Speak TLS with the certificate of this context; not in a uvloop.
            api_key: The required key; a new one by default.
            sales_channels: The keys of further sales channels. Each begins empty and has its own objects, idempotency
                keys and webhooks: those of another channel do not exist for it.
            dialect: How to respond where Truemed's documentation leaves a choice.
            merchant_name: The name of your shop, at the top of the hosted pages.

        Raises:
            ValueError: An argument is out of range.
        """
        if min(sessions, payment_sessions, payment_tokens, catalog_items) < 0 or max_page_size < 1:
            raise ValueError("counts must be >= 0 and max_page_size >= 1")
        low, high = latency if isinstance(latency, tuple) else (latency, latency)
        if not 0 <= low <= high:
            raise ValueError("latency must be >= 0, the lowest first")
        spread = random.Random(seed)  # noqa: S311 - repeatable on purpose
        # Without a prefix: none is known of Truemed's keys.
        self.api_key: str = api_key or secrets.token_hex(20)
        self.state: State = State(max_page_size=max_page_size)
        self.clock: EmulatorClock = self.state.clock
        counts = {
            "qualification_sessions": sessions,
            "payment_sessions": payment_sessions,
            "payment_tokens": payment_tokens,
            "catalog_items": catalog_items,
        }
        for name, rows in seed_rows(counts, seed, self.clock.now() if examples else None).items():
            self.state.stores[name].load(rows)
        self.requests: RequestLog = RequestLog()
        self.faults: Faults = Faults(self.state, seed)
        self._dialects = DialectLayer(dialect or Dialect(), seed)
        self.webhooks: Outbox = Outbox(self.state, self._dialects, seed)
        channels = [SalesChannel(api_key=self.api_key, state=self.state, webhooks=self.webhooks)]
        for key in sales_channels:
            state = State(max_page_size=max_page_size, clock=self.clock)
            channels.append(SalesChannel(api_key=key, state=state, webhooks=Outbox(state, self._dialects, seed)))
        self.sales_channels: Mapping[str, SalesChannel] = MappingProxyType({each.api_key: each for each in channels})
        if len(self.sales_channels) < len(channels) or not all(self.sales_channels):
            raise ValueError("each sales channel needs an API key of its own")
        contexts = [
            EmulatorContext(
                state=channel.state,
                history=History(channel.state),
                requests=self.requests,
                faults=self.faults,
                webhooks=channel.webhooks,
                dialects=self._dialects,
                api_key=channel.api_key,
                merchant_name=merchant_name,
                number=number,
                channels=len(channels),
            )
            for number, channel in enumerate(channels, 1)
        ]
        self._app = App(contexts=contexts, delay=lambda: spread.uniform(low, high))
        self._senders: list[Sender] = []
        self._timekeeper: Timekeeper | None = None
        self._tls = tls
        self._host = host
        self._port = port
        self._allowed_hosts = frozenset(name.lower() for name in allowed_hosts)
        self._listener: Listener | None = None
        self._thread: _Thread | None = None

    def __repr__(self) -> str:
        return f"<Emulator {'on ' + self.url if self._port else 'without a port'}>"

    @property
    def dialect(self) -> Dialect:
        """How the emulator speaks where Truemed's pages leave a choice; may be replaced at any time."""
        return self._dialects.dialect

    @dialect.setter
    def dialect(self, dialect: Dialect) -> None:
        self._dialects.dialect = dialect

    @property
    def port(self) -> int:
        """The port; it stays known after the end. RuntimeError before there is one."""
        if not self._port:
            raise RuntimeError("the emulator has no port until it is started")
        return self._port

    @property
    def url(self) -> str:
        """The base URL on this machine, without a slash at its end; RuntimeError before there is a port."""
        host = dict(_WILDCARDS).get(self._host, self._host)
        return f"{'http' if self._tls is None else 'https'}://{_bracket_ipv6(host)}:{self.port}"

    async def start(self) -> None:
        """Serve in the running loop; RuntimeError if it is already serving."""
        if self._listener is not None:
            raise RuntimeError("the emulator is running")
        self._listener = Listener(self._host, self._port, self._app, self.faults, self._tls)
        self._port = self._listener.port
        self._senders = [Sender(channel.webhooks, self.clock) for channel in self.sales_channels.values()]
        self._timekeeper = Timekeeper(self.clock, [channel.state for channel in self.sales_channels.values()])
        own = {
            f"{name}:{self._port}" for name in (DEFAULT_HOST, "localhost", "[::1]", _bracket_ipv6(self._host).lower())
        }
        self._app.hosts = self._allowed_hosts | own

    async def stop(self) -> None:
        """Stop serving, from the loop that serves. Idempotent. Requests in flight are canceled."""
        listener, self._listener = self._listener, None
        senders, self._senders = self._senders, []
        if self._timekeeper is not None:
            self._timekeeper.stop()
        try:
            for sender in senders:
                await sender.stop()
        finally:
            if listener is not None:
                await listener.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        thread = _Thread(self)
        thread.begin()
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()


class _Thread:
    """Runs an emulator in a thread with an event loop of its own."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._ended: Future[None] = Future()
        # A daemon: a program that never leaves the ``with`` block can still exit.
        self._thread = threading.Thread(target=self._run, name="truemed-emulator", daemon=True)

    def begin(self) -> None:
        """Return when the emulator serves; raise the error that prevents it."""
        self._thread.start()
        try:
            self._ready.result()
        except Exception:
            self._thread.join()
            raise

    def end(self) -> None:
        """Return when the thread has ended; raise the error with which it did."""
        loop, stop = self._ready.result()
        loop.call_soon_threadsafe(stop.set)
        self._thread.join()
        self._ended.result()

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        # Possibly without an event loop: no file descriptors are left, or a test forbids sockets.
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            self._fail(error)
        except BaseException as error:
            self._fail(error)
            raise
        else:
            self._ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        (self._ended if self._ready.done() else self._ready).set_exception(error)

    async def _serve(self) -> None:
        await self._emulator.start()
        stop = asyncio.Event()
        self._ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        await self._emulator.stop()


def _bracket_ipv6(host: str) -> str:
    """Return a host as it is in a URL."""
    return f"[{host}]" if ":" in host else host
