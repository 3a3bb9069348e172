"""A signed delivery of 2 kB: verified and parsed; and verified, claimed, handled and confirmed, with each local store."""

from __future__ import annotations

import contextlib
import cProfile
import hmac
import pstats
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import orjson

from tests.benchmarks import suite
from truemed_async.webhooks import (
    SIGNATURE_HEADER,
    DedupStore,
    MemoryDedupStore,
    Receiver,
    SQLiteDedupStore,
    sign,
    verify_and_parse,
)

GROUP = "webhooks"
PROCESSES, ROUNDS = 5, 7
SECRET = "a-secret-of-the-benchmarks"
DELIVERIES, STORED = 1_000, 100
NUMBERS = count()
VERIFY, BASE = "verify_and_parse", "hmac + orjson.loads"


def delivery() -> bytes:
    """A qualification session event, with a field that the library does not know to make it 2 kB."""
    body = {
        "webhook_delivery_id": f"d_{next(NUMBERS):08d}",
        "event_type": "qualification_session_complete",
        "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
        "data": {
            "qualification_session_id": "qs_abc123",
            "status": "approved",
            "email": "jane@example.com",
            "expires_at": "2027-10-01T12:00:00Z",
            "source": "email",
            "user_id": "user-1",
            "padding": "",
        },
    }
    body["data"]["padding"] = "x" * (2048 - len(orjson.dumps(body)))
    return orjson.dumps(body)


def sign_delivery(body: bytes) -> dict[str, str]:
    return {**sign(body, SECRET), "content-type": "application/json"}


def verify_by_hand(body: bytes, headers: dict[str, str]) -> object:
    """What nobody who verifies a signature can do without."""
    timestamp, _, signature = headers[SIGNATURE_HEADER].partition(",")
    expected = hmac.digest(SECRET.encode(), timestamp[2:].encode() + b"." + body, "sha256").hex()
    assert hmac.compare_digest(expected, signature[3:])
    return orjson.loads(body)


@contextlib.contextmanager
def receivers() -> Iterator[dict[str, Receiver]]:
    """A receiver with each store that one process can have to itself."""
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, DedupStore] = {
            "in memory": MemoryDedupStore(),
            "in SQLite": SQLiteDedupStore(Path(folder, "events.sqlite")),
        }
        yield {name: Receiver(lambda event: None, secrets=SECRET, store=store) for name, store in stores.items()}


def receive(receiver: Receiver) -> suite.Took:
    """Have it handle deliveries of different events, which are signed before."""
    deliveries = [(body, sign_delivery(body)) for body in (delivery() for _ in range(STORED))]

    def work() -> int:
        for body, headers in deliveries:
            assert receiver.receive(body, headers).http_status == 204
        return STORED

    return suite.time_work(work)


def profile(receiver: Receiver) -> None:
    """Print where the time of a delivery goes."""
    deliveries = [(body, sign_delivery(body)) for body in (delivery() for _ in range(STORED))]
    profiler = cProfile.Profile()
    with profiler:
        for body, headers in deliveries:
            receiver.receive(body, headers)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(12)


def measure(rounds: int) -> list[suite.Figure]:
    body = delivery()
    headers = sign_delivery(body)
    assert len(body) == 2048
    assert verify_and_parse(body, headers, secrets=SECRET).delivery_id.startswith("d_")

    def repeated(call: Callable[[], object]) -> Callable[[], int]:
        def work() -> int:
            for _ in range(DELIVERIES):
                call()
            return DELIVERIES

        return work

    with receivers() as stores:
        contenders: dict[str, Callable[[], suite.Took]] = {
            BASE: partial(suite.time_work, repeated(lambda: verify_by_hand(body, headers))),
            VERIFY: partial(suite.time_work, repeated(lambda: verify_and_parse(body, headers, secrets=SECRET))),
            **{name: partial(receive, receiver) for name, receiver in stores.items()},
        }
        times = suite.take_turns(contenders, rounds)
        suite.show(times)
        for name, receiver in stores.items():
            print(f"    {name}:", file=sys.stderr)
            profile(receiver)
    ratio = partial(suite.ratio, times, group=GROUP)
    return [
        ratio(VERIFY, BASE, what="verify_and_parse, 2 kB / hmac + orjson.loads", target=4.0),
        *(
            ratio(name, VERIFY, what=f"verified, claimed {name}, handled, confirmed / {VERIFY}", target=None)
            for name in stores
        ),
        suite.Figure(
            group=GROUP, what="verify_and_parse, 2 kB, a second", value=1 / suite.median(times[VERIFY], "cpu"), unit="/s",
            clock="cpu", other=1 / suite.median(times[VERIFY], "elapsed"),
        ),
    ]  # fmt: skip
