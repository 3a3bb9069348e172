"""The outbox: which delivery is due for which endpoint, and the outcome of each attempt. No network I/O."""

from __future__ import annotations

import heapq
import itertools
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from truemed_async.emulator.dialect_layer import DialectLayer
from truemed_async.emulator.resources.state import State
from truemed_async.emulator.store import Transition
from truemed_async.emulator.webhooks.encoding import encode_event
from truemed_async.emulator.webhooks.events import EmulatedEvent, event_for
from truemed_async.emulator.webhooks.faults import NewDelivery, OutgoingRequest, WebhookFaults, drop_until_retry
from truemed_async.emulator.webhooks.model import (
    DeliveryAttempt,
    EmulatedDelivery,
    Mode,
    WebhookEndpoint,
    dump_webhooks,
    load_webhooks,
)

# Truemed retries with backoff for up to 7 days; the individual delays are not published.
RETRY_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600))
MAX_AGE: Final = timedelta(days=7)
MAX_DELIVERIES: Final = 20_000
REORDER_WINDOW: Final = timedelta(seconds=5)


@attrs.frozen
class PendingAttempt:
    """The next attempt of a due delivery: the request to send, None if it is lost, and the faults that acted."""

    delivery: EmulatedDelivery
    request: OutgoingRequest | None
    fault: str | None


class EndpointQueue:
    """An endpoint and its waiting deliveries, by due time, then in the order of arrival. Not thread-safe by itself."""

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        """Create an empty queue."""
        self.endpoint = endpoint
        self.in_flight: EmulatedDelivery | None = None  # only one at a time
        self.delayed: EmulatedDelivery | None = None  # to be overtaken by the next delivery
        self._heap: list[tuple[datetime, int, EmulatedDelivery]] = []
        self._numbers = itertools.count()

    def put(self, delivery: EmulatedDelivery) -> None:
        """Add a delivery."""
        heapq.heappush(self._heap, (delivery.due, next(self._numbers), delivery))

    def take(self, now: datetime) -> EmulatedDelivery | None:
        """Remove and return the first delivery, if it is due."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now else None

    def remove(self, delivery: EmulatedDelivery) -> bool:
        """Remove a delivery, and return whether it was there."""
        others = [entry for entry in self._heap if entry[2] is not delivery]
        found = len(others) < len(self._heap)
        if found:
            heapq.heapify(others)
            self._heap = others
        return found

    def clear(self) -> list[EmulatedDelivery]:
        """Remove and return all deliveries."""
        entries, self._heap = self._heap, []
        return [delivery for _, _, delivery in entries]

    @property
    def next_due(self) -> datetime | None:
        """When the first delivery is due."""
        return self._heap[0][0] if self._heap else None

    def count_due(self, now: datetime) -> int:
        """Return how many deliveries are due."""
        return sum(entry[0] <= now for entry in self._heap)


class Outbox:
    """The webhook endpoints and their deliveries. All methods are thread-safe."""

    def __init__(self, state: State, dialects: DialectLayer, seed: int = 0) -> None:
        """Subscribe to the transitions of the state."""
        self.dialects: DialectLayer = dialects
        self.faults: WebhookFaults = WebhookFaults(seed)
        self.timeout: float = 10.0  # seconds for a response; Truemed's timeout is not published
        self.on_change: list[Callable[[], None]] = []  # called after each change, with the lock held
        # Called after each attempt with the endpoint (None if it was removed) and the delivery, with the lock held.
        self.on_attempt: list[Callable[[WebhookEndpoint | None, EmulatedDelivery], None]] = []
        # The status of the response to each verification of an endpoint, or the name of the error.
        self.verifications: dict[str, int | str | None] = {}
        self._state = state
        self._unverified: list[WebhookEndpoint] = []
        self._verifying = 0
        self._queues: dict[str, EndpointQueue] = {}
        self._deliveries: dict[str, EmulatedDelivery] = {}
        self._numbers = itertools.count(1)
        self._condition = threading.Condition(state.lock)
        state.on_transition.append(self._on_transition)
        state.clock.on_advance.append(self._notify)

    def __repr__(self) -> str:
        return f"<{len(self._queues)} webhooks, {len(self._deliveries)} deliveries>"

    # Endpoints, as in the developer dashboard.

    @property
    def endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """The registered endpoints, oldest first."""
        with self._condition:
            return tuple(queue.endpoint for queue in self._queues.values())

    def register(
        self, url: str, *, mode: Mode = "signed", secret: str | None = None, events: Iterable[str] | None = None
    ) -> WebhookEndpoint:
        """Register a webhook on this machine. Several may be active; the mode of one cannot be changed.

        Args:
            url: An http or https URL on loopback.
            mode: Whether deliveries are signed, or carry the secret itself.
            secret: The secret; a new one by default.
            events: The names of the events to send; all by default.

        Raises:
            ValueError: The URL is not one of this machine, there is no such mode or event, or the secret cannot be
                sent in a header.
        """
        endpoint = WebhookEndpoint(
            id=f"wh_{uuid.uuid4().hex}",
            url=url,
            mode=mode,
            secrets=(secret or _new_secret(),),
            events=None if events is None else frozenset(events),
        )
        with self._condition:
            self._queues[endpoint.id] = EndpointQueue(endpoint)
            if self.dialects.dialect.endpoint_verification != "none":
                self._unverified.append(endpoint)
            self._notify()
        return endpoint

    def unregister(self, id: str) -> None:
        """Remove an endpoint and abandon its waiting deliveries.

        Raises:
            KeyError: There is no such endpoint.
        """
        with self._condition:
            for delivery in self._queues.pop(id).clear():
                delivery.state = "abandoned"
            self._notify()

    def rotate_secret(self, id: str, *, overlap: bool = True) -> str:
        """Give an endpoint a new secret and return it; with ``overlap`` deliveries are signed with the old one too.

        Raises:
            KeyError: There is no such endpoint.
        """
        with self._condition:
            queue, new = self._queues[id], _new_secret()
            previous = queue.endpoint.secrets[:1] if overlap else ()
            queue.endpoint = attrs.evolve(queue.endpoint, secrets=(new, *previous))
            self._notify()
        return new

    def dump(self) -> dict[str, Any]:
        """Return the endpoints, secrets included, and the waiting deliveries as JSON values."""
        with self._condition:
            waiting = [delivery for delivery in self._deliveries.values() if delivery.state == "waiting"]
            return dump_webhooks(self.endpoints, waiting)

    def load(self, snapshot: Mapping[str, Any]) -> None:
        """Replace all endpoints and deliveries by those of a snapshot.

        Raises:
            ValueError: The snapshot is not valid.
        """
        endpoints, deliveries = load_webhooks(snapshot)
        with self._condition:
            self.clear()
            self._queues = {endpoint.id: EndpointQueue(endpoint) for endpoint in endpoints}
            for delivery in deliveries:
                if delivery.endpoint in self._queues:
                    self._deliveries[delivery.id] = delivery
                    self._queues[delivery.endpoint].put(delivery)
            self._notify()

    # Deliveries.

    @property
    def deliveries(self) -> tuple[EmulatedDelivery, ...]:
        """All waiting deliveries and the last 20,000 others, newest first."""
        with self._condition:
            return tuple(reversed(self._deliveries.values()))

    def resend(self, delivery_id: str) -> None:
        """Send a delivery once more, whatever its state.

        Raises:
            KeyError: The delivery is unknown, or its endpoint was removed.
        """
        with self._condition:
            delivery = self._deliveries[delivery_id]
            queue = self._queues[delivery.endpoint]
            if queue.in_flight is delivery:
                delivery.copies += 1
                return
            queue.remove(delivery)
            delivery.state, delivery.due = "waiting", self._state.clock.now()
            queue.put(delivery)
            self._notify()

    def clear(self) -> None:
        """Remove all deliveries, those in flight included; the endpoints stay."""
        with self._condition:
            self._deliveries.clear()
            self._queues = {id: EndpointQueue(queue.endpoint) for id, queue in self._queues.items()}
            self._notify()

    @property
    def waiting(self) -> int:
        """The number of deliveries that are due or in flight, and of endpoints that are being verified."""
        with self._condition:
            now = self._state.clock.now()
            deliveries = sum(queue.count_due(now) + (queue.in_flight is not None) for queue in self._queues.values())
            return deliveries + len(self._unverified) + self._verifying

    def wait_until_idle(self, timeout: float = 30.0) -> bool:
        """Wait until no delivery is due, and return True; False after ``timeout`` seconds. Blocks: not for the event loop."""
        with self._condition:
            return self._condition.wait_for(lambda: not self.waiting, timeout)

    # For the sender.

    def take_due(self) -> list[PendingAttempt]:
        """Return what to send now: the first due delivery of each endpoint that has none in flight."""
        with self._condition:
            now, pending = self._state.clock.now(), list[PendingAttempt]()
            for queue in self._queues.values():
                delivery = None if queue.in_flight else queue.take(now)
                if delivery is None:
                    continue
                queue.in_flight = delivery
                if delivery.attempts_to_drop:
                    delivery.attempts_to_drop -= 1
                    pending.append(PendingAttempt(delivery, None, drop_until_retry.name))
                else:
                    request = OutgoingRequest(queue.endpoint, delivery.body, now)
                    pending.append(PendingAttempt(delivery, request, self.faults.apply_on_send(delivery, request)))
            return pending

    def take_unverified(self) -> list[WebhookEndpoint]:
        """Return the endpoints to verify."""
        with self._condition:
            endpoints, self._unverified = self._unverified, []
            self._verifying += len(endpoints)
            return endpoints

    def record_verification(self, endpoint: WebhookEndpoint, result: int | str | None) -> None:
        """Record the status of the response, or the name of the error. A failure has no consequence."""
        with self._condition:
            self._verifying -= 1
            self.verifications[endpoint.id] = result
            self._notify()

    def seconds_until_due(self) -> float | None:
        """Return the seconds until there is something to send; None if nothing waits."""
        with self._condition:
            if self._unverified:
                return 0.0
            free = (queue.next_due for queue in self._queues.values() if queue.in_flight is None)
            due = [each for each in free if each is not None]
            return max(0.0, (min(due) - self._state.clock.now()).total_seconds()) if due else None

    def record_attempt(self, delivery: EmulatedDelivery, attempt: DeliveryAttempt) -> list[Exception]:
        """Record an attempt, requeue the delivery if it has to be sent again, and return the errors of callbacks."""
        with self._condition:
            delivery.attempts.append(attempt)
            queue = self._queues.get(delivery.endpoint)
            if queue is None or queue.in_flight is not delivery:
                delivery.state = "abandoned"  # its endpoint was removed, or the outbox cleared
            else:
                queue.in_flight = None
                self._finish(queue, delivery)
            errors = self._notify_attempt(None if queue is None else queue.endpoint, delivery)
            self._notify()
            return errors

    def requeue_unsent(self) -> None:
        """Requeue deliveries that were taken but never attempted, because the sender stopped."""
        with self._condition:
            for queue in self._queues.values():
                if queue.in_flight is not None:
                    queue.put(queue.in_flight)
                    queue.in_flight = None

    def _notify_attempt(self, endpoint: WebhookEndpoint | None, delivery: EmulatedDelivery) -> list[Exception]:
        errors: list[Exception] = []
        for callback in tuple(self.on_attempt):
            try:
                callback(endpoint, delivery)
            except Exception as error:  # noqa: BLE001 - the sender reports it; other deliveries must go on
                errors.append(error)
        return errors

    def _finish(self, queue: EndpointQueue, delivery: EmulatedDelivery) -> None:
        if not delivery.acknowledged:
            failed = len(delivery.attempts)
            delivery.due = self._state.clock.now() + RETRY_DELAYS[min(failed, len(RETRY_DELAYS)) - 1]
            if delivery.due - delivery.created_at > MAX_AGE:
                delivery.state = "abandoned"
                return
        elif delivery.copies:
            delivery.copies -= 1
        else:
            delivery.state = "delivered"
            return
        queue.put(delivery)

    def _on_transition(self, transition: Transition) -> None:
        """Create a delivery of a transition for each endpoint that receives its event."""
        event = event_for(transition)
        if event is None:
            return
        for queue in self._queues.values():
            if queue.endpoint.receives(event.name):
                self._enqueue(queue, self._new_delivery(event, queue.endpoint))
        self._notify()

    def _new_delivery(self, event: EmulatedEvent, endpoint: WebhookEndpoint) -> EmulatedDelivery:
        id = event.delivery_id(endpoint.id, next(self._numbers))
        return EmulatedDelivery(
            id=id,
            endpoint=endpoint.id,
            event=event.name,
            resource=event.transition.resource,
            resource_id=event.transition.id,
            created_at=event.transition.at,
            due=event.transition.at,
            body=encode_event(self.dialects, event, id if endpoint.mode == "signed" else None),
        )

    def _enqueue(self, queue: EndpointQueue, delivery: EmulatedDelivery) -> None:
        """Queue a new delivery; one to be reordered waits for the next, or alone for the reorder window."""
        delayed, queue.delayed = queue.delayed, None
        overtaken = None if delayed is None or not queue.remove(delayed) else delayed
        new = NewDelivery(delivery)
        self.faults.apply_on_enqueue(new, may_reorder=overtaken is None)
        if new.rotate_secret:
            self.rotate_secret(delivery.endpoint, overlap=False)
        if new.reorder:
            delivery.due += REORDER_WINDOW
            queue.delayed = delivery
        self._deliveries[delivery.id] = delivery
        self._prune()
        queue.put(delivery)
        if overtaken is not None:
            overtaken.due = delivery.due
            queue.put(overtaken)

    def _prune(self) -> None:
        while len(self._deliveries) > MAX_DELIVERIES:
            oldest = next(iter(self._deliveries.values()))
            if oldest.state == "waiting":
                return
            del self._deliveries[oldest.id]

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()
            for callback in tuple(self.on_change):
                callback()


def _new_secret() -> str:
    return f"emulated-{secrets.token_hex(16)}"
