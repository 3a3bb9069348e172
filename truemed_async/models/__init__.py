"""The objects of the API, as immutable attrs classes."""

from __future__ import annotations

from truemed_async.models._base import Model, Page, Pagination
from truemed_async.models._enums import OpenEnum
from truemed_async.models.catalog_items import CatalogEligibility, CatalogItem, CatalogItemCreation, CheckoutMethod
from truemed_async.models.qualification_sessions import (
    QualificationSession,
    QualificationSessionUpdate,
    QualificationStatus,
)
from truemed_async.models.reconciliation_rows import (
    PayoutCheck,
    ReconciliationCheck,
    ReconciliationReport,
    ReconciliationRow,
)
from truemed_async.models.reconciliations import Payout, Transaction, TransactionType

__all__ = [
    "CatalogEligibility",
    "CatalogItem",
    "CatalogItemCreation",
    "CheckoutMethod",
    "Model",
    "OpenEnum",
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
    "Transaction",
    "TransactionType",
]
