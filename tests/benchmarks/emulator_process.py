"""An emulator in a process of its own: prints its port, and ends when its standard input does.

python -m tests.benchmarks.emulator_process SESSIONS
"""

from __future__ import annotations

import asyncio
import sys

from tests.benchmarks import suite
from truemed_async.emulator import Emulator


async def main(sessions: int) -> None:
    async with Emulator(sessions=sessions, examples=True, api_key=suite.KEY) as emulator:
        print(emulator.url.rpartition(":")[2], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
