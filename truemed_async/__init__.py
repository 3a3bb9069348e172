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
    from truemed_async import emulator, errors, webhooks
    from truemed_async._core.bulk import Outcome
    from truemed_async._core.bulk_update import UpdateOutcome
    from truemed_async._core.endpoint import Endpoint, Idempotency
    from truemed_async._core.request import Request
    from truemed_async._core.response import Response
    from truemed_async._core.stream import Stream
    from truemed_async._validation.urls import PAYMENT_SESSION_ID
    from truemed_async._warnings import TruemedWarning
    from truemed_async.client import AsyncTruemed
    from truemed_async.exports import export, export_reconciliation, summarize
    from truemed_async.links import qualification_link
    from truemed_async.models import (
        AmountDetails,
        CatalogEligibility,
        CatalogItem,
        CatalogItemCreation,
        CatalogItemUpdate,
        CheckoutMethod,
        Model,
        NextBillInfo,
        OrderItem,
        Page,
        Pagination,
        PaymentCancellation,
        PaymentCapture,
        PaymentRefund,
        PaymentSession,
        PaymentSessionCreation,
        PaymentSessionItem,
        PaymentSessionKind,
        PaymentSessionStatus,
        PaymentStatusSummary,
        PaymentToken,
        PaymentTokenCreation,
        PaymentTokenNextAction,
        PaymentTokenUpdate,
        PaymentVoid,
        Payout,
        PayoutCheck,
        ProvisionTokenRequest,
        QualificationSession,
        QualificationSessionUpdate,
        QualificationStatus,
        ReconciliationCheck,
        ReconciliationReport,
        ReconciliationRow,
        RefundReason,
        StoredPaymentMethod,
        Transaction,
        TransactionType,
    )
    from truemed_async.money import cents
    from truemed_async.options import UNSET, Attempt, RequestOptions, RetryPolicy, Timeouts, Unset
    from truemed_async.resources._fields import QualificationSessionUpdateParams
    from truemed_async.sync import SyncStream, Truemed

_LAZY_IMPORTS: Mapping[str, str] = {
    "AmountDetails": "models",
    "AsyncTruemed": "client",
    "Attempt": "options",
    "CatalogEligibility": "models",
    "CatalogItem": "models",
    "CatalogItemCreation": "models",
    "CatalogItemUpdate": "models",
    "CheckoutMethod": "models",
    "Endpoint": "_core.endpoint",
    "Idempotency": "_core.endpoint",
    "Model": "models",
    "NextBillInfo": "models",
    "OrderItem": "models",
    "Outcome": "_core.bulk",
    "PAYMENT_SESSION_ID": "_validation.urls",
    "Page": "models",
    "Pagination": "models",
    "PaymentCancellation": "models",
    "PaymentCapture": "models",
    "PaymentRefund": "models",
    "PaymentSession": "models",
    "PaymentSessionCreation": "models",
    "PaymentSessionItem": "models",
    "PaymentSessionKind": "models",
    "PaymentSessionStatus": "models",
    "PaymentStatusSummary": "models",
    "PaymentToken": "models",
    "PaymentTokenCreation": "models",
    "PaymentTokenNextAction": "models",
    "PaymentTokenUpdate": "models",
    "PaymentVoid": "models",
    "Payout": "models",
    "PayoutCheck": "models",
    "ProvisionTokenRequest": "models",
    "QualificationSession": "models",
    "QualificationSessionUpdateParams": "resources._fields",
    "QualificationSessionUpdate": "models",
    "QualificationStatus": "models",
    "ReconciliationCheck": "models",
    "ReconciliationReport": "models",
    "ReconciliationRow": "models",
    "RefundReason": "models",
    "Request": "_core.request",
    "RequestOptions": "options",
    "Response": "_core.response",
    "RetryPolicy": "options",
    "StoredPaymentMethod": "models",
    "Stream": "_core.stream",
    "SyncStream": "sync",
    "Timeouts": "options",
    "Transaction": "models",
    "TransactionType": "models",
    "Truemed": "sync",
    "TruemedWarning": "_warnings",
    "UNSET": "options",
    "Unset": "options",
    "UpdateOutcome": "_core.bulk_update",
    "cents": "money",
    "export": "exports",
    "export_reconciliation": "exports",
    "qualification_link": "links",
    "summarize": "exports",
}

__all__ = [
    "PAYMENT_SESSION_ID",
    "UNSET",
    "AmountDetails",
    "AsyncTruemed",
    "Attempt",
    "CatalogEligibility",
    "CatalogItem",
    "CatalogItemCreation",
    "CatalogItemUpdate",
    "CheckoutMethod",
    "Endpoint",
    "Idempotency",
    "Model",
    "NextBillInfo",
    "OrderItem",
    "Outcome",
    "Page",
    "Pagination",
    "PaymentCancellation",
    "PaymentCapture",
    "PaymentRefund",
    "PaymentSession",
    "PaymentSessionCreation",
    "PaymentSessionItem",
    "PaymentSessionKind",
    "PaymentSessionStatus",
    "PaymentStatusSummary",
    "PaymentToken",
    "PaymentTokenCreation",
    "PaymentTokenNextAction",
    "PaymentTokenUpdate",
    "PaymentVoid",
    "Payout",
    "PayoutCheck",
    "ProvisionTokenRequest",
    "QualificationSession",
    "QualificationSessionUpdate",
    "QualificationSessionUpdateParams",
    "QualificationStatus",
    "ReconciliationCheck",
    "ReconciliationReport",
    "ReconciliationRow",
    "RefundReason",
    "Request",
    "RequestOptions",
    "Response",
    "RetryPolicy",
    "StoredPaymentMethod",
    "Stream",
    "SyncStream",
    "Timeouts",
    "Transaction",
    "TransactionType",
    "Truemed",
    "TruemedWarning",
    "Unset",
    "UpdateOutcome",
    "__version__",
    "cents",
    "emulator",
    "errors",
    "export",
    "export_reconciliation",
    "qualification_link",
    "summarize",
    "webhooks",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY_IMPORTS:
        return getattr(import_module(f"{__name__}.{_LAZY_IMPORTS[name]}"), name)
    if name in ("emulator", "errors", "webhooks"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
