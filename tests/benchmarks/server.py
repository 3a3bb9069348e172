"""A server of qualification sessions that costs as little as Python allows, in a process of its own.

    python tests/benchmarks/server.py --rows 200000 --latency 0.05 --jitter 0.02

It prints its port, and ends when its standard input does. Rows are made when they are first asked for, newest first.
It is no emulator: it answers two GETs, checks nothing, and never breaks.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
from datetime import UTC, datetime, timedelta
from functools import lru_cache

NEWEST = datetime(2026, 10, 1, 12, tzinfo=UTC)
STATUSES = ("approved", "pending", "processing", "rejected")
PAGE = re.compile(rb"[?&]page=(\d+)")
SIZE = re.compile(rb"[?&]page_size=(\d+)")
MAX_CACHED_ROWS = 250_000  # 200 MB at most: a listing that is read again waits for the client alone


@lru_cache(maxsize=MAX_CACHED_ROWS)
def row(number: int) -> str:
    """One session as Truemed shows it, about 640 bytes."""
    created = (NEWEST - timedelta(seconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (
        f'{{"qualification_session_id":"qs_{number:08d}-1c8e-4c47-9a5b-2f1f5f0e7d11","status":"{STATUSES[number % 4]}",'
        f'"charge_group_created_at":"{created}","created_at":"{created}","customer_status":"qualified",'
        f'"eligible_amount":{number % 90000 / 100 + 0.5},"email":"customer.{number}@example.com",'
        f'"expires_at":"2027-10-01T12:00:00.000Z","fee":{number % 3000 / 100 + 0.25},'
        f'"lmn_reviewed_at":"{created}","session_type":"one_time","skus_param":"SKU-{number % 500}","source":"email",'
        f'"stripe_invoice_id":"in_{number:016d}","stripe_invoice_number":"A1B2-{number:05d}",'
        f'"stripe_invoice_paid_at":null,"user_business_id":null,"user_id":"user-{number}","user_name":"Jo Doe {number}"}}'
    )


@lru_cache(maxsize=256)
def page(number: int, size: int, rows: int) -> bytes:
    body = ",".join(row(each) for each in range((number - 1) * size, min(number * size, rows)))
    return (
        f'{{"qualification_sessions":[{body}],"pagination":{{"count":{rows},"current_page":{number},'
        f'"last_page":{max(1, -(-rows // size))},"page_size":{size}}}}}'
    ).encode()


@lru_cache(maxsize=256)
def one(path: bytes) -> bytes:
    """The session of an id, whatever it is: its digits are its number."""
    id = path.rpartition(b"/")[2].decode()
    number = int(re.sub(r"\D", "", id)[:8] or 0)
    return re.sub(r'"qs_[^"]*"', f'"{id}"', row(number), count=1).encode()


class PageProtocol(asyncio.Protocol):
    """Answers requests of a connection one after another; bodies of requests are small and come at once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            path = self.buffer[: self.buffer.index(b"\r\n")].split(b" ")[1]
            self.buffer = self.buffer[end + 4 :]
            delay = self.options.latency + random.uniform(-1, 1) * self.options.jitter
            if delay > 0:
                asyncio.get_running_loop().call_later(delay, self.respond, path)
            else:
                self.respond(path)

    def respond(self, path: bytes) -> None:
        if b"qualification_sessions" in path:
            number, size = PAGE.search(path), SIZE.search(path)
            body = page(int(number[1]) if number else 1, int(size[1]) if size else 30, self.options.rows)
        else:
            body = one(path)
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


async def main(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: PageProtocol(options), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--jitter", type=float, default=0.0)
    asyncio.run(main(parser.parse_args()))
