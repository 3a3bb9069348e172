"""The objects of the API, as immutable attrs classes."""

from __future__ import annotations

from truemed_async.models._base import Model, Page, Pagination
from truemed_async.models._enums import OpenEnum
from truemed_async.models.catalog_items import (
    CatalogEligibility,
    CatalogItem,
    CatalogItemCreation,
    CatalogItemUpdate,
    CheckoutMethod,
)
from truemed_async.models.order import AmountDetails, NextBillInfo, OrderItem, PaymentSessionItem
from truemed_async.models.payment_sessions import (
    PaymentCancellation,
    PaymentCapture,
    PaymentRefund,
    PaymentSession,
    PaymentSessionCreation,
    PaymentSessionKind,
    PaymentSessionStatus,
    PaymentStatusSummary,
    PaymentVoid,
    RefundReason,
)
from truemed_async.models.payment_tokens import (
    PaymentToken,
    PaymentTokenCreation,
    PaymentTokenNextAction,
    PaymentTokenUpdate,
    ProvisionTokenRequest,
    StoredPaymentMethod,
)
from truemed_async.models.qualification_sessions import (
    QualificationSession,
    QualificationSessionUpdate,
    QualificationStatus,
)
from truemed_async.models.reconciliation import (
    Payout,
    PayoutCheck,
    ReconciliationCheck,
    ReconciliationReport,
    ReconciliationRow,
    Transaction,
    TransactionType,
)

__all__ = [
    "AmountDetails",
    "CatalogEligibility",
    "CatalogItem",
    "CatalogItemCreation",
    "CatalogItemUpdate",
    "CheckoutMethod",
    "Model",
    "NextBillInfo",
    "OpenEnum",
    "OrderItem",
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
    "QualificationStatus",
    "ReconciliationCheck",
    "ReconciliationReport",
    "ReconciliationRow",
    "RefundReason",
    "StoredPaymentMethod",
    "Transaction",
    "TransactionType",
]
