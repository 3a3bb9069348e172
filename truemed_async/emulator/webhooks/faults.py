"""What goes wrong on the way of webhooks: by name, seeded, counted."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import attrs

from truemed_async.emulator.faults.table import require
from truemed_async.emulator.webhooks.events import EVENTS
from truemed_async.emulator.webhooks.model import Delivery, WebhookEndpoint


@attrs.define
class Letter:
    """A request that is about to be sent: the fault may change any part of it."""

    endpoint: WebhookEndpoint
    body: bytes
    at: datetime
    forged: bool = False  # whether the authentication is to be wrong
    doubled: bool = False  # whether a wrong one goes before the right one


@attrs.frozen
class _Parameter:
    """What a fault may be told: a number, whole or not, up to the most that makes sense."""

    name: str
    default: float
    most: float
    kind: type[int | float] = int


_COPIES: Final = _Parameter("n", 1, 1000)
_SECONDS: Final = _Parameter("seconds", 60.0, 365 * 24 * 3600.0, float)

# What each fault does: to a delivery when it is made, or to a letter when it is written.
_NEW: Final[Mapping[str, Callable[[Delivery, Any], None]]] = MappingProxyType(
    {
        "duplicate_delivery": lambda delivery, n: setattr(delivery, "copies", n),
        "delay": lambda delivery, seconds: setattr(delivery, "due", delivery.due + timedelta(seconds=seconds)),
        "drop_until_retry": lambda delivery, n: setattr(delivery, "withheld", n),
    }
)
_WRITTEN: Final[Mapping[str, Callable[[Letter, Any], None]]] = MappingProxyType(
    {
        "bad_signature": lambda letter, _: setattr(letter, "forged", True),
        "double_header": lambda letter, _: setattr(letter, "doubled", True),
        "stale_timestamp": lambda letter, seconds: setattr(letter, "at", letter.at - timedelta(seconds=seconds)),
        "oversize_body": lambda letter, size: setattr(letter, "body", letter.body + b" " * size),
    }
)
# These need more than the delivery: the queue, or the endpoint.
REORDER: Final = "reorder"
ROTATE: Final = "rotate_secret"
DROP: Final = "drop_until_retry"
_PARAMETERS: Final[Mapping[str, _Parameter]] = MappingProxyType(
    {
        "duplicate_delivery": _COPIES,
        "delay": _SECONDS,
        DROP: _COPIES,
        "stale_timestamp": attrs.evolve(_SECONDS, default=8 * 24 * 3600.0),
        "oversize_body": _Parameter("size", 2 * 1024 * 1024, 64 * 1024 * 1024),
    }
)
NAMES: Final = tuple(sorted((*_NEW, *_WRITTEN, REORDER, ROTATE)))
_KEPT: Final = 100  # out of force and still listed: their hits may be asked for


@attrs.define(eq=False, kw_only=True)
class WebhookFault:
    """A fault in force: how often it acted, and the way to end it, which a `with` block does, too."""

    id: int
    name: str
    parameters: Mapping[str, float]
    event: str | None
    times: int | None
    probability: float
    hits: int = 0
    active: bool = True
    _seed: str = attrs.field(repr=False, alias="seed")
    _remove: Callable[[WebhookFault], None] = attrs.field(repr=False, alias="remove")
    _draw: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._draw = random.Random(self._seed)  # noqa: S311 - repeatable on purpose

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def parameter(self) -> float | None:
        """The number that it goes by, if it does."""
        return next(iter(self.parameters.values()), None)

    def remove(self) -> None:
        """Take the fault out of force; again is harmless."""
        self._remove(self)

    def takes(self, event: str) -> bool:
        """Tell whether to act on a delivery of this event, or on its next attempt; asked once for each."""
        if self.event not in (None, event) or self._draw.random() >= self.probability:
            return False
        self.hits += 1
        if self.hits == self.times:
            self.remove()
        return True


class WebhookFaults:
    """The faults of webhooks, those in force in the order of adding; may be changed from any thread."""

    def __init__(self, seed: int) -> None:
        """Begin without any; chance is drawn from the seed."""
        self._seed = seed
        self._ids = itertools.count(1)
        self._ended: deque[WebhookFault] = deque(maxlen=_KEPT)
        # Replaced, never changed: whoever iterates keeps those that were in force when it began.
        self._active: tuple[WebhookFault, ...] = ()

    def __repr__(self) -> str:
        return f"<WebhookFaults {list(self._active)}>"

    @property
    def active(self) -> tuple[WebhookFault, ...]:
        """Those in force, the first that was added first."""
        return self._active

    @property
    def ended(self) -> tuple[WebhookFault, ...]:
        """The last of those that are no longer in force, in the order of their end."""
        return tuple(self._ended)

    @property
    def names(self) -> tuple[str, ...]:
        """Every fault that there is."""
        return NAMES

    def add(
        self,
        name: str,
        /,
        *,
        event: str | None = None,
        times: int | None = None,
        probability: float = 1.0,
        **parameters: float,
    ) -> WebhookFault:
        """Put a fault in force.

        event: only on deliveries of this event. times: the number to act on. probability: the share to act on.

        duplicate_delivery(n=1): sent n times more although it was taken. reorder: sent after the one behind it.
        delay(seconds=60): sent later, by the emulator's clock. drop_until_retry(n=1): the first n attempts get lost.
        bad_signature: signed with another secret. stale_timestamp(seconds=691200): signed that long ago.
        double_header: a second, wrong header goes before the right one. oversize_body(size=2097152): that many bytes
        of white space more. rotate_secret: from here on signed with a new secret alone.

        ValueError: there is no such fault, event or parameter.
        """
        if name not in NAMES:
            raise ValueError(f"there is no webhook fault {name!r}; there are {', '.join(NAMES)}")
        if event not in (None, *EVENTS):
            raise ValueError(f"there is no event {event!r}; there are {', '.join(EVENTS)}")
        require(times, int | None, f"{name}: times")
        require(probability, float, f"{name}: probability")
        if not 0 < probability <= 1 or (times is not None and times < 1):
            raise ValueError("probability is above 0 and at most 1, times at least 1")
        id = next(self._ids)
        fault = WebhookFault(
            id=id,
            name=name,
            parameters=_checked(name, parameters),
            event=event,
            times=times,
            probability=probability,
            # Each has a seed of its own: adding or removing one does not change what the others draw.
            seed=f"{self._seed} {id} webhook fault",
            remove=self._end,
        )
        self._active = (*self._active, fault)
        return fault

    def clear(self) -> None:
        """Take all out of force, and forget those that were."""
        for fault in self._active:
            self._end(fault)
        self._ended.clear()

    def strike_new(self, delivery: Delivery, *, reorder: bool) -> frozenset[str]:
        """Change a delivery that was just made; return the names of the faults that did, and of those left to do.

        reorder: whether it may be one that is overtaken; the one that overtakes is not.
        """
        struck: set[str] = set()
        for fault in self._active:
            if fault.name in _WRITTEN or (fault.name == REORDER and not reorder) or not fault.takes(delivery.event):
                continue
            struck.add(fault.name)
            if fault.name in _NEW:
                _NEW[fault.name](delivery, fault.parameter)
        return frozenset(struck)

    def strike_letter(self, delivery: Delivery, letter: Letter) -> str | None:
        """Change a letter that was just written; return the names of the faults that did."""
        struck: list[str] = []
        for fault in self._active:
            if fault.name in _WRITTEN and fault.takes(delivery.event):
                struck.append(fault.name)
                _WRITTEN[fault.name](letter, fault.parameter)
        return ", ".join(struck) or None

    def _end(self, fault: WebhookFault) -> None:
        if fault.active:
            fault.active = False
            self._active = tuple(other for other in self._active if other is not fault)
            self._ended.append(fault)


def _checked(name: str, given: Mapping[str, float]) -> Mapping[str, float]:
    """Return the parameter of a fault, as it was given or as it is by default."""
    known = _PARAMETERS.get(name)
    unknown = sorted(given.keys() - ({known.name} if known else set()))
    if unknown:
        raise ValueError(f"{name} takes {known.name if known else 'no parameter'}: not {', '.join(unknown)}")
    if known is None:
        return {}
    value = given.get(known.name, known.default)
    require(value, known.kind, f"{name}: {known.name}")
    if not 0 <= value <= known.most:
        raise ValueError(f"{name}: {known.name} is from 0 to {known.most:g}")
    return {known.name: value}
