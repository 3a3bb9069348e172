"""Faults of the HTTP API: what can go wrong, each with a name, a scope and a count."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, overload

import attrs
from aiohttp import web

from truemed_async.emulator.api import ROUTES
from truemed_async.emulator.faults import (
    body,
    connection,
    consistency,
    decompression_bomb,
    framing,
    json_fields,
    latency,
    status,
)
from truemed_async.emulator.faults.base import AbortConnection, ConnectionFault, Exchange, Fault, create_fault
from truemed_async.emulator.faults.registry import ActiveFault, FaultDefinition, FaultRegistry, Scope, collect
from truemed_async.emulator.faults.responses import ResponseBytes
from truemed_async.emulator.resources.state import State

__all__ = [
    "FAULTS",
    "AbortConnection",
    "ActiveFault",
    "ConnectionFault",
    "Exchange",
    "Fault",
    "FaultChain",
    "FaultDefinition",
    "Faults",
    "RequestScope",
    "ResponseBytes",
    "Scope",
]

F = TypeVar("F", bound=Fault)

FAULTS: Mapping[str, FaultDefinition] = collect(
    connection, latency, framing, body, decompression_bomb, json_fields, status, consistency
)


def _validate_route(name: str) -> None:
    names = sorted(route.name for route in ROUTES)
    if name not in names:
        raise ValueError(f"must name a route: {', '.join(names)}")


def _validate_function(value: object) -> None:
    if value is not None and not callable(value):
        raise ValueError("must be a function of an Exchange")


def _to_upper(method: str | None) -> str | None:
    return None if method is None else method.upper()


@attrs.frozen(kw_only=True)
class RequestScope(Scope):
    """Which requests an HTTP fault acts on; None does not restrict.

    Attributes:
        method: The HTTP method.
        route: The name of a documented route.
        when: Only the exchanges for which this returns true.
    """

    method: str | None = attrs.field(default=None, converter=_to_upper)
    route: Annotated[str, _validate_route] | None = None
    when: Annotated[Any, _validate_function] | None = None

    def matches(self, subject: Exchange) -> bool:
        """Return whether the fault may act on this request."""
        return (
            self.method in {None, subject.request.method}
            and (self.route is None or (subject.route is not None and subject.route.name == self.route))
            and (self.when is None or bool(self.when(subject)))
        )


class Faults(FaultRegistry[Fault]):
    """The active faults of the HTTP API, in the order in which they were added. May be changed from any thread."""

    catalog: ClassVar[Mapping[str, FaultDefinition]] = FAULTS
    scope_type: ClassVar[type[Scope]] = RequestScope

    def __init__(self, state: State, seed: int = 0) -> None:
        """Create an empty registry; all random decisions derive from ``seed``."""
        super().__init__(seed)
        self._state = state

    def __repr__(self) -> str:
        return f"<Faults {list(self)}>"

    def __iter__(self) -> Iterator[Fault]:
        return (active.fault for active in self.active)

    @property
    def active(self) -> tuple[ActiveFault[Fault], ...]:
        """The active faults, oldest first."""
        for active in self._active:
            if active.fault.is_over:
                active.remove()
        return self._active

    @property
    def refusal(self) -> ConnectionFault | None:
        """The fault because of which connections are refused, if there is one."""
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
    ) -> ActiveFault[Fault]: ...

    def add(self, fault: Fault | str, /, **options: Any) -> Fault | ActiveFault[Fault]:
        """Add a fault: one by its name, restricted by a ``RequestScope``; or your own, which acts on everything.

        Raises:
            ValueError: There is no such fault, scope or parameter.
        """
        if isinstance(fault, str):
            return self._add(fault, options)
        if options:
            raise ValueError(f"only a fault by name can be restricted: not by {', '.join(options)}")
        self._activate(type(fault).__name__, fault, RequestScope(), {})
        return fault

    def connected(self, transport: asyncio.Transport) -> list[ConnectionFault]:
        """Apply the faults to a new connection, and return the connection faults among them."""
        # Your own faults see every connection; this is no hit.
        acting = [
            active.fault
            for active in self.active
            if active.name not in FAULTS or (isinstance(active.fault, ConnectionFault) and active.hit())
        ]
        for fault in acting:
            fault.connected(transport)
        return [fault for fault in acting if isinstance(fault, ConnectionFault)]

    def _create(self, definition: FaultDefinition, parameters: Mapping[str, Any]) -> Fault:
        return create_fault(definition, parameters)

    def _begin(self, fault: Fault, seed: str) -> None:
        fault.begin(self._state, seed)

    def restrictions(self, definition: FaultDefinition) -> tuple[str, ...]:
        """Return which fields of the scope can restrict a fault."""
        implementation = definition.implementation
        if not (isinstance(implementation, type) and issubclass(implementation, ConnectionFault)):
            return super().restrictions(definition)
        # A connection opens before its requests are known; one that is refused is not seen at all.
        return () if implementation.refuses else ("nth", "times", "probability")


class FaultChain:
    """The faults that act on one exchange; each decides once whether it does."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        """Create the chain of the faults that are active now; a fault that is not reached has no hit."""
        self._exchange = exchange
        self._faults = faults.active
        self._decisions: dict[int, bool] = {}

    async def before(self) -> web.StreamResponse | None:
        """Return the first response with which a fault replaces the handler's."""
        for active in self._faults:
            if type(active.fault).before is not Fault.before and self._acts(active):
                response = await active.fault.before(self._exchange)
                if response is not None:
                    return response
        return None

    async def after(self, response: web.StreamResponse) -> web.StreamResponse:
        """Return the response after all faults; the bytes of a ``ResponseBytes`` are final."""
        for active in self._faults:
            if isinstance(response, ResponseBytes):
                break
            if type(active.fault).after is not Fault.after and self._acts(active):
                response = await active.fault.after(self._exchange, response)
        return response

    def _acts(self, active: ActiveFault[Fault]) -> bool:
        if active.id not in self._decisions:
            self._decisions[active.id] = (
                active.active
                and active.scope.matches(self._exchange)
                and active.fault.applies_to(self._exchange)
                and active.hit()
            )
        return self._decisions[active.id]
