"""Every endpoint in one table: where it is, what a call sends, how it may be repeated, and how its errors are read.

Sources: docs/truemed-api.md 2.1 to 2.5. The other files here hold what is particular to one resource.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import attrs
import pytest

from tests.support.fake_transport import make_client
from tests.support.paths import FIXTURES
from truemed_async import AmountDetails, Idempotency, NextBillInfo, OrderItem, RequestOptions
from truemed_async.endpoints import ENDPOINTS
from truemed_async.errors import APIError, BadRequestError, NotFoundError, RateLimitedError, ServerError

SAFE, KEYED, UNKEYED = Idempotency.SAFE, Idempotency.KEYED, Idempotency.UNKEYED
DAYS: dict[str, Any] = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
ITEM = OrderItem(name="Sauna", price=1999, quantity=1, sku="S-1")
ITEM_SENT = {"name": "Sauna", "price": 1999, "quantity": 1, "sku": "S-1"}
CATALOG_ITEM: dict[str, Any] = {
    "name": "Sauna",
    "description": "Warm.",
    "image_urls": ["https://shop.example/1.png"],
    "url": "https://shop.example/sauna",
    "gtin": None,
    "metadata": "shelf 7",
    "product_id": "p-1",
}
PAGING = {"page": 2, "page_size": 30}
PAGING_SENT = {"page": "2", "page_size": "30"}


@attrs.frozen
class Row:
    """One endpoint: a call with every argument, and the request that it sends."""

    name: str
    line: str
    idempotency: Idempotency
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = attrs.field(factory=dict)
    query: dict[str, str] = attrs.field(factory=dict)
    body: Any = None

    @property
    def call(self) -> Callable[..., Any]:
        resource, method = self.name.split(".")
        return lambda client, **more: getattr(getattr(client, resource), method)(
            *self.arguments, **self.options, **more
        )

    @property
    def success(self) -> tuple[int, Any]:
        """The first successful response of the endpoint's page."""
        samples = json.loads((FIXTURES / f"{self.name}.json").read_text(encoding="utf-8"))["samples"]
        response = next(each["response"] for each in samples if 200 <= each["response"]["status"] < 300)
        return response["status"], response["body"]


SESSIONS, PAYMENTS, ONE_PAYMENT = "/api/v1/qualification_session", "/payments/v1", "/payments/v1/payment_session/s"
TOKENS, CATALOG, BOOKS = "/api/v1/payment_tokens", "/api/v1/product_catalog", "/api/v1/reconciliation"
KEY = {"idempotency_key": "k"}
ROWS = [
    Row("qualification_sessions.get", f"GET {SESSIONS}/qs_1", SAFE, ("qs_1",)),
    Row(
        "qualification_sessions.list", f"GET {SESSIONS}s", SAFE,
        options={"status": "approved", "user_id": "u", "expires_at": "2025-01-15", "search": "s", **PAGING},
        query={"status": "approved", "user_id": "u", "expires_at": "2025-01-15", "search": "s", **PAGING_SENT},
    ),
    Row(
        "qualification_sessions.update", f"POST {SESSIONS}/qs_1/update", KEYED, ("qs_1",),
        options={
            "user_id": "u", "metadata": {"order": 1001}, "success_url": "https://s.example", "failure_url": "https://f.example", **KEY,
        },
        body={
            "user_id": "u", "metadata": '{"order":1001}', "success_url": "https://s.example", "failure_url": "https://f.example", **KEY,
        },
    ),
    Row(
        "payment_sessions.create", f"POST {PAYMENTS}/create_payment_session", KEYED,
        options={
            "total_amount": 2499, "order_items": [ITEM], "success_url": "https://shop.example/thanks?s={{payment_session_id}}",
            "failure_url": "https://shop.example/cart",
            "amount_details": AmountDetails(total_additional_charges=700, total_discounts=-200),
            "customer_email": "jane@example.com", "customer_name": "Jane Doe", "customer_state": "CA", "metadata": "order 17",
            "kind": "authorization", "tokenize": True, "payment_token": "ptok_1", "use_iframe": True,
            "display_next_bill_info": NextBillInfo(total_amount=2999, date=date(2026, 12, 1)), **KEY,
        },
        body={
            "total_amount": 2499, "order_items": [ITEM_SENT], "success_url": "https://shop.example/thanks?s={{payment_session_id}}",
            "failure_url": "https://shop.example/cart",
            "amount_details": {"total_additional_charges": 700, "total_discounts": -200},
            "customer_email": "jane@example.com", "customer_name": "Jane Doe", "customer_state": "CA", "metadata": "order 17",
            "kind": "authorization", "tokenize": True, "payment_token": "ptok_1", "use_iframe": True,
            "display_next_bill_info": {"total_amount": 2999, "date": "2026-12-01"}, **KEY,
        },
    ),
    Row("payment_sessions.get", f"GET {ONE_PAYMENT}", SAFE, ("s",)),
    Row(
        "payment_sessions.list", f"GET {PAYMENTS}/payment_sessions", SAFE,
        options={"search": "jane", "include_order_items": True, "summarize_refunds": False, **PAGING},
        query={"search": "jane", "include_order_items": "true", "summarize_refunds": "false", **PAGING_SENT},
    ),
    Row(
        "payment_sessions.capture", f"POST {ONE_PAYMENT}/capture", KEYED, ("s",),
        options={"total_amount": 1999, **KEY}, body={"total_amount": 1999, **KEY},
    ),
    Row("payment_sessions.void", f"POST {ONE_PAYMENT}/void", KEYED, ("s",), options=KEY, body=KEY),
    Row("payment_sessions.cancel", f"POST {ONE_PAYMENT}/cancel", UNKEYED, ("s",)),
    Row(
        "payment_sessions.refund", f"POST {PAYMENTS}/refund", KEYED, ("s",),
        options={"amount": 500, "reason": "customer_request", "item_details": [{"quantity": 1}], **KEY},
        body={"payment_id": "s", "amount": 500, "reason": "customer_request", "item_details": [{"quantity": 1}], **KEY},
    ),
    Row(
        "payment_tokens.create", f"POST {TOKENS}/create", UNKEYED,
        options={"order_items": [ITEM], "success_url": "https://shop.example/account", "metadata": "customer 17"},
        body={"order_items": [ITEM_SENT], "success_url": "https://shop.example/account", "metadata": "customer 17"},
    ),
    Row("payment_tokens.get", f"GET {TOKENS}/ptok_1", SAFE, ("ptok_1",)),
    Row(
        "payment_tokens.list", f"GET {TOKENS}", SAFE,
        options={"email": "jane@", "name": "Jane", "card_expires_before": "2027-12", "lmn_expires_before": "2025-02-01", **PAGING},
        query={
            "email": "jane@", "name": "Jane", "card_expires_before": "2027-12", "lmn_expires_before": "2025-02-01", **PAGING_SENT,
        },
    ),
    Row(
        "payment_tokens.update", f"POST {TOKENS}/ptok_1/update", UNKEYED, ("ptok_1",),
        options={"update_card_info": True, "order_items": [ITEM]}, body={"update_card_info": True, "order_items": [ITEM_SENT]},
    ),
    Row("payment_tokens.delete", f"POST {TOKENS}/ptok_1/delete", UNKEYED, ("ptok_1",)),
    Row("payment_tokens.get_provision_request", f"GET {TOKENS}/provision_request/ptr_1", SAFE, ("ptr_1",)),
    Row(
        "catalog_items.create", f"POST {CATALOG}/items/create", UNKEYED, ("A-1",),
        options={**CATALOG_ITEM, "gtin": "00012345600012"}, body={"sku": "A-1", **CATALOG_ITEM, "gtin": "00012345600012"},
    ),
    Row(
        "catalog_items.update", f"POST {CATALOG}/items/update", UNKEYED, ("A-1",),
        options=CATALOG_ITEM, body={"sku": "A-1", **CATALOG_ITEM},
    ),
    Row("catalog_items.get", f"POST {CATALOG}/items/detail", SAFE, ("A-1",), body={"sku": "A-1"}),
    Row(
        "catalog_items.list", f"GET {CATALOG}/items/list", SAFE,
        options={"eligibility": "ineligible", **PAGING}, query={"eligibility": "ineligible", **PAGING_SENT},
    ),
    Row(
        "catalog_items.checkout_method", f"POST {CATALOG}/truemed_checkout_method", SAFE, (["A-1", "B-2"],),
        body={"items": [{"sku": "A-1"}, {"sku": "B-2"}]},
    ),
    Row(
        "reconciliations.list_payouts", f"GET {BOOKS}/payouts", SAFE,
        options={**DAYS, **PAGING}, query={**DAYS, **PAGING_SENT},
    ),
    Row(
        "reconciliations.list_transactions", f"GET {BOOKS}/transactions", SAFE,
        options={**DAYS, "payout_ids": ["po_1", "po_2"], "include_pending_payouts": False, **PAGING},
        query={**DAYS, "payout_ids": "po_1,po_2", "include_pending_payouts": "false", **PAGING_SENT},
    ),
]  # fmt: skip
ENDPOINT = {endpoint.name: endpoint for endpoint in ENDPOINTS}
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
EACH_LIST = pytest.mark.parametrize("row", [row for row in ROWS if ".list" in row.name], ids=lambda row: row.name)
EACH_UNKEYED = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.idempotency is UNKEYED], ids=lambda row: row.name
)


def test_every_endpoint_has_a_row():
    missing = ENDPOINT.keys() - {row.name for row in ROWS}
    assert not missing, f"add to ROWS in tests/contract/test_endpoints.py: {missing}"


@EACH
async def test_call_sends_every_argument(row):
    client, wire = make_client(row.success)
    await row.call(client, options=RequestOptions(headers={"X-Trace": "t-1"}))
    assert (wire.line, wire.query) == (row.line, row.query)
    assert (None if wire.only.body is None else wire.body) == row.body
    assert (wire.only.headers or {}).get("X-Trace") == "t-1"
    assert "k" not in (wire.only.headers or {}).values(), "an idempotency key is a field of the body"


@EACH
def test_endpoint_is_repeated_as_its_page_allows(row):
    """Reads are safe, writes with a documented idempotency key are keyed, and all other writes are neither."""
    endpoint = ENDPOINT[row.name]
    assert endpoint.idempotency is row.idempotency
    assert endpoint.path.startswith("/payments/v1/") is row.name.startswith("payment_sessions.")


@EACH_LIST
async def test_list_sends_no_filter_that_is_not_set(row):
    client, wire = make_client({ENDPOINT[row.name].items: [], "pagination": None})
    required = DAYS if row.name.startswith("reconciliations.") else {}
    resource, method = row.name.split(".")
    page = await getattr(getattr(client, resource), method)(**required)
    assert (list(page), page.pagination) == ([], None)
    assert (wire.query, wire.only.body) == (required, None)


@EACH_LIST
async def test_list_has_rows_and_four_numbers(row):
    pagination = {"count": 61, "current_page": 2, "last_page": 3, "page_size": 30}
    _, sample = row.success
    client, _ = make_client({**sample, "pagination": pagination})
    page = await row.call(client)
    assert len(page) == len(sample[ENDPOINT[row.name].items]) > 0
    assert page.pagination is not None
    assert page.pagination.to_dict() == pagination


@pytest.mark.parametrize(
    ("status", "code", "kind", "outcome"),
    [
        (400, "ValidationError", BadRequestError, "rejected"),
        (404, "NotFound", NotFoundError, "rejected"),
        (405, "X", APIError, "rejected"),
        (429, "X", RateLimitedError, "rejected"),
        (500, "X", ServerError, "unknown"),
        (501, "X", ServerError, "rejected"),
    ],
)
@EACH
async def test_error_response_is_an_error_of_its_class(row, status, code, kind, outcome):
    """The pages of all endpoints: "Errors: 400, 404, 405, 500, 501", with ``error`` and ``message``."""
    client, wire = make_client((status, {"error": code, "message": "canary"}))
    with pytest.raises(kind) as caught:
        await row.call(client)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.endpoint) == (status, code, "canary", row.name)
    assert error.outcome == outcome
    if status < 429:
        assert (error.attempts, len(wire.requests)) == (1, 1)
    assert error.idempotency_key == (row.body["idempotency_key"] if row.idempotency is KEYED else None)
    assert "canary" not in str(error)


@pytest.mark.parametrize("response", [(500, {}), (503, {}), (400, {"error": "ServerError", "message": "x"})])
@EACH_UNKEYED
async def test_unkeyed_write_is_not_repeated_once_it_may_have_been_applied(row, response):
    client, wire = make_client(response)
    with pytest.raises(ServerError) as caught:
        await row.call(client)
    assert (caught.value.outcome, caught.value.idempotency_key, len(wire.requests)) == ("unknown", None, 1)


@EACH_UNKEYED
async def test_unkeyed_write_is_repeated_if_it_was_certainly_not_applied(row):
    client, wire = make_client((429, {}), row.success)
    await row.call(client)
    assert len(wire.requests) == 2


@pytest.mark.parametrize("response", [(503, {}), (400, {"error": "ServerError", "message": "x"})])
@pytest.mark.parametrize("row", [row for row in ROWS if row.idempotency is not UNKEYED], ids=lambda row: row.name)
async def test_reads_and_keyed_writes_are_repeated_with_the_same_bytes(row, response):
    client, wire = make_client(response, row.success)
    await row.call(client)
    first, second = wire.requests
    assert (first.body and first.body.value) == (second.body and second.body.value)
    assert first.url == second.url
