"""What happened to each object: its transitions, and the requests that caused them, for the inspector."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs

from truemed_async.emulator.request_log import CURRENT_REQUEST

if TYPE_CHECKING:
    from truemed_async.emulator.resources.state import State
    from truemed_async.emulator.store import Transition

MAX_CHANGES: Final = 20_000


@attrs.frozen
class Change:
    """A transition without its row; ``request`` is the number of the request that caused it, if one did."""

    resource: str
    id: str
    name: str
    before: str | None
    after: str
    at: datetime
    request: int | None


class History:
    """The last 20,000 transitions. Changed and read under the lock of the state."""

    def __init__(self, state: State) -> None:
        """Begin empty, and follow the transitions of a state."""
        self._newest: deque[Change] = deque()
        self._by_object: dict[tuple[str, str], deque[Change]] = {}
        state.on_transition.append(self._record)

    def of_object(self, resource: str, id: str) -> tuple[Change, ...]:
        """Return the transitions of an object, oldest first."""
        return tuple(self._by_object.get((resource, id), ()))

    def of_request(self, number: int) -> tuple[Change, ...]:
        """Return the transitions that a request caused, oldest first."""
        return tuple(change for change in self._newest if change.request == number)

    def clear(self) -> None:
        """Forget everything."""
        self._newest.clear()
        self._by_object.clear()

    def _record(self, transition: Transition) -> None:
        request = CURRENT_REQUEST.get()
        change = Change(
            transition.resource,
            transition.id,
            transition.name,
            transition.before,
            transition.after,
            transition.at,
            None if request is None else request.number,
        )
        self._newest.append(change)
        self._by_object.setdefault((change.resource, change.id), deque()).append(change)
        if len(self._newest) > MAX_CHANGES:
            oldest = self._newest.popleft()
            of_object = self._by_object[oldest.resource, oldest.id]
            of_object.popleft()
            if not of_object:
                del self._by_object[oldest.resource, oldest.id]
