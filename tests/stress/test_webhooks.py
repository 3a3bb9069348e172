"""Deliveries of which 30 % come twice, in another order or after a refusal: each order ends right, and is sent once."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from truemed_async.emulator import Emulator
from truemed_async.webhooks import DeliveryStatus, PaymentSessionUpdated, Receiver, SQLiteDedupStore

FINAL = ("captured", "rejected", "canceled")
SECRET = "a secret of this test"
DAY = 24 * 3600


class Shop:
    """Takes webhooks in, and refuses a tenth of them the first time."""

    def __init__(self, clock, file):
        self.orders = {}
        self.sent_out = Counter()
        self._refused = set()
        self._lock = threading.Lock()
        self.receiver = Receiver(
            self.handle,
            secrets=SECRET,
            store=SQLiteDedupStore(file, clock=lambda: clock.now().timestamp()),
            clock=clock.now,
        )

    def handle(self, event):
        assert isinstance(event, PaymentSessionUpdated)
        id, status = event.data.payment_session_id, str(event.data.status)
        with self._lock:
            if int(event.delivery_id[-8:], 16) % 10 == 0 and event.delivery_id not in self._refused:
                self._refused.add(event.delivery_id)
                raise RuntimeError("the shop's database is away")
            if status in FINAL or id not in self.orders:
                self.orders[id] = status
            self.sent_out[id] += event.data.status.may_fulfill

    @contextmanager
    def serving(self):
        """Serve in a thread of this process, one connection a request."""
        receiver = self.receiver

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.receive(body, self.headers).http_status)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/webhooks"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def let_happen(emulator, deliveries):
    """Pay, reject or cancel orders until there are enough deliveries; several are in flight at once."""
    choose = random.Random(11)
    sessions, under_way = emulator.state.payment_sessions, []
    while len(emulator.webhooks.deliveries) < deliveries:
        if len(under_way) < 20:
            under_way.append(sessions.add())
            continue
        id = choose.choice(under_way)
        if sessions.get(id).status == "pending":
            (sessions.submit if choose.random() < 0.9 else sessions.cancel)(id)
        else:
            (sessions.approve if choose.random() < 0.8 else sessions.reject)(id)
        if sessions.get(id).status in FINAL:
            under_way.remove(id)


def test_orders_with_repeated_deliveries_are_fulfilled_once(scale, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, "truemed_async.webhooks")
    count = scale(300, 10_000)
    emulator = Emulator(sessions=0, seed=5)
    shop = Shop(emulator.clock, tmp_path / "seen.sqlite")
    with emulator, shop.serving() as url:
        emulator.webhooks.register(url, secret=SECRET)
        for name in ("duplicate_delivery", "reorder"):
            emulator.webhooks.faults.add(name, probability=0.1)
        let_happen(emulator, count)
        for _ in range(30):
            assert emulator.webhooks.wait_until_idle(600)
            if all(delivery.state != "waiting" for delivery in emulator.webhooks.deliveries):
                break
            emulator.clock.advance(DAY / 8)
    assert {delivery.state for delivery in emulator.webhooks.deliveries} == {"delivered"}

    truth = {row.id: row.status for row in emulator.state.payment_sessions.rows if row.status != "pending"}
    assert shop.orders == truth
    assert shop.sent_out == Counter({id: int(status == "captured") for id, status in truth.items()})

    # It was as bad as it was meant to be: at least a fifth of the deliveries were struck …
    counts = shop.receiver.counts
    assert counts[DeliveryStatus.HANDLED] == len(emulator.webhooks.deliveries) >= count
    reordered = sum(fault.hits for fault in emulator.webhooks.faults.active if fault.name == "reorder")
    assert counts[DeliveryStatus.DUPLICATE] + counts[DeliveryStatus.FAILED] + reordered > count / 5
    assert min(counts[DeliveryStatus.DUPLICATE], counts[DeliveryStatus.FAILED], reordered) > count / 30
    assert {status for status, times in counts.items() if times} == {
        DeliveryStatus.HANDLED,
        DeliveryStatus.DUPLICATE,
        DeliveryStatus.FAILED,
    }


def test_orders_without_store_are_fulfilled_twice(tmp_path):
    """The negative control: without a store, and with the last word taken for the last state."""
    emulator = Emulator(sessions=0, seed=5)
    shop = Shop(emulator.clock, tmp_path / "seen.sqlite")
    orders, sent_out = {}, Counter()

    def handle(event):
        orders[event.data.payment_session_id] = str(event.data.status)
        sent_out[event.data.payment_session_id] += event.data.status.may_fulfill

    shop.receiver = Receiver(handle, secrets=SECRET, store=None, clock=emulator.clock.now)
    with emulator, shop.serving() as url:
        emulator.webhooks.register(url, secret=SECRET)
        emulator.webhooks.faults.add("duplicate_delivery", probability=0.1)
        emulator.webhooks.faults.add("reorder", probability=0.5)  # so often that some last states are wrong
        let_happen(emulator, 300)
        assert emulator.webhooks.wait_until_idle(60)
        emulator.clock.advance(60)
        assert emulator.webhooks.wait_until_idle(60)
    truth = {row.id: row.status for row in emulator.state.payment_sessions.rows if row.status != "pending"}
    assert orders.keys() == truth.keys()
    assert max(sent_out.values()) > 1
    assert orders != truth
