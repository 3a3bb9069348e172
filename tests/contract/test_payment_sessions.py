"""What Truemed publishes about payment sessions, a fact a test.

Pages: references "Create Payment Session" (CREATE), "Get Payment Status" (STATUS), "List Payment Sessions" (LIST),
"Capture Session" (CAPTURE), "Void Session" (VOID), "Cancel Payment Session" (CANCEL), "Create Refund" (REFUND); the guides
on payments (GUIDE). What is not published is told by the docstrings of the library, and its tests are elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.scripted_transport import answering
from truemed_async import (
    PAYMENT_SESSION_ID,
    AmountDetails,
    Idempotency,
    NextBillInfo,
    OrderItem,
    PaymentSessionKind,
    PaymentSessionStatus,
    PaymentStatusSummary,
    RefundReason,
    endpoints,
    errors,
)
from truemed_async.errors import InvalidArgumentError, NotFoundError, PaymentMethodError, ServerError

ID = "3f6c1d1e-8a52-4a5e-9a0b-0c5f4e7d2b10"
MADE = {"id": ID, "redirect_url": "https://app.truemed.com/checkout/1"}
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


async def created(**changes: Any) -> dict[str, Any]:
    """The body that creates a session."""
    client, wire = answering(MADE)
    await client.payment_sessions.create(**{**CART, **changes})
    return wire.body


async def got(**fields: Any) -> Any:
    client, _ = answering({"status": "captured", **fields})
    return await client.payment_sessions.get(ID)


async def row(**fields: Any) -> Any:
    client, _ = answering({"payment_sessions": [{"id": ID, "status": "captured", **fields}], "pagination": None})
    return (await client.payment_sessions.list()).items[0]


# --- where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        (endpoints.CREATE_PAYMENT_SESSION, "POST /payments/v1/create_payment_session"),
        (endpoints.LIST_PAYMENT_SESSIONS, "GET /payments/v1/payment_sessions"),
        (endpoints.CAPTURE_PAYMENT_SESSION, "POST /payments/v1/payment_session/{payment_session_id}/capture"),
        (endpoints.VOID_PAYMENT_SESSION, "POST /payments/v1/payment_session/{payment_session_id}/void"),
    ],
    ids=["CREATE", "LIST", "CAPTURE", "VOID"],
)
def test_an_endpoint_is_where_its_page_says(endpoint, line):
    """CREATE, LIST, CAPTURE, VOID: verb and path."""
    assert f"{endpoint.method} {endpoint.path}" == line


def test_payment_sessions_and_refunds_have_a_base_path_of_their_own():
    """API reference, "Introduction": /payments/v1 for payment sessions and refunds, /api/v1 for all else."""
    for endpoint in endpoints.ENDPOINTS:
        assert endpoint.path.startswith("/payments/v1/") is endpoint.name.startswith("payment_sessions.")


def test_only_get_and_post_are_used():
    """API reference: GET and POST; which of them is part of the overview in docs/truemed-api.md."""
    assert {endpoint.method for endpoint in endpoints.ENDPOINTS} == {"GET", "POST"}


# --- create --------------------------------------------------------------------------------------------------------


async def test_amounts_are_integer_cents():
    """CREATE: total_amount, price and the amounts of amount_details are integers, in cents."""
    assert (await created())["total_amount"] == 1999
    for wrong in ({"total_amount": 19.99}, {"total_amount": "1999"}):
        with pytest.raises(InvalidArgumentError, match="cents"):
            await created(**wrong)


async def test_price_is_that_of_one():
    """CREATE: price is the unit price."""
    items = [OrderItem(name="Sauna", price=600, quantity=3, amount_details=AmountDetails(total_additional_charges=1))]
    assert (await created(total_amount=1801, order_items=items))["total_amount"] == 1801


async def test_a_line_has_name_quantity_price_and_sku():
    """CREATE: the fields of order_items; amount_details is left out where there is none."""
    assert (await created())["order_items"] == [{"name": "Sauna", "price": 1999, "quantity": 1, "sku": "S-1"}]


async def test_the_cart_may_be_empty():
    """CREATE: the sample for an iframe has none."""
    assert (await created(order_items=[]))["order_items"] == []


@pytest.mark.parametrize("sign", [-1, 1], ids=["added, as the rule says", "subtracted, as the example does"])
async def test_the_worked_example_of_the_amount_rule_is_sent_as_it_is_given(sign):
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
    body = await created(total_amount=100_000, order_items=items, amount_details=order)
    assert [item.get("amount_details") for item in body["order_items"]] == [
        {"total_additional_charges": 4500, "total_discounts": sign * 1000},
        None,
        {"total_discounts": sign * 500},
    ]
    assert body["amount_details"] == {"total_additional_charges": 42500}


async def test_the_total_is_the_sum_of_the_parts():
    """CREATE: the amount rule."""
    with pytest.raises(InvalidArgumentError, match="but the parts add up to 2000 cents"):
        await created(amount_details=AmountDetails(total_additional_charges=1))


async def test_old_requests_keep_working():
    """GUIDE: every field of itemization is optional, so a total may hold what no field names."""
    assert "amount_details" not in await created(total_amount=2500)


async def test_discounts_may_be_listed():
    """CREATE: discounts_details is a list, left out when there is none."""
    details = AmountDetails(total_discounts=-99, discounts_details=[{"name": "spring"}])
    assert (await created(total_amount=1900, amount_details=details))["amount_details"] == {
        "total_discounts": -99,
        "discounts_details": [{"name": "spring"}],
    }


async def test_a_free_trial_costs_nothing():
    """CREATE: total_amount 0 with tokenize and display_next_bill_info."""
    body = await created(**TRIAL)
    assert (body["total_amount"], body["tokenize"]) == (0, True)
    assert body["display_next_bill_info"] == {"total_amount": 2999, "date": "2026-12-01"}


@pytest.mark.parametrize("missing", ["tokenize", "display_next_bill_info"])
async def test_zero_total_without_free_trial_raises(missing):
    """CREATE: 0 is allowed only for a free trial, which has both."""
    trial = {name: value for name, value in TRIAL.items() if name != missing}
    with pytest.raises(InvalidArgumentError, match="free trial"):
        await created(**trial)


async def test_the_placeholder_is_sent_for_truemed_to_replace():
    """CREATE: the exact substring {{payment_session_id}}, without inner spaces, in success_url."""
    assert PAYMENT_SESSION_ID == "{{payment_session_id}}"
    url = "https://shop.example/thanks?s={{payment_session_id}}"
    assert (await created(success_url=url))["success_url"] == url


@pytest.mark.parametrize("typo", ["{{ payment_session_id }}", "{payment_session_id}", "{{session_id}}"])
async def test_a_placeholder_that_is_not_exact_is_not_sent(typo):
    """CREATE: only the exact substring is replaced; the customer would come back with a page that knows no order."""
    with pytest.raises(InvalidArgumentError, match="braces"):
        await created(success_url=f"https://shop.example/thanks?s={typo}")


async def test_success_url_is_required():
    """CREATE: success_url and total_amount are required."""
    client, _ = answering(MADE)
    for missing in ("success_url", "total_amount"):
        with pytest.raises(TypeError, match=missing):
            await client.payment_sessions.create(**{name: CART[name] for name in CART if name != missing})


async def test_failure_url_is_where_the_customer_goes_otherwise():
    """CREATE: failure_url."""
    assert (await created(failure_url="https://shop.example/cart"))["failure_url"] == "https://shop.example/cart"


async def test_the_customer_is_named_by_two_fields():
    """CREATE: customer_email and customer_name."""
    body = await created(customer_email="jane@example.com", customer_name="Jane Doe")
    assert (body["customer_email"], body["customer_name"]) == ("jane@example.com", "Jane Doe")


async def test_metadata_is_free_text():
    """CREATE: a string, echoed in webhooks and on retrieval; unlike that of qualification sessions it need not be JSON."""
    assert (await created(metadata="order 17"))["metadata"] == "order 17"
    assert (await got(metadata="order 17")).metadata == "order 17"


async def test_the_kinds_are_two_and_the_default_is_truemeds():
    """CREATE: kind is one_time_payment (default) or authorization."""
    assert set(map(str, PaymentSessionKind)) == {"one_time_payment", "authorization"}
    assert "kind" not in await created()
    assert (await created(kind="authorization"))["kind"] == "authorization"


async def test_a_session_may_store_the_payment_method():
    """CREATE: tokenize."""
    assert (await created(tokenize=True))["tokenize"] is True


async def test_a_stored_token_is_charged_by_a_session():
    """CREATE: payment_token."""
    assert (await created(payment_token="ptok_1"))["payment_token"] == "ptok_1"


async def test_a_session_may_be_for_an_iframe():
    """CREATE: use_iframe."""
    assert (await created(use_iframe=True))["use_iframe"] is True


async def test_create_answers_with_id_and_redirect_url():
    """CREATE: the response."""
    client, _ = answering(MADE)
    made = await client.payment_sessions.create(**CART)
    assert (made.id, made.redirect_url) == (ID, MADE["redirect_url"])


async def test_the_key_is_a_field_of_the_body_and_not_a_header():
    """CREATE, "Idempotency": idempotency_key."""
    client, wire = answering(MADE)
    await client.payment_sessions.create(**CART, idempotency_key="cart-1")
    assert wire.body["idempotency_key"] == "cart-1"
    assert "cart-1" not in repr(dict(wire.only.headers or {}))


async def test_a_token_that_cannot_be_charged_is_a_422_with_a_page_for_the_customer():
    """CREATE: 422 carries redirect_url and an enum that names the cause (values and key not visible)."""
    client, wire = answering((422, {"error": "x", "message": "y", "redirect_url": "https://app.truemed.com/fix"}))
    with pytest.raises(PaymentMethodError) as caught:
        await client.payment_sessions.create(**CART, payment_token="ptok_1")
    assert (caught.value.status, caught.value.redirect_url) == (422, "https://app.truemed.com/fix")
    assert len(wire.sent) == 1


async def test_a_deleted_token_is_not_found():
    """ "Delete Payment Token": charging it gives NotFound."""
    client, _ = answering((400, {"error": "NotFound", "message": "x"}))
    with pytest.raises(NotFoundError):
        await client.payment_sessions.create(**CART, payment_token="ptok_gone")


async def test_an_error_has_error_and_message():
    """API reference, errors: {error, message}."""
    client, _ = answering((400, {"error": "MissingField", "message": "success_url is missing"}))
    with pytest.raises(errors.MissingFieldError) as caught:
        await client.payment_sessions.create(**CART)
    assert (caught.value.code, caught.value.message) == ("MissingField", "success_url is missing")


# --- get and list --------------------------------------------------------------------------------------------------


def test_the_statuses_are_eight():
    """STATUS: the values, `canceled` with one l."""
    assert set(map(str, PaymentSessionStatus)) == {
        "pending", "processing", "captured", "rejected", "canceled", "authorized", "authorization_voided",
        "authorization_expired",
    }  # fmt: skip


@pytest.mark.parametrize("status", PaymentSessionStatus)
async def test_an_order_is_fulfilled_when_it_is_captured_and_not_before(status):
    """STATUS: fulfil on captured; processing is no payment yet."""
    assert (await got(status=str(status))).may_fulfill is (status == "captured")


@pytest.mark.parametrize(
    "status", ["captured", "rejected", "canceled", "authorization_voided", "authorization_expired"]
)
def test_a_status_is_terminal(status):
    """STATUS and GUIDE: nothing leads on from these; refunds and disputes change status_summary alone."""
    assert PaymentSessionStatus(status).is_final


@pytest.mark.parametrize("status", ["pending", "processing", "authorized"])
def test_a_status_leads_on(status):
    """STATUS and GUIDE: the customer, the review, a capture or a void come next."""
    assert not PaymentSessionStatus(status).is_final


@pytest.mark.parametrize("summary", ["Incomplete", "Authorized", "Captured", "Partially Captured", "Refunded"])
async def test_a_summary_is_written_with_capitals_and_blanks(summary):
    """STATUS: status_summary; the list of the page at hand is cut off after these."""
    found = (await got(status_summary=summary)).status_summary
    assert found == summary
    assert isinstance(found, PaymentStatusSummary)
    assert found.is_known


async def test_a_session_has_the_amount_details_of_its_creation():
    """STATUS: amount_details, of the order and of its lines."""
    found = await got(
        amount_details={"total_discounts": -5}, order_items=[{"amount_details": {"total_additional_charges": 7}}]
    )
    assert found.amount_details == AmountDetails(total_discounts=-5)
    assert found.order_items[0].amount_details.total_additional_charges == 7


async def test_the_list_is_under_its_name():
    """LIST: payment_sessions and pagination."""
    client, _ = answering(
        {
            "payment_sessions": [{"id": ID, "status": "pending"}],
            "pagination": {"count": 1, "current_page": 1, "last_page": 1, "page_size": 30},
        }
    )
    page = await client.payment_sessions.list()
    assert page.items[0].id == ID
    assert page.pagination is not None
    assert page.pagination.page_size == 30


@pytest.mark.parametrize("name", ["include_order_items", "summarize_refunds"])
async def test_the_list_adds_what_is_asked_for(name):
    """LIST: include_order_items and summarize_refunds."""
    client, wire = answering({"payment_sessions": [], "pagination": None})
    await client.payment_sessions.list(**{name: True})
    assert wire.query == {name: "true"}


async def test_the_list_is_read_newest_first():
    """LIST: the newest session comes first, so a run that wants what is new stops early."""
    rows = [{"id": f"s{n}", "status": "pending", "created_at": f"2026-01-{n:02}T00:00:00Z"} for n in (9, 8, 7, 6)]
    client, wire = answering({"payment_sessions": rows, "pagination": None})
    since = datetime(2026, 1, 8, tzinfo=UTC)
    assert [each.id async for each in client.payment_sessions.iter(since=since, prefetch=1)] == ["s9", "s8"]
    assert len(wire.sent) == 1


@pytest.mark.parametrize("name", ["total_refundable", "quantity_refundable", "total_capturable", "quantity_capturable"])
async def test_a_line_says_what_is_left_of_it(name):
    """LIST: refundable only once captured, capturable only while authorized; absent otherwise."""
    assert getattr((await row(order_items=[{name: 7}])).order_items[0], name) == 7
    assert getattr((await row(order_items=[{}])).order_items[0], name) is None


@pytest.mark.parametrize("name", ["authorized_on", "captured_on"])
async def test_a_row_says_when_in_utc(name):
    """LIST: ISO 8601, UTC, milliseconds optional."""
    for written, read in (
        ("2024-06-13T16:03:07.473Z", datetime(2024, 6, 13, 16, 3, 7, 473000, tzinfo=UTC)),
        ("2024-01-15T09:30:00Z", datetime(2024, 1, 15, 9, 30, tzinfo=UTC)),
    ):
        assert getattr(await row(**{name: written}), name) == read


async def test_a_row_sums_up_its_refunds():
    """LIST: refund_amount, with summarize_refunds alone."""
    assert (await row(refund_amount=500)).refund_amount == 500
    assert (await row()).refund_amount is None


# --- capture, void, cancel, refund ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["CREATE_PAYMENT_SESSION", "CAPTURE_PAYMENT_SESSION", "VOID_PAYMENT_SESSION", "REFUND_PAYMENT_SESSION"]
)
def test_a_write_has_an_idempotency_key(name):
    """CREATE, CAPTURE, VOID, REFUND: idempotency_key."""
    assert getattr(endpoints, name).idempotency is Idempotency.KEYED


def test_no_page_at_hand_gives_cancel_a_key():
    """CANCEL: its body is not visible, so no repeat is known to be harmless."""
    assert endpoints.CANCEL_PAYMENT_SESSION.idempotency is Idempotency.UNKEYED


async def test_capture_needs_an_amount():
    """CAPTURE: total_amount is required; 0 and less are TotalAmountInvalid."""
    client, wire = answering({"id": "cap_1"})
    with pytest.raises(TypeError, match="total_amount"):
        await client.payment_sessions.capture(ID)
    for wrong in (0, -1):
        with pytest.raises(InvalidArgumentError, match="total_amount"):
            await client.payment_sessions.capture(ID, total_amount=wrong)
    assert wire.sent == []


async def test_the_id_of_a_capture_is_its_own():
    """CAPTURE: id is that of the capture, not of the session, and the same for the same key."""
    client, wire = answering({"id": "cap_1"})
    done = await client.payment_sessions.capture(ID, total_amount=1, idempotency_key="k")
    assert (done.id, done.idempotency_key) == ("cap_1", "k")
    assert wire.line == f"POST /payments/v1/payment_session/{ID}/capture"


async def test_the_id_of_a_void_is_its_own():
    """VOID: id is that of the void."""
    client, wire = answering({"id": "void_1"})
    assert (await client.payment_sessions.void(ID)).id == "void_1"
    assert set(wire.body) == {"idempotency_key"}


@pytest.mark.parametrize("call", ["capture", "void"])
async def test_a_server_error_is_retried_with_the_same_key(call):
    """CAPTURE, VOID: ServerError, a 400, may be retried with the same key."""
    client, wire = answering((400, {"error": "ServerError", "message": "x"}), {"id": "x"})
    given = {"total_amount": 1} if call == "capture" else {}
    await getattr(client.payment_sessions, call)(ID, **given)
    assert len(wire.sent) == 2
    assert wire.sent[0].body.value == wire.sent[1].body.value


async def test_a_server_error_that_stays_is_one():
    """CAPTURE, VOID: a 400 with ServerError is a failure of the server, not of the request."""
    client, wire = answering((400, {"error": "ServerError", "message": "x"}))
    with pytest.raises(ServerError) as caught:
        await client.payment_sessions.void(ID)
    assert (caught.value.status, caught.value.outcome, len(wire.sent)) == (400, "unknown", 3)


CODES = {
    "capture": (
        "MissingField", "TotalAmountInvalid", "PaymentSessionDoesNotExist", "SessionVoided", "SessionExpired",
        "SessionPending", "SessionCaptured",
    ),
    "void": ("MissingField", "PaymentSessionDoesNotExist", "SessionCaptured", "SessionPending", "ImmediateCapture"),
    "refund": ("MissingField", "AmountInvalid", "InvalidPaymentId", "ChargeDisputed", "NoSessionCaptures"),
}  # fmt: skip
ARGUMENTS: dict[str, dict[str, Any]] = {
    "capture": {"total_amount": 1},
    "void": {},
    "refund": {"amount": 1, "reason": "fraudulent"},
}


@pytest.mark.parametrize(("call", "code"), [(call, code) for call, codes in CODES.items() for code in codes])
async def test_a_code_of_an_error_table_is_final_and_has_its_class(call, code):
    """CAPTURE, VOID, REFUND: the tables of errors; all are 400."""
    client, wire = answering((400, {"error": code, "message": "x"}))
    with pytest.raises(getattr(errors, f"{code}Error")):
        await getattr(client.payment_sessions, call)(ID, **ARGUMENTS[call])
    assert len(wire.sent) == 1


async def test_cancel_is_a_post_about_one_session():
    """CANCEL: for sessions that are pending; the path is known from third parties."""
    client, wire = answering({})
    await client.payment_sessions.cancel(ID)
    assert wire.line == f"POST /payments/v1/payment_session/{ID}/cancel"


async def test_a_refund_calls_the_session_payment_id():
    """REFUND: payment_id is the session's id."""
    client, wire = answering({"refund_id": "re_1"})
    await client.payment_sessions.refund(ID, amount=5, reason="customer_request", idempotency_key="k")
    assert wire.body == {"idempotency_key": "k", "amount": 5, "payment_id": ID, "reason": "customer_request"}


def test_the_reasons_of_a_refund_are_three():
    """REFUND: reason."""
    assert set(map(str, RefundReason)) == {"customer_request", "fraudulent", "duplicate_payment"}


@pytest.mark.parametrize("missing", ["amount", "reason"])
async def test_a_refund_needs_an_amount_and_a_reason(missing):
    """REFUND: both are required, as are payment_id and the key, which the library makes."""
    client, _ = answering({"refund_id": "re_1"})
    with pytest.raises(TypeError, match=missing):
        await client.payment_sessions.refund(
            ID, **{name: value for name, value in ARGUMENTS["refund"].items() if name != missing}
        )


async def test_a_refund_has_an_id_and_a_payment_may_have_several():
    """REFUND: refund_id, one for each refund, each under a key of its own."""
    client, wire = answering({"refund_id": "re_1"}, {"refund_id": "re_2"})
    ids = [(await client.payment_sessions.refund(ID, amount=5, reason="fraudulent")).refund_id for _ in range(2)]
    assert ids == ["re_1", "re_2"]
    assert wire.sent[0].idempotency_key != wire.sent[1].idempotency_key


@pytest.mark.parametrize("details", [None, [], [{"quantity": 1}]])
async def test_item_details_is_an_array_of_objects_or_null(details):
    """REFUND: item_details."""
    client, wire = answering({"refund_id": "re_1"})
    await client.payment_sessions.refund(ID, amount=5, reason="fraudulent", item_details=details)
    assert wire.body["item_details"] == details
