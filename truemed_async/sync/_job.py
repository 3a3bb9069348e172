"""One call on its way to the loop thread and back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """A coroutine function and its arguments; ``done`` is fulfilled when its task has ended, clean-up included."""

    __slots__ = ("_arguments", "_function", "_loop", "_named", "_task", "cancelled", "done")

    def __init__(
        self, function: Callable[..., Coroutine[Any, Any, T]], arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        self.done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.cancelled: type[BaseException] = asyncio.CancelledError
        """What the caller gets when the task is cancelled."""
        self._function = function
        self._arguments = arguments
        self._named = named
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand it to the loop, with the caller's context variables."""
        self._loop = loop
        loop.call_soon_threadsafe(self._begin, loop, context=contextvars.copy_context())

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._call())
        self._task.add_done_callback(self._finish)

    async def _call(self) -> T:
        return await self._function(*self._arguments, **self._named)

    def _finish(self, task: asyncio.Task[T]) -> None:
        error = self.cancelled() if task.cancelled() else task.exception()
        if error is None:
            self.done.set_result(task.result())
        else:
            self.done.set_exception(error)

    def abandon(self, seconds: float) -> None:
        """Cancel it if it has not ended, because the caller was interrupted, and wait until it has cleaned up."""
        if self._loop is not None and not self.done.done():
            self._loop.call_soon_threadsafe(self._cancel)
            concurrent.futures.wait([self.done], seconds)

    def _cancel(self) -> None:
        if self._task is None:  # interrupted before it was handed over
            self.done.set_exception(self.cancelled())
        else:
            self._task.cancel()
