"""What goes along with many calls: each id once, and word of how far it is."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence, Sized
from typing import Any, Protocol, runtime_checkable

from truemed_async._core.bulk import Outcome, every
from truemed_async.errors import InvalidArgumentError

MOST_REMEMBERED = 100_000
"""Ids that are remembered to leave out repeats, about 15 MiB."""


class Once:
    """Lets each id through once, as far as it remembers: the last :data:`MOST_REMEMBERED` different ones."""

    def __init__(self) -> None:
        self.left_out = 0
        """How many repeats there were."""
        self._seen: set[str] = set()
        self._oldest: deque[str] = deque()

    def is_new(self, id: object) -> bool:
        """Whether the id was not here before. What is no string cannot be an id: its outcome will say so."""
        if not isinstance(id, str):
            return True
        if id in self._seen:
            self.left_out += 1
            return False
        if len(self._oldest) == MOST_REMEMBERED:
            self._seen.remove(self._oldest.popleft())
        self._seen.add(id)
        self._oldest.append(id)
        return True


@runtime_checkable
class Filtering(Protocol):
    """An iterable that has to be told what not to hand out: the sync facade counts what it has handed out."""

    def keep_only(self, wanted: Callable[[Any], bool], /) -> None:
        """Hand out only the items for which this is true."""
        ...


class Tally:
    """Counts outcomes, and tells the caller's function when there are more."""

    def __init__(self, progress: object, items: object, once: Once | None) -> None:
        if not callable(progress) or inspect.iscoroutinefunction(progress):
            raise InvalidArgumentError("progress must be a plain function of (done, failed, total)")
        self._progress: Callable[[int, int, int | None], object] = progress
        self._once = once
        self._total = len(items) if isinstance(items, Sized) else None
        self._arrived = self._failed = 0
        self._told = (0, 0)

    def __call__(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Count these. Repeats that were left out are done, too, or the total would never be reached."""
        self._arrived += len(outcomes)
        self._failed += sum(not outcome.ok for outcome in outcomes)
        now = (self._arrived + (0 if self._once is None else self._once.left_out), self._failed)
        if now != self._told:
            self._told = now
            self._progress(*now, self._total)


def wanted(items: object, once: Once) -> Callable[[object], bool]:
    """Return which items are to be taken. An iterable that has to know is told, and then gives no others."""
    if isinstance(items, Filtering):
        items.keep_only(once.is_new)
        return every
    return once.is_new
