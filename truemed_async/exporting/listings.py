"""What the rows of the other lists are."""

from __future__ import annotations

from truemed_async.exporting.table import Table
from truemed_async.models import CatalogItem, PaymentSession, PaymentToken

PAYMENTS = Table(model=PaymentSession, id="id", also_personal=frozenset({"business_id"}))
"""Payment sessions. Personal: ``customer_email``, ``customer_name``, ``metadata``, ``payment_token``, ``business_id``,
unknown fields."""

TOKENS = Table(model=PaymentToken, id="payment_token", status=None)
"""Payment tokens. Personal: ``payment_token`` itself, ``customer_email``, ``customer_name``, unknown fields."""

CATALOG = Table(model=CatalogItem, id="sku", status="eligibility")
"""Catalog items. Personal: unknown fields."""
