"""Many time limits with one timer, each with the result that ``asyncio.timeout`` has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from truemed_async._core.time_limit import TimeLimiter


class FakeTimer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due, self.callback, self.cancelled = due, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Timers by a clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 100.0
        self.timers: list[FakeTimer] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(self.time + delay, callback))
        return self.timers[-1]

    @property
    def due(self) -> list[float]:
        return [timer.due for timer in self.timers if not timer.cancelled]

    async def advance(self, time: float, *, early: float = 0.0) -> None:
        """Run the timers that are due until then, and let the tasks react."""
        while timers := [timer for timer in self.timers if not timer.cancelled and timer.due <= time]:
            self.timers.remove(timers[0])
            self.time = timers[0].due - early
            timers[0].callback()
            for _ in range(5):
                await asyncio.sleep(0)
        self.time = time


@pytest.fixture
def loop():
    return FakeLoop()


@pytest.fixture
def limiter(loop):
    return TimeLimiter(loop, lambda: loop.time)


async def hang() -> None:
    await asyncio.Event().wait()


def start(limiter: TimeLimiter, seconds: float, work: Callable[[], Any] = hang) -> asyncio.Task:
    async def run() -> object:
        with limiter.limit(seconds):
            return await work()

    return asyncio.create_task(run())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_body_over_its_limit_ends_with_a_timeout(loop, limiter):
    task = start(limiter, 20)
    await settle()
    await loop.advance(119.9)
    assert not task.done()
    await loop.advance(120)
    with pytest.raises(TimeoutError) as caught:
        await task
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert not task.cancelled()
    assert task.cancelling() == 0


async def test_timer_that_is_a_millisecond_early_ends_the_body(loop, limiter):
    task = start(limiter, 20)
    await settle()
    await loop.advance(120, early=0.001)
    with pytest.raises(TimeoutError):
        await task


async def test_one_timer_serves_many_limits(loop, limiter):
    release = asyncio.Event()
    quick = [start(limiter, 20, release.wait) for _ in range(100)]
    await settle()
    assert len(loop.timers) == 1
    release.set()
    await asyncio.gather(*quick)
    loop.time = 105
    slow = start(limiter, 20)
    await settle()
    assert loop.due == [120]
    await loop.advance(120)
    assert loop.due == [125]
    assert not slow.done()
    await loop.advance(125)
    with pytest.raises(TimeoutError):
        await slow
    assert loop.due == []


async def test_shorter_limit_brings_the_timer_forward(loop, limiter):
    slow = start(limiter, 20)
    await settle()
    short = start(limiter, 3)
    await settle()
    assert loop.due == [103]
    await loop.advance(103)
    with pytest.raises(TimeoutError):
        await short
    assert loop.due == [120]
    slow.cancel()
    await asyncio.wait([slow])


async def test_limits_that_end_together_all_end(loop, limiter):
    tasks = [start(limiter, 20) for _ in range(3)]
    await settle()
    await loop.advance(120)
    assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [TimeoutError] * 3


async def test_cancelled_body_ends_cancelled(loop, limiter):
    task = start(limiter, 20)
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await loop.advance(130)
    assert loop.due == []


async def test_cancellation_at_the_same_moment_as_the_limit_wins(loop, limiter):
    task = start(limiter, 20)
    await settle()
    task.cancel()
    loop.time = 120
    loop.timers[0].callback()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_error_of_a_body_whose_time_is_over_is_not_replaced(loop, limiter):
    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    task = start(limiter, 20, fail)
    await settle()
    await loop.advance(120)
    with pytest.raises(ValueError):
        await task
    assert task.cancelling() == 0


async def test_close_cancels_an_idle_timer_only(loop, limiter):
    limiter.close()
    task = start(limiter, 20)
    await settle()
    limiter.close()
    assert loop.due == [120]
    task.cancel()
    await asyncio.wait([task])
    limiter.close()
    assert loop.due == []
    again = start(limiter, 20)
    await settle()
    assert loop.due == [120]
    again.cancel()
    await asyncio.wait([again])


async def test_limit_on_the_running_loop_ends_a_body_that_waits():
    limiter = TimeLimiter(asyncio.get_running_loop())
    with pytest.raises(TimeoutError), limiter.limit(0.01):
        await hang()
    limiter.close()
