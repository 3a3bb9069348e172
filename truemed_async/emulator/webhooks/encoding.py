"""The bodies and signatures of deliveries, as the dialect has them."""

from __future__ import annotations

import base64
import hmac
import secrets as random_secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.webhooks.events import EVENTS

if TYPE_CHECKING:
    from truemed_async.emulator.dialect import Dialect
    from truemed_async.emulator.dialect_layer import DialectLayer
    from truemed_async.emulator.webhooks.events import EmulatedEvent

# In the order of EVENTS.
_EVENT_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "guide": (
            "payment_session.completed",
            "payment_method.updated",
            "qualification_session.completed",
            "product_catalog.item.updated",
        ),
        "reference": EVENTS,
        "unknown": (
            "payment_session.status_updated",
            "payment_token.changed",
            "qualification_session.status_updated",
            "product_catalog.item.reviewed",
        ),
    }
)
_ENCODINGS: Final[Mapping[str, Callable[[bytes], str]]] = MappingProxyType(
    {
        "hex": bytes.hex,
        "upper_hex": lambda digest: digest.hex().upper(),
        "base64": lambda digest: base64.b64encode(digest).decode(),
        "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode(),
    }
)
_TIMESTAMPS: Final[Mapping[str, Callable[[datetime], str]]] = MappingProxyType(
    {
        "seconds": lambda at: str(int(at.timestamp())),
        "milliseconds": lambda at: str(int(at.timestamp() * 1000)),
        "iso8601": lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
)


def encode_event(layer: DialectLayer, event: EmulatedEvent, delivery_id: str | None) -> bytes:
    """Return the body of a delivery: in an envelope if it is signed, flat without a delivery id."""
    dialect = layer.dialect
    body: dict[str, Any] = layer.convert(dict(event.body(delivery_id)))
    payload = body if delivery_id is None else body["data"]
    if event.name == EVENTS[0] and dialect.session_id_name != "payment_session_id":
        payload[dialect.session_id_name] = payload.pop("payment_session_id")
    if "event_type" in body and dialect.event_names != "dashboard":
        body["event_type"] = _EVENT_NAMES[dialect.event_names][EVENTS.index(event.name)]
    if delivery_id is None:
        return orjson.dumps(body)
    if dialect.envelope == "extended":
        body |= {
            "created_at": layer.convert(wire_datetime(event.transition.at)),
            "api_version": "1.8.0",
            "livemode": False,
        }
    elif dialect.envelope == "renamed":
        body = {"id": delivery_id, "type": body["event_type"], "data": payload}
    elif dialect.envelope == "nested" and "object" not in payload:
        body["data"] = {"object": payload}
    return orjson.dumps(body)


def sign_delivery(dialect: Dialect, secrets: Sequence[str], body: bytes, at: datetime) -> str:
    """Return the signature header of a body, with a signature for each secret."""
    timestamp = _TIMESTAMPS[dialect.signature_time](at)
    encode = _ENCODINGS[dialect.signature_encoding]
    signed = timestamp.encode() + b"." + body
    signatures: list[tuple[str, str]] = [
        (dialect.signature_label, encode(hmac.digest(secret.encode(), signed, "sha256"))) for secret in secrets
    ]
    if dialect.signature_values == "with_other_label":
        other = "v0" if dialect.signature_label != "v0" else "v1"
        signatures.insert(0, (other, encode(random_secrets.token_bytes(32))))
    parts = [("t", timestamp), *signatures]
    if dialect.signature_order == "signature_first":
        parts = [*signatures, ("t", timestamp)]
    equals = " = " if dialect.signature_blanks == "around_equals" else "="
    separator = dialect.signature_separator + (" " if dialect.signature_blanks == "after_separator" else "")
    return separator.join(f"{name}{equals}{value}" for name, value in parts)
