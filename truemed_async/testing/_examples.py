"""The values of made-up models and webhook payloads: those of Truemed's documented examples, where it has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, get_origin

from truemed_async import models
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Model
from truemed_async.models._converter import converter

PAYMENT_SESSION_ID: Final = "3f6c1d1e-8a52-4a5e-9a0b-0c5f4e7d2b10"
PAYMENT_TOKEN: Final = "pt_1"  # noqa: S105  # an id
CREATED_AT: Final = "2026-05-01T12:00:00Z"
EXPIRES_AT: Final = "2027-05-01T12:00:00Z"

AMOUNT_DETAILS: Mapping[str, Any] = {"total_additional_charges": 500, "total_discounts": 0}
ORDER_ITEM: Mapping[str, Any] = {"name": "Blender", "price": 19900, "quantity": 1, "sku": "BL-1"}
SESSION_ITEM: Mapping[str, Any] = {
    **ORDER_ITEM,
    "item_id": "item_1",
    "total_refundable": 19900,
    "quantity_refundable": 1,
}
CATALOG_ITEM: Mapping[str, Any] = {
    "sku": "BL-1",
    "name": "Blender",
    "created_at": CREATED_AT,
    "eligibility": "eligible_with_lmn",
    "reviewed_at": "2026-05-02T12:00:00Z",
    "url": "https://shop.example/blender",
}
PAYMENT_SESSION: Mapping[str, Any] = {
    "id": PAYMENT_SESSION_ID,
    "status": "captured",
    "status_summary": "Captured",
    "kind": "one_time_payment",
    "total_amount": 20400,
    "amount_details": AMOUNT_DETAILS,
    "capture_amount": 20400,
    "created_at": CREATED_AT,
    "authorized_on": "2026-05-01T12:05:00Z",
    "captured_on": "2026-05-01T12:05:00Z",
    "customer_email": "ada@example.com",
    "customer_name": "Ada Example",
    "metadata": "order-1",
    "order_items": [SESSION_ITEM],
}
QUALIFICATION_SESSION: Mapping[str, Any] = {
    "qualification_session_id": "qs_abc123",
    "status": "approved",
    "created_at": CREATED_AT,
    "email": "ada@example.com",
    "expires_at": EXPIRES_AT,
    "lmn_reviewed_at": "2026-05-01T14:00:00Z",
    "source": "newsletter",
    "user_id": "user-42",
    "user_name": "Ada Example",
    "fee": 20,
    "charge_group_created_at": "2026-05-07T12:00:00Z",
    "stripe_invoice_id": "in_1",
    "stripe_invoice_number": "A-0001",
    "stripe_invoice_paid_at": "2026-05-08T12:00:00Z",
}
STORED_METHOD: Mapping[str, Any] = {
    "payment_token": PAYMENT_TOKEN,
    "created_at": CREATED_AT,
    "customer_email": "ada@example.com",
}

PAYLOADS: Mapping[str, Mapping[str, Any]] = {
    "payment_session_complete": {
        "payment_session_id": PAYMENT_SESSION_ID,
        "status": "captured",
        "created_at": CREATED_AT,
        "capture_amount": 20400,
        "order_items": [SESSION_ITEM],
        "metadata": "order-1",
    },
    "payment_token_updated": {
        "payment_token": PAYMENT_TOKEN,
        "provision_token_request_id": "ptr_1",
        "lmn_expires_at": EXPIRES_AT,
        "metadata": "subscription-1",
    },
    "qualification_session_complete": {
        name: QUALIFICATION_SESSION[name]
        for name in ("qualification_session_id", "status", "email", "expires_at", "source", "user_id")
    },
    "product_catalog_item_eligibility_updated": {"object": CATALOG_ITEM},
}
"""The payload of each event, as JSON."""

EXAMPLES: Mapping[type[Model], Mapping[str, Any]] = {
    models.CatalogItem: CATALOG_ITEM,
    models.CatalogItemCreation: {},
    models.CatalogItemUpdate: {},
    models.CheckoutMethod: {},
    models.Pagination: {"count": 1, "current_page": 1, "last_page": 1, "page_size": 30},
    models.PaymentCancellation: {"id": PAYMENT_SESSION_ID, "status": "canceled"},
    models.PaymentCapture: {"id": PAYMENT_SESSION_ID, "idempotency_key": "order-1-capture"},
    models.PaymentRefund: {"refund_id": "re_1", "idempotency_key": "order-1-refund"},
    models.PaymentSession: PAYMENT_SESSION,
    models.PaymentSessionCreation: {
        "id": PAYMENT_SESSION_ID,
        "redirect_url": "https://app.truemed.com/checkout/3f6c1d1e",
        "idempotency_key": "order-1",
    },
    models.PaymentSessionItem: SESSION_ITEM,
    models.PaymentToken: {**STORED_METHOD, "customer_name": "Ada Example", "lmn_expires_at": EXPIRES_AT},
    models.PaymentTokenCreation: {
        "provision_token_request_id": "ptr_1",
        "redirect_url": "https://app.truemed.com/provision/ptr_1",
    },
    models.PaymentTokenUpdate: {"provision_token_request_id": "ptr_1"},
    models.PaymentVoid: {"id": PAYMENT_SESSION_ID, "idempotency_key": "order-1-void"},
    models.Payout: {"payout_id": "po_1", "amount": 19890, "arrival_date": "2026-05-05"},
    models.ProvisionTokenRequest: {"payment_token": PAYMENT_TOKEN, "metadata": "subscription-1"},
    models.QualificationSession: QUALIFICATION_SESSION,
    models.QualificationSessionUpdate: {
        "qualification_session_id": "qs_abc123",
        "status": "approved",
        "idempotency_key": "job-1",
    },
    models.StoredPaymentMethod: {},
    models.Transaction: {
        "type": "charge",
        "payout_id": "po_1",
        "transaction_id": "tr_1",
        "amount": 20400,
        "created_at": CREATED_AT,
    },
}
"""The JSON of each model of a response."""


def _rows() -> list[models.ReconciliationRow]:
    payout: models.Payout = read(models.Payout)
    paid = (payout, date(2026, 5, 4))
    charge = read(models.Transaction)
    fee = converter.structure(
        {**EXAMPLES[models.Transaction], "type": "truemed_fee", "amount": -510}, models.Transaction
    )
    return [models.ReconciliationRow.of(each, date(2026, 5, 1), in_period=True, paid=paid) for each in (charge, fee)]


def _invoices() -> models.LetterInvoiceReport:
    return models.LetterInvoiceReport.of([read(models.QualificationSession)])


def _hold() -> models.PaymentHold:
    session = converter.structure({**PAYMENT_SESSION, "status": "authorized"}, models.PaymentSession)
    entered = datetime(2026, 5, 1, 12, 4, tzinfo=UTC)
    return models.PaymentHold.of(session, entered, entered)


REPORTS: Mapping[type, Callable[[], Any]] = {
    models.AmountDetails: lambda: models.AmountDetails(total_additional_charges=500, total_discounts=0),
    models.LetterInvoice: lambda: _invoices().invoices[0],
    models.LetterInvoiceLine: lambda: _invoices().invoices[0].lines[0],
    models.LetterInvoiceReport: _invoices,
    models.NextBillInfo: lambda: models.NextBillInfo(total_amount=20400, date=date(2026, 6, 1)),
    models.OrderItem: lambda: models.OrderItem(name="Blender", price=19900, quantity=1, sku="BL-1"),
    models.Page: lambda: models.Page(items=(), pagination=read(models.Pagination)),
    models.PaymentHold: _hold,
    models.PayoutCheck: lambda: models.ReconciliationCheck.of(_rows()).payouts[0],
    models.ReconciliationReport: lambda: models.ReconciliationCheck.of(_rows()),
    models.ReconciliationRow: lambda: _rows()[0],
    models.Refundable: lambda: models.Refundable.of(read(models.PaymentSession)),
    models.RefundableLine: lambda: models.Refundable.of(read(models.PaymentSession)).lines[0],
}
"""What you construct, or what this library computes from such models."""


def read(model: type[Any]) -> Any:
    """Return the example of a model, read as the JSON of a response is."""
    return converter.structure(EXAMPLES[model], model)


def make_example(model: object) -> Any:
    """Return the example of a model or report, or raise that there is none."""
    kind: object = get_origin(model) or model
    if not isinstance(kind, type) or (kind not in REPORTS and kind not in EXAMPLES):
        name = getattr(kind, "__name__", f"an instance of {type(kind).__name__}")
        raise InvalidArgumentError(f"model must be a class of truemed_async.models, not {name}")
    return read(kind) if kind in EXAMPLES else REPORTS[kind]()
