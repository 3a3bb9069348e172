"""What Truemed publishes about payment tokens: one test per fact.

Pages: references "Create Payment Token" (CREATE), "Retrieve Payment Token" (GET), "List Payment Tokens" (LIST), "Update
Payment Token" (UPDATE), "Delete Payment Token" (DELETE), "Retrieve Provision Token Request" (REQUEST). Their paths are
known from third parties. Undocumented behavior is described in docs/truemed-api.md 8,
and tested elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fake_transport import make_client

TOKEN: dict[str, Any] = {
    "payment_token": "ptok_1",
    "created_at": "2024-01-15T09:30:00Z",
    "customer_email": "jane@example.com",
    "customer_name": "Jane Doe",
    "lmn_expires_at": "2025-01-15T09:30:00Z",
    "payment_methods": [{"last4": "4242"}],
}


async def get_token(**fields: Any) -> Any:
    client, _ = make_client({**TOKEN, **fields})
    return await client.payment_tokens.get("ptok_1")


async def test_token_has_six_fields():
    """GET: the table; a status and metadata are not among them."""
    found = await get_token()
    assert found.extra == {}
    assert set(found.to_dict()) == set(TOKEN)


async def test_token_has_the_customer():
    """GET: customer_email; customer_name is first and last name."""
    found = await get_token()
    assert (found.payment_token, found.customer_email, found.customer_name) == (
        "ptok_1",
        "jane@example.com",
        "Jane Doe",
    )


async def test_token_has_its_creation_time():
    """GET: created_at, ISO 8601."""
    assert (await get_token()).created_at == datetime(2024, 1, 15, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "read"), [("2025-01-15T09:30:00Z", datetime(2025, 1, 15, 9, 30, tzinfo=UTC)), (None, None)]
)
async def test_token_has_the_first_letter_expiry(written, read):
    """GET: lmn_expires_at, null without a verified letter."""
    assert (await get_token(lmn_expires_at=written)).lmn_expires_at == read


@pytest.mark.parametrize(("methods", "number"), [([{}, {"last4": "1"}], 2), ([], 0), (None, None)])
async def test_token_lists_its_cards_or_null(methods, number):
    """GET: payment_methods, an array of objects or null; their fields are not visible."""
    found = (await get_token(payment_methods=methods)).payment_methods
    assert (None if found is None else len(found)) == number


@pytest.mark.parametrize("nothing", [None, "None"])
async def test_update_may_be_done_at_once(nothing):
    """UPDATE: next_action may be null, which the page writes as None; redirect_url is null then."""
    client, _ = make_client({"next_action": nothing, "redirect_url": None, "provision_token_request_id": "ptr_1"})
    assert not (await client.payment_tokens.update("ptok_1", update_card_info=True)).needs_customer


@pytest.mark.parametrize("token", [None, "ptok_1"])
@pytest.mark.parametrize("metadata", [None, "customer 17"])
async def test_request_has_a_token_or_null_and_no_status(token, metadata):
    """REQUEST: payment_token, null until it is provisioned, and metadata, string or null."""
    client, wire = make_client({"payment_token": token, "metadata": metadata})
    found = await client.payment_tokens.get_provision_request("ptr_1")
    assert (found.payment_token, found.metadata, found.is_provisioned) == (token, metadata, token is not None)
    assert not hasattr(found, "status")
    assert wire.line == "GET /api/v1/payment_tokens/provision_request/ptr_1"
