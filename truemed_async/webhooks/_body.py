"""Read a request's body up to the largest size of a delivery; shared by the endpoints of the web frameworks.

Each endpoint stores the body in the framework's request object, as the framework does itself when it reads a body, so that
code around the endpoint (request logging, for example) can read it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Protocol

from truemed_async.webhooks._verify import MAX_DELIVERY_BYTES


class ReadableBody(Protocol):
    """The body of a request in WSGI frameworks."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and no bytes at the end."""
        ...


def content_length_exceeds_limit(content_length: str | None) -> bool:
    """Whether the header says that the body is too large, so that it need not be read."""
    text = (content_length or "").strip()
    return text.isascii() and text.isdigit() and (len(text) > 15 or int(text) > MAX_DELIVERY_BYTES)


async def join_chunks(chunks: AsyncIterable[bytes]) -> bytes:
    """Return the body; of a body that is too large, its start, which is longer than the limit."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_DELIVERY_BYTES:
            break
    return bytes(body)


def read_body(stream: ReadableBody) -> bytes:
    """Return the body; of a body that is too large, its start, which is longer than the limit.

    A read may return fewer bytes than requested.
    """
    body = bytearray()
    while len(body) <= MAX_DELIVERY_BYTES and (chunk := stream.read(MAX_DELIVERY_BYTES + 1 - len(body))):
        body += chunk
    return bytes(body)
