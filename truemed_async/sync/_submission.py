"""A call that is submitted to the loop thread, and its result."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

SIGNAL_POLL_SECONDS = 0.25
"""How long a signal may wait that arrives just before its thread blocks on a lock, which it does not interrupt."""


class Submission(Generic[T]):
    """A coroutine function and its arguments. It has ended when its task has, including cleanup."""

    __slots__ = (
        "_arguments",
        "_done",
        "_error",
        "_function",
        "_loop",
        "_named",
        "_task",
        "_value",
        "cancellation",
        "ended",
    )

    def __init__(
        self, function: Callable[..., Coroutine[Any, Any, T]], arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        self.ended = False
        self.cancellation: type[BaseException] = asyncio.CancelledError
        """The exception that the caller receives if the task is canceled."""
        self._function = function
        self._arguments = arguments
        self._named = named
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None
        self._value: T | None = None
        self._error: BaseException | None = None
        self._done = threading.Lock()  # the fastest primitive to wait for; released at the end
        self._done.acquire()

    # --- on the caller's thread -----------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Submit it to the loop, with the caller's context variables."""
        self._loop = loop
        loop.call_soon_threadsafe(self._begin, loop, context=contextvars.copy_context())

    def result(self) -> T:
        """Wait for the end and return the value, or raise the error."""
        while not self.ended:
            self._done.acquire(timeout=SIGNAL_POLL_SECONDS)
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def abandon(self, seconds: float) -> None:
        """Cancel it after the caller was interrupted, and wait until it has cleaned up."""
        if self._loop is not None and not self.ended:
            self._loop.call_soon_threadsafe(self._cancel)
            self._done.acquire(timeout=seconds)

    # --- on the loop thread ---------------------------------------------------------------------------------------

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._call())
        self._task.add_done_callback(self._finish)

    async def _call(self) -> T:
        return await self._function(*self._arguments, **self._named)

    def _finish(self, task: asyncio.Task[T]) -> None:
        self._task = None  # otherwise it may be freed on the caller's thread, where its finalizers may swallow a Ctrl-C
        self._error = self.cancellation() if task.cancelled() else task.exception()
        if self._error is None:
            self._value = task.result()
        self._end()

    def interrupt(self) -> None:
        """Cancel it, and interrupt the caller."""
        self.cancellation = KeyboardInterrupt
        if self._loop is not None:
            self._loop.call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif not self.ended:  # interrupted before it was submitted
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._done.release()
