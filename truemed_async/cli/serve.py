"""``truemed emulator``: serves the made-up API until it is stopped."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import attrs

from truemed_async.cli.options import AS_GIVEN, CONTEXT, PORT, Count
from truemed_async.cli.target import Context
from truemed_async.errors import ConfigurationError


async def emulator(
    *,
    port: Annotated[int, PORT] = 0,
    sessions: Count = None,
    seed: Annotated[int | None, AS_GIVEN] = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Serve the Truemed API with made-up data on this machine, until Ctrl-C.

    Args:
        port: The port; 0 takes a free one.
        sessions: How many qualification sessions there are; 1000 if not given.
        seed: Which made-up data; the same number gives the same data. 0 if not given.
        context: Not an option.
    """
    target, streams = context.target, context.streams
    if target.env is not None or target.base_url is not None:
        raise ConfigurationError("--env and --base-url are for commands that call a server; this one is the server")
    server = attrs.evolve(
        target,
        sessions=target.sessions if sessions is None else sessions,
        seed=target.seed if seed is None else seed,
    ).emulator(port)
    try:
        await server.start()
    except OSError as error:
        raise ConfigurationError(f"cannot serve on port {port}: {error.strerror}") from error
    try:
        with _terminated() as stop:
            streams.line(f"url      {server.url}")
            streams.line(f"api key  {server.api_key}")
            streams.line(f"export TRUEMED_BASE_URL={server.url} TRUEMED_API_KEY={server.api_key}")
            streams.out.flush()
            await stop.wait()
    finally:
        await server.stop()


@contextmanager
def _terminated() -> Generator[asyncio.Event]:
    """Set an event when the process is asked to end; Ctrl-C cancels the command by itself."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
