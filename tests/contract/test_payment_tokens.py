"""What Truemed publishes about payment tokens, a fact a test.

Pages: references "Create Payment Token" (CREATE), "Retrieve Payment Token" (GET), "List Payment Tokens" (LIST), "Update
Payment Token" (UPDATE), "Delete Payment Token" (DELETE), "Retrieve Provision Token Request" (REQUEST). Their paths are
known from third parties. What is not published is told by the docstrings of the library, and its tests are elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.scripted_transport import answering
from truemed_async import Idempotency, OrderItem, PaymentTokenNextAction, endpoints
from truemed_async.errors import APIError, NotFoundError, ServerError

TOKEN: dict[str, Any] = {
    "payment_token": "ptok_1",
    "created_at": "2024-01-15T09:30:00Z",
    "customer_email": "jane@example.com",
    "customer_name": "Jane Doe",
    "lmn_expires_at": "2025-01-15T09:30:00Z",
    "payment_methods": [{"last4": "4242"}],
}
ALL = [endpoint for endpoint in endpoints.ENDPOINTS if endpoint.name.startswith("payment_tokens.")]


async def got(**fields: Any) -> Any:
    client, _ = answering({**TOKEN, **fields})
    return await client.payment_tokens.get("ptok_1")


async def asked(**filters: Any) -> dict[str, str]:
    client, wire = answering({"payment_tokens": [], "pagination": None})
    await client.payment_tokens.list(**filters)
    return wire.query


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
def test_tokens_are_under_the_general_base_path(endpoint):
    """API reference: /api/v1 for all but payment sessions."""
    assert endpoint.path.startswith("/api/v1/payment_tokens")


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
def test_reads_are_gets_and_all_else_is_a_post(endpoint):
    """CREATE, UPDATE, DELETE are POST: even delete and update."""
    assert endpoint.method == ("POST" if endpoint.name.split(".")[1] in ("create", "update", "delete") else "GET")


@pytest.mark.parametrize("name", ["CREATE_PAYMENT_TOKEN", "UPDATE_PAYMENT_TOKEN", "DELETE_PAYMENT_TOKEN"])
def test_no_page_at_hand_gives_a_write_a_key(name):
    """CREATE and UPDATE: no such field is visible; DELETE: the body must be empty."""
    assert getattr(endpoints, name).idempotency is Idempotency.UNKEYED


async def test_create_returns_no_token():
    """CREATE: 200 with provision_token_request_id and redirect_url."""
    client, _ = answering({"provision_token_request_id": "ptr_1", "redirect_url": "https://app.truemed.com/p/1"})
    made = await client.payment_tokens.create(success_url="https://shop.example")
    assert (made.provision_token_request_id, made.redirect_url) == ("ptr_1", "https://app.truemed.com/p/1")
    assert not hasattr(made, "payment_token")


async def test_create_has_a_success_url_and_metadata():
    """CREATE: success_url, and metadata, a string that is echoed by REQUEST and the webhook."""
    client, wire = answering({"provision_token_request_id": "ptr_1", "redirect_url": "https://app.truemed.com/p/1"})
    await client.payment_tokens.create(success_url="https://shop.example", metadata="customer 17")
    assert wire.body == {"success_url": "https://shop.example", "metadata": "customer 17"}


async def test_create_fails_with_error_and_message():
    """CREATE: {error, message}."""
    client, _ = answering((400, {"error": "Some", "message": "text"}))
    with pytest.raises(APIError) as caught:
        await client.payment_tokens.create()
    assert (caught.value.code, caught.value.message) == ("Some", "text")


async def test_a_token_has_six_fields():
    """GET: the table; a status and metadata are not among them."""
    found = await got()
    assert found.extra == {}
    assert set(found.to_dict()) == set(TOKEN)


async def test_a_token_says_whose_it_is():
    """GET: customer_email; customer_name is first and last name."""
    found = await got()
    assert (found.payment_token, found.customer_email, found.customer_name) == (
        "ptok_1",
        "jane@example.com",
        "Jane Doe",
    )


async def test_a_token_says_since_when():
    """GET: created_at, ISO 8601."""
    assert (await got()).created_at == datetime(2024, 1, 15, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "read"), [("2025-01-15T09:30:00Z", datetime(2025, 1, 15, 9, 30, tzinfo=UTC)), (None, None)]
)
async def test_a_token_says_when_its_first_letter_expires(written, read):
    """GET: lmn_expires_at, null without a verified letter."""
    assert (await got(lmn_expires_at=written)).lmn_expires_at == read


@pytest.mark.parametrize(("methods", "number"), [([{}, {"last4": "1"}], 2), ([], 0), (None, None)])
async def test_a_token_lists_its_cards_or_null(methods, number):
    """GET: payment_methods, an array of objects or null; their fields are not visible."""
    found = (await got(payment_methods=methods)).payment_methods
    assert (None if found is None else len(found)) == number


async def test_a_token_that_is_unknown_is_a_404():
    """GET: the generic table of errors."""
    client, _ = answering((404, {"error": "NotFound", "message": "x"}))
    with pytest.raises(NotFoundError):
        await client.payment_tokens.get("ptok_1")


async def test_the_list_is_under_its_name_and_pagination_may_be_null():
    """LIST: payment_tokens; pagination is an object or null."""
    client, _ = answering({"payment_tokens": [TOKEN], "pagination": None})
    page = await client.payment_tokens.list()
    assert [each.payment_token for each in page] == ["ptok_1"]
    assert page.pagination is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "jane@"),
        ("name", "Jane"),
        ("card_expires_before", "2027-12"),
        ("lmn_expires_before", "2025-02-01"),
        ("page", 2),
        ("page_size", 30),
    ],
)
async def test_the_list_has_a_filter(name, value):
    """LIST: the query's table, months as YYYY-MM and days as YYYY-MM-DD."""
    assert await asked(**{name: value}) == {name: str(value)}


async def test_the_list_is_read_newest_first():
    """LIST: created_at descending."""
    rows = [{"payment_token": f"t{n}", "created_at": f"2026-01-{n:02}T00:00:00Z"} for n in (9, 8, 7, 6)]
    client, wire = answering({"payment_tokens": rows, "pagination": None})
    since = datetime(2026, 1, 8, tzinfo=UTC)
    assert [each.payment_token async for each in client.payment_tokens.iter(since=since, prefetch=1)] == ["t9", "t8"]
    assert len(wire.sent) == 1


async def test_update_asks_for_new_cards():
    """UPDATE: update_card_info."""
    client, wire = answering({"next_action": None, "redirect_url": None, "provision_token_request_id": "ptr_1"})
    await client.payment_tokens.update("ptok_1", update_card_info=True)
    assert wire.body == {"update_card_info": True}


async def test_update_changes_the_items():
    """UPDATE: order_items."""
    client, wire = answering({"next_action": None, "redirect_url": None, "provision_token_request_id": "ptr_1"})
    await client.payment_tokens.update("ptok_1", order_items=[OrderItem(name="Box", price=1, quantity=1)])
    assert wire.body == {"order_items": [{"name": "Box", "price": 1, "quantity": 1}]}


async def test_update_may_need_the_customer():
    """UPDATE: next_action HealthSurvey, with redirect_url and provision_token_request_id."""
    answer = {"next_action": "HealthSurvey", "redirect_url": "https://a.example", "provision_token_request_id": "ptr_1"}
    client, _ = answering(answer)
    done = await client.payment_tokens.update("ptok_1", update_card_info=True)
    assert done.next_action is PaymentTokenNextAction.HEALTH_SURVEY
    assert done.to_dict() == answer
    assert done.needs_customer


@pytest.mark.parametrize("nothing", [None, "None"])
async def test_update_may_be_done_at_once(nothing):
    """UPDATE: next_action may be null, which the page writes as None; redirect_url is null then."""
    client, _ = answering({"next_action": nothing, "redirect_url": None, "provision_token_request_id": "ptr_1"})
    assert not (await client.payment_tokens.update("ptok_1", update_card_info=True)).needs_customer


async def test_delete_has_an_empty_body_and_an_empty_answer():
    """DELETE: the body must be empty; 204 No Content."""
    client, wire = answering((204, None))
    assert await client.payment_tokens.delete("ptok_1") is None
    assert wire.only.body is None


async def test_delete_of_an_unknown_token_or_that_of_another_channel_is_a_404():
    """DELETE: 404."""
    client, _ = answering((404, {"error": "NotFound", "message": "x"}))
    with pytest.raises(NotFoundError):
        await client.payment_tokens.delete("ptok_1")


async def test_delete_is_not_repeated_by_itself():
    """DELETE is irreversible and has no key: an answer that may hide a success is told, not repeated."""
    client, wire = answering((500, None))
    with pytest.raises(ServerError) as caught:
        await client.payment_tokens.delete("ptok_1")
    assert (caught.value.outcome, len(wire.sent)) == ("unknown", 1)


@pytest.mark.parametrize("token", [None, "ptok_1"])
@pytest.mark.parametrize("metadata", [None, "customer 17"])
async def test_a_request_has_a_token_or_null_and_no_status(token, metadata):
    """REQUEST: payment_token, null until it is provisioned, and metadata, string or null."""
    client, wire = answering({"payment_token": token, "metadata": metadata})
    found = await client.payment_tokens.get_provision_request("ptr_1")
    assert (found.payment_token, found.metadata, found.is_provisioned) == (token, metadata, token is not None)
    assert not hasattr(found, "status")
    assert wire.line == "GET /api/v1/payment_tokens/provision_request/ptr_1"
