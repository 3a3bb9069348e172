"""One call through either of the two clients."""

import asyncio

from tests.support.recording_server import KEY
from truemed_async import RetryPolicy, Truemed, errors

QUICK = RetryPolicy(base=0.001, cap=0.001)


async def error_of(client_for, server, call, time, *, sync):
    """Make the call through one of the two clients, and return what it raises, or None."""
    if not sync:
        client = await client_for(server, retry=QUICK, timeout=time)
        try:
            await call(client)
        except errors.CallError as error:
            return error
        return None

    def use():
        with Truemed(KEY, base_url=server.url, retry=QUICK, timeout=time) as client:
            try:
                call(client)
            except errors.CallError as error:
                return error
            return None

    return await asyncio.to_thread(use)
