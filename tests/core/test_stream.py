"""The iterator that users hold: item by item or batch by batch, and closed when they leave."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from truemed_async._core.stream import Stream


class Source:
    """Batches that note when they are made, and whether the generator was closed."""

    def __init__(self, *batches: list[int], error: Exception | None = None) -> None:
        self.batches = batches
        self.error = error
        self.batch_count = 0
        self.closed = False

    async def generate(self) -> AsyncGenerator[list[int], None]:
        try:
            for batch in self.batches:
                self.batch_count += 1
                await asyncio.sleep(0)
                yield batch
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


def stream_of(*batches: list[int], **options: Any) -> tuple[Source, Stream[int]]:
    source = Source(*batches, **options)
    return source, Stream(source.generate())


async def test_items_come_one_by_one_in_order_and_empty_batches_are_not_seen():
    source, stream = stream_of([1, 2], [], [3])
    assert [item async for item in stream] == [1, 2, 3]
    assert source.closed


async def test_no_batch_is_made_before_it_is_needed():
    source, stream = stream_of([1, 2], [3])
    assert source.batch_count == 0
    assert [await anext(stream), await anext(stream)] == [1, 2]
    assert source.batch_count == 1
    assert await anext(stream) == 3
    assert source.batch_count == 2
    await stream.aclose()


async def test_batches_are_the_same_items_as_they_arrive():
    _, stream = stream_of([1, 2], [], [3])
    assert [batch async for batch in stream.batches()] == [[1, 2], [], [3]]


async def test_stream_is_its_own_iterator_and_ends_for_good():
    _, stream = stream_of([1])
    assert aiter(stream) is stream
    assert [item async for item in stream] == [1]
    assert [item async for item in stream] == []
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_error_comes_after_the_items_before_it():
    source, stream = stream_of([1, 2], error=ZeroDivisionError("mine"))
    found = []
    with pytest.raises(ZeroDivisionError, match="mine"):
        async for item in stream:
            found.append(item)
    assert found == [1, 2]
    assert source.closed


async def test_closing_frees_at_once_and_may_be_repeated():
    source, stream = stream_of([1, 2], [3])
    assert await anext(stream) == 1
    await stream.aclose()
    assert source.closed
    await stream.aclose()
    assert [item async for item in stream] == []


async def test_closing_a_stream_that_was_never_started_starts_nothing():
    source, stream = stream_of([1])
    await stream.aclose()
    assert source.batch_count == 0


async def test_closing_frees_the_batches_too():
    source, stream = stream_of([1], [2])
    assert await anext(stream.batches()) == [1]
    await stream.aclose()
    assert source.closed


async def test_async_with_closes_however_it_is_left():
    source, stream = stream_of([1, 2], [3])
    async with stream as same:
        assert same is stream
        async for item in same:
            if item == 1:
                break
    assert source.closed
    source, stream = stream_of([1, 2])
    with pytest.raises(ZeroDivisionError):
        async with stream:
            await anext(stream)
            raise ZeroDivisionError
    assert source.closed


async def test_breaking_out_of_the_loop_frees_soon_after_without_the_cyclic_collector():
    gc.disable()
    try:
        source = Source([1, 2], [3])

        async def first() -> int:
            async for item in Stream(source.generate()):
                return item
            raise AssertionError

        assert await first() == 1
        for _ in range(10):
            await asyncio.sleep(0)
        assert source.closed
    finally:
        gc.enable()
