"""Runs coroutines for callers without an event loop. The one clever file; this is why it is as it is.

One daemon thread runs one event loop for the whole process, started by the first call. Anything less keeps breaking
in the field: a loop per call throws the connection pool away and meets sockets of a closed loop; a loop on the
caller's thread fails in notebooks and makes Django believe that it is in an async context; a thread per call is slow.

- Only the loop thread touches the async client, so a sync client may be used from any number of threads. The caller
  hands over a function and its arguments: a coroutine that is made on the loop thread cannot be lost on the way there.
- A call from the loop thread itself would wait for itself for ever; it is refused.
- A call from a thread where some loop runs blocks that loop. Notebooks need it, so it works, and warns once.
- Ctrl-C reaches the waiting thread only. It cancels the coroutine, waits until that has cleaned up, and goes on.
- Python warns of a fork in a process with threads, and rightly: a lock that one of them holds stays held in the child.
  So the loop thread ends before a fork, and another goes on with the loop after it. Not if a call is under way: then
  the process has threads that wait for it anyway.
- A forked child has no loop thread, maybe a lock that nobody will release, and sockets that its parent uses. It forgets
  all three, closing nothing, and starts afresh with its first call.
- At exit the clients are closed on their loop; nothing is left to finalisers. What daemon threads still wait for ends.
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

from truemed_async._core.fork import abandon_inherited_loop
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
    """The process's loop thread. There is one, :data:`runner`; its state is what a process has only once."""

    def __init__(self) -> None:
        self._open: set[AiohttpTransport] = set()
        self._warned = False
        self.ended = False
        """Whether the interpreter is exiting: all is closed."""
        self._reset_after_fork()

    def _reset_after_fork(self) -> None:
        self._lock = threading.Lock()  # held by who starts or ends the thread
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running_loop: asyncio.AbstractEventLoop | None = None  # the same loop, while a thread runs it
        self._thread: threading.Thread | None = None
        self._submissions: set[Submission[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop of this process, if there was a call."""
        return self._loop

    # --- calls ----------------------------------------------------------------------------------------------------

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Call a coroutine function on the loop thread and return its result; it sees the caller's context variables."""
        self._check_caller(function)
        submission = Submission(function, arguments, named)
        del arguments, named  # a traceback may show the locals of this frame
        try:
            self._submissions.add(submission)  # before the look at the loop: see before_fork
            submission.start(self._running_loop or self._start())
            return submission.result()
        except BaseException:
            submission.abandon(SHUTDOWN_SECONDS)
            if self.ended and threading.current_thread().daemon:
                sys.exit()  # the interpreter exits: a daemon thread ends without a word
            raise
        finally:
            self._submissions.discard(submission)
            del submission  # it holds the error, whose traceback holds this frame

    def track(self, client: AsyncTruemed) -> None:
        """Close the connections of ``client`` when it and its copies are gone, or the interpreter exits."""
        state = state_of(client)
        self._open.add(state.transport)
        weakref.finalize(state.pipeline, self._release, state.transport).atexit = False  # copies share the pipeline

    def _release(self, transport: AiohttpTransport) -> None:
        """Have a pool closed that nobody can use any more. A finaliser calls this, so it only hands it to the loop."""
        self._open.discard(transport)
        loop = self._loop
        if loop is not None and not self.ended:
            loop.call_soon_threadsafe(lambda: loop.create_task(transport.close()))

    def _check_caller(self, function: Callable[..., Any]) -> None:
        running = asyncio._get_running_loop()  # noqa: SLF001  # the cheap look
        if running is None:
            return
        if running is self._loop:
            # Greenlets (gevent) share a thread, and with it what asyncio thinks is running there: they may call.
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
                    self._thread.join()  # it was told to end before a fork
                    self._thread = None
                self._loop = loop = self._loop or new_loop()
                claim = threading.Lock()
                thread = threading.Thread(
                    target=run_loop, args=(loop, claim, self._interrupt), name="truemed-async", daemon=True
                )
                try:
                    thread.start()
                except BaseException:  # Ctrl-C: the thread may run, or never begin
                    if not claim.acquire(blocking=False):
                        self._thread, self._running_loop = thread, loop
                    raise
                self._thread, self._running_loop = thread, loop
            return self._running_loop

    def _interrupt(self) -> None:
        for submission in list(self._submissions):
            submission.interrupt()

    def before_fork(self) -> None:
        """End the thread for the moment of a fork, unless somebody waits for it."""
        if not self._lock.acquire(blocking=False):
            return  # it is just being started
        try:
            # In this order, for a call adds itself to the submissions before it looks for the loop. So either it is seen
            # here, or it finds no loop, and starts the thread again once this lock is free.
            loop, self._running_loop = self._running_loop, None
            if self._submissions or threading.current_thread() is self._thread:
                self._running_loop = loop
            elif loop is not None and self._thread is not None:
                loop.call_soon_threadsafe(loop.stop)
                join_thread(self._thread, SHUTDOWN_SECONDS)
        finally:
            self._lock.release()

    def after_fork_in_parent(self) -> None:
        """Go on, unless the old thread is still busy; then the next call does."""
        if self._running_loop is None and self._thread is not None and not self._thread.is_alive():
            self._start()

    def after_fork_in_child(self) -> None:
        """Start from nothing; what the parent uses is left behind."""
        inherited = self._loop
        self._reset_after_fork()
        if inherited is not None:
            abandon_inherited_loop(inherited, *self._open)

    def close(self) -> None:
        """Close all clients and end the thread, for good: the interpreter exits."""
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


def _async_equivalent(function: Callable[..., Any]) -> str:
    """Name an async method as it is written: ``qualification_sessions.get(…)``."""
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
