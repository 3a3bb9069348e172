"""Parse the body of a verified delivery into a typed event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

import attrs

from truemed_async._frozen import complete_constructor
from truemed_async.errors import PayloadError
from truemed_async.models import Model, QualificationStatus
from truemed_async.models._compile import StructureError, decode_datetime
from truemed_async.models._converter import JSONDecodeError, loads
from truemed_async.models._reading import lenient_structurer
from truemed_async.models.catalog_items import CatalogItem
from truemed_async.models.payment_sessions import PaymentSessionStatus
from truemed_async.webhooks._events import (
    CatalogItemEligibilityUpdated,
    Event,
    EventType,
    PaymentSessionPayload,
    PaymentSessionUpdated,
    PaymentTokenPayload,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    QualificationSessionPayload,
    UnknownEvent,
)

MAX_DEPTH = 64
"""The deepest nesting of JSON that is parsed."""

M = TypeVar("M", bound=Model)

_NAME_SEPARATORS = re.compile("[^a-z0-9]+")


@attrs.frozen
class _EventSpec:
    """A documented event: its class, its payload's class, and its known names, with underscores for dots."""

    event: type[Event]
    payload: type[Model]
    names: tuple[str, ...]


_SPECS: Mapping[EventType, _EventSpec] = {
    EventType.PAYMENT_SESSION_UPDATED: _EventSpec(
        PaymentSessionUpdated,
        PaymentSessionPayload,
        (
            "payment_session_complete",
            "payment_session_completed",
            "payment_session_updated",
            "payment_session_callback",
        ),
    ),
    EventType.PAYMENT_TOKEN_UPDATED: _EventSpec(
        PaymentTokenUpdated,
        PaymentTokenPayload,
        ("payment_token_updated", "payment_token_callback", "payment_method_updated"),
    ),
    EventType.QUALIFICATION_SESSION_COMPLETED: _EventSpec(
        QualificationSessionCompleted,
        QualificationSessionPayload,
        ("qualification_session_complete", "qualification_session_completed", "qualification_status_updated"),
    ),
    EventType.CATALOG_ITEM_ELIGIBILITY_UPDATED: _EventSpec(
        CatalogItemEligibilityUpdated,
        CatalogItem,
        ("product_catalog_item_eligibility_updated",),
    ),
}
_TYPES: Mapping[str, EventType] = {name: type for type, spec in _SPECS.items() for name in spec.names}

# Truemed verifies an endpoint when a webhook is created; in what way is undocumented.
_TEST_WORDS = frozenset({"challenge", "handshake", "ping", "test", "validate", "validation", "verification", "verify"})
_NEUTRAL_WORDS = frozenset({"connection", "delivery", "endpoint", "event", "url", "webhook", "webhooks"})

_ENVELOPE_FIELDS = frozenset({"data", "event_type", "webhook_delivery_id"})
_SESSION_ID_NAMES = ("payment_session_id", "payment_id", "id")
_TOKEN_ORIGINS = frozenset({"payment_session_id", "failed_payment_session_id", "provision_token_request_id"})
_OTHER_IDS = frozenset({"refund_id", "dispute_id", "chargeback_id", "payout_id", "transaction_id"})


def parse_body(body: bytes, event_type: str | None, signed_at: datetime | None) -> Event | PayloadError:
    """Return the event of a verified body, or the error to raise; its traceback then shows no frame with the body.

    Args:
        body: The raw body.
        event_type: The type of an event whose body does not name one.
        signed_at: When the delivery was signed; ``None`` if it is unsigned.
    """
    try:
        data = loads(body)
    except JSONDecodeError:
        return PayloadError("the body is not JSON")
    if not isinstance(data, dict):
        return PayloadError("the body is not a JSON object")
    members = cast("dict[str, Any]", data)
    if _has_more_brackets(body, MAX_DEPTH) and _depth_exceeds(members, MAX_DEPTH):
        return PayloadError(f"the body is nested more than {MAX_DEPTH} levels deep")
    try:
        return _parse_event(members, event_type, signed_at)
    except StructureError as mismatch:
        return PayloadError(f"expected {mismatch.expected} at {mismatch.path or 'the top of the payload'}")


def is_declared_type(event: Event) -> bool:
    """Whether the type of an event is that of its name, not one inferred from its members."""
    return event.raw_type is not None and _TYPES.get(_normalize(event.raw_type)) is event.type


def is_test_event(event: object) -> bool:
    """Whether an event is a test of the endpoint: its name has a word for a test, and no word for anything else."""
    words = set(_normalize(event.raw_type or "").split("_")) if isinstance(event, UnknownEvent) else set[str]()
    return bool(words & _TEST_WORDS) and words <= _TEST_WORDS | _NEUTRAL_WORDS


def _has_more_brackets(body: bytes, limit: int) -> bool:
    """Whether more than ``limit`` brackets are opened. To find them is faster than to count them: they are few."""
    count = 0
    for bracket in (b"{", b"["):
        at = body.find(bracket)
        while at >= 0:
            count += 1
            if count > limit:
                return True
            at = body.find(bracket, at + 1)
    return False


def _depth_exceeds(data: dict[str, Any], limit: int) -> bool:
    """Whether JSON is nested deeper than ``limit``, without recursion: the JSON may be hostile."""
    level: list[Any] = [data]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", value).values() if isinstance(value, dict) else value


def _parse_event(body: Mapping[str, Any], event_type: str | None, signed_at: datetime | None) -> Event:
    """Return the event of a parsed body, or raise :class:`StructureError`.

    Signed deliveries, and unsigned ones of the catalog, have an envelope; other unsigned ones are the payload itself.
    Whether the catalog's envelope is nested in the signed one is undocumented, so both are opened.
    """
    envelope, data = _open_envelopes(body)
    source = envelope or body
    raw_type = _get_text(source, "event_type") or event_type
    delivery_id = _get_text(source, "webhook_delivery_id")
    common: dict[str, Any] = {
        "raw_type": raw_type,
        "delivery_id": None if signed_at is None else delivery_id,
        "signed_at": signed_at,
        "extra": {name: value for name, value in envelope.items() if name not in _ENVELOPE_FIELDS},
    }
    if raw_type is None:
        return _create_event(_infer_type(data), data, common)
    declared = _declared_type(raw_type, data)
    if declared is not None:
        return _create_event(declared, data, common)
    recognized = _recognize(data)
    if recognized is not None:
        try:
            return _create_event(recognized, data, common)
        except StructureError:  # the members are those of another event after all
            pass
    return UnknownEvent(type=EventType(raw_type), data=data, **common)


def _create_event(type: EventType, data: Mapping[str, Any], common: Mapping[str, Any]) -> Event:
    spec = _SPECS.get(type)
    if spec is None:
        return UnknownEvent(type=type, data=data, **common)
    members: dict[str, Any] = {**common, "type": type}
    if spec.event is CatalogItemEligibilityUpdated:
        extra = dict(common["extra"])
        members |= {"timestamp": _parse_event_time(extra.pop("timestamp", None)), "extra": extra}
    return _constructor(type)(data=_parse_payload(spec.payload, data), **members)


@cache
def _constructor(type: EventType) -> Callable[..., Event]:
    return complete_constructor(_SPECS[type].event)


def _open_envelopes(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the members of all envelopes, of which the outer one wins, and the payload inside them."""
    envelope: Mapping[str, Any] = {}
    while isinstance(inner := body.get("data"), dict) and (
        "event_type" in body
        or "webhook_delivery_id" in body
        or (
            _infer_type(body) is EventType.UNKNOWN
            and _infer_type(cast("dict[str, Any]", inner)) is not EventType.UNKNOWN
        )
    ):
        envelope = {**body, **envelope}
        body = cast("dict[str, Any]", inner)
    nested = body.get("object")  # an item of the catalog stays in it: its model opens it
    if isinstance(nested, dict) and _infer_type(body) is EventType.UNKNOWN:
        inner = cast("dict[str, Any]", nested)
        body = inner if _infer_type(inner) is not EventType.UNKNOWN else body
    return envelope, body


def _parse_event_time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        return decode_datetime(value if isinstance(value, str) else "")
    except ValueError:
        pass  # raise outside the handler, so that the value is not chained
    raise StructureError("an ISO 8601 date and time", "timestamp")


def _get_text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise StructureError("a string", name)


def _normalize(raw_type: str) -> str:
    """Return a name in lower case with underscores for other separators."""
    return _NAME_SEPARATORS.sub("_", raw_type.lower())


def _declared_type(raw_type: str, data: Mapping[str, Any]) -> EventType | None:
    """Return the type of a known name. ``payment_method.updated`` is assumed to be about a token, if there is one."""
    name = raw_type if raw_type in _TYPES else _normalize(raw_type)
    if name == "payment_method_updated" and "payment_token" not in data:
        return None
    return _TYPES.get(name)


def _infer_type(data: Mapping[str, Any]) -> EventType:
    """Infer the type of a payload that names no type from its members."""
    if "qualification_session_id" in data:
        return EventType.QUALIFICATION_SESSION_COMPLETED
    token = "payment_token" in data
    if token and ("failed_payment_session_id" in data or "provision_token_request_id" in data or "status" not in data):
        return EventType.PAYMENT_TOKEN_UPDATED
    if "status" in data and any(name in data for name in _SESSION_ID_NAMES):
        return EventType.PAYMENT_SESSION_UPDATED
    item = data.get("object", data)
    if isinstance(item, dict) and "sku" in item and cast("dict[str, Any]", item).get("eligibility") is not None:
        return EventType.CATALOG_ITEM_ELIGIBILITY_UPDATED
    return EventType.UNKNOWN


def _recognize(data: Mapping[str, Any]) -> EventType | None:
    """Return the type of a payload with an unknown name, if its members leave no doubt.

    The same members may stand in events about something else: a refund, a token that was deleted, a new session.
    """
    type = _infer_type(data)
    if type is EventType.PAYMENT_SESSION_UPDATED:
        ids = {str(data[name]) for name in _SESSION_ID_NAMES if name in data}
        status = data["status"]
        known = isinstance(status, str) and PaymentSessionStatus(status).is_known
        certain = known and len(ids) == 1 and not _OTHER_IDS & data.keys()
    elif type is EventType.PAYMENT_TOKEN_UPDATED:
        certain = len(_TOKEN_ORIGINS & data.keys()) == 1
    elif type is EventType.QUALIFICATION_SESSION_COMPLETED:
        certain = data.get("status") in (QualificationStatus.APPROVED, QualificationStatus.REJECTED)
    else:
        certain = type is EventType.CATALOG_ITEM_ELIGIBILITY_UPDATED
    return type if certain else None


def _parse_payload(model_class: type[M], data: Mapping[str, Any]) -> M:
    """Return the model of a payload, or raise :class:`StructureError`.

    A delivery that is refused is lost in the end. So a value of the wrong type is an error in a required field only.
    """
    if model_class is PaymentSessionPayload:
        ids = (data[name] for name in _SESSION_ID_NAMES if data.get(name) is not None)
        data = {**data, "payment_session_id": next(ids, None)}
    return cast("M", lenient_structurer(cast("Any", model_class))(data))
