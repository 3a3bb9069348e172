"""The groups of endpoints, one file each."""

from __future__ import annotations

from truemed_async.resources.catalog_items import CatalogItems
from truemed_async.resources.payment_sessions import PaymentSessions
from truemed_async.resources.payment_tokens import PaymentTokens
from truemed_async.resources.qualification_sessions import QualificationSessions
from truemed_async.resources.reconciliations import Reconciliations

__all__ = ["CatalogItems", "PaymentSessions", "PaymentTokens", "QualificationSessions", "Reconciliations"]
