"""All endpoints, one value each. The table in the documentation is generated from them."""

from __future__ import annotations

from types import NoneType
from typing import Any

from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async.models import (
    CatalogItem,
    CatalogItemCreation,
    CatalogItemUpdate,
    CheckoutMethod,
    Page,
    PaymentCancellation,
    PaymentCapture,
    PaymentRefund,
    PaymentSession,
    PaymentSessionCreation,
    PaymentToken,
    PaymentTokenCreation,
    PaymentTokenUpdate,
    PaymentVoid,
    Payout,
    ProvisionTokenRequest,
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

CREATE_PAYMENT_SESSION = Endpoint(
    "payment_sessions.create",
    "POST",
    "/payments/v1/create_payment_session",
    PaymentSessionCreation,
    idempotency=Idempotency.KEYED,
)
GET_PAYMENT_SESSION = Endpoint(
    "payment_sessions.get",
    "GET",
    "/payments/v1/payment_session/{payment_session_id}",
    PaymentSession,
)
LIST_PAYMENT_SESSIONS = Endpoint(
    "payment_sessions.list",
    "GET",
    "/payments/v1/payment_sessions",
    Page[PaymentSession],
    items="payment_sessions",
)
CAPTURE_PAYMENT_SESSION = Endpoint(
    "payment_sessions.capture",
    "POST",
    "/payments/v1/payment_session/{payment_session_id}/capture",
    PaymentCapture,
    idempotency=Idempotency.KEYED,
)
VOID_PAYMENT_SESSION = Endpoint(
    "payment_sessions.void",
    "POST",
    "/payments/v1/payment_session/{payment_session_id}/void",
    PaymentVoid,
    idempotency=Idempotency.KEYED,
)
CANCEL_PAYMENT_SESSION = Endpoint(
    "payment_sessions.cancel",
    "POST",
    "/payments/v1/payment_session/{payment_session_id}/cancel",
    PaymentCancellation,
)
REFUND_PAYMENT_SESSION = Endpoint(
    "payment_sessions.refund",
    "POST",
    "/payments/v1/refund",
    PaymentRefund,
    idempotency=Idempotency.KEYED,
)
CREATE_PAYMENT_TOKEN = Endpoint(
    "payment_tokens.create",
    "POST",
    "/api/v1/payment_tokens/create",
    PaymentTokenCreation,
)
GET_PAYMENT_TOKEN = Endpoint(
    "payment_tokens.get",
    "GET",
    "/api/v1/payment_tokens/{payment_token}",
    PaymentToken,
)
LIST_PAYMENT_TOKENS = Endpoint(
    "payment_tokens.list",
    "GET",
    "/api/v1/payment_tokens",
    Page[PaymentToken],
    items="payment_tokens",
)
UPDATE_PAYMENT_TOKEN = Endpoint(
    "payment_tokens.update",
    "POST",
    "/api/v1/payment_tokens/{payment_token}/update",
    PaymentTokenUpdate,
)
DELETE_PAYMENT_TOKEN = Endpoint(
    "payment_tokens.delete",
    "POST",
    "/api/v1/payment_tokens/{payment_token}/delete",
    NoneType,
)
GET_PROVISION_REQUEST = Endpoint(
    "payment_tokens.get_provision_request",
    "GET",
    "/api/v1/payment_tokens/provision_request/{provision_token_request_id}",
    ProvisionTokenRequest,
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
    CatalogItemUpdate,  # an empty object; any other 200 response, such as the page of a gateway, is an error
)
CHECKOUT_METHOD = Endpoint(
    "catalog_items.checkout_method",
    "POST",
    "/api/v1/product_catalog/truemed_checkout_method",
    CheckoutMethod,
    idempotency=Idempotency.SAFE,
)
LIST_PAYOUTS = Endpoint(
    "reconciliations.list_payouts",
    "GET",
    "/api/v1/reconciliation/payouts",
    Page[Payout],
    items="payouts",  # undocumented: assumed from the name of the endpoint
)
LIST_TRANSACTIONS = Endpoint(
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
    CREATE_PAYMENT_SESSION,
    GET_PAYMENT_SESSION,
    LIST_PAYMENT_SESSIONS,
    CAPTURE_PAYMENT_SESSION,
    VOID_PAYMENT_SESSION,
    CANCEL_PAYMENT_SESSION,
    REFUND_PAYMENT_SESSION,
    CREATE_PAYMENT_TOKEN,
    GET_PAYMENT_TOKEN,
    LIST_PAYMENT_TOKENS,
    UPDATE_PAYMENT_TOKEN,
    DELETE_PAYMENT_TOKEN,
    GET_PROVISION_REQUEST,
    CREATE_CATALOG_ITEM,
    GET_CATALOG_ITEM,
    LIST_CATALOG_ITEMS,
    UPDATE_CATALOG_ITEM,
    CHECKOUT_METHOD,
    LIST_PAYOUTS,
    LIST_TRANSACTIONS,
)
