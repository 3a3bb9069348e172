"""From the port to the connection: a listener that can go away and come back, and what it lets in."""

import asyncio
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from typing import Self, cast

from aiohttp import web

from truemed_async.emulator.app import App, Connection
from truemed_async.emulator.faults import Faults

# Seconds that a connection gets to end by itself when the emulator stops.
_GRACE = 0.1
# Seconds that a running loop gets to do what another thread asks of it.
_PATIENCE = 10


class Serving:
    """The port and its connections, from bind to close."""

    def __init__(self, port: int, app: App, faults: Faults, tls: ssl.SSLContext | None) -> None:
        """Take the port; nothing is let in yet."""
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
        self._listener: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._end_of_refusal: asyncio.TimerHandle | None = None

    @classmethod
    async def on(cls, port: int, app: App, faults: Faults, tls: ssl.SSLContext | None) -> Self:
        """Begin to serve."""
        serving = cls(port, app, faults, tls)
        faults.on_change = serving._faults_changed
        serving._obey()
        await serving._settled()
        return serving

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
        await self._settled()
        if self._listener is not None:
            self._listener.close()
        self._socket.close()
        await asyncio.sleep(0)  # what was accepted a moment ago becomes a connection that can be closed
        connections = self._server.connections
        transports = [connection.transport for connection in connections if connection.transport is not None]
        self._server.pre_shutdown()
        await self._app.cancel()
        await self._server.shutdown(_GRACE)
        # Closing waits until what was written is read, and TLS for the other side to agree: neither may ever happen.
        for transport in transports:
            transport.abort()
        await asyncio.gather(*(door.close() for door in list(self.doors)))
        await asyncio.sleep(0)  # closed transports let go of their sockets in the next turn of the loop

    async def _settled(self) -> None:
        if self._opening is not None:
            await asyncio.wait([self._opening])

    def _faults_changed(self) -> None:
        """Do what the faults say before the thread that changed them goes on."""
        if (self._faults.refusal is None) is (self._opening is not None):
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
        if refusal is None and self._opening is None:
            self._socket.listen(100)  # from here on connections wait in the kernel
            self._opening = self._loop.create_task(self._open())
        elif refusal is not None and self._opening is not None:
            self._opening.cancel()
            self._opening = None
            port = self.port
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            self._socket.close()
            self._socket = _bound(port)
            for connection in self._server.connections:
                assert isinstance(connection, Connection)
                connection.retire()
        if refusal is not None and refusal.remaining is not None:
            self._end_of_refusal = self._loop.call_later(refusal.remaining, self._obey)

    async def _open(self) -> None:
        self._listener = await self._loop.create_server(self._door, sock=self._socket, start_serving=False)
        await self._listener.start_serving()

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
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound
