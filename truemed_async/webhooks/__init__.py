"""Webhooks: verify deliveries from Truemed, parse them into typed events, and handle each event once.

:func:`verify_and_parse` turns the bytes and headers of a delivery into a typed event. :class:`Receiver` and
:class:`AsyncReceiver` also call a handler once per event and return the HTTP status to respond with. Endpoints for web
frameworks are in ``truemed_async.webhooks.aiohttp``, ``.starlette`` (also for FastAPI), ``.django`` and ``.flask``; this
module imports no web framework and no HTTP library.

Source: Truemed, "Webhooks", and the page of each event.
"""

from __future__ import annotations

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
from truemed_async.webhooks._explain import DeliveryCheck, explain_delivery
from truemed_async.webhooks._receiver import AsyncReceiver, EventHandler, InboxHandler, Receiver
from truemed_async.webhooks._results import CatchUpResult, DeliveryHook, DeliveryResult, DeliveryStatus, EventHook
from truemed_async.webhooks._signature import SECRET_HEADER, SIGNATURE_HEADER, Headers, sign
from truemed_async.webhooks._stores import (
    AsyncDedupStore,
    AsyncInbox,
    Claim,
    DedupStore,
    Inbox,
    MemoryDedupStore,
    SQLiteDedupStore,
)
from truemed_async.webhooks._verify import MAX_DELIVERY_BYTES, Mode, verify_and_parse

__all__ = [
    "MAX_DELIVERY_BYTES",
    "SECRET_HEADER",
    "SIGNATURE_HEADER",
    "AsyncDedupStore",
    "AsyncInbox",
    "AsyncReceiver",
    "CatalogItemEligibilityUpdated",
    "CatchUpResult",
    "Claim",
    "DedupStore",
    "DeliveryCheck",
    "DeliveryHook",
    "DeliveryResult",
    "DeliveryStatus",
    "Event",
    "EventHandler",
    "EventHook",
    "EventType",
    "Headers",
    "Inbox",
    "InboxHandler",
    "MemoryDedupStore",
    "Mode",
    "PaymentSessionPayload",
    "PaymentSessionUpdated",
    "PaymentTokenPayload",
    "PaymentTokenUpdated",
    "QualificationSessionCompleted",
    "QualificationSessionPayload",
    "Receiver",
    "SQLiteDedupStore",
    "UnknownEvent",
    "explain_delivery",
    "sign",
    "verify_and_parse",
]
