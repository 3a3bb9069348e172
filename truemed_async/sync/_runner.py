"""Runs coroutines for callers without an event loop. One of the clever files; this is why it is as it is.

One daemon thread runs one event loop for the whole process, started by the first call. Simpler designs fail in
practice: a loop per call discards the connection pool and meets sockets of a closed loop; a loop on the caller's thread
fails in notebooks and makes Django believe that it is in an async context; a thread per call is slow.

- Only the loop thread uses the async client, so a sync client may be used from any number of threads. The caller
  submits a function and its arguments: a coroutine that is created on the loop thread cannot be lost on the way there.
- A call from the loop thread itself would wait for itself forever; it is refused.
- A call from a thread where another loop runs blocks that loop. Notebooks need it, so it works, and warns once.
- Ctrl-C reaches only the waiting thread. It cancels the coroutine, waits until that has cleaned up, and propagates.
- Python warns of a fork in a process with threads, because a lock that one of them holds stays locked in the child.
  Therefore the loop thread ends before a fork, and another thread continues with the loop after it. If a call is in
  flight it stays, because then other threads wait for it anyway.
- A forked child has no loop thread, perhaps a lock that no thread will release, and sockets that its parent uses. It
  abandons all three without closing them, and starts a new loop with its first call.
- At exit the clients are closed on their loop, and nothing is left to finalizers. Pending calls of daemon threads end.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from truemed_async._core.event_loop import abandon_inherited_loop
from truemed_async._warnings import warn
from truemed_async.client import AsyncTruemed, state_of
from truemed_async.errors import ClientClosedError, SyncInAsyncError
from truemed_async.sync._loop import join_thread, new_loop, run_loop
from truemed_async.sync._submission import Submission

if TYPE_CHECKING:
    from truemed_async._core.transport import AiohttpTransport

P = ParamSpec("P")
T = TypeVar("T")

SHUTDOWN_SECONDS = 2.0
"""How long the interpreter's exit, a fork, or an interrupted call waits for the loop thread."""


class Runner:
    """The loop thread of the process. :data:`runner` is the only instance."""

    def __init__(self) -> None:
        self._open: set[AiohttpTransport] = set()
        self._warned = False
        self.ended = False
        """Whether the interpreter is exiting and everything is closed."""
        self._reset_after_fork()

    def _reset_after_fork(self) -> None:
        self._lock = threading.Lock()  # held while the thread is started or ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running_loop: asyncio.AbstractEventLoop | None = None  # the same loop, while a thread runs it
        self._thread: threading.Thread | None = None
        self._submissions: set[Submission[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop of this process, or ``None`` before the first call."""
        return self._loop

    # --- calls ----------------------------------------------------------------------------------------------------

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Call a coroutine function on the loop thread, with the caller's context variables, and return its result."""
        self._check_caller(function)
        submission = Submission(function, arguments, named)
        del arguments, named
        try:
            self._submissions.add(submission)  # before reading the loop: see before_fork
            submission.start(self._running_loop or self._start())
            return submission.result()
        except BaseException:
            if self.ended and threading.current_thread().daemon:
                sys.exit()  # the interpreter exits, which cancels all calls: end a daemon thread silently
            submission.abandon(SHUTDOWN_SECONDS)
            raise
        finally:
            self._submissions.discard(submission)
            del submission  # it refers to the error, whose traceback refers to this frame

    def track(self, client: AsyncTruemed) -> None:
        """Close the connections of ``client`` when it and its copies are gone, or the interpreter exits."""
        state = state_of(client)
        self._open.add(state.transport)
        weakref.finalize(state.pipeline, self._release, state.transport).atexit = False  # copies share the pipeline

    def _release(self, transport: AiohttpTransport) -> None:
        """Close an unreachable pool. A finalizer calls this, so it only schedules the closing on the loop."""
        self._open.discard(transport)
        loop = self._loop
        if loop is not None and not self.ended:
            loop.call_soon_threadsafe(lambda: loop.create_task(transport.close()))

    def _check_caller(self, function: Callable[..., Any]) -> None:
        running = asyncio._get_running_loop()  # noqa: SLF001  # faster than get_running_loop
        if running is None:
            return
        if running is self._loop:
            # Greenlets (gevent) share a thread, and therefore the running loop that asyncio sees: they may call.
            if self._thread is not None and threading.get_ident() == self._thread.ident:
                raise SyncInAsyncError(
                    f"a synchronous call from the client's own loop thread would wait for itself: "
                    f"use `await AsyncTruemed(…).{_async_equivalent(function)}` there"
                )
        elif not self._warned and not _in_ipython():
            self._warned = True
            warn(
                f"a synchronous Truemed call blocks the event loop that runs in this thread: "
                f"use `await AsyncTruemed(…).{_async_equivalent(function)}` instead"
            )

    # --- the thread -----------------------------------------------------------------------------------------------

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self.ended:
                raise ClientClosedError("the interpreter is exiting")
            if self._running_loop is None:
                if self._thread is not None:
                    self._thread.join()  # before_fork has stopped it
                    self._thread = None
                self._loop = loop = self._loop or new_loop()
                claim = threading.Lock()
                thread = threading.Thread(
                    target=run_loop, args=(loop, claim, self._interrupt), name="truemed-async", daemon=True
                )
                try:
                    thread.start()
                except BaseException:  # Ctrl-C: the thread may be running, or never start
                    if not claim.acquire(blocking=False):
                        self._thread, self._running_loop = thread, loop
                    raise
                self._thread, self._running_loop = thread, loop
            return self._running_loop

    def _interrupt(self) -> None:
        for submission in list(self._submissions):
            submission.interrupt()

    def before_fork(self) -> None:
        """Stop the thread during a fork, unless a call waits for it."""
        if not self._lock.acquire(blocking=False):
            return  # another thread is starting it
        try:
            # The order matters: a call adds itself to the submissions before it reads the loop. So either it is seen
            # here, or it finds no loop and starts the thread again once this lock is released.
            loop, self._running_loop = self._running_loop, None
            if self._submissions or threading.current_thread() is self._thread:
                self._running_loop = loop
            elif loop is not None and self._thread is not None:
                loop.call_soon_threadsafe(loop.stop)
                join_thread(self._thread, SHUTDOWN_SECONDS)
        finally:
            self._lock.release()

    def after_fork_in_parent(self) -> None:
        """Restart the thread. If the old one has not ended yet, the next call restarts it."""
        if self._running_loop is None and self._thread is not None and not self._thread.is_alive():
            self._start()

    def after_fork_in_child(self) -> None:
        """Reset the state and abandon what the parent uses."""
        inherited = self._loop
        self._reset_after_fork()
        if inherited is not None:
            abandon_inherited_loop(inherited, *self._open)

    def close(self) -> None:
        """Close all clients and end the thread, because the interpreter exits."""
        self.ended = True
        loop, self._running_loop = self._running_loop, None
        if loop is None or self._thread is None:
            if self._loop is not None and self._thread is None:
                self._loop.close()  # its thread could not be started
            return
        closing = asyncio.run_coroutine_threadsafe(_close_all(list(self._open)), loop)
        concurrent.futures.wait([closing], SHUTDOWN_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(SHUTDOWN_SECONDS)
        if not self._thread.is_alive():
            loop.close()


async def _close_all(transports: list[AiohttpTransport]) -> None:
    """Cancel the running tasks, then close the pools."""
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


def _async_equivalent(function: Callable[..., Any]) -> str:
    """Return the call of an async method as users write it: ``qualification_sessions.get(…)``."""
    parts = getattr(function, "__qualname__", "call").split(".")
    owner = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in parts[0]).lstrip("_")
    return f"{parts[-1]}(…)" if len(parts) == 1 or owner == "async_truemed" else f"{owner}.{parts[-1]}(…)"


runner = Runner()
os.register_at_fork(
    before=runner.before_fork,
    after_in_parent=runner.after_fork_in_parent,
    after_in_child=runner.after_fork_in_child,
)
atexit.register(runner.close)
