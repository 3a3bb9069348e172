"""A server of bare sockets that shares no code with the SDK: it records what came, byte by byte, and plays a script."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

KEY = "canary-key-0123456789"

Script = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Request:
    verb: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def header(self, name):
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Exchange:
    """One request and the connection that it came on."""

    request: Request
    writer: asyncio.StreamWriter
    number: int

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def respond(self, status=200, body=b"{}", headers=(), content_type="application/json"):
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {content_type}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def close(self):
        self.writer.close()

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class RecordingServer:
    script: Script
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _tasks: set = field(default_factory=set)
    _writers: list = field(default_factory=list)

    async def start(self, ssl=None):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if ssl else 'http'}://127.0.0.1:{self.port}"
        return self

    async def stop(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # for the sockets, which close with the loop's next turns

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open_connections += 1
        self._tasks.add(asyncio.current_task())
        self._writers.append(writer)
        try:
            while not writer.is_closing():
                request = await self._read(reader)
                self.requests.append(request)
                await self.script(Exchange(request, writer, len(self.requests)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone, as some tests want it
        finally:
            self.open_connections -= 1
            if not self.open_connections:
                self.idle.set()
            writer.close()

    async def _read(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().rstrip().split("\r\n")
        verb, target, _ = first.split(" ")
        headers = [tuple(line.split(": ", 1)) for line in lines]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = await reader.readexactly(length) if length else b""
        return Request(verb, target, headers, body, head + body)


def respond_with(*bodies, status=200, headers=()):
    """Return a script that gives these bodies in turn, the last one again and again."""

    async def script(exchange):
        await exchange.respond(status, bodies[min(exchange.number, len(bodies)) - 1], headers)

    return script
