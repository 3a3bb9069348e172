"""Moves from one status to the next: what is told of each, and the refusal of those that are not allowed."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

import attrs

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class InvalidTransitionError(ValueError):
    """The status does not allow this move."""


class HasStatus(Protocol):
    """A row that goes from one status to the next."""

    @property
    def id(self) -> str:
        """An opaque string."""
        ...

    @property
    def status(self) -> str:
        """Where it is in its life."""
        ...


@attrs.frozen(kw_only=True)
class Transition:
    """One move, told to every listener in the order of the moves, when it is done.

    resource, id: whose move it is, for example `payment_sessions` and its id.
    name: the name of the move, for example `approve`; `added` for what is new.
    before, after: the statuses; `before` is None for what is new. They are equal when something else changed.
    at: when, by the emulator's clock.
    row: the row as it is now, immutable.
    origin: by which `payment_session_id`, `failed_payment_session_id` or `provision_token_request_id` it came about;
    told of payment tokens.
    """

    resource: str
    id: str
    name: str
    before: str | None
    after: str
    at: datetime
    row: Any = attrs.field(repr=False)
    origin: Mapping[str, str] = _NOTHING

    @property
    def changed(self) -> bool:
        """Whether the status is another one."""
        return self.before != self.after


Listener = Callable[[Transition], None]


def require(row: HasStatus, *statuses: str) -> None:
    """Raise InvalidTransitionError unless the row has one of the statuses."""
    if row.status not in statuses:
        raise InvalidTransitionError(f"{row.id} is {row.status}, not {' or '.join(statuses)}")
