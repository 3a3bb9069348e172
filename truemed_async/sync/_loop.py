"""The event loop of the loop thread, and how that thread runs and ends."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import functools
import select
import socket
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from truemed_async.errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop, of uvloop if it is installed (extra ``speed``).

    If gevent or eventlet has replaced threads, the loop runs in a greenlet and must wait cooperatively. The loop of the
    standard library does, because they replace ``select``; uvloop waits in C and would block all greenlets.
    """
    greenlets = _is_replaced(_thread.start_new_thread)
    if greenlets != _is_replaced(select.select):
        raise ConfigurationError(
            "gevent or eventlet has replaced only one of threads and select: call monkey.patch_all() without exceptions"
        )
    loop = None if greenlets else _uvloop()
    loop = loop or asyncio.new_event_loop()
    loop.set_default_executor(DaemonExecutor())
    return loop


def _is_replaced(function: object) -> bool:
    return not isinstance(function, types.BuiltinFunctionType)


def _uvloop() -> asyncio.AbstractEventLoop | None:
    try:
        import uvloop  # noqa: PLC0415  # optional, and only the first call needs it
    except ImportError:
        return None

    class Loop(uvloop.Loop):
        """Resolves names in :class:`DaemonExecutor`, because a child forked while libuv has threads may crash at exit."""

        async def getaddrinfo(  # pyright: ignore[reportIncompatibleMethodOverride]
            self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
        ) -> list[Any]:
            ask = functools.partial(socket.getaddrinfo, host, port, family, type, proto)
            try:
                return ask(flags | socket.AI_NUMERICHOST)  # an IP address needs no lookup
            except socket.gaierror:
                return await self.run_in_executor(None, ask, flags)

    return Loop()


class DaemonExecutor(concurrent.futures.ThreadPoolExecutor):
    """Runs each function, which resolves a host name, in a new daemon thread.

    The threads of an ordinary pool stay alive: Python would warn of every fork, and the interpreter would wait for them
    at exit, for example for a name server that does not respond. Lookups are rare, because their results are cached.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        threading.Thread(target=_worker, args=(future, fn, args, kwargs), name="truemed-async-dns", daemon=True).start()
        return future


def _worker(future: concurrent.futures.Future[Any], function: Callable[..., Any], args: Any, kwargs: Any) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # raised in the waiting coroutine
            future.set_exception(error)


def run_loop(loop: asyncio.AbstractEventLoop, claim: threading.Lock, interrupt: Callable[[], None]) -> None:
    """Run the loop until it is stopped, unless the caller that started this thread was interrupted and abandoned it.

    A greenlet may receive the Ctrl-C of its thread: ``interrupt`` forwards it to the callers.
    """
    if not claim.acquire(blocking=False):
        return
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            interrupt()
        else:
            return


def join_thread(thread: threading.Thread, seconds: float) -> None:
    """Wait until a thread has ended and the kernel no longer lists it.

    Before Python 3.13 ``join`` returns slightly earlier, and ``fork`` counts threads. (A greenlet has no thread.)
    """
    deadline = time.monotonic() + seconds
    thread.join(seconds)
    task = Path(f"/proc/self/task/{thread.native_id}")
    while thread.native_id != threading.get_native_id() and task.exists() and time.monotonic() < deadline:
        time.sleep(0)
