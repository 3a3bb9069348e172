"""What a fault in force applies to, and how often it did."""

import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import attrs
from attrs.validators import and_, ge, gt, le, optional

from truemed_async.emulator.api import ROUTES
from truemed_async.emulator.faults.base import ConnectionFault, Exchange, Fault
from truemed_async.emulator.faults.table import require


def _is_route(_: object, __: object, name: str | None) -> None:
    names = sorted(route.name for route in ROUTES)
    if name is not None and name not in names:
        raise ValueError(f"there is no route {name!r}; there are {', '.join(names)}")


def _upper(method: str | None) -> str | None:
    return None if method is None else method.upper()


@attrs.frozen
class Scope:
    """Which requests (or connections, for a fault of the connection) a fault acts on; None does not narrow.

    method, route: the verb, and the name of a documented route.
    when: only the exchanges for which it returns true.
    nth: not before the nth of those; and only that one, unless `times` says more.
    times: the number to act on, after which the fault is out of force by itself.
    probability: the share of those to act on, drawn from the emulator's seed.
    """

    method: str | None = attrs.field(default=None, converter=_upper)
    route: str | None = attrs.field(default=None, validator=_is_route)
    nth: int | None = attrs.field(default=None, validator=optional(ge(1)))
    times: int | None = attrs.field(default=None, validator=optional(ge(1)))
    probability: float | None = attrs.field(default=None, validator=optional(and_(gt(0), le(1))))
    when: Callable[[Exchange], object] | None = None

    @classmethod
    def of(cls, fault: Fault, name: str, given: dict[str, Any]) -> Self:
        """Return the scope; ValueError for what does not apply to this fault."""
        allowed = {field.name: field.type for field in attrs.fields(cls)}
        if isinstance(fault, ConnectionFault):
            # What is sent on a connection is not known while it opens; and one that is refused is not seen at all.
            narrow = () if fault.refuses else ("nth", "times", "probability")
            allowed = {field: allowed[field] for field in narrow}
        for field, value in given.items():
            if field not in allowed:
                raise ValueError(f"{name} is narrowed by {', '.join(allowed) or 'nothing'}: not by {field}")
            if field != "when":
                require(value, allowed[field], f"{name}: {field}")
            elif not (value is None or callable(value)):
                raise ValueError(f"{name}: when must be a function of an Exchange, not {value!r}")
        try:
            return cls(**given)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def covers(self, exchange: Exchange) -> bool:
        """Tell whether the request is one of those."""
        return (
            self.method in {None, exchange.request.method}
            and (self.route is None or (exchange.route is not None and exchange.route.name == self.route))
            and (self.when is None or bool(self.when(exchange)))
        )


class ActiveFault:
    """A fault in force: how often it acted, and the way to end it, which a `with` block does, too."""

    def __init__(
        self,
        id: int,
        name: str,
        fault: Fault,
        scope: Scope | None,
        parameters: dict[str, Any],
        seed: str,
        remove: Callable[["ActiveFault"], None],
    ) -> None:
        """Keep the parts; without a scope it acts on everything. `remove` takes it out of force."""
        self.id = id
        self.name = name
        self.fault = fault
        self.scope = scope
        self.parameters = parameters
        # A fault that has nothing to do at a moment is not asked then, so that each hit is one.
        self.acts_before: bool = type(fault).before is not Fault.before
        self.acts_after: bool = type(fault).after is not Fault.after
        self.active: bool = True
        self.hits: int = 0
        self._draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._remove = remove
        self._seen = 0

    def __repr__(self) -> str:
        return f"<{self.name} {self.id}: {self.hits} hits{'' if self.active else ', out of force'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Take the fault out of force; again is harmless. What it holds up already (a hang) stays so."""
        self._remove(self)

    def takes(self, exchange: Exchange | None) -> bool:
        """Tell whether to act on this exchange, or on a new connection (None); asked once for each of them."""
        scope = self.scope
        if scope is None:
            self.hits += exchange is not None
            return True
        if not self.active or isinstance(self.fault, ConnectionFault) is not (exchange is None):
            return False
        if exchange is not None and not (scope.covers(exchange) and self.fault.selects(exchange)):
            return False
        self._seen += 1
        if self._seen < (scope.nth or 1):
            return False
        if scope.probability is not None and self._draw.random() >= scope.probability:
            return False
        self.hits += 1
        if self.hits == (scope.times or (scope.nth and 1)):
            self.remove()
        return True
