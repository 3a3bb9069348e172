"""Many calls at once: bounded, lazy, isolated from each other, and gone when the consumer is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from truemed_async._core.bulk import Outcome, fan_out, outcome_of
from truemed_async.errors import InvalidArgumentError, NotFoundError

NOT_FOUND = NotFoundError("404 Not Found", endpoint="x.y")


async def settled() -> None:
    """Run all tasks until each of them is blocked."""
    for _ in range(50):
        await asyncio.sleep(0)


def other_tasks() -> int:
    return len(asyncio.all_tasks()) - 1


async def flat(stream: Any) -> list[Any]:
    return [item async for batch in stream for item in batch]


class Calls:
    """Doubles a number when released; counts the calls in flight."""

    def __init__(self, *, free: bool = True) -> None:
        self.started: list[int] = []
        self.running = 0
        self.most = 0
        self.cancelled = 0
        self.gates: dict[int, asyncio.Event] = {}
        self.free = free

    async def __call__(self, number: int) -> int:
        self.started.append(number)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.free:
                await asyncio.sleep(0)
            else:
                await self.gates.setdefault(number, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return number * 2

    def let(self, number: int) -> None:
        self.gates.setdefault(number, asyncio.Event()).set()


class Endless:
    """Numbers without end, and how many were taken."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.count += 1
        return self.count - 1


async def later(numbers: Any) -> AsyncIterator[int]:
    for number in numbers:
        await asyncio.sleep(0)
        yield number


# --- what comes out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 2, 7, 100])
@pytest.mark.parametrize("size", [0, 1, 2, 50])
@pytest.mark.parametrize("source", [lambda n: range(n), lambda n: iter(range(n)), lambda n: later(range(n))], ids=["list", "iterator", "async"])  # fmt: skip
async def test_every_item_gives_one_result(concurrency, size, source):
    calls = Calls()
    found = await flat(fan_out(source(size), calls, concurrency=concurrency, ordered=False))
    assert sorted(found) == [number * 2 for number in range(size)]
    assert calls.most <= concurrency
    assert other_tasks() == 0


@pytest.mark.parametrize("source", [range, lambda n: later(range(n))], ids=["sync", "async"])
async def test_ordered_results_come_in_the_order_of_the_items(source):
    calls = Calls(free=False)
    stream = fan_out(source(8), calls, concurrency=4, ordered=True)
    first = asyncio.ensure_future(anext(stream))
    await settled()
    for number in (3, 2, 1):
        calls.let(number)
    await settled()
    assert not first.done()
    calls.let(0)
    batches = [await first]
    for number in range(4, 8):
        calls.let(number)
    batches += [batch async for batch in stream]
    assert [item for batch in batches for item in batch] == [number * 2 for number in range(8)]


async def test_unordered_results_come_as_they_arrive():
    calls = Calls(free=False)
    stream = fan_out(range(3), calls, concurrency=3, ordered=False)
    first = asyncio.ensure_future(anext(stream))
    await settled()
    calls.let(2)
    assert await first == [4]
    for number in (1, 0):
        calls.let(number)
    assert sorted(await flat(stream)) == [0, 2]


@settings(max_examples=100)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 6), st.booleans(), st.booleans())
def test_any_timing_yields_each_result_once_in_order(delays, concurrency, ordered, asynchronous):
    async def call(number: int) -> int:
        for _ in range(delays[number]):
            await asyncio.sleep(0)
        return number

    async def run() -> list[int]:
        items = later(range(len(delays))) if asynchronous else range(len(delays))
        return await flat(fan_out(items, call, concurrency=concurrency, ordered=ordered))

    found = asyncio.run(run())
    assert (found if ordered else sorted(found)) == list(range(len(delays)))


# --- bounds -------------------------------------------------------------------------------------------------------


async def test_ten_thousand_items_need_no_more_tasks_than_the_limit():
    most = 0

    async def call(number: int) -> int:
        nonlocal most
        await asyncio.sleep(0)
        most = max(most, other_tasks())
        return number

    assert len(await flat(fan_out(range(10_000), call, concurrency=16, ordered=False))) == 10_000
    assert most == 16


@pytest.mark.parametrize("ordered", [True, False])
async def test_endless_source_is_read_no_further_than_twice_the_limit_ahead(ordered):
    source, calls = Endless(), Calls()
    stream = fan_out(source, calls, concurrency=4, ordered=ordered)
    received = 0
    for _ in range(20):
        batch = await anext(stream)
        received += len(batch)
        await settled()
        assert source.count <= received + 2 * 4
    assert received >= 20
    await stream.aclose()
    assert other_tasks() == 0


async def test_slow_first_item_does_not_let_the_ordered_ones_pile_up():
    source, calls = Endless(), Calls(free=False)
    for number in range(1, 1000):
        calls.let(number)
    stream = fan_out(source, calls, concurrency=4, ordered=True)
    first = asyncio.ensure_future(anext(stream))
    await settled()
    assert source.count <= 8
    calls.let(0)
    assert (await first)[0] == 0
    await stream.aclose()


async def test_source_is_not_read_before_the_first_result():
    source = Endless()
    stream = fan_out(source, Calls(), concurrency=4, ordered=False)
    await settled()
    assert source.count == 0
    assert other_tasks() == 0
    await stream.aclose()
    assert source.count == 0


async def test_source_is_never_read_by_two_workers_at_once():
    reading = False

    async def source() -> AsyncIterator[int]:
        nonlocal reading
        for number in range(20):
            assert not reading
            reading = True
            await asyncio.sleep(0)
            reading = False
            yield number

    assert len(await flat(fan_out(source(), Calls(), concurrency=8, ordered=False))) == 20


# --- failure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
async def test_exception_of_the_source_ends_the_iteration(ordered):
    calls = Calls(free=False)

    async def call(number: int) -> int:
        if number == 2:
            raise ZeroDivisionError("mine")
        return await calls(number)

    with pytest.raises(ZeroDivisionError, match="mine"):
        await flat(fan_out(range(100), call, concurrency=4, ordered=ordered))
    assert other_tasks() == 0
    assert calls.running == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError, StopAsyncIteration], ids=lambda error: error.__name__)
async def test_no_exception_of_a_call_leaves_the_consumer_waiting_or_an_item_lost(error):
    async def call(number: int) -> int:
        if number == 1:
            raise error
        return number

    with pytest.raises((error, RuntimeError)):
        async with asyncio.timeout(1):
            await flat(fan_out(range(3), call, concurrency=1, ordered=False))
    assert other_tasks() == 0


async def test_source_that_fails_ends_the_whole():
    def source() -> Iterator[int]:
        yield 0
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        await flat(fan_out(source(), Calls(), concurrency=4, ordered=False))
    assert other_tasks() == 0


async def test_leaving_early_cancels_and_awaits_the_workers():
    calls = Calls(free=False)
    calls.let(0)
    stream = fan_out(Endless(), calls, concurrency=4, ordered=False)
    assert await anext(stream) == [0]
    await settled()
    assert calls.running == 4
    await stream.aclose()
    assert (calls.running, calls.cancelled) == (0, 4)
    assert other_tasks() == 0
    await stream.aclose()


async def test_cancelling_the_consumer_cancels_the_workers():
    calls = Calls(free=False)
    consumer = asyncio.ensure_future(flat(fan_out(range(10), calls, concurrency=4, ordered=False)))
    await settled()
    assert calls.running == 4
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    await settled()
    assert calls.running == 0
    assert other_tasks() == 0


# --- outcomes -----------------------------------------------------------------------------------------------------


async def test_outcome_of_a_call_that_worked_is_its_value():
    async def call(item: str) -> str:
        return item.upper()

    outcome = await outcome_of("qs_1", call)
    assert outcome == Outcome(id="qs_1", value="QS_1")
    assert outcome.ok
    assert outcome.unwrap() == "QS_1"


@pytest.mark.parametrize("error", [NOT_FOUND, InvalidArgumentError("no id")])
async def test_one_failure_does_not_affect_other_outcomes(error):
    async def call(item: str) -> str:
        raise error

    outcome = await outcome_of("qs_1", call)
    assert (outcome.id, outcome.value, outcome.error, outcome.ok) == ("qs_1", None, error, False)
    with pytest.raises(type(error)) as caught:
        outcome.unwrap()
    assert caught.value is error


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, KeyboardInterrupt])
async def test_errors_that_are_not_call_errors_propagate(error):
    async def call(item: str) -> str:
        raise error

    with pytest.raises(error):
        await outcome_of("qs_1", call)


def test_none_is_a_valid_value():
    assert Outcome(id="qs_1", value=None).ok
    assert Outcome(id="qs_1", value=None).unwrap() is None
