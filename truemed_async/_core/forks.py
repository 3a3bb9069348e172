"""What a forked child must do before it lets go of an event loop that it inherited."""

from __future__ import annotations

import asyncio
import os


def disarm(loop: asyncio.AbstractEventLoop) -> None:
    """Cut an inherited loop off from the parent's.

    The kernel's list of watched sockets (epoll) is shared across a fork: closing a connection here would silently
    take it off the parent's list, and the parent would wait for its answer for ever. So the child's descriptor of the
    list is pointed elsewhere; after that, whatever happens to the loop's remains cannot reach the parent.
    """
    selector = getattr(loop, "_selector", None)
    backend = getattr(loop, "_get_backend_id", None)  # uvloop's
    descriptor = selector.fileno() if hasattr(selector, "fileno") else backend() if backend is not None else None
    if descriptor is None or descriptor < 0:
        return
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor, inheritable=False)
    os.close(null)
