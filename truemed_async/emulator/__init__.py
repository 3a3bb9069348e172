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
    from truemed_async.emulator.catalog_items.model import CatalogItem
    from truemed_async.emulator.catalog_items.store import CatalogItems
    from truemed_async.emulator.clock import Clock
    from truemed_async.emulator.faults import FAULTS, ConnectionFault, Cut, Exchange, Fault, Faults, Handle, Scope, Wire
    from truemed_async.emulator.payment_sessions.model import LineItem, PaymentSession, Refund
    from truemed_async.emulator.payment_sessions.store import PaymentSessions
    from truemed_async.emulator.payment_tokens.model import PaymentMethod, PaymentToken, ProvisionRequest
    from truemed_async.emulator.payment_tokens.store import PaymentTokens, ProvisionRequests
    from truemed_async.emulator.qualification_sessions.model import QualificationSession
    from truemed_async.emulator.qualification_sessions.store import QualificationSessions
    from truemed_async.emulator.reconciliations.model import Payout, Transaction
    from truemed_async.emulator.reconciliations.store import Payouts, Transactions
    from truemed_async.emulator.route import Route
    from truemed_async.emulator.routes import ROUTES
    from truemed_async.emulator.server import Emulator
    from truemed_async.emulator.state import State
    from truemed_async.emulator.store import Store
    from truemed_async.emulator.transition import InvalidTransitionError, Transition
    from truemed_async.emulator.webhooks.faults import WebhookFault, WebhookFaults
    from truemed_async.emulator.webhooks.model import Attempt, Delivery, Endpoint
    from truemed_async.emulator.webhooks.outbox import Outbox
    from truemed_async.emulator.wirelog import WireLog, WireRequest

__all__ = [
    "FAULTS",
    "ROUTES",
    "Attempt",
    "CatalogItem",
    "CatalogItems",
    "Clock",
    "ConnectionFault",
    "Cut",
    "Delivery",
    "Emulator",
    "Endpoint",
    "Exchange",
    "Fault",
    "Faults",
    "Handle",
    "InvalidTransitionError",
    "LineItem",
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
    "Refund",
    "Route",
    "Scope",
    "State",
    "Store",
    "Transaction",
    "Transactions",
    "Transition",
    "WebhookFault",
    "WebhookFaults",
    "Wire",
    "WireLog",
    "WireRequest",
]

_HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CatalogItem": "catalog_items.model",
        "CatalogItems": "catalog_items.store",
        "Clock": "clock",
        "FAULTS": "faults",
        "ConnectionFault": "faults",
        "Cut": "faults",
        "Exchange": "faults",
        "Fault": "faults",
        "Faults": "faults",
        "Handle": "faults",
        "Scope": "faults",
        "Wire": "faults",
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
        "Route": "route",
        "ROUTES": "routes",
        "Emulator": "server",
        "State": "state",
        "Store": "store",
        "InvalidTransitionError": "transition",
        "Transition": "transition",
        "WebhookFault": "webhooks.faults",
        "WebhookFaults": "webhooks.faults",
        "Attempt": "webhooks.model",
        "Delivery": "webhooks.model",
        "Endpoint": "webhooks.model",
        "Outbox": "webhooks.outbox",
        "WireLog": "wirelog",
        "WireRequest": "wirelog",
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
