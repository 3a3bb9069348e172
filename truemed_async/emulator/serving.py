"""From the port to the connection: a listener that can go away and come back, and what it lets in."""

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

# Seconds that a connection gets to end by itself when the emulator stops.
_GRACE = 0.1
# Connections that wait in the kernel until they are taken in.
_BACKLOG = 100
# Seconds that a running loop gets to do what another thread asks of it.
_PATIENCE = 10


class Serving:
    """The port and its connections, from bind to close."""

    def __init__(self, port: int, app: App, faults: Faults, tls: ssl.SSLContext | None) -> None:
        """Take the port in the running loop, and listen on it unless a fault forbids it."""
        # Others read from a connection before it can be handed to TLS: its first bytes would be lost.
        if tls is not None and not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
            raise RuntimeError(
                "TLS needs a loop of asyncio itself: enter the emulator without async, in its own thread"
            )
        self.doors: set[Door] = set()
        self._app = app
        self._faults = faults
        self._tls = tls
        self._server = web.Server(app.handle)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._socket = _bound(port)
        self._listening = False
        self._accepting: asyncio.Task[None] | None = None
        self._admitting: set[asyncio.Task[None]] = set()
        self._end_of_refusal: asyncio.TimerHandle | None = None
        faults.on_change = self._faults_changed
        self._obey()

    @property
    def port(self) -> int:
        """The port, whether anybody listens on it or not."""
        port: int = self._socket.getsockname()[1]
        return port

    async def close(self) -> None:
        """End everything."""
        self._faults.on_change = None
        if self._end_of_refusal is not None:
            self._end_of_refusal.cancel()
        self._shut()
        while self._admitting:
            await asyncio.wait(self._admitting)
        transports = [connection.transport for connection in self._connections if connection.transport is not None]
        self._server.pre_shutdown()
        await self._app.cancel()
        await self._server.shutdown(_GRACE)
        # Closing waits until what was written is read, and TLS for the other side to agree: neither may ever happen.
        for transport in transports:
            transport.abort()
        await asyncio.gather(*(door.close() for door in list(self.doors)))
        await asyncio.sleep(0)  # closed transports let go of their sockets in the next turn of the loop

    @property
    def _connections(self) -> list[Connection]:
        return [connection for connection in self._server.connections if isinstance(connection, Connection)]

    def _faults_changed(self) -> None:
        """Do what the faults say before the thread that changed them goes on."""
        if (self._faults.refusal is None) is self._listening:
            return
        if not self._loop.is_running() or threading.get_ident() == self._thread:
            self._obey()
            return
        done: Future[None] = Future()

        def obey() -> None:
            self._obey()
            done.set_result(None)

        self._loop.call_soon_threadsafe(obey)
        done.result(_PATIENCE)

    def _obey(self) -> None:
        """Listen, or refuse connections, as the faults say."""
        refusal = self._faults.refusal
        if refusal is None and not self._listening:
            self._listen()
        elif refusal is not None and self._listening:
            port = self.port
            self._shut()
            self._socket = _bound(port)
            for connection in self._connections:
                connection.retire()
        if refusal is not None and refusal.remaining is not None:
            self._end_of_refusal = self._loop.call_later(refusal.remaining, self._obey)

    # asyncio.Server would do, but it loses the connections that it is just taking in when it is closed.

    def _listen(self) -> None:
        self._listening = True
        self._socket.listen(_BACKLOG)
        try:
            self._loop.add_reader(self._socket, self._accept)
        except NotImplementedError:  # the usual loop of Windows
            self._accepting = self._loop.create_task(self._accept_one_by_one())

    def _shut(self) -> None:
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
            self._admit(accepted)

    async def _accept_one_by_one(self) -> None:
        while True:
            accepted, _ = await self._loop.sock_accept(self._socket)
            self._admit(accepted)

    def _admit(self, accepted: socket.socket) -> None:
        task = self._loop.create_task(self._open(accepted))
        self._admitting.add(task)
        task.add_done_callback(self._admitting.discard)

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._door, accepted)
        except OSError:
            accepted.close()  # the client has gone so early that not even its socket can be set up

    def _door(self) -> "Door":
        return Door(Connection(self._app, self._server), self._faults, self._tls, self.doors)


class Door(asyncio.Protocol):
    """Takes in a connection: shows it to the faults, speaks TLS if that is asked for, and hands it to HTTP."""

    def __init__(self, connection: Connection, faults: Faults, tls: ssl.SSLContext | None, doors: set["Door"]) -> None:
        """`doors` are those that have not handed on what they took in."""
        self._connection = connection
        self._faults = faults
        self._tls = tls
        self._doors = doors
        self._transport: asyncio.Transport | None = None
        self._greeting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Decide how to go on with a new connection."""
        # All loops have transports that can do this, though not all say so by their class.
        self._transport = cast("asyncio.Transport", transport)
        acting = self._faults.connected(self._transport)
        context = next((fault.greeting for fault in acting if fault.greeting is not None), self._tls)
        if any(fault.stalls for fault in acting):
            self._doors.add(self)
        elif self._transport.is_closing():
            pass
        elif context is None:
            self._transport.set_protocol(self._connection)
            self._connection.connection_made(self._transport)
        else:
            self._doors.add(self)
            self._transport.pause_reading()  # the first bytes are for TLS
            self._greeting = asyncio.get_running_loop().create_task(self._greet(self._transport, context))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that was never handed on."""
        del exc
        self._doors.discard(self)

    async def close(self) -> None:
        """End a connection that was not handed on."""
        if self._greeting is not None:
            self._greeting.cancel()
            await asyncio.wait([self._greeting])
        assert self._transport is not None
        self._transport.abort()

    async def _greet(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(transport, self._connection, context, server_side=True)
        except OSError:
            transport.abort()  # the client does not like what it sees, or has gone
        else:
            if secure is not None:
                self._connection.connection_made(secure)
        finally:
            self._doors.discard(self)


def _bound(port: int) -> socket.socket:
    """Return a socket that has the port and does not listen: connections are refused, and nobody else takes it."""
    bound = socket.socket()
    try:
        # The port may be in use by connections that are ending; on Windows the option would share it with anybody.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        bound.setblocking(False)
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound
