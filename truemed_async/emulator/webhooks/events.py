"""Webhook events: which transitions send one, and its payload. Dates are ISO 8601 in UTC, money is in cents.

Assumptions, listed in docs/emulator.md: some member names of ``payment_session_complete``, and the names of
``event_type`` except that of the catalog.
"""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.payment_sessions.wire import shown_items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truemed_async.emulator.catalog_items.model import CatalogItem
    from truemed_async.emulator.payment_sessions.model import PaymentSession
    from truemed_async.emulator.payment_tokens.model import PaymentToken
    from truemed_async.emulator.qualification_sessions.model import QualificationSession
    from truemed_async.emulator.transition import Transition

PAYMENT_SESSION: Final = "payment_session_complete"
PAYMENT_TOKEN: Final = "payment_token_updated"  # noqa: S105 - no secret: the name of an event
QUALIFICATION_SESSION: Final = "qualification_session_complete"
CATALOG_ITEM: Final = "product_catalog_item_eligibility_updated"
EVENTS: Final = (PAYMENT_SESSION, PAYMENT_TOKEN, QUALIFICATION_SESSION, CATALOG_ITEM)

_TYPES: Final = MappingProxyType(
    {
        PAYMENT_SESSION: "payment_session.updated",
        PAYMENT_TOKEN: "payment_token.updated",
        QUALIFICATION_SESSION: "qualification_status.updated",
        CATALOG_ITEM: "product_catalog.item.eligibility_updated",
    }
)
_NAMESPACE: Final = uuid.UUID("5f6f7a0e-94b5-5d0c-8f0a-3a1d6a1c2b11")


@attrs.frozen
class Event:
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
        if self.name == CATALOG_ITEM:
            return {"event_type": self.type, "timestamp": wire_datetime(self.transition.at), "data": self.data}
        return self.data


def event_for(transition: Transition) -> Event | None:
    """Return the event of a transition, or None if it sends none."""
    payload_for = _PAYLOADS.get(transition.resource)
    payload = None if payload_for is None else payload_for(transition)
    return None if payload is None else Event(payload[0], _TYPES[payload[0]], payload[1], transition)


def _payment_session(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if transition.before is None or not transition.changed:
        return None
    session: PaymentSession = transition.row
    payload: dict[str, Any] = {
        "payment_session_id": session.id,
        "status": session.status,
        "created_at": wire_datetime(session.created_at),
        "order_items": shown_items(session),
    }
    # A payment that is captured at once has its capture amount from the start.
    planned = session.total_amount if session.kind == "one_time_payment" else None
    optional = {
        "capture_amount": planned if session.capture_amount is None else session.capture_amount,
        "metadata": session.metadata,
        "payment_token": session.payment_token,
    }
    return PAYMENT_SESSION, payload | {name: value for name, value in optional.items() if value is not None}


def _payment_token(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if not transition.origin:
        return None
    token: PaymentToken = transition.row
    payload = {"payment_token": token.id, **transition.origin}
    optional = {"lmn_expires_at": wire_datetime(token.lmn_expires_at), "metadata": token.metadata}
    return PAYMENT_TOKEN, payload | {name: value for name, value in optional.items() if value is not None}


def _qualification_session(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if not transition.changed or transition.after not in ("approved", "rejected") or transition.before is None:
        return None
    session: QualificationSession = transition.row
    names = ("qualification_session_id", "status", "email", "expires_at", "source", "user_id")
    return QUALIFICATION_SESSION, {name: session.wire()[name] for name in names}


def _catalog_item(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if transition.name != "review":
        return None
    item: CatalogItem = transition.row
    payload: dict[str, Any] = {
        "sku": item.sku,
        "name": item.name,
        "created_at": wire_datetime(item.created_at),
        "description": item.description,
        "eligibility": item.eligibility,
        "gtin": item.gtin,
        "image_urls": list(item.image_urls),
        "metadata": item.metadata,
        "product_id": item.product_id,
        "reviewed_at": wire_datetime(item.reviewed_at),
        "url": item.url,
    }
    return CATALOG_ITEM, {"object": payload}


_PAYLOADS: Final[Mapping[str, Callable[[Transition], tuple[str, Mapping[str, Any]] | None]]] = MappingProxyType(
    {
        "payment_sessions": _payment_session,
        "payment_tokens": _payment_token,
        "qualification_sessions": _qualification_session,
        "catalog_items": _catalog_item,
    }
)
