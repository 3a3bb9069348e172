"""Asks again until an answer is final."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pipeline import Clock
from truemed_async._validation.scalars import validate_seconds
from truemed_async.errors import DeadlineExceededError

T = TypeVar("T")

POLL_INITIAL_DELAY = 1.0
POLL_MAX_DELAY = 30.0


async def poll(
    ask: Callable[[], Awaitable[T]],
    is_final: Callable[[T], bool],
    *,
    what: str,
    seconds_left: float,
    clock: Clock,
    endpoint: Endpoint[Any],
) -> T:
    """Return the first final answer; the pauses grow from 1 to 30 seconds."""
    deadline = clock.monotonic() + validate_seconds("timeout", seconds_left)
    polls, pause = 0, POLL_INITIAL_DELAY
    while True:
        answer = await ask()
        polls += 1
        if is_final(answer):
            return answer
        left = deadline - clock.monotonic()
        if left <= 0:
            raise DeadlineExceededError(
                f"{what} is not final after {seconds_left} seconds", endpoint=endpoint.name, attempts=polls
            )
        await clock.sleep(min(pause, left))
        pause = min(pause * 2, POLL_MAX_DELAY)
