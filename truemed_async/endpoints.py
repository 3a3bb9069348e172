"""Every endpoint, one value each. The table in the documentation is printed from here."""

from __future__ import annotations

from types import NoneType
from typing import Any

from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async.models import (
    CatalogItem,
    CatalogItemCreation,
    CheckoutMethod,
    Page,
    Payout,
    QualificationSession,
    QualificationSessionUpdate,
    Transaction,
)

GET_QUALIFICATION_SESSION = Endpoint(
    "qualification_sessions.get",
    "GET",
    "/api/v1/qualification_session/{qualification_session_id}",
    QualificationSession,
)
LIST_QUALIFICATION_SESSIONS = Endpoint(
    "qualification_sessions.list",
    "GET",
    "/api/v1/qualification_sessions",
    Page[QualificationSession],
    items="qualification_sessions",
)
UPDATE_QUALIFICATION_SESSION = Endpoint(
    "qualification_sessions.update",
    "POST",
    "/api/v1/qualification_session/{qualification_session_id}/update",
    QualificationSessionUpdate,
    idempotency=Idempotency.KEYED,
)

CREATE_CATALOG_ITEM = Endpoint(
    "catalog_items.create",
    "POST",
    "/api/v1/product_catalog/items/create",
    CatalogItemCreation,
)
GET_CATALOG_ITEM = Endpoint(
    "catalog_items.get",
    "POST",
    "/api/v1/product_catalog/items/detail",
    CatalogItem,
    idempotency=Idempotency.SAFE,
)
LIST_CATALOG_ITEMS = Endpoint(
    "catalog_items.list",
    "GET",
    "/api/v1/product_catalog/items/list",
    Page[CatalogItem],
    items="data",
)
UPDATE_CATALOG_ITEM = Endpoint(
    "catalog_items.update",
    "POST",
    "/api/v1/product_catalog/items/update",
    NoneType,
)
CHECKOUT_METHOD_CATALOG_ITEMS = Endpoint(
    "catalog_items.checkout_method",
    "POST",
    "/api/v1/product_catalog/truemed_checkout_method",
    CheckoutMethod,
    idempotency=Idempotency.SAFE,
)
LIST_PAYOUTS_RECONCILIATIONS = Endpoint(
    "reconciliations.list_payouts",
    "GET",
    "/api/v1/reconciliation/payouts",
    Page[Payout],
    items="payouts",  # a guess: no page at hand shows it
)
LIST_TRANSACTIONS_RECONCILIATIONS = Endpoint(
    "reconciliations.list_transactions",
    "GET",
    "/api/v1/reconciliation/transactions",
    Page[Transaction],
    items="transactions",
)

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    GET_QUALIFICATION_SESSION,
    LIST_QUALIFICATION_SESSIONS,
    UPDATE_QUALIFICATION_SESSION,
    CREATE_CATALOG_ITEM,
    GET_CATALOG_ITEM,
    LIST_CATALOG_ITEMS,
    UPDATE_CATALOG_ITEM,
    CHECKOUT_METHOD_CATALOG_ITEMS,
    LIST_PAYOUTS_RECONCILIATIONS,
    LIST_TRANSACTIONS_RECONCILIATIONS,
)
