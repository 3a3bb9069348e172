"""Webhooks: deliveries from Truemed verified, read, and handled once.

:func:`verify_and_parse` turns the bytes and headers of a delivery into a typed event. :class:`Receiver` and
:class:`AsyncReceiver` do all of it: verify, read, call your handler once for each event, and say how to answer. Ready
endpoints for them are in ``truemed_async.webhooks.aiohttp``, ``.starlette`` (FastAPI too), ``.django`` and ``.flask``;
this module imports no web framework and no HTTP library.

Source: Truemed, "Webhooks", and the page of each event.
"""

from __future__ import annotations

from truemed_async.webhooks._dedup import AsyncDedupStore, Claim, DedupStore, MemoryDedupStore
from truemed_async.webhooks._events import (
    CatalogItemEligibilityUpdated,
    Event,
    EventType,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    UnknownEvent,
)
from truemed_async.webhooks._payloads import (
    PaymentSessionPayload,
    PaymentTokenPayload,
    QualificationSessionPayload,
)
from truemed_async.webhooks._receipt import Receipt, ReceiptHook, Result
from truemed_async.webhooks._receiver import AsyncReceiver, EventHandler, Receiver
from truemed_async.webhooks._signature import SECRET_HEADER, SIGNATURE_HEADER, sign
from truemed_async.webhooks._sqlite import SQLiteDedupStore
from truemed_async.webhooks._verify import BODY_LIMIT, Mode, verify_and_parse

__all__ = [
    "BODY_LIMIT",
    "SECRET_HEADER",
    "SIGNATURE_HEADER",
    "AsyncDedupStore",
    "AsyncReceiver",
    "CatalogItemEligibilityUpdated",
    "Claim",
    "DedupStore",
    "Event",
    "EventHandler",
    "EventType",
    "MemoryDedupStore",
    "Mode",
    "PaymentSessionPayload",
    "PaymentSessionUpdated",
    "PaymentTokenPayload",
    "PaymentTokenUpdated",
    "QualificationSessionCompleted",
    "QualificationSessionPayload",
    "Receipt",
    "ReceiptHook",
    "Receiver",
    "Result",
    "SQLiteDedupStore",
    "UnknownEvent",
    "sign",
    "verify_and_parse",
]
