"""The Truemed merchant API on loopback: seeded data, the documented rules, and a log of what was really sent.

    with Emulator(sessions=50) as emulator:
        ...  # talk to emulator.url with emulator.api_key

It shares no code with the SDK, so the two cannot share one mistake. It is a double for tests, not a safe place for
real data.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truemed_async.emulator.api import ROUTES
    from truemed_async.emulator.catalog_items.model import CatalogItem
    from truemed_async.emulator.catalog_items.store import CatalogItems
    from truemed_async.emulator.clock import Clock
    from truemed_async.emulator.faults import (
        FAULTS,
        AbortConnection,
        ActiveFault,
        ConnectionFault,
        Exchange,
        Fault,
        FaultDefinition,
        Faults,
        RawResponse,
        RequestScope,
        Scope,
    )
    from truemed_async.emulator.payment_sessions.model import LineItem, PaymentSession, Refund
    from truemed_async.emulator.payment_sessions.store import PaymentSessions
    from truemed_async.emulator.payment_tokens.model import PaymentMethod, PaymentToken, ProvisionRequest
    from truemed_async.emulator.payment_tokens.store import PaymentTokens, ProvisionRequests
    from truemed_async.emulator.qualification_sessions.model import QualificationSession
    from truemed_async.emulator.qualification_sessions.store import QualificationSessions
    from truemed_async.emulator.reconciliations.model import Payout, Transaction
    from truemed_async.emulator.reconciliations.store import Payouts, Transactions
    from truemed_async.emulator.request_log import LoggedRequest, RequestLog
    from truemed_async.emulator.routing import Route
    from truemed_async.emulator.server import Emulator
    from truemed_async.emulator.state import State
    from truemed_async.emulator.store import Store
    from truemed_async.emulator.transition import InvalidTransitionError, Transition
    from truemed_async.emulator.webhooks.faults import DeliveryScope, WebhookFaults
    from truemed_async.emulator.webhooks.model import Delivery, DeliveryAttempt, WebhookEndpoint
    from truemed_async.emulator.webhooks.outbox import Outbox

__all__ = [
    "FAULTS",
    "ROUTES",
    "AbortConnection",
    "ActiveFault",
    "CatalogItem",
    "CatalogItems",
    "Clock",
    "ConnectionFault",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryScope",
    "Emulator",
    "Exchange",
    "Fault",
    "FaultDefinition",
    "Faults",
    "InvalidTransitionError",
    "LineItem",
    "LoggedRequest",
    "Outbox",
    "PaymentMethod",
    "PaymentSession",
    "PaymentSessions",
    "PaymentToken",
    "PaymentTokens",
    "Payout",
    "Payouts",
    "ProvisionRequest",
    "ProvisionRequests",
    "QualificationSession",
    "QualificationSessions",
    "RawResponse",
    "Refund",
    "RequestLog",
    "RequestScope",
    "Route",
    "Scope",
    "State",
    "Store",
    "Transaction",
    "Transactions",
    "Transition",
    "WebhookEndpoint",
    "WebhookFaults",
]

_HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CatalogItem": "catalog_items.model",
        "CatalogItems": "catalog_items.store",
        "Clock": "clock",
        "FAULTS": "faults",
        "ConnectionFault": "faults",
        "AbortConnection": "faults",
        "Exchange": "faults",
        "Fault": "faults",
        "Faults": "faults",
        "ActiveFault": "faults",
        "Scope": "faults",
        "RawResponse": "faults",
        "LineItem": "payment_sessions.model",
        "PaymentSession": "payment_sessions.model",
        "Refund": "payment_sessions.model",
        "PaymentSessions": "payment_sessions.store",
        "PaymentMethod": "payment_tokens.model",
        "PaymentToken": "payment_tokens.model",
        "ProvisionRequest": "payment_tokens.model",
        "PaymentTokens": "payment_tokens.store",
        "ProvisionRequests": "payment_tokens.store",
        "QualificationSession": "qualification_sessions.model",
        "QualificationSessions": "qualification_sessions.store",
        "Payout": "reconciliations.model",
        "Transaction": "reconciliations.model",
        "Payouts": "reconciliations.store",
        "Transactions": "reconciliations.store",
        "Route": "routing",
        "ROUTES": "api",
        "Emulator": "server",
        "State": "state",
        "Store": "store",
        "InvalidTransitionError": "transition",
        "Transition": "transition",
        "DeliveryScope": "webhooks.faults",
        "FaultDefinition": "faults",
        "RequestScope": "faults",
        "WebhookFaults": "webhooks.faults",
        "DeliveryAttempt": "webhooks.model",
        "Delivery": "webhooks.model",
        "WebhookEndpoint": "webhooks.model",
        "Outbox": "webhooks.outbox",
        "RequestLog": "request_log",
        "LoggedRequest": "request_log",
    }
)


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for.

    The pytest plugin lives in this package and is imported by every pytest run of an environment that has the SDK:
    those that never use the emulator must not pay for aiohttp.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
