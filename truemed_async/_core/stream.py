"""An async iterator over batches, so that the synchronous client crosses threads once per batch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar

import attrs

from truemed_async._sensitive import Sensitive

T = TypeVar("T")


@attrs.define
class RequestCounter:
    """Counts requests, and how many of them were retries."""

    requests: int = 0
    retries: int = 0

    def add(self, attempts: int) -> None:
        """Count one call."""
        self.requests += attempts
        self.retries += attempts - 1


@attrs.define
class InvalidRows:
    """What a listing does with rows that cannot be read, from its first request on, and how many it has skipped.

    An export sets ``"yield"``: it then gets an ``UnreadableRow`` for each.
    """

    handling: Literal["raise", "skip", "yield"] = "raise"
    skipped: int = 0


@attrs.frozen(kw_only=True, eq=False)
class StreamSource:
    """The listing that a stream reads, as exports and summaries need it.

    Attributes:
        server: The base URL of the client.
        read_clock: The client's clock, in seconds since the epoch.
        model: The class of a row.
        filters: The filters that select the rows.
        counter: The requests so far.
        invalid: What happens to rows that cannot be read.
    """

    server: str
    read_clock: Callable[[], float]
    model: type[Any]
    filters: Sensitive[Mapping[str, object]]
    counter: RequestCounter = attrs.field(factory=RequestCounter)
    invalid: InvalidRows = attrs.field(factory=InvalidRows)


class Stream(AsyncIterator[T], Generic[T]):
    """The result of ``iter`` and ``get_many``: ``async for item in stream``.

    Requests start with the first item and stop when the iteration does. Connections are freed soon after the loop is
    left early; ``async with`` or :meth:`aclose` frees them at once.
    """

    __slots__ = ("_batches", "_items", "_report", "_unreported", "source")

    source: StreamSource | None
    """The listing that it reads; ``None`` for rows that come from elsewhere."""

    def __init__(
        self,
        batches: AsyncGenerator[Sequence[T], None],
        report: Callable[[Sequence[T]], None] | None = None,
        *,
        source: StreamSource | None = None,
    ) -> None:
        self.source = source
        self._unreported = batches
        self._report = report
        self._batches = batches if report is None else _report_each(batches, report)
        # Not a method: with `self` in its frame only the cyclic collector could end it.
        self._items = _flatten(self._batches)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[T]:
        return self._items.__anext__()

    @property
    def skipped(self) -> int:
        """How many rows could not be read and were skipped so far, with ``on_invalid="skip"``."""
        return 0 if self.source is None else self.source.invalid.skipped

    def batches(self) -> AsyncGenerator[Sequence[T], None]:
        """Return the same items in batches, as they arrive. Use either this or the stream itself."""
        return self._batches

    def unreported(self) -> tuple[AsyncGenerator[Sequence[T], None], Callable[[Sequence[T]], None] | None]:
        """Return the batches and the progress function, which is called with each and with ``()`` at the end.

        The synchronous client calls it on the caller's thread.
        """
        return self._unreported, self._report

    async def aclose(self) -> None:
        """Stop, and free connections and tasks. Idempotent."""
        await self._items.aclose()
        await self._batches.aclose()
        await self._unreported.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def _flatten(batches: AsyncGenerator[Sequence[T], None]) -> AsyncGenerator[T, None]:
    async with aclosing(batches):
        async for batch in batches:
            for item in batch:
                yield item


async def _report_each(
    batches: AsyncGenerator[Sequence[T], None], report: Callable[[Sequence[T]], None]
) -> AsyncGenerator[Sequence[T], None]:
    async with aclosing(batches):
        async for batch in batches:
            report(batch)
            yield batch
    report(())
