"""Each event is handled exactly once: repeated deliveries and crashing handlers, on a loop, in threads, in processes.

10,000 deliveries in the long run; a sample of the same kind in the default one.
"""

import asyncio
import collections
import random
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.paths import ROOT
from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
from truemed_async.webhooks import AsyncReceiver, DeliveryStatus, MemoryDedupStore, Receiver, SQLiteDedupStore

WATCHDOG = 300
SAMPLE = {"memory": 2_000, "sqlite": 300}
WORKERS = 8


class ClosedError(Exception):
    """The crash of a handler."""


class Plan:
    """Deliveries as Truemed makes them: three in ten are repeated, and a refused one is delivered again."""

    def __init__(self, count):
        self.rng = random.Random(7)
        events = int(count / 1.3)
        self.waiting = [*range(events), *self.rng.sample(range(events), count - events)]
        self.rng.shuffle(self.waiting)
        self.count = count
        self.results = collections.Counter()
        self.effects = collections.Counter()
        self.crashes = 0
        self.lock = threading.Lock()

    def next(self):
        """Return the next delivery, or None; ``list.pop`` is atomic, so any thread may call this."""
        try:
            number = self.waiting.pop()
        except IndexError:
            return None
        body = make_capture_body(number)
        return number, body, make_signed_headers(body)

    def note(self, number, result):
        with self.lock:
            self.results[result.status] += 1
        assert result.http_status in (204, 500)
        if result.http_status == 500:
            self.waiting.append(number)

    def effect(self, event):
        with self.lock:
            if self.rng.random() < 0.1:
                self.crashes += 1
                raise ClosedError
            self.effects[event.delivery_id] += 1

    def check(self):
        events = int(self.count / 1.3)
        assert self.effects == {f"whd_{number}": 1 for number in range(events)}, "each effect once, and none lost"
        assert self.results[DeliveryStatus.FAILED] == self.crashes > events * 0.05
        assert self.results[DeliveryStatus.HANDLED] == events
        assert self.results[DeliveryStatus.DUPLICATE] == self.count - events


@pytest.fixture(params=["memory", "sqlite"])
def plan_and_store(request, scale, tmp_path):
    plan = Plan(scale(SAMPLE[request.param], 10_000))
    return plan, MemoryDedupStore() if request.param == "memory" else SQLiteDedupStore(tmp_path / "webhooks.db")


async def test_repeated_deliveries_on_a_loop_are_handled_once(plan_and_store):
    plan, store = plan_and_store

    async def handler(event):
        await asyncio.sleep(0)
        plan.effect(event)
        await asyncio.sleep(0)

    receiver = AsyncReceiver(handler, secrets=SECRET, store=store)

    async def work():
        while (delivery := plan.next()) is not None:
            number, body, headers = delivery
            plan.note(number, await receiver.receive(body, headers))

    async with asyncio.timeout(WATCHDOG):
        await asyncio.gather(*(work() for _ in range(WORKERS)))
    plan.check()


def test_repeated_deliveries_in_threads_are_handled_once(plan_and_store):
    plan, store = plan_and_store
    receiver = Receiver(plan.effect, secrets=SECRET, store=store)

    def work():
        while (delivery := plan.next()) is not None:
            number, body, headers = delivery
            plan.note(number, receiver.receive(body, headers))

    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(work) for _ in range(WORKERS)]:
            done.result(WATCHDOG)
    plan.check()


def test_repeated_deliveries_without_store_are_handled_twice():
    """Negative control: the plan detects what the store prevents."""
    plan = Plan(500)
    receiver = Receiver(plan.effect, secrets=SECRET, store=None)
    while (delivery := plan.next()) is not None:
        number, body, headers = delivery
        plan.note(number, receiver.receive(body, headers))
    with pytest.raises(AssertionError, match="each effect once"):
        plan.check()


PROCESS = """
    # Receives all deliveries, as another process does at the same time. Each effect is a line of this process's file.
    import os, random, sys
    sys.path.append(sys.argv[1])
    from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
    from truemed_async.webhooks import Receiver, SQLiteDedupStore

    count, seed, dies = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6] == "dies"
    rng = random.Random(seed)
    with open(sys.argv[3], "a", buffering=1) as effects:
        def effect(event):
            if rng.random() < 0.1:
                raise RuntimeError
            if dies and int(event.delivery_id[4:]) == count // 2:
                os._exit(9)
            effects.write(event.delivery_id + "\\n")

        receiver = Receiver(effect, secrets=SECRET, store=SQLiteDedupStore(sys.argv[2]))
        waiting = [*range(count), *rng.sample(range(count), count // 3)]
        rng.shuffle(waiting)
        while waiting:
            number = waiting.pop(0)
            body = make_capture_body(number)
            if receiver.receive(body, make_signed_headers(body)).http_status == 500:
                waiting.append(number)
"""


def start(tmp_path, count, seed, dies):
    here = str(ROOT)
    arguments = [here, tmp_path / "webhooks.db", tmp_path / f"effects-{seed}", count, seed, dies]
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)  # the log of every failing handler


def finish(processes):
    try:
        return [process.wait(WATCHDOG) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def effects(tmp_path):
    lines = [line for file in tmp_path.glob("effects-*") for line in file.read_text().split()]
    return collections.Counter(lines)


def test_repeated_deliveries_in_two_processes_are_handled_once(tmp_path, scale):
    count = scale(150, 4_000)
    assert finish([start(tmp_path, count, seed, "lives") for seed in (1, 2)]) == [0, 0]
    assert effects(tmp_path) == {f"whd_{number}": 1 for number in range(count)}


def test_claim_of_a_dead_process_expires_and_event_is_handled(tmp_path):
    """The process dies while it handles an event; once its claim has expired, another process handles the event."""
    count = 20
    assert finish([start(tmp_path, count, 1, "dies")]) == [9]
    assert effects(tmp_path)[f"whd_{count // 2}"] == 0
    later = 3600 * 24 * 365.0
    store = SQLiteDedupStore(tmp_path / "webhooks.db", clock=lambda: later * 1000)
    delivery_ids = []
    body = make_capture_body(count // 2)
    receiver = Receiver(lambda event: delivery_ids.append(event.delivery_id), secrets=SECRET, store=store)
    assert receiver.receive(body, make_signed_headers(body)).status is DeliveryStatus.HANDLED
    assert delivery_ids == [f"whd_{count // 2}"]
