"""The signals that end a command which runs until it is interrupted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

# What a terminal, a supervisor or a container sends to end a process, apart from SIGKILL.
_ENDING_SIGNALS: Final = (
    "SIGINT",
    "SIGTERM",
    "SIGHUP",
    "SIGQUIT",
    "SIGBREAK",
    "SIGUSR1",
    "SIGUSR2",
    "SIGPWR",
    "SIGXCPU",
)


@contextmanager
def stop_on_signal() -> Generator[asyncio.Event]:
    """Provide an event that any signal sets which would end the process, however often it is sent.

    A signal that is ignored at the start, as by ``nohup``, stays ignored. After SIGINT the block ends with
    ``KeyboardInterrupt``.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    received: set[int] = set()

    def handle(number: int, _frame: FrameType | None) -> None:
        received.add(number)
        loop.call_soon_threadsafe(stop.set)

    numbers = [getattr(signal, name) for name in _ENDING_SIGNALS if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in numbers}
    handled = {number: handler for number, handler in previous.items() if handler not in (signal.SIG_IGN, None)}
    for number in handled:
        signal.signal(number, handle)
        # A signal that comes just before the loop waits would otherwise be handled after the next event only. The loop
        # of Windows wakes up without it.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, handle, number, None)
    try:
        yield stop
    finally:
        for number, handler in handled.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
    if signal.SIGINT in received:
        raise KeyboardInterrupt
