"""HTTP at the level of the socket: what was really received, however broken it is."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from contextlib import ExitStack

    from truemed_async.emulator import Emulator


@attrs.frozen
class Received:
    """The bytes of one answer, and how the connection went on: "fin", "rst", or "open" when nothing more came."""

    content: bytes
    end: str

    @property
    def status(self) -> int:
        found = re.match(rb"HTTP/1\.1 ([0-9]{3})[ ]", self.content)
        assert found, self.content[:100]
        return int(found[1])

    @property
    def head(self) -> str:
        head, found, _ = self.content.partition(b"\r\n\r\n")
        assert found, self.content[:100]
        return head.decode()

    @property
    def body(self) -> bytes:
        """All that follows the header, as it is."""
        return self.content.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> list[str]:
        lines = [line.partition(":") for line in self.head.split("\r\n")[1:]]
        return [value.strip() for key, _, value in lines if key.lower() == name.lower()]

    @property
    def chunks(self) -> list[bytes]:
        """The chunks of a chunked body as far as they are whole; the last is empty when the end was said."""
        chunks, rest = [], self.body
        while (found := re.match(rb"([0-9a-f]+)\r\n", rest)) and len(rest) >= found.end() + int(found[1], 16) + 2:
            size, rest = int(found[1], 16), rest[found.end() :]
            assert rest[size : size + 2] == b"\r\n"
            chunks.append(rest[:size])
            rest = rest[size + 2 :]
        return chunks


class Line:
    """One connection at the level of the socket."""

    def __init__(self, emulator: Emulator, sock: socket.socket) -> None:
        self.emulator = emulator
        self.sock = sock

    def send(self, method: str, target: str, body: Any = None, *, keep: bool = False) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.emulator.port}\r\n"
            f"x-truemed-api-key: {self.emulator.api_key}\r\nContent-Length: {len(content)}\r\n"
        )
        self.sock.sendall(head.encode() + (b"" if keep else b"Connection: close\r\n") + b"\r\n" + content)

    def receive(self, timeout: float = 10) -> Received:
        """Read until the end of the connection, or until nothing came for `timeout` seconds."""
        self.sock.settimeout(timeout)
        content = bytearray()
        try:
            while data := self.sock.recv(2**20):
                content += data
        except ConnectionResetError:
            return Received(bytes(content), "rst")
        except TimeoutError:
            return Received(bytes(content), "open")
        return Received(bytes(content), "fin")


class Raw:
    """Opens connections and closes them in the end."""

    def __init__(self, emulator: Emulator, stack: ExitStack) -> None:
        self.emulator = emulator
        self._stack = stack

    def connect(self) -> Line:
        sock = self._stack.enter_context(socket.create_connection(("127.0.0.1", self.emulator.port), timeout=10))
        return Line(self.emulator, sock)

    def send(self, method: str, target: str, body: Any = None, *, timeout: float = 10, keep: bool = False) -> Received:
        """Send one request on a connection of its own and return all that comes back."""
        line = self.connect()
        line.send(method, target, body, keep=keep)
        return line.receive(timeout)

    def list(self, query: str = "", **options: Any) -> Received:
        return self.send("GET", f"/api/v1/qualification_sessions{query}", **options)

    def get(self, id: str, **options: Any) -> Received:
        return self.send("GET", f"/api/v1/qualification_session/{id}", **options)

    def update(self, id: str, user_id: str = "u", key: str = "k", **options: Any) -> Received:
        body = {"idempotency_key": key, "user_id": user_id}
        return self.send("POST", f"/api/v1/qualification_session/{id}/update", body, **options)
