"""The base classes of all resources: one request, one page, one listing, many gets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import date, timedelta
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack, cast, get_args

import attrs

from truemed_async._core.bulk import (
    Outcome,
    ProgressReporter,
    RecentIds,
    accept_all,
    fan_out,
    filter_repeats,
    outcome_of,
)
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pagination import FetchPage, RefusalHandler, SortOrder, iterate_all
from truemed_async._core.pipeline import Clock
from truemed_async._core.request import Query
from truemed_async._core.response import Response
from truemed_async._core.stream import RequestCounter, Stream, StreamSource
from truemed_async._sensitive import Sensitive
from truemed_async._validation import scalars
from truemed_async.errors import DeadlineExceededError
from truemed_async.models import Page
from truemed_async.options import OnInvalid, RequestOptions, validate_on_invalid
from truemed_async.resources._fields import PAGE_PARAMETERS, build_query
from truemed_async.resources._unreadable import TolerantOrder, select_rows, tolerate_rows

T = TypeVar("T")

POLL_INITIAL_DELAY = 1.0
POLL_MAX_DELAY = 30.0

Batches = AsyncGenerator[Sequence[T], None]
ReadPages = Callable[[FetchPage[T]], Batches[T]]


class CallArguments(TypedDict, total=False):
    """What ``AsyncTruemed.send`` takes besides the endpoint."""

    path: Mapping[str, str] | None
    query: Query | None
    body: Mapping[str, Any] | None
    idempotency_key: str | None
    options: RequestOptions | None


class ClientProtocol(Protocol):
    """The part of the client that resources use."""

    @property
    def base_url(self) -> str:
        """The server."""
        ...

    @property
    def clock(self) -> Clock:
        """The client's clock."""
        ...

    @property
    def send(self) -> Callable[..., Coroutine[Any, Any, Response[Any]]]:
        """``AsyncTruemed.send``, whose signature is not repeated here: see :class:`CallArguments`."""
        ...


class Resource:
    """A group of endpoints, reached as an attribute of the client."""

    def __init__(self, client: ClientProtocol) -> None:
        self._client = client

    async def _request(self, endpoint: Endpoint[T], **call: Unpack[CallArguments]) -> T:
        """Make one call and return its result."""
        sending = self._client.send(endpoint, **call)
        del call
        return cast("T", (await sending).value)

    async def _write(self, endpoint: Endpoint[T], **call: Unpack[CallArguments]) -> T:
        """Make one write that takes an idempotency key, and return its result with the key that was sent."""
        sending = self._client.send(endpoint, **call)
        del call
        response = await sending
        return cast("T", attrs.evolve(response.value, idempotency_key=response.idempotency_key))

    async def _poll(
        self,
        endpoint: Endpoint[Any],
        read: Callable[[], Awaitable[T]],
        is_final: Callable[[T], bool],
        *,
        timeout: float,  # noqa: ASYNC109  # how long to poll; canceling a poll midway would say less
        unfinished: str,
    ) -> T:
        """Read an object until it is final, with growing delays; ``unfinished`` describes one that is not."""
        clock = self._client.clock
        deadline = clock.monotonic() + scalars.validate_seconds("timeout", timeout)
        polls, delay = 0, POLL_INITIAL_DELAY
        while True:
            value = await read()
            polls += 1
            if is_final(value):
                return value
            remaining = deadline - clock.monotonic()
            if remaining <= 0:
                raise DeadlineExceededError(
                    f"{unfinished} after {timeout} seconds", endpoint=endpoint.name, attempts=polls, is_read=True
                )
            await clock.sleep(min(delay, remaining))
            delay = min(delay * 2, POLL_MAX_DELAY)

    def _list(
        self,
        endpoint: Endpoint[Page[T]],
        filters: Query,
        page: int | None,
        page_size: int | None,
        options: RequestOptions | None,
    ) -> Awaitable[Page[T]]:
        """Return one page of a list."""
        paging = build_query(PAGE_PARAMETERS, page=page, page_size=page_size)
        return self._request(endpoint, query={**filters, **paging}, options=options)

    def _iterate(
        self,
        endpoint: Endpoint[Page[T]],
        filters: Query,
        order: SortOrder[T],
        *,
        page_size: int,
        prefetch: int,
        since: date | None = None,
        until: date | None = None,
        look_back: timedelta = timedelta(0),
        options: RequestOptions | None,
        local_filters: Mapping[str, object] | None = None,
        verify: Callable[[FetchPage[T], ReadPages[T]], Batches[T]] | None = None,
        counter: RequestCounter | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> Stream[T]:
        """Return all rows of a list; with ``since`` and ``until``, those whose sort key is between them.

        ``local_filters`` are fields and their values, for filters that the server does not have.
        ``verify`` yields the same rows and may look at the pages: it calls the given function with its own ``fetch``.
        """
        earliest = scalars.resolve_since(since, look_back, self._client.clock.wall())
        latest = scalars.resolve_until(until, since)
        scalars.validate_positive_int("page_size", page_size)
        scalars.validate_positive_int("prefetch", prefetch)
        (model,) = get_args(endpoint.result)
        query = Sensitive(filters)
        source = self._source(model, {**filters, **(local_filters or {}), "since": earliest, "until": latest}, counter)
        source.invalid.handling = validate_on_invalid(on_invalid)

        selecting = {*(local_filters or ()), *(() if latest is None else ("created_at",))}
        endpoints = {
            "raise": endpoint,
            "skip": tolerate_rows(endpoint),
            "yield": tolerate_rows(endpoint, columnar=order.has_fields and not selecting),
        }

        def matches(row: T) -> bool:
            if latest is not None and ((key := order.key_of(row)) is None or not key < latest):
                return False
            return all(getattr(row, name) == value for name, value in (local_filters or {}).items())

        async def fetch(page: int, size: int) -> Page[T]:
            response = await self._client.send(
                endpoints[source.invalid.handling],
                query={**query.value, "page": page, "page_size": size},
                options=options,
            )
            source.counter.add(response.attempts)
            return cast("Page[T]", response.value)

        def read(fetch: FetchPage[T]) -> Batches[T]:
            rows_order = order if source.invalid.handling == "raise" else TolerantOrder.of(order)
            return iterate_all(fetch, rows_order, page_size=page_size, prefetch=prefetch, since=earliest)

        async def read_selected() -> Batches[T]:
            accepted = RefusalHandler(fetch).fetch
            batches = read(accepted) if verify is None else verify(accepted, read)
            async with aclosing(select_rows(batches, matches, selecting, source.invalid)) as selected:
                async for batch in selected:
                    yield batch

        return Stream(read_selected(), source=source)

    def _source(
        self, model: type[Any], filters: Mapping[str, object], counter: RequestCounter | None = None
    ) -> StreamSource:
        """Describe a listing for exports and summaries."""
        return StreamSource(
            server=self._client.base_url,
            read_clock=self._client.clock.wall,
            model=model,
            filters=Sensitive({name: value for name, value in filters.items() if value is not None}),
            counter=counter or RequestCounter(),
        )


class GettableResource(Resource, ABC, Generic[T]):
    """A group of endpoints one of which gets an object by its id."""

    @abstractmethod
    async def get(self, id: str, /, *, options: RequestOptions | None = None) -> T:
        """Return one object."""
        ...

    def get_many(
        self,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        unique: bool = False,
        progress: Callable[[int, int, int | None], object] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[Outcome[T]]:
        """Get many objects by their ids, ``concurrency`` at a time.

        Each id yields one :class:`~truemed_async.Outcome`; one that fails does not affect the others.

        Args:
            ids: The ids, from any iterable or async iterable; it is read only as fast as the outcomes are taken.

        Shared arguments and errors: :doc:`/common`.
        """
        scalars.validate_positive_int("concurrency", concurrency)
        scalars.validate_iterable("ids", ids)
        recent = RecentIds() if unique else None

        async def get(id: str) -> Outcome[T]:
            return await outcome_of(id, lambda each: self.get(each, options=options))

        accept = accept_all if recent is None else filter_repeats(ids, recent)
        return Stream(
            fan_out(ids, get, concurrency=concurrency, ordered=ordered, accept=accept),
            None if progress is None else ProgressReporter(progress, ids, recent),
        )
