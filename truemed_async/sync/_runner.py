"""Runs coroutines for callers without an event loop. The one clever file; this is why it is as it is.

One daemon thread runs one event loop for the whole process, started by the first call. Anything less keeps breaking
in the field: a loop per call throws the connection pool away and meets sockets of a closed loop; a loop on the
caller's thread fails in notebooks and makes Django believe that it is in an async context; a thread per call is slow.

- Only the loop thread touches the async client, so a sync client may be used from any number of threads.
- A call from the loop thread itself would wait for itself for ever; it is refused.
- A call from a thread where some loop runs blocks that loop. Notebooks need it, so it works, and warns once.
- Ctrl-C reaches the waiting thread only. It cancels the coroutine, waits until that has cleaned up, and goes on.
- A forked child has no loop thread, maybe a lock that nobody will release, and sockets that its parent uses. It forgets
  all three, closing nothing, and starts afresh with its first call.
- At exit the clients are closed on their loop; nothing is left to finalisers.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from truemed_async._core.forks import leave_behind
from truemed_async.errors import SyncInAsyncError

if TYPE_CHECKING:
    from truemed_async._core.transport import Transport
    from truemed_async.client import AsyncTruemed

T = TypeVar("T")

EXIT_SECONDS = 2.0
"""How long the interpreter's exit, or an interrupted call, waits for the loop thread."""


class Runner:
    """The process's loop thread. There is one, :data:`runner`; its state is what a process has only once."""

    def __init__(self) -> None:
        self._open: set[Transport] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._warned = False
        self.forget()

    def forget(self) -> None:
        """Start from nothing; in a forked child, what the parent uses is left behind."""
        if self._loop is not None:
            leave_behind(self._loop, *self._open)
        self._lock = threading.Lock()
        self._loop = None
        self._thread: threading.Thread | None = None

    def track(self, client: AsyncTruemed) -> None:
        """Close the connections of ``client`` when it and its copies are gone, or the interpreter exits."""
        # What a client and its copies share.
        pipeline, transport = client._pipeline, client._transport  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._open.add(transport)
        weakref.finalize(pipeline, self._release, transport).atexit = False

    def _release(self, transport: Transport) -> None:
        """Have a pool closed that nobody can use any more. A finaliser calls this, so it only hands it to the loop."""
        self._open.discard(transport)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.create_task, transport.close())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop thread and return its result, with the caller's context variables."""
        try:
            self._check_caller(coroutine)
            loop = self._loop or self._start()
        except BaseException:
            coroutine.close()
            raise
        job = _Job(loop, coroutine)
        try:
            job.start()
            return job.done.result()
        except BaseException:
            job.abandon()
            raise
        finally:
            del job  # it holds the error, whose traceback holds this frame

    def _check_caller(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if self._thread is not None and threading.get_ident() == self._thread.ident:
            raise SyncInAsyncError(
                f"a synchronous call from the client's own loop thread would wait for itself: "
                f"use `await AsyncTruemed(…).{_spelling(coroutine)}` there"
            )
        if not self._warned and asyncio._get_running_loop() is not None and not _in_ipython():  # noqa: SLF001  # the cheap look
            self._warned = True
            warnings.warn(
                f"a synchronous Truemed call blocks the event loop that runs in this thread: "
                f"use `await AsyncTruemed(…).{_spelling(coroutine)}` instead",
                RuntimeWarning,
                stacklevel=5,
            )

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = _new_loop()
                self._thread = threading.Thread(target=_serve, args=(loop,), name="truemed-async", daemon=True)
                self._thread.start()
                self._loop = loop
            return self._loop

    def close(self) -> None:
        """Close all clients and end the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        closing = asyncio.run_coroutine_threadsafe(_close_all(list(self._open)), loop)
        concurrent.futures.wait([closing], EXIT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(EXIT_SECONDS)
        if not thread.is_alive():
            loop.close()


class _Job(Generic[T]):
    """One coroutine on its way: ``done`` is fulfilled when its task has ended, clean-up included."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self.done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def start(self) -> None:
        self._loop.call_soon_threadsafe(self._begin, context=contextvars.copy_context())

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[T]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self.done.set_result(task.result())
        else:
            self.done.set_exception(error)

    def abandon(self) -> None:
        """Cancel the coroutine, because the caller was interrupted, and wait until it has cleaned up."""
        if self.done.done():
            return
        self._loop.call_soon_threadsafe(self._cancel)
        concurrent.futures.wait([self.done], EXIT_SECONDS)

    def _cancel(self) -> None:
        if self._task is None:  # interrupted before it began
            self._coroutine.close()
            self.done.set_exception(asyncio.CancelledError())
        else:
            self._task.cancel()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop, uvloop's where it is installed (extra ``speed``)."""
    try:
        import uvloop  # noqa: PLC0415  # optional, and only the first call needs it
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


async def _close_all(transports: list[Transport]) -> None:
    """Cancel what still runs, then close the pools."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for transport in transports:
        await transport.close()
    await asyncio.get_running_loop().shutdown_asyncgens()


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def _spelling(coroutine: Coroutine[Any, Any, Any]) -> str:
    """Name the async method that a coroutine came from, as it is written: ``qualification_sessions.get(…)``."""
    parts: list[str] = getattr(coroutine, "__qualname__", "call").split(".")
    owner = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in parts[0]).lstrip("_")
    return f"{parts[-1]}(…)" if len(parts) == 1 or owner == "async_truemed" else f"{owner}.{parts[-1]}(…)"


runner = Runner()
os.register_at_fork(after_in_child=runner.forget)
atexit.register(runner.close)
