"""Processes that call at once with the same key, each with a client of its own and the same shared rate limit, or none.

The parent imports everything, and then forks: that is what a server with workers does, and cheaper than 16 interpreters.
"""

import asyncio
import json
import os
import signal
import sys
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


async def call(options, limit, wait_for_others):
    """Make the calls, ``concurrency`` at once; return how many failed."""
    left, failed = options["calls"], 0

    async def work(client):
        nonlocal left, failed
        while left:
            left -= 1
            try:
                await client.qualification_sessions.get(options["session"])
            except Exception as error:
                failed += 1
                print(repr(error), file=sys.stderr)

    async with AsyncTruemed(
        options["key"],
        base_url=options["url"],
        rate_limit=limit,
        retry=RetryPolicy(max_attempts=10),
        timeout=Timeouts(total=200),
    ) as client:
        wait_for_others()
        await asyncio.gather(*(work(client) for _ in range(options["concurrency"])))
    return {"failed": failed}


def main():
    options = json.loads(sys.argv[1])
    limit = make_limit(options["limit"], options["max_rate"])  # before the fork, as in a preloaded application
    pipes, children = [], []
    gate, opener = os.pipe()  # is at its end when the parent closes the opener
    ready, announcement = os.pipe()

    def wait_for_others():
        os.write(announcement, b".")
        os.read(gate, 1)

    for _ in range(options["processes"]):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            signal.alarm(WATCHDOG)
            os.close(opener)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = asyncio.run(call(options, limit, wait_for_others))
            result["warnings"] = [str(warning.message) for warning in caught]
            os.write(writing, json.dumps(result).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
        children.append(child)
    for _ in children:
        os.read(ready, 1)
    os.close(opener)
    print(json.dumps(children), flush=True)
    results = []
    for reading, child in zip(pipes, children, strict=True):
        with os.fdopen(reading, "rb") as pipe:
            content = pipe.read()
        os.waitpid(child, 0)
        results.append(json.loads(content) if content else None)  # None: killed
    print(json.dumps({"results": results}), flush=True)


if __name__ == "__main__":
    main()
