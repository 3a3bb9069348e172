"""Endpoints and deliveries: what is to be sent where and when, and what became of it. No network here."""

from __future__ import annotations

import heapq
import itertools
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import orjson

from truemed_async.emulator.webhooks.events import EVENTS, event_of
from truemed_async.emulator.webhooks.faults import REORDER, ROTATE, Letter, WebhookFaults
from truemed_async.emulator.webhooks.model import Attempt, Delivery, Endpoint, Mode

if TYPE_CHECKING:
    from truemed_async.emulator.state import State
    from truemed_async.emulator.transition import Transition

# Truemed repeats with backoff for up to 7 days; its steps are not known.
RETRY_AFTER: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600))
GIVE_UP_AFTER: Final = timedelta(days=7)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_KEPT: Final = 20_000
_OVERTAKEN_WITHIN: Final = timedelta(seconds=5)


class Outbox:
    """What merchants are to be told. All methods are safe from any thread."""

    def __init__(self, state: State, seed: int = 0) -> None:
        """Listen to the moves of the state from now on."""
        self.faults: WebhookFaults = WebhookFaults(seed)
        self.on_news: list[Callable[[], None]] = []  # told of each change, under the lock
        self.on_attempt: list[Callable[[Endpoint | None, Delivery], None]] = []  # told of each, the newest is its last
        self._state = state
        self._endpoints: dict[str, Endpoint] = {}
        self._queues: dict[str, list[tuple[datetime, int, Delivery]]] = {}
        self._overtaken: dict[str, Delivery] = {}
        self._busy: set[str] = set()
        self._deliveries: dict[str, Delivery] = {}
        self._numbers = itertools.count(1)
        self._idle = threading.Condition(state.lock)
        state.on_transition.append(self._told)
        state.clock.on_advance.append(self._news)

    def __repr__(self) -> str:
        return f"<{len(self._endpoints)} webhooks, {len(self._deliveries)} deliveries>"

    # Endpoints, as in the developer dashboard.

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All that are registered, the oldest first."""
        return tuple(self._endpoints.values())

    def register(
        self, url: str, *, mode: Mode = "signed", secret: str | None = None, events: Iterable[str] | None = None
    ) -> Endpoint:
        """Register a webhook on this machine; several may be active, and the mode of one cannot be changed.

        events: the names of those that it gets; all by default. ValueError: not an http URL of this machine, or no
        such mode or event.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname not in _LOOPBACK:
            raise ValueError("a webhook of the emulator is an http or https URL of this machine")
        if mode not in ("signed", "unsigned"):
            raise ValueError("mode must be signed or unsigned")
        wanted = None if events is None else frozenset(events)
        if wanted is not None and not wanted <= set(EVENTS):
            raise ValueError(f"events must be of {', '.join(EVENTS)}")
        id = f"wh_{uuid.uuid4().hex}"
        endpoint = Endpoint(id=id, url=url, mode=mode, secrets=(secret or _secret(),), events=wanted)
        with self._idle:
            self._endpoints[id] = endpoint
            self._queues[id] = []
            self._news()
        return endpoint

    def unregister(self, id: str) -> None:
        """Forget a webhook and what waits for it; KeyError when there is none."""
        with self._idle:
            del self._endpoints[id]
            for _, _, delivery in self._queues.pop(id):
                delivery.state = "given_up"
            self._news()

    def rotate_secret(self, id: str, *, overlap: bool = True) -> str:
        """Give a webhook a new secret and return it; with `overlap` the old one signs, too. KeyError: no such one."""
        with self._idle:
            endpoint, new = self._endpoints[id], _secret()
            kept = endpoint.secrets[:1] if overlap else ()
            self._endpoints[id] = attrs.evolve(endpoint, secrets=(new, *kept))
            self._news()
        return new

    def dump(self) -> list[dict[str, Any]]:
        """Return the webhooks, secrets included, made of what JSON can say; deliveries are not part of it."""
        return [
            {**attrs.asdict(each), "events": each.events and sorted(each.events), "secrets": list(each.secrets)}
            for each in self.endpoints
        ]

    def load(self, dumped: Iterable[Mapping[str, Any]]) -> None:
        """Have the webhooks that were dumped, and no others."""
        read = [
            Endpoint(
                **{**each, "events": each["events"] and frozenset(each["events"]), "secrets": tuple(each["secrets"])}
            )
            for each in dumped
        ]
        with self._idle:
            for id in tuple(self._endpoints):
                self.unregister(id)
            for endpoint in read:
                self._endpoints[endpoint.id], self._queues[endpoint.id] = endpoint, []
            self._news()

    # Deliveries.

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Those that are kept, the newest first; some thousand of the last."""
        with self._idle:
            return tuple(reversed(self._deliveries.values()))

    def resend(self, delivery_id: str) -> None:
        """Send a delivery once more, whatever became of it; KeyError when it is unknown or its webhook is gone."""
        with self._idle:
            delivery = self._deliveries[delivery_id]
            delivery.state, delivery.due = "waiting", self._state.clock.now()
            self._queue(delivery)

    @property
    def waiting(self) -> int:
        """How many deliveries are due and not taken: those whose time is yet to come are not counted."""
        with self._idle:
            now = self._state.clock.now()
            return len(self._busy) + sum(entry[0] <= now for queue in self._queues.values() for entry in queue)

    def wait_until_idle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is due any more and return True, or False after so many seconds. Not in the sending loop."""
        with self._idle:
            return self._idle.wait_for(lambda: not self.waiting, timeout)

    # For the sender.

    def take(self) -> list[Delivery]:
        """Return what is to be sent now: for each endpoint that has none under way, the first that is due."""
        with self._idle:
            now = self._state.clock.now()
            taken: list[Delivery] = []
            for id, queue in self._queues.items():
                if id not in self._busy and queue and queue[0][0] <= now:
                    taken.append(heapq.heappop(queue)[2])
                    self._busy.add(id)
            return taken

    def seconds_left(self) -> float | None:
        """Return how long nothing is due; None when nothing waits."""
        with self._idle:
            firsts = [queue[0][0] for id, queue in self._queues.items() if queue and id not in self._busy]
            return max(0.0, (min(firsts) - self._state.clock.now()).total_seconds()) if firsts else None

    def write(self, delivery: Delivery) -> tuple[Letter, str | None] | None:
        """Return the letter of the next attempt and what is wrong with it; None when it gets lost on its way."""
        with self._idle:
            if delivery.withheld:
                delivery.withheld -= 1
                return None
            letter = Letter(self._endpoints[delivery.endpoint], delivery.body, self._state.clock.now())
            return letter, self.faults.strike_letter(delivery, letter)

    def done(self, delivery: Delivery, attempt: Attempt) -> None:
        """Take note of an attempt, and put the delivery back where it has to be sent again."""
        with self._idle:
            self._busy.discard(delivery.endpoint)
            delivery.attempts.append(attempt)
            for tell in tuple(self.on_attempt):
                tell(self._endpoints.get(delivery.endpoint), delivery)
            if delivery.endpoint not in self._endpoints:
                delivery.state = "given_up"
            elif attempt.taken and not delivery.copies:
                delivery.state = "delivered"
            elif attempt.taken:
                delivery.copies -= 1
                self._queue(delivery)
            else:
                self._retry(delivery)
            self._news()

    def clear(self) -> None:
        """Forget all deliveries; the endpoints stay."""
        with self._idle:
            self._deliveries.clear()
            for queue in self._queues.values():
                queue.clear()
            self._news()

    def _retry(self, delivery: Delivery) -> None:
        failed = sum(not attempt.taken for attempt in delivery.attempts)
        due = self._state.clock.now() + RETRY_AFTER[min(failed, len(RETRY_AFTER)) - 1]
        if due - delivery.created_at > GIVE_UP_AFTER:
            delivery.state = "given_up"
            return
        delivery.due = due
        self._queue(delivery)

    def _told(self, transition: Transition) -> None:
        """Make a delivery of a move for each endpoint that wants it."""
        event = event_of(transition)
        if event is None:
            return
        for endpoint in tuple(self._endpoints.values()):
            if not endpoint.wants(event.name):
                continue
            id = event.delivery_id(endpoint.id, next(self._numbers))
            body = orjson.dumps(event.body(id if endpoint.mode == "signed" else None))
            delivery = Delivery(
                id=id,
                endpoint=endpoint.id,
                event=event.name,
                resource=transition.resource,
                resource_id=transition.id,
                created_at=transition.at,
                due=transition.at,
                body=body,
            )
            struck = self.faults.strike_new(delivery)
            if ROTATE in struck:
                self.rotate_secret(endpoint.id, overlap=False)
            self._keep(delivery)
            self._queue(delivery)
            self._overtake(delivery, reorder=REORDER in struck)

    def _keep(self, delivery: Delivery) -> None:
        self._deliveries[delivery.id] = delivery
        if len(self._deliveries) > _KEPT:
            oldest = next(iter(self._deliveries))
            del self._deliveries[oldest]

    def _queue(self, delivery: Delivery) -> None:
        heapq.heappush(self._queues[delivery.endpoint], (delivery.due, next(self._numbers), delivery))
        self._news()

    def _overtake(self, delivery: Delivery, *, reorder: bool) -> None:
        """Put one that is to be overtaken behind the next; if none comes for a while, it goes alone."""
        waiting = self._overtaken.pop(delivery.endpoint, None)
        if waiting is not None:
            self._move(waiting, delivery.due)
        if reorder:
            self._overtaken[delivery.endpoint] = delivery
            self._move(delivery, delivery.due + _OVERTAKEN_WITHIN)

    def _move(self, delivery: Delivery, due: datetime) -> None:
        queue = self._queues[delivery.endpoint]
        kept = [entry for entry in queue if entry[2] is not delivery]
        if len(kept) < len(queue):
            queue[:] = kept
            heapq.heapify(queue)
            delivery.due = due
            self._queue(delivery)

    def _news(self) -> None:
        with self._idle:
            self._idle.notify_all()
            for tell in tuple(self.on_news):
                tell()


def _secret() -> str:
    return f"emulated-{secrets.token_hex(16)}"
