"""One update of many: its idempotency key and its outcome."""

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
C = TypeVar("C", bound="UpdateRequest")

# The namespace of derived keys. It must never change: a repeated run would otherwise apply its updates again.
_NAMESPACE = uuid.UUID("0e1c3f6a-94a5-4a0c-9d3c-5b1f0a5c6f1e")


@attrs.frozen(kw_only=True)
class UpdateRequest(ABC):
    """The common part of one update of any kind."""

    idempotency_key: str | None = None

    @property
    @abstractmethod
    def id(self) -> str:
        """The id of the object to update."""

    @abstractmethod
    def fields(self) -> Mapping[str, Any]:
        """Validate the fields to update and return them; equal updates return equal fields."""


@attrs.frozen(kw_only=True)
class UpdateOutcome(Outcome[T], Generic[C, T]):
    """The result of one update of many.

    Attributes:
        id: The id of the object.
        value: The response, or ``None`` if the update failed.
        error: Why it failed, or ``None``.
        change: The update itself, for example to repeat it.
        idempotency_key: The key that was sent. Repeating the update with this key has no second effect. ``None`` if
            nothing was sent because the update is invalid.
    """

    change: C
    idempotency_key: str | None


async def to_update_outcome(
    change: C, endpoint: Endpoint[Any], update: Callable[..., Awaitable[T]], run_id: str | None
) -> UpdateOutcome[C, T]:
    """Call ``update(id, **fields, idempotency_key=…)``. Its failure, including an invalid field, becomes its outcome."""
    id, key = change.id, None
    try:
        fields = Sensitive(change.fields())
        key = scalars.resolve_idempotency_key(
            derive_key(run_id, endpoint, id, fields.value)
            if change.idempotency_key is None and run_id is not None
            else change.idempotency_key
        )
        value = await update(id, **fields.value, idempotency_key=key)
    except TruemedError as error:
        return UpdateOutcome(id=id, change=change, error=error, idempotency_key=key)
    return UpdateOutcome(id=id, change=change, value=value, idempotency_key=key)


def derive_key(run_id: str, endpoint: Endpoint[Any], id: str, fields: Mapping[str, Any]) -> str:
    """Return the key of one update of a run: the same whenever the run is repeated, different for any other update.

    It depends on the content of the update and not on its position, so a repeated run may leave out updates that
    succeeded, add others, and use any order. The same update twice in one run is one update.
    """
    return str(uuid.uuid5(_NAMESPACE, json.dumps([run_id, endpoint.name, id, fields], sort_keys=True)))
