"""Where things are made to go wrong: the moments of a connection and of a request at which a fault may act."""

import asyncio
import threading
from collections.abc import Iterator
from typing import TypeVar

import attrs
from aiohttp import web

from truemed_async.emulator.routes import Route
from truemed_async.emulator.state import State
from truemed_async.emulator.wirelog import WireRequest


class Cut(Exception):  # noqa: N818 - it is what a fault wants, not a failure of the emulator
    """Raised by a fault that leaves the request without an answer.

    Before raising it the fault may write to the transport and close it in its own way; a transport that is still
    open is aborted.
    """


@attrs.frozen
class Exchange:
    """One request on its way: what a fault may look at and act on.

    `route` is None for a path or verb that Truemed does not document. `request.transport` is the connection.
    """

    request: web.BaseRequest
    record: WireRequest
    route: Route | None
    state: State


class Fault:
    """Something that goes wrong. A subclass overrides the moments at which it acts; the others pass by.

    Every method runs on the emulator's loop. A method that waits is cancelled when the emulator stops.
    """

    def connected(self, transport: asyncio.BaseTransport) -> None:
        """Act on a new connection, before anything is read from it: abort it, close it, stop reading."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        """Act before the handler: a response is sent in its place, so the request has no effect. May raise `Cut`."""
        del exchange
        return None

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        """Act after the handler, its effect applied: return what to send. May raise `Cut`."""
        del exchange
        return response


F = TypeVar("F", bound=Fault)


class Faults:
    """The faults in force, in the order of adding; may be changed from any thread while requests run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Replaced, never changed: whoever iterates keeps the faults that were in force when it began.
        self._faults: tuple[Fault, ...] = ()

    def __repr__(self) -> str:
        return f"<Faults {list(self._faults)}>"

    def __len__(self) -> int:
        return len(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, fault: F) -> F:
        """Put a fault in force and return it."""
        with self._lock:
            self._faults = (*self._faults, fault)
        return fault

    def clear(self) -> None:
        """Let everything go right again."""
        with self._lock:
            self._faults = ()

    # What the server asks.

    def connected(self, transport: asyncio.BaseTransport) -> None:
        """Show a new connection to every fault."""
        for fault in self:
            fault.connected(transport)

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        """Return the first response that a fault puts in place of the handler's."""
        for fault in self:
            response = await fault.before(exchange)
            if response is not None:
                return response
        return None

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        """Lead the response through every fault."""
        for fault in self:
            response = await fault.after(exchange, response)
        return response
