"""Processes are killed, servers restarted, connections cut: no event is lost, and the inbox handles each exactly once.

10,000 deliveries, of which 30 % are repetitions, to 3 processes with at least 200 kills in the long run; a sample in the default one.
"""

import collections
import contextlib
import multiprocessing
import random
import signal
import threading
import time

import attrs
import psycopg
import pytest

from tests.support.delivery_worker import DEATHS, LEASE, STORES, serve
from tests.support.django_databases import django_database
from truemed_async.webhooks import DeliveryStatus

WATCHDOG = 900
PROCESSES = 3


class Truemed:
    """Delivers as Truemed does: some events repeatedly, and each until it is acknowledged."""

    def __init__(self, count, kills, seed=11):
        rng = self.rng = random.Random(seed)
        self.events = round(count * 0.7)
        self.waiting = collections.deque([*range(self.events), *rng.sample(range(self.events), count - self.events)])
        rng.shuffle(self.waiting)
        # Half of the processes die at a chosen point, the others at any; early, while most deliveries reach the handler.
        self.deaths = dict.fromkeys(rng.sample(range(1, count // 2), kills), "anywhere")
        for number, death in zip(list(self.deaths)[::2], DEATHS * kills, strict=False):
            self.deaths[number] = death
        self.results, self.kills, self.killed = collections.Counter(), collections.Counter(), set()
        self.missed = []  # deaths in the handler, of deliveries that did not reach it
        self.slow = []  # took longer than a claim lasts: another process may have handled the event, too
        self.sent = self.under_way = 0
        self.lock = threading.Lock()
        self.milestones = {}
        self.failures = []

    def next(self):
        """Return the next delivery and the death of its process, or None when all are acknowledged."""
        while not self.failures:
            with self.lock:
                if self.waiting:
                    self.sent += 1
                    self.under_way += 1
                    act = self.milestones.pop(self.sent, None)
                    number, death = self.waiting.popleft(), self.deaths.get(self.sent)
                    if death is None and self.missed:
                        death = self.missed.pop()
                    break
                if not self.under_way:
                    return None
            time.sleep(0.01)
        else:
            return None
        if act is not None:
            act()
        return number, death

    def note(self, number, status, death, elapsed):
        """Note the status of a delivery; None if its process died."""
        with self.lock:
            if elapsed >= LEASE.total_seconds():
                self.slow.append(number)
            self.under_way -= 1
            self.results[status] += 1
            if status is None:
                self.kills[death] += 1
                self.killed.add(number)
            elif death in DEATHS:
                self.missed.append(death)
            if status not in (DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE):
                self.waiting.append(number)
        if status not in (DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE):
            time.sleep(0.005)


class Process:
    def __init__(self, context, arguments):
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def deliver(self, number, death, moment):
        """Return the status, or None if the process died before it responded."""
        try:
            self.pipe.send((number, death if death in DEATHS else None))
            if death == "anywhere" and not self.pipe.poll(moment):
                self._process.kill()
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            return None

    def close(self):
        self.pipe.close()
        self._process.kill()
        self._process.join(60)
        self._process.close()


def deliver_all(truemed, *arguments):
    """Deliver everything to three processes; a process that died is replaced."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.delivery_worker"])
    deadline = time.monotonic() + WATCHDOG

    def work():
        process = Process(context, arguments)
        try:
            while (delivery := truemed.next()) is not None:
                assert time.monotonic() < deadline, (truemed.results, len(truemed.waiting))
                number, death = delivery
                start = time.monotonic()
                status = process.deliver(number, death, truemed.rng.random() * 0.002)
                truemed.note(number, status, death, time.monotonic() - start)
                if status is None:
                    process.close()
                    process = Process(context, arguments)
        except BaseException as error:
            truemed.failures.append(error)
            raise
        finally:
            process.close()

    threads = [threading.Thread(target=work) for _ in range(PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG)
    assert not truemed.failures


@attrs.frozen
class Effects:
    url: str

    def count(self):
        with contextlib.closing(psycopg.connect(self.url)) as connection:
            rows = connection.execute("SELECT delivery, count(*) FROM effects GROUP BY 1").fetchall()
        return {int(delivery.removeprefix("whd_")): count for delivery, count in rows}


@pytest.fixture
def effects(database, postgres_url):
    database.execute("CREATE TABLE effects (delivery text)")
    return Effects(postgres_url)


@contextlib.contextmanager
def store_url(request, kind):
    """Yield the URL or path of a store, with its tables."""
    if kind == "sqlite":
        yield str(request.getfixturevalue("tmp_path") / "webhooks.db")
        return
    url = request.getfixturevalue("redis_url" if kind == "redis" else "postgres_url")
    if "django" in kind:
        with django_database(url):
            """The tables are there now."""
    yield url


INBOXES = ("postgres inbox", "django inbox")


@pytest.mark.parametrize("kind", [*INBOXES, *STORES])
@pytest.mark.timeout(WATCHDOG)
def test_killed_processes_lose_no_event(request, kind, effects, scale):
    count, kills = scale((200, 12), (10_000, 400))  # not every process dies: some deliveries do not reach the handler
    truemed = Truemed(count, kills)
    with store_url(request, kind) as url:
        deliver_all(truemed, kind, effects.url, url)
    counted = effects.count()
    doubled = {number for number, times in counted.items() if times > 1}
    extra = sum(counted.values()) - truemed.events
    print(f"{kind}: {truemed.events} events, {dict(truemed.kills)}, {dict(truemed.results)}, doubled: {len(doubled)}")
    assert counted.keys() == set(range(truemed.events)), "none lost"
    assert set(DEATHS) <= truemed.kills.keys()
    assert sum(truemed.kills.values()) >= kills // 2
    if kind in INBOXES:
        assert not doubled
    else:
        assert doubled <= truemed.killed.union(truemed.slow)
        after_effect = truemed.kills["in the handler, after the effect"]
        assert after_effect <= extra <= after_effect + truemed.kills["anywhere"] + len(truemed.slow), (
            "only killed between effect and confirm"
        )


@pytest.mark.parametrize("kind", [*INBOXES, "postgres", "redis"])
def test_failing_servers_lose_no_event(request, kind, effects, postgres_server, redis_server, scale):
    """Connections are cut, the server is restarted, and crashes; Redis is empty after each."""
    truemed = Truemed(scale(200, 10_000), 0, seed=12)
    server, lock = redis_server if kind == "redis" else postgres_server, threading.Lock()

    def restart(number=signal.SIGINT):
        with lock:  # the next restart may be due before this one is over
            server.stop(number)
            server.start()

    def cut():
        if kind == "redis":
            restart(signal.SIGKILL)
            return
        with contextlib.closing(postgres_server.connect()) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")  # fmt: skip

    acts = [cut, restart, lambda: restart(signal.SIGQUIT)]
    truemed.milestones = {truemed.events // 4 * (number + 1): act for number, act in enumerate(acts)}
    with store_url(request, kind) as url:
        deliver_all(truemed, kind, effects.url, url)
    counted = effects.count()
    print(kind, dict(truemed.results), "doubled:", sum(counted.values()) - truemed.events)
    assert counted.keys() == set(range(truemed.events)), "none lost"
    if kind in INBOXES:
        assert set(counted.values()) == {1}
