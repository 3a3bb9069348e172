"""What all resources share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pipeline import Clock
from truemed_async._core.request import Query
from truemed_async._core.response import Response
from truemed_async.options import RequestOptions

T = TypeVar("T")


class Sender(Protocol):
    """What a resource needs of the client."""

    @property
    def clock(self) -> Clock:
        """The client's time."""
        ...

    async def send(
        self,
        endpoint: Endpoint[T],
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        options: RequestOptions | None = None,
    ) -> Response[T]:
        """Make one call."""
        ...


class Resource:
    """A group of endpoints, reached as an attribute of the client."""

    __slots__ = ("_client",)

    def __init__(self, client: Sender) -> None:
        self._client = client

    async def _call(
        self,
        endpoint: Endpoint[T],
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> T:
        sending = self._client.send(endpoint, path=path, query=query, body=body, options=options)
        del path, query, body  # a traceback may show the locals of this frame
        return (await sending).value
