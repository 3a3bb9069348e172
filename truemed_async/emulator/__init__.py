"""The Truemed merchant API on loopback: seeded data, the documented rules, and a log of the requests received.

    with Emulator(sessions=50) as emulator:
        ...  # talk to emulator.url with emulator.api_key

It shares no code with the SDK, so the two cannot share a mistake. It is a test double, not a safe place for real
data.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truemed_async.emulator.api import ROUTES as ROUTES
    from truemed_async.emulator.clock import EmulatorClock as EmulatorClock
    from truemed_async.emulator.dialect import Dialect as Dialect
    from truemed_async.emulator.faults import (
        FAULTS as FAULTS,
        AbortConnection as AbortConnection,
        ActiveFault as ActiveFault,
        ConnectionFault as ConnectionFault,
        Exchange as Exchange,
        Fault as Fault,
        FaultDefinition as FaultDefinition,
        Faults as Faults,
        RequestScope as RequestScope,
        ResponseBytes as ResponseBytes,
        Scope as Scope,
    )
    from truemed_async.emulator.request_log import (
        LoggedRequest as LoggedRequest,
        RequestLog as RequestLog,
    )
    from truemed_async.emulator.resources.catalog_items import (
        CatalogItemStore as CatalogItemStore,
        EmulatedCatalogItem as EmulatedCatalogItem,
    )
    from truemed_async.emulator.resources.payment_sessions import (
        EmulatedPaymentSession as EmulatedPaymentSession,
        LineItem as LineItem,
        PaymentSessionStore as PaymentSessionStore,
        Refund as Refund,
    )
    from truemed_async.emulator.resources.payment_tokens import (
        EmulatedPaymentToken as EmulatedPaymentToken,
        PaymentMethod as PaymentMethod,
        PaymentTokenStore as PaymentTokenStore,
        ProvisionRequest as ProvisionRequest,
        ProvisionRequestStore as ProvisionRequestStore,
    )
    from truemed_async.emulator.resources.qualification_sessions import (
        EmulatedQualificationSession as EmulatedQualificationSession,
        QualificationSessionStore as QualificationSessionStore,
    )
    from truemed_async.emulator.resources.reconciliations import (
        EmulatedPayout as EmulatedPayout,
        EmulatedTransaction as EmulatedTransaction,
        PayoutStore as PayoutStore,
        TransactionStore as TransactionStore,
    )
    from truemed_async.emulator.resources.state import State as State
    from truemed_async.emulator.routing import Route as Route
    from truemed_async.emulator.server import Emulator as Emulator, SalesChannel as SalesChannel
    from truemed_async.emulator.store import (
        InvalidTransitionError as InvalidTransitionError,
        Store as Store,
        Transition as Transition,
    )
    from truemed_async.emulator.webhooks.faults import (
        DeliveryScope as DeliveryScope,
        WebhookFaults as WebhookFaults,
    )
    from truemed_async.emulator.webhooks.model import (
        DeliveryAttempt as DeliveryAttempt,
        EmulatedDelivery as EmulatedDelivery,
        WebhookEndpoint as WebhookEndpoint,
    )
    from truemed_async.emulator.webhooks.outbox import Outbox as Outbox

_LAZY_IMPORTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "api": ("ROUTES",),
        "clock": ("EmulatorClock",),
        "dialect": ("Dialect",),
        "faults": (
            "FAULTS",
            "AbortConnection",
            "ActiveFault",
            "ConnectionFault",
            "Exchange",
            "Fault",
            "FaultDefinition",
            "Faults",
            "RequestScope",
            "ResponseBytes",
            "Scope",
        ),
        "request_log": ("LoggedRequest", "RequestLog"),
        "resources.catalog_items": ("CatalogItemStore", "EmulatedCatalogItem"),
        "resources.payment_sessions": ("EmulatedPaymentSession", "LineItem", "PaymentSessionStore", "Refund"),
        "resources.payment_tokens": (
            "EmulatedPaymentToken",
            "PaymentMethod",
            "PaymentTokenStore",
            "ProvisionRequest",
            "ProvisionRequestStore",
        ),
        "resources.qualification_sessions": ("EmulatedQualificationSession", "QualificationSessionStore"),
        "resources.reconciliations": ("EmulatedPayout", "EmulatedTransaction", "PayoutStore", "TransactionStore"),
        "resources.state": ("State",),
        "routing": ("Route",),
        "server": ("Emulator", "SalesChannel"),
        "store": ("InvalidTransitionError", "Store", "Transition"),
        "webhooks.faults": ("DeliveryScope", "WebhookFaults"),
        "webhooks.model": ("EmulatedDelivery", "DeliveryAttempt", "WebhookEndpoint"),
        "webhooks.outbox": ("Outbox",),
    }
)
_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {name: module for module, names in _LAZY_IMPORTS.items() for name in names}
)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used.

    The pytest plugin lives in this package and is imported by every pytest run of an environment that has the SDK:
    runs that do not use the emulator must not pay for aiohttp.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(_MODULES)
