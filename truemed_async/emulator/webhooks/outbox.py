"""Endpoints and deliveries: what is to be sent where and when, and what became of it. No network here."""

from __future__ import annotations

import itertools
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import attrs
import orjson

from truemed_async.emulator.state import State
from truemed_async.emulator.transition import Transition
from truemed_async.emulator.webhooks import saved
from truemed_async.emulator.webhooks.events import Event, event_of
from truemed_async.emulator.webhooks.faults import DROP, REORDER, ROTATE, Letter, WebhookFaults
from truemed_async.emulator.webhooks.model import Delivery, DeliveryAttempt, Mode, WebhookEndpoint
from truemed_async.emulator.webhooks.queue import Lane

# Truemed repeats with backoff for up to 7 days; its steps are not known.
RETRY_AFTER: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600))
GIVE_UP_AFTER: Final = timedelta(days=7)
_KEPT: Final = 20_000
_OVERTAKEN_WITHIN: Final = timedelta(seconds=5)


@attrs.frozen
class Sending:
    """A delivery whose next attempt is due: what to send, None when it gets lost; and what is wrong with it."""

    delivery: Delivery
    letter: Letter | None
    fault: str | None


class Outbox:
    """What merchants are to be told. All methods are safe from any thread."""

    def __init__(self, state: State, seed: int = 0) -> None:
        """Listen to the moves of the state from now on."""
        self.faults: WebhookFaults = WebhookFaults(seed)
        self.timeout: float = 10.0  # seconds that a merchant has to answer; Truemed's own are not known
        self.on_news: list[Callable[[], None]] = []  # told of each change, under the lock
        # Told of each attempt, which is the last one of its delivery, under the lock.
        self.on_attempt: list[Callable[[WebhookEndpoint | None, Delivery], None]] = []
        self._state = state
        self._lanes: dict[str, Lane] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._numbers = itertools.count(1)
        self._idle = threading.Condition(state.lock)
        state.on_transition.append(self._told)
        state.clock.on_advance.append(self._news)

    def __repr__(self) -> str:
        return f"<{len(self._lanes)} webhooks, {len(self._deliveries)} deliveries>"

    # Endpoints, as in the developer dashboard.

    @property
    def endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """All that are registered, the oldest first."""
        with self._idle:
            return tuple(lane.endpoint for lane in self._lanes.values())

    def register(
        self, url: str, *, mode: Mode = "signed", secret: str | None = None, events: Iterable[str] | None = None
    ) -> WebhookEndpoint:
        """Register a webhook on this machine; several may be active, and the mode of one cannot be changed.

        events: the names of those that it gets; all by default. ValueError: not an http URL of this machine, no such
        mode or event, or a secret that no header can hold.
        """
        endpoint = WebhookEndpoint(
            id=f"wh_{uuid.uuid4().hex}",
            url=url,
            mode=mode,
            secrets=(secret or _secret(),),
            events=None if events is None else frozenset(events),
        )
        with self._idle:
            self._lanes[endpoint.id] = Lane(endpoint)
            self._news()
        return endpoint

    def unregister(self, id: str) -> None:
        """Forget a webhook and what waits for it; KeyError when there is none."""
        with self._idle:
            for delivery in self._lanes.pop(id).queue.empty():
                delivery.state = "abandoned"
            self._news()

    def rotate_secret(self, id: str, *, overlap: bool = True) -> str:
        """Give a webhook a new secret and return it; with `overlap` the old one signs, too. KeyError: no such one."""
        with self._idle:
            lane, new = self._lanes[id], _secret()
            kept = lane.endpoint.secrets[:1] if overlap else ()
            lane.endpoint = attrs.evolve(lane.endpoint, secrets=(new, *kept))
            self._news()
        return new

    def dump(self) -> dict[str, Any]:
        """Return the webhooks, secrets included, and what waits for them, made of what JSON can say."""
        with self._idle:
            kept = self._deliveries.values()
            return saved.dump(self.endpoints, (delivery for delivery in kept if delivery.state == "waiting"))

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Have what was dumped, and nothing else; ValueError when it is not that."""
        endpoints, deliveries = saved.read(dumped)
        with self._idle:
            self.clear()
            self._lanes = {endpoint.id: Lane(endpoint) for endpoint in endpoints}
            for delivery in deliveries:
                if delivery.endpoint in self._lanes:
                    self._deliveries[delivery.id] = delivery
                    self._lanes[delivery.endpoint].queue.put(delivery)
            self._news()

    # Deliveries.

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Those that are kept, the newest first: all that wait, and some thousand of the last."""
        with self._idle:
            return tuple(reversed(self._deliveries.values()))

    def resend(self, delivery_id: str) -> None:
        """Send a delivery once more, whatever became of it; KeyError when it is unknown or its webhook is gone."""
        with self._idle:
            delivery = self._deliveries[delivery_id]
            lane = self._lanes[delivery.endpoint]
            if lane.under_way is delivery:
                delivery.copies += 1
                return
            lane.queue.remove(delivery)
            delivery.state, delivery.due = "waiting", self._state.clock.now()
            lane.queue.put(delivery)
            self._news()

    def clear(self) -> None:
        """Forget all deliveries, those under way as well; the endpoints stay."""
        with self._idle:
            self._deliveries.clear()
            self._lanes = {id: Lane(lane.endpoint) for id, lane in self._lanes.items()}
            self._news()

    @property
    def waiting(self) -> int:
        """How many deliveries are due and not taken: those whose time is yet to come are not counted."""
        with self._idle:
            now = self._state.clock.now()
            return sum(lane.queue.count_due(now) + (lane.under_way is not None) for lane in self._lanes.values())

    def wait_until_idle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is due any more and return True, or False after so many seconds. Not in the sending loop."""
        with self._idle:
            return self._idle.wait_for(lambda: not self.waiting, timeout)

    # For the sender.

    def take(self) -> list[Sending]:
        """Return what is to be sent now: for each endpoint to which nothing is under way, the first that is due."""
        with self._idle:
            now, taken = self._state.clock.now(), list[Sending]()
            for lane in self._lanes.values():
                delivery = None if lane.under_way else lane.queue.take(now)
                if delivery is None:
                    continue
                lane.under_way = delivery
                if delivery.withheld:
                    delivery.withheld -= 1
                    taken.append(Sending(delivery, None, DROP))
                else:
                    letter = Letter(lane.endpoint, delivery.body, now)
                    taken.append(Sending(delivery, letter, self.faults.strike_letter(delivery, letter)))
            return taken

    def seconds_left(self) -> float | None:
        """Return how long nothing is due; None when nothing waits."""
        with self._idle:
            free = (lane.queue.first_due for lane in self._lanes.values() if lane.under_way is None)
            firsts = [due for due in free if due is not None]
            return max(0.0, (min(firsts) - self._state.clock.now()).total_seconds()) if firsts else None

    def done(self, delivery: Delivery, attempt: DeliveryAttempt) -> list[Exception]:
        """Take note of an attempt, and put the delivery back where it has to be sent again.

        Return what was raised by those who were told.
        """
        with self._idle:
            delivery.attempts.append(attempt)
            lane = self._lanes.get(delivery.endpoint)
            if lane is None or lane.under_way is not delivery:
                delivery.state = "abandoned"  # its webhook is gone, or everything was forgotten meanwhile
            else:
                lane.under_way = None
                self._settle(lane, delivery)
            raised = self._tell(None if lane is None else lane.endpoint, delivery)
            self._news()
            return raised

    def put_back(self) -> None:
        """Let what was taken and never attempted wait again: nobody is sending any more."""
        with self._idle:
            for lane in self._lanes.values():
                if lane.under_way is not None:
                    lane.queue.put(lane.under_way)
                    lane.under_way = None

    def _tell(self, endpoint: WebhookEndpoint | None, delivery: Delivery) -> list[Exception]:
        raised: list[Exception] = []
        for tell in tuple(self.on_attempt):
            try:
                tell(endpoint, delivery)
            except Exception as error:  # noqa: BLE001 - it is not lost, and stops no other delivery
                raised.append(error)
        return raised

    def _settle(self, lane: Lane, delivery: Delivery) -> None:
        if not delivery.taken:
            failed = len(delivery.attempts)
            delivery.due = self._state.clock.now() + RETRY_AFTER[min(failed, len(RETRY_AFTER)) - 1]
            if delivery.due - delivery.created_at > GIVE_UP_AFTER:
                delivery.state = "abandoned"
                return
        elif delivery.copies:
            delivery.copies -= 1
        else:
            delivery.state = "delivered"
            return
        lane.queue.put(delivery)

    def _told(self, transition: Transition) -> None:
        """Make a delivery of a move for each endpoint that wants it."""
        event = event_of(transition)
        if event is None:
            return
        for lane in self._lanes.values():
            if lane.endpoint.wants(event.name):
                self._post(lane, self._delivery(event, lane.endpoint))
        self._news()

    def _delivery(self, event: Event, endpoint: WebhookEndpoint) -> Delivery:
        id = event.delivery_id(endpoint.id, next(self._numbers))
        return Delivery(
            id=id,
            endpoint=endpoint.id,
            event=event.name,
            resource=event.transition.resource,
            resource_id=event.transition.id,
            created_at=event.transition.at,
            due=event.transition.at,
            body=orjson.dumps(event.body(id if endpoint.mode == "signed" else None)),
        )

    def _post(self, lane: Lane, delivery: Delivery) -> None:
        """Let a new delivery wait; one that is to be overtaken goes behind it, or alone if none comes for a while."""
        held, lane.held = lane.held, None
        overtaken = None if held is None or not lane.queue.remove(held) else held
        struck = self.faults.strike_new(delivery, reorder=overtaken is None)
        if ROTATE in struck:
            self.rotate_secret(delivery.endpoint, overlap=False)
        if REORDER in struck:
            delivery.due += _OVERTAKEN_WITHIN
            lane.held = delivery
        self._keep(delivery)
        lane.queue.put(delivery)
        if overtaken is not None:
            overtaken.due = delivery.due
            lane.queue.put(overtaken)

    def _keep(self, delivery: Delivery) -> None:
        self._deliveries[delivery.id] = delivery
        while len(self._deliveries) > _KEPT:
            oldest = next(iter(self._deliveries.values()))
            if oldest.state == "waiting":
                return
            del self._deliveries[oldest.id]

    def _news(self) -> None:
        with self._idle:
            self._idle.notify_all()
            for tell in tuple(self.on_news):
                tell()


def _secret() -> str:
    return f"emulated-{secrets.token_hex(16)}"
