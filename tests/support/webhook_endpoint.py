"""A merchant's webhook at the level of the socket: it records deliveries, verifies signatures independently, and responds as configured."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import struct
import threading
from typing import Any

import attrs

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@attrs.frozen
class WebhookRequest:
    """One request as it came: the header lines in their order, as often as they were sent."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The payload within the envelope."""
        return self.json["data"]

    def signed_with(self, header: str | None = None) -> tuple[int, list[str]]:
        """The time of signing in Unix seconds, and the signatures."""
        (value,) = self.all("x-truemed-signature") if header is None else (header,)
        found = re.fullmatch(r"t=([0-9]{10,})((?:,v1=[0-9a-f]{64})+)", value)
        assert found, value
        return int(found[1]), found[2].removeprefix(",v1=").split(",v1=")

    def is_signed(self, secret: str, header: str | None = None) -> bool:
        t, signatures = self.signed_with(header)
        return hmac.new(secret.encode(), b"%d." % t + self.body, hashlib.sha256).hexdigest() in signatures


class Merchant:
    """Answers 204, or what is planned for the next requests: a status, bytes, or "hang", "reset", "close"."""

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []
        self.plan: list[int | str | bytes] = []
        self.open = threading.Event()  # hanging connections are released
        self._changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks?shop=1"

    def close(self) -> None:
        self.open.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def wait(self, count: int, timeout: float = 10) -> list[WebhookRequest]:
        """Return what came when it is that much."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, timeout), self.requests
            return list(self.requests)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._respond, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _respond(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            received = connection.makefile("rb")
            line, *headers = iter(lambda: received.readline().decode().rstrip("\r\n"), "")
            pairs = tuple(tuple(header.split(": ", 1)) for header in headers)
            length = int(dict(pairs)["Content-Length"])
            request = WebhookRequest(line, pairs, received.read(length))
            with self._changed:
                plan = self.plan.pop(0) if self.plan else 204
                self.requests.append(request)
                self._changed.notify_all()
            received.close()
            self._carry_out(connection, plan)

    def _carry_out(self, connection: socket.socket, plan: int | str | bytes) -> None:
        if plan == "hang":
            self.open.wait(30)
        elif plan == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif isinstance(plan, bytes):
            connection.sendall(plan)
        elif plan == 204:
            connection.sendall(NO_CONTENT)
        elif plan != "close":
            connection.sendall(f"HTTP/1.1 {plan} X\r\nContent-Length: 2\r\n\r\nno".encode())
