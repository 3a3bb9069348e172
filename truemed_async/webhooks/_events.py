"""Typed events, and which one a delivery is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import attrs
import orjson

from truemed_async._sensitive import masked
from truemed_async.models import Model, OpenEnum
from truemed_async.models._compile import StructureError, parse_datetime
from truemed_async.models.catalog_items import CatalogItem
from truemed_async.webhooks._payloads import (
    SESSION_IDS,
    PaymentSessionPayload,
    PaymentTokenPayload,
    QualificationSessionPayload,
    payload,
)


class EventType(OpenEnum):
    """What happened, by the names of Truemed's API reference. Types that Truemed adds later survive as they come."""

    PAYMENT_SESSION_UPDATED = "payment_session_complete"
    """A payment session's status changed: every change, once each, whatever the name says."""
    PAYMENT_TOKEN_UPDATED = "payment_token_updated"  # noqa: S105
    """A stored payment method was made, or mended."""
    QUALIFICATION_SESSION_COMPLETED = "qualification_session_complete"
    """A qualification session was approved or rejected."""
    CATALOG_ITEM_ELIGIBILITY_UPDATED = "product_catalog_item_eligibility_updated"
    """A catalog item was reviewed, or its eligibility changed."""
    UNKNOWN = "unknown"
    """Ours, not Truemed's: the body names no type, and its fields are those of no documented event."""


@attrs.frozen(kw_only=True)
class Event(Model):
    """One delivery, verified and read. Fields of the envelope that are not known here are in ``extra``.

    Attributes:
        type: What happened. One event has several names in Truemed's pages; this is the same for all of them.
        raw_type: The name that came; ``None`` if none did, as in most unsigned deliveries.
        delivery_id: Truemed's ``webhook_delivery_id``: the same each time an event is delivered. ``None`` if unsigned.
        signed_at: When the delivery was signed; ``None`` if unsigned.
        data: The payload.
    """

    type: EventType
    raw_type: str | None = None
    delivery_id: str | None = None
    signed_at: datetime | None = None
    data: Any

    @property
    def dedup_key(self) -> str:
        """What is the same each time this event is delivered, and of no other event; under 256 characters.

        The delivery id, where there is one. Otherwise a digest: of the id and the status for payment sessions, whose
        every status is told once, and of the whole payload for all others.
        """
        if self.delivery_id is not None and len(self.delivery_id) < 256:
            return self.delivery_id
        told = [self.type, self.delivery_id, *self._told()]
        return f"sha256:{hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()}"

    def _told(self) -> list[Any]:
        return [self.data.to_dict()]


@attrs.frozen(kw_only=True)
class PaymentSessionUpdated(Event):
    """A payment session's status changed. Order is not promised: read the session where it matters."""

    data: PaymentSessionPayload

    def _told(self) -> list[Any]:
        told = self.data
        return [told.to_dict()] if told.payment_session_id is None else [told.payment_session_id, told.status]


@attrs.frozen(kw_only=True)
class PaymentTokenUpdated(Event):
    """A stored payment method can be charged now: it was made, or mended."""

    data: PaymentTokenPayload


@attrs.frozen(kw_only=True)
class QualificationSessionCompleted(Event):
    """A qualification session was approved or rejected; each session is told once."""

    data: QualificationSessionPayload


@attrs.frozen(kw_only=True)
class CatalogItemEligibilityUpdated(Event):
    """A catalog item was reviewed, or its eligibility changed.

    Attributes:
        timestamp: When it happened, as Truemed says.
    """

    timestamp: datetime | None = None
    data: CatalogItem


@attrs.frozen(kw_only=True)
class UnknownEvent(Event):
    """An event that this version does not know. ``data`` is its JSON, which ``repr`` does not show."""

    data: Mapping[str, Any] = attrs.field(repr=masked)

    def _told(self) -> list[Any]:
        return [self.raw_type, self.data]


@attrs.frozen
class _Kind:
    """A documented event: its class, its payload's class, and the names that were seen of it, points as underscores."""

    event: type[Event]
    payload: type[Model]
    names: tuple[str, ...]


_KINDS: Mapping[EventType, _Kind] = {
    EventType.PAYMENT_SESSION_UPDATED: _Kind(
        PaymentSessionUpdated,
        PaymentSessionPayload,
        (
            "payment_session_complete",
            "payment_session_completed",
            "payment_session_updated",
            "payment_session_callback",
        ),
    ),
    EventType.PAYMENT_TOKEN_UPDATED: _Kind(
        PaymentTokenUpdated,
        PaymentTokenPayload,
        ("payment_token_updated", "payment_token_callback", "payment_method_updated"),
    ),
    EventType.QUALIFICATION_SESSION_COMPLETED: _Kind(
        QualificationSessionCompleted,
        QualificationSessionPayload,
        ("qualification_session_complete", "qualification_session_completed", "qualification_status_updated"),
    ),
    EventType.CATALOG_ITEM_ELIGIBILITY_UPDATED: _Kind(
        CatalogItemEligibilityUpdated,
        CatalogItem,
        ("product_catalog_item_eligibility_updated",),
    ),
}
_READ = frozenset({"data", "event_type", "webhook_delivery_id"})  # of an envelope
_TYPES: Mapping[str, EventType] = {name: type for type, kind in _KINDS.items() for name in kind.names}


def read_event(body: Mapping[str, Any], event_type: str | None, signed_at: datetime | None) -> Event:
    """Return the event of a parsed body, or raise :class:`StructureError`.

    Signed deliveries, and unsigned ones of the catalog, come in an envelope; other unsigned ones are the payload
    itself. Whether the catalog's envelope stands inside the signed one is not said, so both are opened.
    ``event_type`` counts where the body names no type.
    """
    envelope, data = _opened(body)
    about = envelope or body
    raw_type = _text(about, "event_type") or event_type
    delivery_id = _text(about, "webhook_delivery_id")
    type = _recognised(data) if raw_type is None else _named(raw_type, data)
    common: dict[str, Any] = {
        "type": type,
        "raw_type": raw_type,
        "delivery_id": None if signed_at is None else delivery_id,
        "signed_at": signed_at,
        "extra": {name: value for name, value in envelope.items() if name not in _READ},
    }
    kind = _KINDS.get(type)
    if kind is None:
        return UnknownEvent(data=data, **common)
    if kind.event is CatalogItemEligibilityUpdated:
        common["timestamp"] = _time(common["extra"].pop("timestamp", None))
    common["data"] = payload(kind.payload, data)
    return kind.event(**common)


def _opened(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what the envelopes say, the outer one first, and what is in them; nothing is said if there are none."""
    envelope: Mapping[str, Any] = {}
    while isinstance(inner := body.get("data"), dict) and ("event_type" in body or "webhook_delivery_id" in body):
        envelope = {**body, **envelope}
        body = cast("dict[str, Any]", inner)
    return envelope, body


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_datetime(value if isinstance(value, str) else "")
    except ValueError:
        pass  # said below, without the value
    raise StructureError("an ISO 8601 date and time", "timestamp")


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise StructureError("a string", name)


def _named(raw_type: str, data: Mapping[str, Any]) -> EventType:
    """Return the type of a name. That ``payment_method.updated`` is about a token is a guess, so its payload must be."""
    name = raw_type.replace(".", "_")
    if name == "payment_method_updated" and "payment_token" not in data:
        return EventType(raw_type)
    return _TYPES.get(name) or EventType(raw_type)


def _recognised(data: Mapping[str, Any]) -> EventType:
    """Tell a payload that names no type by its fields."""
    if "qualification_session_id" in data:
        return EventType.QUALIFICATION_SESSION_COMPLETED
    token = "payment_token" in data
    if token and ("failed_payment_session_id" in data or "provision_token_request_id" in data or "status" not in data):
        return EventType.PAYMENT_TOKEN_UPDATED
    if "status" in data and any(name in data for name in SESSION_IDS):
        return EventType.PAYMENT_SESSION_UPDATED
    return EventType.UNKNOWN
