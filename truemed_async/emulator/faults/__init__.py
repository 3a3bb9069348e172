"""What goes wrong: every fault has a name, a scope and a count."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeVar, overload

import attrs
from aiohttp import web

from truemed_async.emulator.faults.base import AbortConnection, ConnectionFault, Exchange, Fault, RawResponse
from truemed_async.emulator.faults.scope import ActiveFault, Scope
from truemed_async.emulator.faults.table import FAULTS, Parameter, create, description, parameters
from truemed_async.emulator.state import State

__all__ = [
    "FAULTS",
    "AbortConnection",
    "ActiveFault",
    "ConnectionFault",
    "Exchange",
    "Fault",
    "Faults",
    "Parameter",
    "Passage",
    "RawResponse",
    "Scope",
    "description",
    "parameters",
]

F = TypeVar("F", bound=Fault)

# Faults out of force that are still listed: their hits may be asked for.
_KEPT = 100


class Faults:
    """The faults in force, in the order of adding; may be changed from any thread while requests run."""

    def __init__(self, state: State, seed: int = 0) -> None:
        """Begin without any; all that they draw hangs on `seed`."""
        self.on_change: Callable[[], None] | None = None  # called after each change, by the thread that made it
        self._state = state
        self._seed = seed
        self._lock = threading.Lock()
        self._ids = count(1)
        self._ended: deque[ActiveFault] = deque(maxlen=_KEPT)
        self._ended_hits = 0
        # Replaced, never changed: whoever iterates keeps the faults that were in force when it began.
        self._active: tuple[ActiveFault, ...] = ()

    def __repr__(self) -> str:
        return f"<Faults {list(self)}>"

    def __len__(self) -> int:
        return len(self.active)

    def __iter__(self) -> Iterator[Fault]:
        return (handle.fault for handle in self.active)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all faults there are."""
        return tuple(sorted(FAULTS))

    @property
    def active(self) -> tuple[ActiveFault, ...]:
        """What is in force, in the order of adding."""
        for handle in self._active:
            if handle.fault.is_over:
                handle.remove()
        return self._active

    @property
    def ended(self) -> tuple[ActiveFault, ...]:
        """The last of those that are no longer in force, in the order of their end."""
        with self._lock:
            return tuple(self._ended)

    @property
    def hits(self) -> int:
        """How often faults have acted since the last `clear`."""
        return self._ended_hits + sum(handle.hits for handle in self.active)

    @property
    def refusal(self) -> ConnectionFault | None:
        """The fault for which no connection is taken in, if there is one."""
        return next((fault for fault in self if isinstance(fault, ConnectionFault) and fault.refuses), None)

    @overload
    def add(self, fault: F, /) -> F: ...

    @overload
    def add(
        self,
        fault: str,
        /,
        *,
        method: str | None = None,
        route: str | None = None,
        nth: int | None = None,
        times: int | None = None,
        probability: float | None = None,
        when: Callable[[Exchange], object] | None = None,
        **parameters: Any,
    ) -> ActiveFault: ...

    def add(self, fault: Fault | str, /, **given: Any) -> Fault | ActiveFault:
        """Put a fault in force: one by its name, narrowed as `Scope` tells; or one of your own, for everything.

        ValueError for a name, a scope or parameters that there are not.
        """
        if isinstance(fault, Fault):
            if given:
                raise ValueError(f"only a fault by name is narrowed: not by {', '.join(given)}")
            self._begin(fault, type(fault).__name__, None, {})
            return fault
        narrowed = {field.name: given.pop(field.name) for field in attrs.fields(Scope) if field.name in given}
        made = create(fault, given)
        return self._begin(made, fault, Scope.of(made, fault, narrowed), given)

    def _begin(self, fault: Fault, name: str, scope: Scope | None, given: dict[str, Any]) -> ActiveFault:
        with self._lock:
            id = next(self._ids)
        # Each has a seed of its own: adding or removing one does not change what the others draw.
        fault.begin(self._state, f"{self._seed} {id} fault")
        handle = ActiveFault(id, name, fault, scope, given, f"{self._seed} {id} scope", self._remove)
        with self._lock:
            self._active = (*self._active, handle)
        self._changed()
        return handle

    def clear(self) -> None:
        """Let everything go right again, and forget all hits."""
        for handle in self._active:
            handle.remove()
        with self._lock:
            self._ended.clear()
            self._ended_hits = 0

    def _remove(self, handle: ActiveFault) -> None:
        with self._lock:
            if not handle.active:
                return
            handle.active = False
            self._active = tuple(other for other in self._active if other is not handle)
            self._ended.append(handle)
            self._ended_hits += handle.hits
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    # What the server asks.

    def connected(self, transport: asyncio.Transport) -> list[ConnectionFault]:
        """Let faults act on a new connection; return those that say how to go on with it."""
        acting = [handle.fault for handle in self.active if handle.takes(None)]
        for fault in acting:
            fault.connected(transport)
        return [fault for fault in acting if isinstance(fault, ConnectionFault)]


class Passage:
    """The way of one exchange through the faults: each decides once whether it acts on it."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        """Begin with the faults that are in force now; one that is never reached has no hit."""
        self._exchange = exchange
        self._handles = faults.active
        self._decided: dict[int, bool] = {}

    async def before(self) -> web.StreamResponse | None:
        """Return the first response that a fault puts in place of the handler's."""
        for handle in self._handles:
            if handle.acts_before and self._takes(handle):
                response = await handle.fault.before(self._exchange)
                if response is not None:
                    return response
        return None

    async def after(self, response: web.StreamResponse) -> web.StreamResponse:
        """Lead the response through the faults; what one sends in its own bytes is out of reach for the next."""
        for handle in self._handles:
            if isinstance(response, RawResponse):
                break
            if handle.acts_after and self._takes(handle):
                response = await handle.fault.after(self._exchange, response)
        return response

    def _takes(self, handle: ActiveFault) -> bool:
        if handle.id not in self._decided:
            self._decided[handle.id] = handle.takes(self._exchange)
        return self._decided[handle.id]
