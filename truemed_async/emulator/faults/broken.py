"""Faults of the answer's bytes, its effect applied: cut short, malformed, or more than was asked for."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

import gzip
from abc import ABC, abstractmethod
from typing import ClassVar

import attrs
from aiohttp import web
from attrs.validators import and_, ge, lt

from truemed_async.emulator.faults.base import (
    Drawing,
    Ending,
    Exchange,
    Fault,
    RawResponse,
    body,
    chunk,
    head,
    message,
    plain,
)

_CHUNKED = "Transfer-Encoding: chunked"


class Broken(Fault, ABC):
    """Sends other bytes in place of those of the answer."""

    complete: ClassVar[bool] = False  # everything the answer says is there, though not as it should be
    ending: ClassVar[Ending] = "close"
    pause: ClassVar[float] = 0  # seconds before the end

    @abstractmethod
    def content(self, response: web.StreamResponse) -> bytes:
        """Return what to send."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        status = response.status if self.complete else None
        return RawResponse([self.content(response)], status=status, delay=self.pause, ending=self.ending)


class Complete(Broken):
    """Sends a whole answer, and keeps the connection for the next one."""

    complete: ClassVar[bool] = True
    ending: ClassVar[Ending] = "keep"


@attrs.define(eq=False)
class Truncated(Fault):
    """Sends a part of the body only."""

    fraction: float = attrs.field(default=0.5, validator=and_(ge(0), lt(1)))

    def part(self, whole: bytes) -> bytes:
        """Return that part: never all of it."""
        return whole[: int(len(whole) * self.fraction)]


class PartialStatusLine(Broken):
    """The connection is closed within the status line."""

    def content(self, response: web.StreamResponse) -> bytes:
        return head(response)[: len("HTTP/1.1 20")]


class PartialHeaders(Broken):
    """The connection is closed within the header."""

    def content(self, response: web.StreamResponse) -> bytes:
        return head(response, "Content-Length: ").rstrip()


@attrs.define(eq=False)
class GarbageThenClose(Broken, Drawing):
    """`size` bytes that are no HTTP, then the end."""

    size: int = attrs.field(default=64, validator=ge(1))

    def content(self, response: web.StreamResponse) -> bytes:
        del response
        # No status line begins with a zero byte, so no draw is HTTP by chance.
        return b"\0" + self._draw.randbytes(self.size - 1)


class MalformedChunk(Broken):
    """A chunked body whose second chunk has no number for a size."""

    def content(self, response: web.StreamResponse) -> bytes:
        return head(response, _CHUNKED) + chunk(body(response)[:5]) + b"XYZ\r\n" + body(response)[5:] + b"\r\n0\r\n\r\n"


class TruncateBody(Truncated, Broken):
    """The connection is closed after this `fraction` of the body that Content-Length announces."""

    def content(self, response: web.StreamResponse) -> bytes:
        return head(response, f"Content-Length: {len(body(response))}") + self.part(body(response))


class ResetInBody(TruncateBody):
    """The connection is reset (RST) after this `fraction` of the body that Content-Length announces."""

    ending: ClassVar[Ending] = "reset"
    pause: ClassVar[float] = 0.05  # or the reset could overtake what came before it


class TruncateChunked(Truncated, Broken):
    """The connection is closed after this `fraction` of a chunked body, between two chunks."""

    def content(self, response: web.StreamResponse) -> bytes:
        return head(response, _CHUNKED) + chunk(self.part(body(response)))


class TruncateCloseDelimited(Truncated, Broken):
    """The body ends after this `fraction`, with the connection: HTTP itself cannot tell."""

    def content(self, response: web.StreamResponse) -> bytes:
        return head(response, "Connection: close") + self.part(body(response))


class TruncateGzipClean(Truncated):
    """A gzip body of which only this `fraction` is there, and all else as it should be: Content-Length, keep-alive."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        answer = plain(response)
        answer.body = self.part(gzip.compress(body(answer)))
        answer.headers["Content-Encoding"] = "gzip"
        return answer


@attrs.define(eq=False)
class DuplicateContentLength(Complete):
    """Two Content-Length: the true one, and another with this `difference`."""

    difference: int = 1

    def content(self, response: web.StreamResponse) -> bytes:
        return message(response, f"Content-Length: {len(body(response)) + self.difference}")


class ContentLengthAndChunked(Complete):
    """Content-Length and chunks at once: nobody knows which one counts."""

    def content(self, response: web.StreamResponse) -> bytes:
        whole = body(response)
        return head(response, f"Content-Length: {len(whole)}", _CHUNKED) + chunk(whole) + b"0\r\n\r\n"


@attrs.define(eq=False)
class ExtraBytesAfterBody(Complete):
    """A whole answer, then `extra`: the beginning of an answer to nothing."""

    extra: str = "extra"

    def content(self, response: web.StreamResponse) -> bytes:
        return message(response) + self.extra.encode()


@attrs.define(eq=False)
class HeaderFlood(Complete):
    """`count` more header fields."""

    count: int = attrs.field(default=10_000, validator=ge(1))

    def content(self, response: web.StreamResponse) -> bytes:
        return message(response, *(f"X-Flood-{number}: {number}" for number in range(self.count)))


@attrs.define(eq=False)
class HugeHeader(Complete):
    """One more header field, with a value of `size` bytes."""

    size: int = attrs.field(default=1_000_000, validator=ge(1))

    def content(self, response: web.StreamResponse) -> bytes:
        return message(response, f"X-Huge: {'x' * self.size}")


@attrs.define(eq=False)
class InformationalFlood(Complete):
    """`count` answers with status 103 before the real one."""

    count: int = attrs.field(default=10_000, validator=ge(1))

    def content(self, response: web.StreamResponse) -> bytes:
        return b"HTTP/1.1 103 Early Hints\r\n\r\n" * self.count + message(response)


class Unexpected101(Broken):
    """The answer is a 101 to an upgrade that nobody asked for."""

    def content(self, response: web.StreamResponse) -> bytes:
        del response
        return b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
