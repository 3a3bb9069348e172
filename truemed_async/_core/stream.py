"""An async iterator that is made of batches, so that the sync facade can cross threads once per batch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Stream(AsyncIterator[T], Generic[T]):
    """What ``iter`` and ``get_many`` return: ``async for item in stream``.

    Work starts with the first item and stops when the iteration does. Leaving the loop early frees everything soon
    after; ``async with`` or :meth:`aclose` frees it at once.
    """

    __slots__ = ("_batches", "_items", "_report", "_unreported")

    def __init__(
        self, batches: AsyncGenerator[Sequence[T], None], report: Callable[[Sequence[T]], None] | None = None
    ) -> None:
        self._unreported = batches
        self._report = report
        self._batches = batches if report is None else _reported(batches, report)
        # Not a method: with `self` in its frame only the cyclic collector could end it.
        self._items = _flatten(self._batches)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[T]:
        return self._items.__anext__()

    def batches(self) -> AsyncGenerator[Sequence[T], None]:
        """Return the same items in the portions in which they arrive. Use either this or the stream itself."""
        return self._batches

    def unreported(self) -> tuple[AsyncGenerator[Sequence[T], None], Callable[[Sequence[T]], None] | None]:
        """Return the portions, and what to call with each, then with none: a caller's function, on the caller's thread."""
        return self._unreported, self._report

    async def aclose(self) -> None:
        """Stop, and free connections and tasks. May be called again."""
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


async def _reported(
    batches: AsyncGenerator[Sequence[T], None], report: Callable[[Sequence[T]], None]
) -> AsyncGenerator[Sequence[T], None]:
    async with aclosing(batches):
        async for batch in batches:
            report(batch)
            yield batch
    report(())
