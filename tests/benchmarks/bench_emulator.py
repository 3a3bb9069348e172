"""The emulator: lists of 30 among 100,000 sessions, from all over the list, four requests in flight."""

from __future__ import annotations

import asyncio
import random
import time

from tests.benchmarks import suite

GROUP = "emulator"
PROCESSES, ROUNDS = 3, 5
SESSIONS, PAGE_SIZE, LISTS, IN_FLIGHT = 100_000, 30, 2_000, 4


class Reader(asyncio.Protocol):
    """Requests pages one after another, with as little work as possible: the emulator is what is measured."""

    def __init__(self, port: int, paths: list[bytes], done: asyncio.Future[None]) -> None:
        self.port = port
        self.paths = iter(paths)
        self.done = done
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.request()

    def request(self) -> None:
        path = next(self.paths, None)
        if path is None:
            self.transport.close()
            return
        self.left = -1  # the head is what comes next
        self.transport.write(
            b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nx-truemed-api-key: %b\r\n\r\n"
            % (path, self.port, suite.KEY.encode())
        )

    def data_received(self, data: bytes) -> None:
        if self.left < 0:
            head, _, data = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            self.left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.left -= len(data)
        if self.left == 0:
            self.request()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(exc)


async def read(port: int, paths: list[bytes]) -> None:
    loop = asyncio.get_running_loop()
    done: list[asyncio.Future[None]] = [loop.create_future() for _ in range(IN_FLIGHT)]
    for number, future in enumerate(done):
        await loop.create_connection(
            lambda number=number, future=future: Reader(port, paths[number::IN_FLIGHT], future), "127.0.0.1", port
        )
    await asyncio.gather(*done)


def measure(rounds: int) -> list[suite.Figure]:
    lists = suite.scale(LISTS)
    drawn = random.Random(0)
    took = []
    with suite.emulator(sessions=SESSIONS) as emulator, suite.keep_awake():
        for _ in range(rounds + 1):
            pages = [drawn.randint(1, SESSIONS // PAGE_SIZE) for _ in range(lists)]
            paths = [b"/api/v1/qualification_sessions?page=%d&page_size=%d" % (page, PAGE_SIZE) for page in pages]
            cpu, started = emulator.cpu, time.perf_counter()
            asyncio.run(read(emulator.port, paths))
            took.append(suite.Took((emulator.cpu - cpu) / lists, (time.perf_counter() - started) / lists))
    times = {"list of 30": took[1:]}
    suite.show(times)
    elapsed, cpu = (1 / suite.median(times["list of 30"], clock) for clock in ("elapsed", "cpu"))
    what = "emulator, lists of 30 among 100,000 sessions, a second"
    return [
        suite.Figure(
            group=GROUP, what=what, value=elapsed, target=1_500, at_most=False, unit="/s", clock="elapsed", other=cpu
        )
    ]
