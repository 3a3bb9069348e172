"""Processes that call at once with the same key, each with a client of its own and the same shared rate limit, or none.

The parent imports everything, and then forks: that is what a server with workers does, and cheaper than 16 interpreters.
"""

import asyncio
import json
import os
import signal
import sys
import time
import warnings

from truemed_async import AsyncTruemed, RetryPolicy, Timeouts
from truemed_async.rate_limits import FileRateLimit
from truemed_async.rate_limits.redis import RedisRateLimit

WATCHDOG = 300
"""Seconds after which a process ends, whatever happens."""


def make_limit(spec, max_rate):
    """Return the shared limit of a path or a Redis URL; an empty text is none."""
    if not spec:
        return None
    return (RedisRateLimit if spec.startswith("redis://") else FileRateLimit)(spec, max_rate=max_rate)


async def call(options, limit):
    """Make the calls, ``concurrency`` at once; return when the last of them ended, and how many failed."""
    left, failed, ends = options["calls"], 0, []

    async def work(client):
        nonlocal left, failed
        while left:
            left -= 1
            try:
                await client.qualification_sessions.get(options["session"])
            except Exception as error:
                failed += 1
                print(repr(error), file=sys.stderr)
            ends.append(time.monotonic())

    async with AsyncTruemed(
        options["key"],
        base_url=options["url"],
        rate_limit=limit,
        retry=RetryPolicy(max_attempts=10),
        timeout=Timeouts(total=200),
    ) as client:
        await asyncio.gather(*(work(client) for _ in range(options["concurrency"])))
    return {"failed": failed, "end": ends[-1], "half": ends[len(ends) // 2]}


def main():
    options = json.loads(sys.argv[1])
    limit = make_limit(options["limit"], options["max_rate"])  # before the fork, as in a preloaded application
    pipes, children = [], []
    start = time.monotonic()
    for _ in range(options["processes"]):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            signal.alarm(WATCHDOG)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = asyncio.run(call(options, limit))
            result["warnings"] = [str(warning.message) for warning in caught]
            os.write(writing, json.dumps(result).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
        children.append(child)
    print(json.dumps(children), flush=True)
    results = []
    for reading, child in zip(pipes, children, strict=True):
        with os.fdopen(reading, "rb") as pipe:
            content = pipe.read()
        os.waitpid(child, 0)
        results.append(json.loads(content) if content else None)  # None: killed
    print(json.dumps({"start": start, "results": results}), flush=True)


if __name__ == "__main__":
    main()
