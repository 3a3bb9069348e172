"""The Truemed merchant API for Python: HSA/FSA payments and Letters of Medical Necessity.

Async first, with the same names for synchronous code::

    from truemed_async import AsyncTruemed, Truemed

Names are resolved on first use, so that importing the package is quick and that webhooks and models never import the
HTTP library.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from truemed_async._version import __version__

if TYPE_CHECKING:
    from truemed_async import emulator, errors
    from truemed_async._core.bulk import Outcome
    from truemed_async._core.endpoint import Endpoint, Idempotency
    from truemed_async._core.response import Response
    from truemed_async._core.stream import Stream
    from truemed_async.client import AsyncTruemed
    from truemed_async.exporting import export_sessions
    from truemed_async.models import (
        CatalogEligibility,
        CatalogItem,
        CatalogItemCreation,
        CheckoutMethod,
        Model,
        Page,
        Pagination,
        Payout,
        PayoutCheck,
        QualificationSession,
        QualificationSessionUpdate,
        QualificationStatus,
        ReconciliationCheck,
        ReconciliationReport,
        ReconciliationRow,
        Transaction,
        TransactionType,
    )
    from truemed_async.options import UNSET, Attempt, RequestOptions, RetryPolicy, Timeouts, Unset
    from truemed_async.reports import summarize_sessions
    from truemed_async.sync import SyncStream, Truemed

_WHERE: Mapping[str, str] = {
    "AsyncTruemed": "client",
    "Attempt": "options",
    "CatalogEligibility": "models",
    "CatalogItem": "models",
    "CatalogItemCreation": "models",
    "CheckoutMethod": "models",
    "Endpoint": "_core.endpoint",
    "Idempotency": "_core.endpoint",
    "Model": "models",
    "Outcome": "_core.bulk",
    "Page": "models",
    "Pagination": "models",
    "Payout": "models",
    "PayoutCheck": "models",
    "QualificationSession": "models",
    "QualificationSessionUpdate": "models",
    "QualificationStatus": "models",
    "ReconciliationCheck": "models",
    "ReconciliationReport": "models",
    "ReconciliationRow": "models",
    "RequestOptions": "options",
    "Response": "_core.response",
    "RetryPolicy": "options",
    "Stream": "_core.stream",
    "SyncStream": "sync",
    "Timeouts": "options",
    "Transaction": "models",
    "TransactionType": "models",
    "Truemed": "sync",
    "UNSET": "options",
    "Unset": "options",
    "export_sessions": "exporting",
    "summarize_sessions": "reports",
}

__all__ = [
    "UNSET",
    "AsyncTruemed",
    "Attempt",
    "CatalogEligibility",
    "CatalogItem",
    "CatalogItemCreation",
    "CheckoutMethod",
    "Endpoint",
    "Idempotency",
    "Model",
    "Outcome",
    "Page",
    "Pagination",
    "Payout",
    "PayoutCheck",
    "QualificationSession",
    "QualificationSessionUpdate",
    "QualificationStatus",
    "ReconciliationCheck",
    "ReconciliationReport",
    "ReconciliationRow",
    "RequestOptions",
    "Response",
    "RetryPolicy",
    "Stream",
    "SyncStream",
    "Timeouts",
    "Transaction",
    "TransactionType",
    "Truemed",
    "Unset",
    "__version__",
    "emulator",
    "errors",
    "export_sessions",
    "summarize_sessions",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    if name in ("emulator", "errors"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
