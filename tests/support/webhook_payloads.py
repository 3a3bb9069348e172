"""Deliveries as documented by Truemed."""

import json

from truemed_async.webhooks import sign

SECRET = "the-secret-of-this-webhook"

ITEM = {"item_id": "item_1", "name": "Blender", "price": 19900, "quantity": 1, "sku": "BL-1", "total_refundable": 19900, "quantity_refundable": 1}  # fmt: skip
PAYMENT_SESSION = {
    "payment_session_id": "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11",
    "status": "captured",
    "created_at": "2026-05-01T12:00:00Z",
    "order_items": [ITEM],
    "capture_amount": 19900,
    "metadata": '{"order": "2607001444"}',
    "payment_token": "pt_1",
}
PAYMENT_TOKEN = {
    "payment_token": "pt_1",
    "provision_token_request_id": "ptr_1",
    "lmn_expires_at": "2027-05-01T12:00:00Z",
    "metadata": "subscription 7",
}
QUALIFICATION_SESSION = {
    "qualification_session_id": "qs_abc123",
    "status": "approved",
    "email": "ada@example.com",
    "expires_at": "2027-05-01T12:00:00Z",
    "source": "newsletter",
    "user_id": "user-42",
}
CATALOG_ITEM = {
    "object": {
        "sku": "BL-1",
        "name": "Blender",
        "created_at": "2026-05-01T12:00:00Z",
        "eligibility": "eligible_with_lmn",
        "reviewed_at": "2026-05-02T12:00:00Z",
        "url": "https://shop.example/blender",
    }
}


def written(value):
    return json.dumps(value, ensure_ascii=False).encode()


def enveloped(data, event_type, delivery_id="whd_1", **more):
    """Return the body of a signed delivery."""
    return written({"webhook_delivery_id": delivery_id, "event_type": event_type, "data": data, **more})


def captured(number=1):
    """Return the body of a signed delivery of one captured session."""
    data = {**PAYMENT_SESSION, "payment_session_id": f"ps_{number}"}
    return enveloped(data, "payment_session.updated", f"whd_{number}")


def signed(body, secret=SECRET, **options):
    """Return the headers of a signed delivery."""
    return {"Content-Type": "application/json", **sign(body, secret, **options)}


def carrying(secret=SECRET):
    """Return the headers of an unsigned delivery."""
    return {"X-Truemed-Api-Key": secret}
