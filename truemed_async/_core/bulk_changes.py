"""One of many changes: made ready, sent under a key of its own, and what became of it."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from truemed_async._core.bulk import Outcome
from truemed_async._core.endpoint import Endpoint
from truemed_async._sensitive import Sensitive
from truemed_async._validation import scalars
from truemed_async.errors import TruemedError

T = TypeVar("T")
C = TypeVar("C", bound="Change")

# What the names of keys are made from; it must never change, or a repeated run would have its effects again.
_NAMESPACE = uuid.UUID("0e1c3f6a-94a5-4a0c-9d3c-5b1f0a5c6f1e")


@attrs.frozen(kw_only=True)
class Change(ABC):
    """What the changes of every kind have."""

    idempotency_key: str | None = None

    @property
    @abstractmethod
    def id(self) -> str:
        """The id of what is to be changed."""

    @abstractmethod
    def fields(self) -> Mapping[str, Any]:
        """Check what is to be changed and return it, the same for equal changes."""


@attrs.frozen(kw_only=True)
class UpdateOutcome(Outcome[T], Generic[C, T]):
    """What became of one change of many.

    Attributes:
        id: The id of what was to be changed.
        value: What came back, or ``None`` if it failed.
        error: Why it failed, or ``None``.
        change: The change itself, to make it again with, maybe.
        idempotency_key: The key that it went out with: the change made again with this key has no second effect.
            ``None`` if nothing went out, because the change was refused before it had a key.
    """

    change: C
    idempotency_key: str | None


async def to_update_outcome(
    change: C, endpoint: Endpoint[Any], update: Callable[..., Awaitable[T]], run_id: str | None
) -> UpdateOutcome[C, T]:
    """Make one change: ``update(id, **fields, idempotency_key=…)``. Its failure, a bad value included, stays its own."""
    id, key = change.id, None
    try:
        fields = Sensitive(change.fields())
        key = scalars.resolve_idempotency_key(
            derived_key(run_id, endpoint, id, fields.value)
            if change.idempotency_key is None and run_id is not None
            else change.idempotency_key
        )
        value = await update(id, **fields.value, idempotency_key=key)
    except TruemedError as error:
        return UpdateOutcome(id=id, change=change, error=error, idempotency_key=key)
    return UpdateOutcome(id=id, change=change, value=value, idempotency_key=key)


def derived_key(run_id: str, endpoint: Endpoint[Any], id: str, fields: Mapping[str, Any]) -> str:
    """Return the key of one change of a run: the same whenever the run is repeated, another for any other change.

    It is made of what the change is, and not of its place among the others: those that were done may be left out of a
    repeated run, others added, and any order will do. The same change twice in one run is one change.
    """
    return str(uuid.uuid5(_NAMESPACE, json.dumps([run_id, endpoint.name, id, fields], sort_keys=True)))
