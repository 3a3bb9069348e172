"""What a forked child must do with an event loop, and all that hangs on it, that it inherited from its parent."""

from __future__ import annotations

import asyncio
import ctypes
import os


def leave_behind(loop: asyncio.AbstractEventLoop, *others: object) -> None:
    """Cut an inherited loop off from the parent's, and see to it that nothing of it is ever finalised here.

    The kernel's list of watched sockets (epoll) is shared across a fork: closing a connection here would silently
    take it off the parent's list, and the parent would wait for its answer for ever. So the child's descriptor of the
    list is pointed elsewhere. Finalisers would still complain of what was never closed, so the objects get a reference
    that nobody gives back: they stay until the process ends, and with them everything that they hold.
    """
    # Neither loop says publicly which descriptor it waits on: the standard library's, then uvloop's.
    ask = getattr(getattr(loop, "_selector", None), "fileno", None) or getattr(loop, "_get_backend_id", None)
    descriptor: int = -1 if ask is None else ask()
    if descriptor >= 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, descriptor, inheritable=False)
        os.close(null)
    for kept in (loop, *others):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
