"""What all resources share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from truemed_async._core.endpoint import Endpoint
from truemed_async._core.listing import Sorting, complete
from truemed_async._core.listing_passed import Comparable
from truemed_async._core.pipeline import Clock
from truemed_async._core.request import Query
from truemed_async._core.response import Response
from truemed_async._core.stream import Stream
from truemed_async._sensitive import Sensitive
from truemed_async._validation import scalars
from truemed_async.models import Page
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

    def _every(
        self,
        endpoint: Endpoint[Page[T]],
        filters: Query,
        sorting: Sorting[T],
        *,
        page_size: int,
        prefetch: int,
        since: Comparable | None = None,
        options: RequestOptions | None,
    ) -> Stream[T]:
        """Return all rows of a list, of those whose sort key is at least ``since``."""
        asked = Sensitive(filters)
        scalars.validate_positive_int("page_size", page_size)
        scalars.validate_positive_int("prefetch", prefetch)

        async def fetch(page: int, size: int) -> Page[T]:
            return await self._call(endpoint, query={**asked.value, "page": page, "page_size": size}, options=options)

        return Stream(complete(fetch, sorting, page_size=page_size, prefetch=prefetch, since=since))
