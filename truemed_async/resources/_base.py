"""What all resources share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, get_args

from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pagination import Comparable, FetchPage, SortOrder, iterate_all
from truemed_async._core.pipeline import Clock
from truemed_async._core.request import Query
from truemed_async._core.response import Response
from truemed_async._core.stream import RequestCounter, Stream, StreamSource
from truemed_async._sensitive import Sensitive
from truemed_async._validation import scalars
from truemed_async.models import Page
from truemed_async.options import RequestOptions

T = TypeVar("T")


class Sender(Protocol):
    """What a resource needs of the client."""

    @property
    def base_url(self) -> str:
        """The server."""
        ...

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

    def _iterate(
        self,
        endpoint: Endpoint[Page[T]],
        filters: Query,
        order: SortOrder[T],
        *,
        page_size: int,
        prefetch: int,
        since: Comparable | None = None,
        options: RequestOptions | None,
        verify: Callable[
            [FetchPage[T], Callable[[FetchPage[T]], AsyncGenerator[Sequence[T], None]]],
            AsyncGenerator[Sequence[T], None],
        ]
        | None = None,
        counter: RequestCounter | None = None,
    ) -> Stream[T]:
        """Return all rows of a list, or those whose sort key is at least ``since``.

        ``verify`` reads the pages with a function of its own around the given one.
        """
        scalars.validate_positive_int("page_size", page_size)
        scalars.validate_positive_int("prefetch", prefetch)
        (model,) = get_args(endpoint.result)
        query = Sensitive(filters)
        source = self._source(model, {**filters, "since": since}, counter)

        async def fetch(page: int, size: int) -> Page[T]:
            response = await self._client.send(
                endpoint, query={**query.value, "page": page, "page_size": size}, options=options
            )
            source.counter.add(response.attempts)
            return response.value

        def read(fetch: FetchPage[T]) -> AsyncGenerator[Sequence[T], None]:
            return iterate_all(fetch, order, page_size=page_size, prefetch=prefetch, since=since)

        return Stream(read(fetch) if verify is None else verify(fetch, read), source=source)

    def _source(
        self, model: type[Any], filters: Mapping[str, object], counter: RequestCounter | None = None
    ) -> StreamSource:
        return StreamSource(
            server=self._client.base_url,
            read_clock=self._client.clock.wall,
            model=model,
            filters=Sensitive({name: value for name, value in filters.items() if value is not None}),
            counter=counter or RequestCounter(),
        )
