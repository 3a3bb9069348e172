"""How a forked child abandons an event loop, and everything attached to it, that it inherited from its parent."""

from __future__ import annotations

import asyncio
import ctypes
import os


def abandon_inherited_loop(loop: asyncio.AbstractEventLoop, *others: object) -> None:
    """Detach an inherited loop from the parent's, and prevent every finalizer of it from running here.

    The kernel's list of watched sockets (epoll) is shared across a fork: closing a connection here would silently
    remove it from the parent's list, and the parent would wait for its response for ever. So the child's descriptor of
    the list is redirected. Finalizers would still warn about connections that were never closed, so the objects get a
    reference that is never released: they stay until the process ends, with everything that they hold.
    """
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
