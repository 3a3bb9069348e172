"""Time that only the tests move."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime
from typing import Any

from truemed_async._core.pipeline import Clock

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC).timestamp()


class FakeClock(Clock):
    """Only advances during sleeps; ``late`` is by how much each sleep overshoots."""

    def __init__(self, start: float = 1000.0, random: float = 0.5) -> None:
        self.now = start
        self.chance = random
        self.late = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time, where a function is expected instead of a clock."""
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return NOW + self.now

    def random(self) -> float:
        return self.chance

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds + self.late
        await asyncio.sleep(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that does not wait: its clock jumps to the next timer."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        return self.now


class _Skipping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        self.loop.now += timeout or 0.0
        return super().select(0)


class LoopClock(Clock):
    """The time of the running loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.monotonic()
