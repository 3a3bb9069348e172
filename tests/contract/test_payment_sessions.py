"""What Truemed publishes about payment sessions: one test per fact.

Pages: references "Create Payment Session" (CREATE), "Get Payment Status" (STATUS), "List Payment Sessions" (LIST),
"Capture Session" (CAPTURE), "Void Session" (VOID), "Cancel Payment Session" (CANCEL), "Create Refund" (REFUND); the guides
on payments (GUIDE). Undocumented behavior is described in docs/truemed-api.md 8,
and tested elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fake_transport import make_client
from truemed_async import (
    PAYMENT_SESSION_ID,
    AmountDetails,
    NextBillInfo,
    OrderItem,
    PaymentSessionKind,
    PaymentStatusSummary,
    RefundReason,
)
from truemed_async.errors import InvalidArgumentError, ServerError

ID = "3f6c1d1e-8a52-4a5e-9a0b-0c5f4e7d2b10"
CREATED = {"id": ID, "redirect_url": "https://app.truemed.com/checkout/1"}
CART: dict[str, Any] = {
    "total_amount": 1999,
    "order_items": [OrderItem(name="Sauna", price=1999, quantity=1, sku="S-1")],
    "success_url": "https://shop.example/thanks",
}
TRIAL: dict[str, Any] = {
    **CART,
    "total_amount": 0,
    "order_items": [],
    "tokenize": True,
    "display_next_bill_info": NextBillInfo(total_amount=2999, date="2026-12-01"),
}


async def create_body(**changes: Any) -> dict[str, Any]:
    """The body that creates a session."""
    client, wire = make_client(CREATED)
    await client.payment_sessions.create(**{**CART, **changes})
    return wire.body


async def get_session(**fields: Any) -> Any:
    client, _ = make_client({"status": "captured", **fields})
    return await client.payment_sessions.get(ID)


async def row(**fields: Any) -> Any:
    client, _ = make_client({"payment_sessions": [{"id": ID, "status": "captured", **fields}], "pagination": None})
    return (await client.payment_sessions.list()).items[0]


# --- create --------------------------------------------------------------------------------------------------------


async def test_amounts_are_integer_cents():
    """CREATE: total_amount, price and the amounts of amount_details are integers, in cents."""
    assert (await create_body())["total_amount"] == 1999
    for wrong in ({"total_amount": 19.99}, {"total_amount": "1999"}):
        with pytest.raises(InvalidArgumentError, match="cents"):
            await create_body(**wrong)


async def test_price_is_that_of_one():
    """CREATE: price is the unit price."""
    items = [OrderItem(name="Sauna", price=600, quantity=3, amount_details=AmountDetails(total_additional_charges=1))]
    assert (await create_body(total_amount=1801, order_items=items))["total_amount"] == 1801


async def test_cart_may_be_empty():
    """CREATE: the sample for an iframe has none."""
    assert (await create_body(order_items=[]))["order_items"] == []


@pytest.mark.parametrize("sign", [-1, 1], ids=["added, as the rule says", "subtracted, as the example does"])
async def test_worked_example_of_the_amount_rule_is_sent_as_it_is_given(sign):
    """CREATE: total 100000; the sign of total_discounts is contradictory, so both are taken and neither is changed."""
    items = [
        OrderItem(
            name="A", price=5500, quantity=3,
            amount_details=AmountDetails(total_additional_charges=4500, total_discounts=sign * 1000),
        ),
        OrderItem(name="B", price=15000, quantity=2),
        OrderItem(name="C", price=2000, quantity=4, amount_details=AmountDetails(total_discounts=sign * 500)),
    ]  # fmt: skip
    order = AmountDetails(total_additional_charges=5000 + 10000 + 27500)
    body = await create_body(total_amount=100_000, order_items=items, amount_details=order)
    assert [item.get("amount_details") for item in body["order_items"]] == [
        {"total_additional_charges": 4500, "total_discounts": sign * 1000},
        None,
        {"total_discounts": sign * 500},
    ]
    assert body["amount_details"] == {"total_additional_charges": 42500}


async def test_total_is_the_sum_of_the_parts():
    """CREATE: the amount rule."""
    with pytest.raises(InvalidArgumentError, match="but the parts add up to 2000 cents"):
        await create_body(amount_details=AmountDetails(total_additional_charges=1))


async def test_old_requests_keep_working():
    """GUIDE: every field of itemization is optional, so a total may hold what no field names."""
    assert "amount_details" not in await create_body(total_amount=2500)


async def test_discounts_may_be_listed():
    """CREATE: discounts_details is a list, left out when there is none."""
    details = AmountDetails(total_discounts=-99, discounts_details=[{"name": "spring"}])
    assert (await create_body(total_amount=1900, amount_details=details))["amount_details"] == {
        "total_discounts": -99,
        "discounts_details": [{"name": "spring"}],
    }


async def test_free_trial_costs_nothing():
    """CREATE: total_amount 0 with tokenize and display_next_bill_info."""
    body = await create_body(**TRIAL)
    assert (body["total_amount"], body["tokenize"]) == (0, True)
    assert body["display_next_bill_info"] == {"total_amount": 2999, "date": "2026-12-01"}


@pytest.mark.parametrize("missing", ["tokenize", "display_next_bill_info"])
async def test_zero_total_without_free_trial_raises(missing):
    """CREATE: 0 is allowed only for a free trial, which has both."""
    trial = {name: value for name, value in TRIAL.items() if name != missing}
    with pytest.raises(InvalidArgumentError, match="free trial"):
        await create_body(**trial)


async def test_placeholder_is_sent_for_truemed_to_replace():
    """CREATE: the exact substring {{payment_session_id}}, without inner spaces, in success_url."""
    assert PAYMENT_SESSION_ID == "{{payment_session_id}}"
    url = "https://shop.example/thanks?s={{payment_session_id}}"
    assert (await create_body(success_url=url))["success_url"] == url


@pytest.mark.parametrize("typo", ["{{ payment_session_id }}", "{payment_session_id}", "{{session_id}}"])
async def test_placeholder_that_is_not_exact_is_not_sent(typo):
    """CREATE: only the exact substring is replaced; the customer would come back with a page that knows no order."""
    with pytest.raises(InvalidArgumentError, match="braces"):
        await create_body(success_url=f"https://shop.example/thanks?s={typo}")


async def test_success_url_is_required():
    """CREATE: success_url and total_amount are required."""
    client, _ = make_client(CREATED)
    for missing in ("success_url", "total_amount"):
        with pytest.raises(TypeError, match=missing):
            await client.payment_sessions.create(**{name: CART[name] for name in CART if name != missing})


async def test_kinds_are_two_and_the_default_is_truemeds():
    """CREATE: kind is one_time_payment (default) or authorization."""
    assert set(map(str, PaymentSessionKind)) == {"one_time_payment", "authorization"}
    assert "kind" not in await create_body()
    assert (await create_body(kind="authorization"))["kind"] == "authorization"


# --- get and list --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("summary", ["Incomplete", "Authorized", "Captured", "Partially Captured", "Refunded"])
async def test_summary_is_written_with_capitals_and_blanks(summary):
    """STATUS: status_summary; the known part of the page lists these."""
    found = (await get_session(status_summary=summary)).status_summary
    assert found == summary
    assert isinstance(found, PaymentStatusSummary)
    assert found.is_known


async def test_session_has_the_amount_details_of_its_creation():
    """STATUS: amount_details, of the order and of its lines."""
    found = await get_session(
        amount_details={"total_discounts": -5}, order_items=[{"amount_details": {"total_additional_charges": 7}}]
    )
    assert found.amount_details == AmountDetails(total_discounts=-5)
    assert found.order_items[0].amount_details.total_additional_charges == 7


@pytest.mark.parametrize("name", ["total_refundable", "quantity_refundable", "total_capturable", "quantity_capturable"])
async def test_order_items_have_remaining_amounts(name):
    """LIST: refundable only once captured, capturable only while authorized; absent otherwise."""
    assert getattr((await row(order_items=[{name: 7}])).order_items[0], name) == 7
    assert getattr((await row(order_items=[{}])).order_items[0], name) is None


@pytest.mark.parametrize("name", ["authorized_on", "captured_on"])
async def test_times_of_a_row_are_utc(name):
    """LIST: ISO 8601, UTC, milliseconds optional."""
    for written, read in (
        ("2024-06-13T16:03:07.473Z", datetime(2024, 6, 13, 16, 3, 7, 473000, tzinfo=UTC)),
        ("2024-01-15T09:30:00Z", datetime(2024, 1, 15, 9, 30, tzinfo=UTC)),
    ):
        assert getattr(await row(**{name: written}), name) == read


async def test_row_sums_up_its_refunds():
    """LIST: refund_amount, with summarize_refunds alone."""
    assert (await row(refund_amount=500)).refund_amount == 500
    assert (await row()).refund_amount is None


# --- capture, void, cancel, refund ---------------------------------------------------------------------------------


async def test_server_error_that_stays_is_one():
    """CAPTURE, VOID: a 400 with ServerError is a failure of the server, not of the request."""
    client, wire = make_client((400, {"error": "ServerError", "message": "x"}))
    with pytest.raises(ServerError) as caught:
        await client.payment_sessions.void(ID)
    assert (caught.value.status, caught.value.outcome, len(wire.requests)) == (400, "unknown", 3)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "capture": {"total_amount": 1},
    "void": {},
    "refund": {"amount": 1, "reason": "fraudulent"},
}


def test_reasons_of_a_refund_are_three():
    """REFUND: reason."""
    assert set(map(str, RefundReason)) == {"customer_request", "fraudulent", "duplicate_payment"}


@pytest.mark.parametrize("missing", ["amount", "reason"])
async def test_refund_needs_an_amount_and_a_reason(missing):
    """REFUND: both are required, as are payment_id and the key, which the library makes."""
    client, _ = make_client({"refund_id": "re_1"})
    with pytest.raises(TypeError, match=missing):
        await client.payment_sessions.refund(
            ID, **{name: value for name, value in ARGUMENTS["refund"].items() if name != missing}
        )
