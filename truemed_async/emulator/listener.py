"""The listening socket and its connections. Faults can close the socket and open it again."""

import asyncio
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from typing import cast

from aiohttp import web

from truemed_async.emulator.app import App, Connection
from truemed_async.emulator.faults import Faults

# Seconds for connections to end by themselves when the emulator stops.
_SHUTDOWN_TIMEOUT = 0.1
# Connections that the kernel queues until they are accepted.
_BACKLOG = 100
# Seconds until connections are accepted again after the file descriptors ran out.
_ACCEPT_RETRY_SECONDS = 0.1
# Seconds for the running loop to apply a change made by another thread.
_THREAD_CALL_TIMEOUT = 10


class Listener:
    """The port and its connections, from bind to close."""

    def __init__(self, host: str, port: int, app: App, faults: Faults, tls: ssl.SSLContext | None) -> None:
        """Bind the address in the running loop, and listen unless a fault refuses connections."""
        # Other loops read from a connection before TLS can start, and would lose its first bytes.
        if tls is not None and not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
            raise RuntimeError(
                "TLS needs asyncio's own event loop: use a plain `with`, which runs the emulator in its own thread"
            )
        self.handshakes: set[HandshakeProtocol] = set()
        self._app = app
        self._faults = faults
        self._tls = tls
        self._server = web.Server(app.handle)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._host = host
        self._socket = _bind(host, port)
        self._listening = False
        self._accepting: asyncio.Task[None] | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._end_of_refusal: asyncio.TimerHandle | None = None
        faults.on_change = self._faults_changed
        self._apply_faults()

    @property
    def port(self) -> int:
        """The bound port, also while connections are refused."""
        port: int = self._socket.getsockname()[1]
        return port

    async def close(self) -> None:
        """Close the socket and all connections."""
        self._faults.on_change = None
        if self._end_of_refusal is not None:
            self._end_of_refusal.cancel()
        self._stop_listening()
        while self._opening:
            await asyncio.wait(self._opening)
        transports = [connection.transport for connection in self._connections if connection.transport is not None]
        self._server.pre_shutdown()
        await self._app.cancel()
        await self._server.shutdown(_SHUTDOWN_TIMEOUT)
        # close() would wait for the client to read what was written, or to agree to the end of TLS: it may never do so.
        for transport in transports:
            transport.abort()
        await asyncio.gather(*(handshake.close() for handshake in list(self.handshakes)))
        await asyncio.sleep(0)  # transports close their sockets in the next iteration of the loop

    @property
    def _connections(self) -> list[Connection]:
        return [connection for connection in self._server.connections if isinstance(connection, Connection)]

    def _faults_changed(self) -> None:
        """Apply a change of the faults before the thread that made it continues."""
        if (self._faults.refusal is None) is self._listening:
            return
        if not self._loop.is_running() or threading.get_ident() == self._thread:
            self._apply_faults()
            return
        done: Future[None] = Future()

        def apply() -> None:
            self._apply_faults()
            done.set_result(None)

        self._loop.call_soon_threadsafe(apply)
        done.result(_THREAD_CALL_TIMEOUT)

    def _apply_faults(self) -> None:
        """Start or stop listening, depending on the active faults."""
        refusal = self._faults.refusal
        if refusal is None and not self._listening:
            self._listen()
        elif refusal is not None and self._listening:
            port = self.port
            self._stop_listening()
            self._socket = _bind(self._host, port)
            for connection in self._connections:
                connection.retire()
        if refusal is not None and refusal.remaining is not None:
            self._end_of_refusal = self._loop.call_later(refusal.remaining, self._apply_faults)

    # Not asyncio.Server: when closed, it loses the connections that it is about to accept.

    def _listen(self) -> None:
        self._listening = True
        self._socket.listen(_BACKLOG)
        try:
            self._loop.add_reader(self._socket, self._accept)
        except NotImplementedError:  # the default loop of Windows
            self._accepting = self._loop.create_task(self._accept_one_by_one())

    def _stop_listening(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None
        elif self._listening:
            self._loop.remove_reader(self._socket)
        self._listening = False
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptors are left: do not try in a busy loop
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_ACCEPT_RETRY_SECONDS, self._resume_accepting, self._socket)
                return
            self._open_in_task(accepted)

    def _resume_accepting(self, listening: socket.socket) -> None:
        if self._listening and listening is self._socket:
            self._loop.add_reader(self._socket, self._accept)

    async def _accept_one_by_one(self) -> None:
        while True:
            accepted, _ = await self._loop.sock_accept(self._socket)
            self._open_in_task(accepted)

    def _open_in_task(self, accepted: socket.socket) -> None:
        task = self._loop.create_task(self._open(accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._handshake, accepted)
        except OSError:
            accepted.close()  # the client is already gone

    def _handshake(self) -> "HandshakeProtocol":
        return HandshakeProtocol(Connection(self._app, self._server), self._faults, self._tls, self.handshakes)


class HandshakeProtocol(asyncio.Protocol):
    """The start of a connection: applies connection faults, starts TLS if configured, then hands over to HTTP."""

    def __init__(
        self,
        connection: Connection,
        faults: Faults,
        tls: ssl.SSLContext | None,
        handshakes: set["HandshakeProtocol"],
    ) -> None:
        """Create the protocol. ``handshakes`` holds those that have not handed over yet."""
        self._connection = connection
        self._faults = faults
        self._tls = tls
        self._handshakes = handshakes
        self._transport: asyncio.Transport | None = None
        self._tls_start: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Apply the faults, then start TLS or HTTP."""
        # The transports of all loops have these methods, though not all inherit from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)
        acting = self._faults.connected(self._transport)
        context = next((fault.tls_context for fault in acting if fault.tls_context is not None), self._tls)
        if any(fault.stalls for fault in acting):
            self._handshakes.add(self)
        elif self._transport.is_closing():
            pass
        elif context is None:
            self._transport.set_protocol(self._connection)
            self._connection.connection_made(self._transport)
        else:
            self._handshakes.add(self)
            self._transport.pause_reading()  # the first bytes belong to TLS
            self._tls_start = asyncio.get_running_loop().create_task(self._start_tls(self._transport, context))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that was never handed over."""
        del exc
        self._handshakes.discard(self)

    async def close(self) -> None:
        """Abort a connection that was not handed over."""
        if self._tls_start is not None:
            self._tls_start.cancel()
            await asyncio.wait([self._tls_start])
        assert self._transport is not None
        self._transport.abort()

    async def _start_tls(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(transport, self._connection, context, server_side=True)
        except OSError:
            transport.abort()  # the client rejected the certificate, or is gone
        else:
            if secure is not None:
                self._connection.connection_made(secure)
        finally:
            self._handshakes.discard(self)


def _bind(host: str, port: int) -> socket.socket:
    """Return a bound socket that does not listen yet: connections are refused, and no other process gets the port."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        # The port may be in TIME_WAIT; on Windows the option would let other processes bind it as well.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        bound.setblocking(False)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
