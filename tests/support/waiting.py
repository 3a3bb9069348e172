"""Waiting for what happens elsewhere and is not announced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 30  # seconds: machines are busy


def wait_until(condition: Callable[[], T], describe: Callable[[], object] = lambda: "the condition") -> T:
    """Wait for another thread or process; return what the condition returned."""
    deadline = time.monotonic() + TIMEOUT
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not true after {TIMEOUT} s: {describe()}"
        time.sleep(0.005)
    return result


async def let_run_until(condition: Callable[[], object]) -> None:
    """Let the other tasks of this loop run until something has happened; fail if it does not."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")
