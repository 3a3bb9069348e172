"""Event loops: the one that is running, and one that a forked child inherited from its parent."""

from __future__ import annotations

import asyncio
import os

from truemed_async.errors import ConfigurationError


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop. Without one, as under trio, the error says what to do."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass  # raise outside the handler: its text says less
    raise ConfigurationError(
        "no asyncio event loop is running: AsyncTruemed needs asyncio; under trio use the synchronous Truemed in a"
        " thread, or trio-asyncio"
    )


def abandon_inherited_loop(loop: asyncio.AbstractEventLoop, *others: object) -> None:
    """Detach an inherited loop from the parent's, and prevent every finalizer of it from running here.

    The kernel's list of watched sockets (epoll) is shared across a fork: closing a connection here would silently
    remove it from the parent's list, and the parent would wait for its response forever. So the child's descriptor of
    the list is redirected. Finalizers would still warn about connections that were never closed, so the objects get a
    reference that is never released: they stay until the process ends, with everything that they hold.
    """
    import ctypes  # noqa: PLC0415  # only a forked child needs it, and it takes a millisecond to load

    # Neither loop has a public way to tell its descriptor: first the standard library's, then uvloop's.
    read_descriptor = getattr(getattr(loop, "_selector", None), "fileno", None) or getattr(
        loop, "_get_backend_id", None
    )
    descriptor: int = -1 if read_descriptor is None else read_descriptor()
    if descriptor >= 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, descriptor, inheritable=False)
        os.close(null)
    for abandoned in (loop, *others):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(abandoned))
