"""What waits for one endpoint. Not safe from several threads by itself: the outbox holds its lock."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from truemed_async.emulator.webhooks.model import Delivery, WebhookEndpoint


class Queue:
    """Deliveries by the time at which they are due, those of the same time in the order in which they came."""

    def __init__(self) -> None:
        """Begin without any."""
        self._heap: list[tuple[datetime, int, Delivery]] = []
        self._numbers = itertools.count()

    def put(self, delivery: Delivery) -> None:
        """Let it wait until it is due."""
        heapq.heappush(self._heap, (delivery.due, next(self._numbers), delivery))

    def take(self, now: datetime) -> Delivery | None:
        """Take out the first, if it is due."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now else None

    def remove(self, delivery: Delivery) -> bool:
        """Take it out, due or not; tell whether it was there."""
        kept = [entry for entry in self._heap if entry[2] is not delivery]
        found = len(kept) < len(self._heap)
        if found:
            heapq.heapify(kept)
            self._heap = kept
        return found

    def empty(self) -> list[Delivery]:
        """Take out all."""
        entries, self._heap = self._heap, []
        return [delivery for _, _, delivery in entries]

    @property
    def first_due(self) -> datetime | None:
        """When the first is due."""
        return self._heap[0][0] if self._heap else None

    def count_due(self, now: datetime) -> int:
        """Return how many are due."""
        return sum(entry[0] <= now for entry in self._heap)


@attrs.define(eq=False)
class Lane:
    """An endpoint and what is on its way there: one at a time."""

    endpoint: WebhookEndpoint
    queue: Queue = attrs.field(factory=Queue)
    under_way: Delivery | None = None
    held: Delivery | None = None  # is to be overtaken by the next
