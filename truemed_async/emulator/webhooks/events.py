"""Webhook events: which transitions send one, and its payload. Dates are ISO 8601 in UTC, money is in cents.

Assumptions, listed in docs/emulator.md: some member names of ``payment_session_complete``, and the names of
``event_type`` except that of the catalog.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import attrs

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.resources.catalog_items import EmulatedCatalogItem
from truemed_async.emulator.resources.payment_sessions import EmulatedPaymentSession
from truemed_async.emulator.resources.payment_tokens import EmulatedPaymentToken
from truemed_async.emulator.resources.qualification_sessions import EmulatedQualificationSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.entity import Entity
    from truemed_async.emulator.store import Transition

_ENTITIES: Final = (EmulatedPaymentSession, EmulatedPaymentToken, EmulatedQualificationSession, EmulatedCatalogItem)
EVENTS: Final = tuple(entity.event.name for entity in _ENTITIES if entity.event is not None)
_CATALOG_EVENT: Final = EVENTS[-1]
_NAMESPACE: Final = uuid.UUID("5f6f7a0e-94b5-5d0c-8f0a-3a1d6a1c2b11")


@attrs.frozen
class EmulatedEvent:
    """A webhook event.

    Attributes:
        name: Its name.
        type: The ``event_type`` in an envelope.
        data: The payload.
        transition: What caused it.
    """

    name: str
    type: str
    data: Mapping[str, Any]
    transition: Transition

    def delivery_id(self, endpoint: str, number: int) -> str:
        """Return the id of its delivery to an endpoint, the same however often it is sent.

        It includes the time, because runs that load the same snapshot number their deliveries alike.
        """
        cause = self.transition
        name = f"{endpoint} {number} {self.name} {cause.id} {cause.at.isoformat()}"
        return f"whd_{uuid.uuid5(_NAMESPACE, name).hex}"

    def body(self, delivery_id: str | None) -> Mapping[str, Any]:
        """Return the body: in the envelope of signed webhooks, or flat without a delivery id."""
        if delivery_id is not None:
            return {"webhook_delivery_id": delivery_id, "event_type": self.type, "data": self.data}
        if self.name == _CATALOG_EVENT:
            return {"event_type": self.type, "timestamp": wire_datetime(self.transition.at), "data": self.data}
        return self.data


def event_for(transition: Transition) -> EmulatedEvent | None:
    """Return the event that merchants are sent about a transition, or ``None`` if there is none."""
    row: Entity = transition.row
    payload = row.event_payload(transition)
    if row.event is None or payload is None:
        return None
    return EmulatedEvent(row.event.name, row.event.type, payload, transition)
