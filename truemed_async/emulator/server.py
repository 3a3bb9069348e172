"""The emulator's life: a socket on 127.0.0.1, in the caller's loop or in a separate thread."""

import asyncio
import random
import secrets
import ssl
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import attrs

from truemed_async.emulator.app import App
from truemed_async.emulator.clock import Clock
from truemed_async.emulator.context import EmulatorContext
from truemed_async.emulator.dialect import Dialect
from truemed_async.emulator.dialect_layer import DialectLayer
from truemed_async.emulator.faults import Faults
from truemed_async.emulator.listener import Listener
from truemed_async.emulator.request_log import RequestLog
from truemed_async.emulator.resources.state import State
from truemed_async.emulator.seeds import seed_merchant, seed_sessions
from truemed_async.emulator.webhooks.outbox import Outbox
from truemed_async.emulator.webhooks.sender import Sender


class Emulator:
    """The Truemed merchant API on 127.0.0.1.

        async with Emulator() as emulator: ...    # in the running loop
        with Emulator() as emulator: ...          # in a separate thread

    ``url`` and ``api_key`` are for the client; ``requests`` is the log of requests, ``state`` the data, ``faults`` the
    active faults, ``webhooks`` the endpoints and deliveries, ``clock`` the time. An emulator can be entered again after
    it has ended: state, key, log and pending deliveries are kept.
    """

    def __init__(
        self,
        *,
        sessions: int = 1000,
        payment_sessions: int = 0,
        payment_tokens: int = 0,
        catalog_items: int = 0,
        seed: int = 0,
        latency: float | tuple[float, float] = 0,
        port: int = 0,
        max_page_size: int = 500,
        tls: ssl.SSLContext | None = None,
        api_key: str | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        """Seed the state; nothing is served yet.

        sessions: how many qualification sessions there are at first; the same for the same `sessions` and `seed`.
        payment_sessions, payment_tokens, catalog_items: how many of those there are; the same for the same three
            numbers and `seed`. Payments bring their transactions and payouts.
        latency: seconds before each answer, or (lowest, highest) of an even, seeded spread.
        port: 0 takes a free one.
        max_page_size: the most that one page holds; a larger `page_size` is cut to it. Truemed does not state its own.
        tls: speak TLS, with the certificate of this context; not in a uvloop.
        api_key: the key to ask for; a new one by default.
        dialect: how to speak where Truemed's pages leave a choice.
        """
        if min(sessions, payment_sessions, payment_tokens, catalog_items) < 0 or max_page_size < 1:
            raise ValueError("there cannot be less than none of anything, and a page holds at least one")
        low, high = latency if isinstance(latency, tuple) else (latency, latency)
        if not 0 <= low <= high:
            raise ValueError("latency is in seconds: not negative, the lowest first")
        spread = random.Random(seed)  # noqa: S311 - repeatable on purpose
        # Made for each emulator and without a prefix: Truemed's keys have none that is known.
        self.api_key: str = api_key or secrets.token_hex(20)
        self.state: State = State(seed_sessions(sessions, seed), max_page_size=max_page_size)
        merchant = seed_merchant(
            payment_sessions=payment_sessions, payment_tokens=payment_tokens, catalog_items=catalog_items, seed=seed
        )
        for name, rows in attrs.asdict(merchant, recurse=False).items():
            self.state.stores[name].load(rows)
        self.clock: Clock = self.state.clock
        self.requests: RequestLog = RequestLog()
        self.faults: Faults = Faults(self.state, seed)
        self._dialects = DialectLayer(dialect or Dialect(), seed)
        self.webhooks: Outbox = Outbox(self.state, self._dialects, seed)
        context = EmulatorContext(
            state=self.state,
            requests=self.requests,
            faults=self.faults,
            webhooks=self.webhooks,
            dialects=self._dialects,
            api_key=self.api_key,
        )
        self._app = App(context=context, delay=lambda: spread.uniform(low, high))
        self._sender: Sender | None = None
        self._tls = tls
        self._port = port
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
        """The base URL, without a slash at its end; RuntimeError before there is one."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Serve in the running loop; RuntimeError when it is serving."""
        if self._listener is not None:
            raise RuntimeError("the emulator is running")
        self._listener = Listener(self._port, self._app, self.faults, self._tls)
        self._port = self._listener.port
        self._sender = Sender(self.webhooks, self.clock)
        self._app.hosts = frozenset(f"{name}:{self._port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    async def stop(self) -> None:
        """Stop serving, from the loop that serves; again is harmless. Requests being answered are cut off."""
        listener, self._listener = self._listener, None
        sender, self._sender = self._sender, None
        try:
            if sender is not None:
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
    """Runs an emulator in a thread with a loop of its own."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        # A daemon: a program that forgets to leave the `with` block can still exit.
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="truemed-emulator", daemon=True)

    def begin(self) -> None:
        """Return when the emulator serves; raise what kept it from it."""
        self._thread.start()
        try:
            self._ready.result()
        except Exception:
            self._thread.join()
            raise

    def end(self) -> None:
        """Return when the thread is gone."""
        loop, ended = self._ready.result()
        loop.call_soon_threadsafe(ended.set)
        self._thread.join()

    async def _serve(self) -> None:
        try:
            await self._emulator.start()
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that waits in begin()
            self._ready.set_exception(error)
            return
        ended = asyncio.Event()
        self._ready.set_result((asyncio.get_running_loop(), ended))
        await ended.wait()
        await self._emulator.stop()
