"""Reads a request's body no further than a delivery can be long."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Protocol

from truemed_async.webhooks._verify import BODY_LIMIT


class Stream(Protocol):
    """What WSGI frameworks give to read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        ...


def announces_too_much(content_length: str | None) -> bool:
    """Whether a request says that its body is too large, so that none of it need be read."""
    text = (content_length or "").strip()
    return text.isascii() and text.isdigit() and (len(text) > 15 or int(text) > BODY_LIMIT)


async def read_chunks(chunks: AsyncIterable[bytes]) -> bytes | None:
    """Return the body, or ``None`` as soon as it is too large."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def read_stream(stream: Stream) -> bytes | None:
    """Return the body, or ``None`` as soon as it is too large. A stream may return less than it is asked for."""
    body = bytearray()
    while len(body) <= BODY_LIMIT:
        chunk = stream.read(BODY_LIMIT + 1 - len(body))
        if not chunk:
            return bytes(body)
        body += chunk
    return None
