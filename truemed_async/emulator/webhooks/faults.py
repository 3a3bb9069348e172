"""What goes wrong on the way of webhooks: by name, seeded, counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import attrs

from truemed_async.emulator.webhooks.events import EVENTS
from truemed_async.emulator.webhooks.model import Delivery, Endpoint


@attrs.define
class Letter:
    """A request that is about to be sent: the fault may change any part of it."""

    endpoint: Endpoint
    body: bytes
    at: datetime
    forged: bool = False  # whether the authentication is to be wrong
    doubled: bool = False  # whether a wrong one goes before the right one


# What each fault does: to a delivery when it is made, or to a letter when it is written.
_NEW: Final[Mapping[str, tuple[str, Callable[[Delivery, Any], None]]]] = MappingProxyType(
    {
        "duplicate_delivery": ("n", lambda delivery, n: setattr(delivery, "copies", n)),
        "delay": ("seconds", lambda delivery, by: setattr(delivery, "due", delivery.due + timedelta(seconds=by))),
        "drop_until_retry": ("n", lambda delivery, n: setattr(delivery, "withheld", n)),
    }
)
_WRITTEN: Final[Mapping[str, tuple[str | None, Callable[[Letter, Any], None]]]] = MappingProxyType(
    {
        "bad_signature": (None, lambda letter, _: setattr(letter, "forged", True)),
        "double_header": (None, lambda letter, _: setattr(letter, "doubled", True)),
        "stale_timestamp": ("seconds", lambda letter, by: setattr(letter, "at", letter.at - timedelta(seconds=by))),
        "oversize_body": ("size", lambda letter, size: setattr(letter, "body", letter.body + b" " * size)),
    }
)
# These need more than the delivery: the queue, or the endpoint.
REORDER: Final = "reorder"
ROTATE: Final = "rotate_secret"
_DEFAULTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "duplicate_delivery": 1,
        "delay": 60.0,
        "drop_until_retry": 1,
        "stale_timestamp": 8 * 24 * 3600.0,
        "oversize_body": 2 * 1024 * 1024,
    }
)
NAMES: Final = tuple(sorted((*_NEW, *_WRITTEN, REORDER, ROTATE)))


class WebhookFault:
    """A fault in force: how often it acted, and the way to end it, which a `with` block does, too."""

    def __init__(
        self,
        name: str,
        parameter: float | None,
        event: str | None,
        times: int | None,
        probability: float,
        draw: random.Random,
        remove: Callable[[WebhookFault], None],
    ) -> None:
        """Keep the parts; `remove` takes it out of force."""
        self.name = name
        self.parameter = parameter
        self.event = event
        self.times = times
        self.probability = probability
        self.hits: int = 0
        self._draw = draw
        self._remove = remove

    def __repr__(self) -> str:
        return f"<{self.name}: {self.hits} hits>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

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
    """The faults of webhooks that are in force. Not safe from several threads: the outbox holds its lock."""

    def __init__(self, seed: int) -> None:
        """Begin without any; chance is drawn from the seed."""
        self._draw = random.Random(f"webhooks {seed}")  # noqa: S311 - repeatable on purpose
        self._active: list[WebhookFault] = []

    @property
    def active(self) -> tuple[WebhookFault, ...]:
        """Those in force, the first that was added first."""
        return tuple(self._active)

    @property
    def names(self) -> tuple[str, ...]:
        """Every fault that there is."""
        return NAMES

    def add(
        self,
        name: str,
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
        if not 0 < probability <= 1 or (times is not None and times < 1):
            raise ValueError("probability is above 0 and at most 1, times at least 1")
        known = (_NEW.get(name) or _WRITTEN.get(name) or (None, None))[0]
        if not parameters.keys() <= {known} or any(value < 0 for value in parameters.values()):
            raise ValueError(f"{name} takes {known or 'no parameter'}, not negative")
        parameter = next(iter(parameters.values()), _DEFAULTS.get(name))
        fault = WebhookFault(name, parameter, event, times, probability, self._draw, self._end)
        self._active.append(fault)
        return fault

    def clear(self) -> None:
        """Take all out of force."""
        self._active.clear()

    def strike_new(self, delivery: Delivery) -> frozenset[str]:
        """Change a delivery that was just made; return the names of the faults that did, and of those left to do."""
        struck: set[str] = set()
        for fault in self.active:
            if fault.name in _WRITTEN or not fault.takes(delivery.event):
                continue
            struck.add(fault.name)
            if fault.name in _NEW:
                _NEW[fault.name][1](delivery, fault.parameter)
        return frozenset(struck)

    def strike_letter(self, delivery: Delivery, letter: Letter) -> str | None:
        """Change a letter that was just written; return the names of the faults that did."""
        struck: list[str] = []
        for fault in self.active:
            if fault.name in _WRITTEN and fault.takes(delivery.event):
                struck.append(fault.name)
                _WRITTEN[fault.name][1](letter, fault.parameter)
        return ", ".join(struck) or None

    def _end(self, fault: WebhookFault) -> None:
        if fault in self._active:
            self._active.remove(fault)
