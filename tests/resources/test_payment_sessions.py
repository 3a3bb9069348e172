"""Payment sessions: the requests that are made, and the answers that are returned."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from yarl import URL

from truemed_async import (
    UNSET,
    AmountDetails,
    NextBillInfo,
    OrderItem,
    PaymentCancellation,
    PaymentCapture,
    PaymentRefund,
    PaymentSession,
    PaymentSessionCreation,
    PaymentSessionKind,
    PaymentSessionStatus,
    PaymentVoid,
    RefundReason,
    RetryPolicy,
    errors,
)
from truemed_async.errors import InvalidArgumentError, NotFoundError, PaginationDriftError, PaymentMethodError

ID = "3f6c1d1e-8a52-4a5e-9a0b-0c5f4e7d2b10"
ONE = f"/payments/v1/payment_session/{ID}"
CREATED = {"id": ID, "redirect_url": "https://app.truemed.com/checkout/1"}
SAUNA = OrderItem(name="Sauna", price=6000, quantity=2, sku="S-1")
CART: dict[str, Any] = {
    "total_amount": 12000,
    "order_items": [SAUNA],
    "success_url": "https://shop.example/thanks?s={{payment_session_id}}",
}
CART_ON_THE_WIRE = {
    "total_amount": 12000,
    "order_items": [{"name": "Sauna", "price": 6000, "quantity": 2, "sku": "S-1"}],
    "success_url": "https://shop.example/thanks?s={{payment_session_id}}",
}


# --- create -------------------------------------------------------------------------------------------------------


async def test_create_sends_the_arguments_and_a_generated_key(client, server):
    server.respond(CREATED)
    session = await client.payment_sessions.create(**CART)
    key = server.only.body.pop("idempotency_key")
    assert uuid.UUID(key).version == 4
    assert session == PaymentSessionCreation(id=ID, redirect_url=CREATED["redirect_url"], idempotency_key=key)
    assert server.only.body == CART_ON_THE_WIRE


async def test_create_sends_urls_mappings_enums_and_undocumented_fields_as_json(client, server):
    server.respond(CREATED)
    await client.payment_sessions.create(
        total_amount=12000,
        order_items=(SAUNA,),
        success_url=URL("https://shop.example/thanks"),
        metadata={"order": "é"},
        kind=PaymentSessionKind.AUTHORIZATION,
        use_iframe=False,
        idempotency_key="order-1",
        extra={"order_id": "17"},
    )
    assert server.only.body == {
        **CART_ON_THE_WIRE,
        "success_url": "https://shop.example/thanks",
        "metadata": '{"order":"é"}',
        "kind": "authorization",
        "use_iframe": False,
        "idempotency_key": "order-1",
        "order_id": "17",
    }


@pytest.mark.parametrize("metadata", ["", "order 17", '{"order": 1}'])
async def test_metadata_is_free_text(client, server, metadata):
    server.respond(CREATED)
    await client.payment_sessions.create(**CART, metadata=metadata, kind=UNSET)
    assert server.only.body["metadata"] == metadata
    assert "kind" not in server.only.body


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total_amount": 120.0}, "total_amount must be an integer in cents, not float"),
        ({"total_amount": True}, "total_amount must be an integer in cents, not bool"),
        ({"total_amount": "12000"}, "total_amount must be an integer in cents, not str"),
        ({"total_amount": -1}, "total_amount must be at least 0 cents"),
        ({"total_amount": 0}, "total_amount is 0, which is only for a free trial"),
        ({"total_amount": 0, "tokenize": True}, "total_amount is 0, which is only for a free trial"),
        ({"total_amount": 0, "tokenize": False, "display_next_bill_info": NextBillInfo(total_amount=1, date="x")}, "free"),
        ({"amount_details": AmountDetails(total_additional_charges=1)}, "the parts add up to 12001 cents"),
        ({"amount_details": {"total_discounts": 1}}, r"amount_details must be AmountDetails\(…\), not dict"),
        ({"amount_details": None}, r"amount_details must be AmountDetails\(…\), not NoneType"),
        ({"order_items": [{"name": "Sauna"}]}, r"order_items\[0\] must be OrderItem\(…\), not dict"),
        ({"order_items": SAUNA}, "order_items must be a collection"),
        ({"order_items": (item for item in [SAUNA])}, "order_items must be a collection"),
        ({"success_url": "https://shop.example/{payment_session_id}"}, "success_url has braces other than"),
        ({"failure_url": "https://shop.example/{{ payment_session_id }}"}, "failure_url has braces other than"),
        ({"failure_url": "http://shop.example"}, "failure_url must be https"),
        ({"customer_email": ""}, "customer_email must not be empty"),
        ({"customer_name": None}, "customer_name must be a string"),
        ({"customer_state": 7}, "customer_state must be a string"),
        ({"metadata": None}, "metadata must be a string"),
        ({"metadata": {"x": object}}, "metadata must be a mapping of JSON values"),
        ({"kind": ""}, "kind must not be empty"),
        ({"tokenize": "false"}, "tokenize must be True or False"),
        ({"use_iframe": 1}, "use_iframe must be True or False"),
        ({"payment_token": ""}, "payment_token must not be empty"),
        ({"display_next_bill_info": {}}, r"display_next_bill_info must be NextBillInfo\(…\)"),
        ({"idempotency_key": "with blank"}, "idempotency_key must be"),
        ({"extra": {"total_amount": 1}}, "extra must not contain total_amount"),
        ({"extra": {"kind": "x"}}, "extra must not contain kind"),
        ({"extra": {"idempotency_key": "k"}}, "pass the idempotency key as idempotency_key"),
        ({"extra": {"x": object}}, "contains a value that JSON cannot"),
        ({"extra": "x"}, "extra must be a mapping"),
    ],
)  # fmt: skip
async def test_create_with_invalid_arguments_raises_before_sending(client, server, changes, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await client.payment_sessions.create(**{**CART, **changes})
    assert server.requests == []


async def test_failed_token_charge_has_a_redirect_url(client, server):
    fields = {"error": "CardDeclined", "message": "declined", "redirect_url": "https://app.truemed.com/fix/1"}
    server.respond(fields, 422)
    with pytest.raises(PaymentMethodError) as caught:
        await client.payment_sessions.create(**CART, payment_token="ptok_1")
    error = caught.value
    assert (error.redirect_url, error.code, error.outcome) == (fields["redirect_url"], "CardDeclined", "rejected")
    assert error.body == fields
    assert len(server.requests) == 1
    assert "fix/1" not in f"{error} {error!r} {vars(error)}"


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_deleted_token_is_not_found_whatever_the_status_is(client, server, status):
    server.respond({"error": "NotFound", "message": "gone"}, status)
    with pytest.raises(NotFoundError) as caught:
        await client.payment_sessions.create(**CART, payment_token="ptok_1")
    assert caught.value.status == status


async def test_charge_is_made_once_with_one_key_however_often_it_is_sent(client, server, clock):
    server.respond({"error": "ServerError", "message": "x"}, 400).respond({}, 503).respond(CREATED)
    session = await client.payment_sessions.create(**CART)
    assert len({str(request.body) for request in server.requests}) == 1
    assert len(server.requests) == 3
    assert server.requests[0].body["idempotency_key"] == session.idempotency_key


async def test_key_is_for_one_cart(client, server):
    """A changed cart needs a new key: the old one would give the old session."""
    server.respond(CREATED)
    await client.payment_sessions.create(**CART, idempotency_key="cart-1")
    await client.payment_sessions.create(**CART, idempotency_key="cart-1")
    with pytest.raises(InvalidArgumentError, match="used with other values"):
        await client.payment_sessions.create(**CART, customer_name="Jane", idempotency_key="cart-1")
    assert len(server.requests) == 2


async def test_response_without_redirect_url_is_accepted(client, server):
    server.respond({"id": ID, "status": "processing"})
    session = await client.payment_sessions.create(**CART, payment_token="ptok_1")
    assert (session.id, session.redirect_url, session.extra) == (ID, None, {"status": "processing"})


# --- get and get_many ---------------------------------------------------------------------------------------------


async def test_get_returns_the_session(client, server):
    server.respond({"id": ID, "status": "captured", "captured_on": "2024-06-13T16:03:07.473Z", "capture_amount": 12000})
    found = await client.payment_sessions.get(ID)
    assert found == PaymentSession(
        id=ID,
        status=PaymentSessionStatus.CAPTURED,
        captured_on=datetime(2024, 6, 13, 16, 3, 7, 473000, tzinfo=UTC),
        capture_amount=12000,
    )
    assert found.may_fulfill


async def test_get_fills_in_the_id_of_the_request(client, server):
    server.respond({"status": "pending", "business_id": "b"})
    assert (await client.payment_sessions.get(ID)).id == ID


@pytest.mark.parametrize("call", ["get", "void", "cancel"])
@pytest.mark.parametrize("wrong", ["", "..", "a/b", "a?b", None, 7])
async def test_id_that_would_leave_its_route_is_rejected(client, server, call, wrong):
    with pytest.raises(InvalidArgumentError, match="payment_session_id must be"):
        await getattr(client.payment_sessions, call)(wrong)
    assert server.requests == []


async def test_get_many_gives_an_outcome_for_each_id(client, server):
    server.respond(
        lambda request: (
            {"status": "captured"} if request.path.endswith("a") else {"error": "ServerError", "message": "x"}
        )
    )
    outcomes = [each async for each in client.payment_sessions.get_many(["a", "../b"], ordered=True)]
    assert [(each.id, each.ok) for each in outcomes] == [("a", True), ("../b", False)]
    assert outcomes[0].unwrap().id == "a"


# --- list and iter ------------------------------------------------------------------------------------------------


async def test_list_sends_undocumented_filters(client, server):
    row = {"id": ID, "status": "captured", "refund_amount": 500, "order_items": [{"total_refundable": 11500}]}
    server.respond({"payment_sessions": [row], "pagination": None})
    page = await client.payment_sessions.list(search="jane", extra={"status": "captured", "tokenized": True})
    assert [(each.id, each.refund_amount) for each in page] == [(ID, 500)]
    assert page.items[0].order_items is not None
    assert page.items[0].order_items[0].total_refundable == 11500
    assert server.only.query == {"search": "jane", "status": "captured", "tokenized": "true"}


BAD_FILTERS = [
    ({"search": ""}, "search must not be empty"),
    ({"include_order_items": 1}, "include_order_items must be True or False"),
    ({"summarize_refunds": "true"}, "summarize_refunds must be True or False"),
    ({"page_size": 0}, "page_size must be a whole number"),
    ({"extra": {"search": "x"}}, "extra must not contain search"),
    ({"extra": {"page": 1}}, "extra must not contain page"),
    ({"extra": {"page_size": 1}}, "extra must not contain page_size"),
    ({"extra": {"x": 1.5}}, "extra must contain strings, whole numbers, True and False"),
    ({"extra": {"x": None}}, "extra must contain strings"),
]


@pytest.mark.parametrize(("filters", "message"), BAD_FILTERS)
async def test_list_and_iter_with_invalid_arguments_raise(client, server, filters, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await client.payment_sessions.list(**filters)
    with pytest.raises(InvalidArgumentError, match=message):
        client.payment_sessions.iter(**filters)
    assert server.requests == []


def day(number: int) -> dict[str, Any]:
    return {"id": f"s{number}", "status": "captured", "created_at": f"2024-06-{number:02}T00:00:00Z"}


async def test_iter_reads_the_list_with_its_filters(client, server):
    server.respond({"payment_sessions": [day(3), day(2), day(1)], "pagination": None})
    server.respond({"payment_sessions": [], "pagination": None})
    found = [each.id async for each in client.payment_sessions.iter(search="x", prefetch=1, extra={"kind": "k"})]
    assert found == ["s3", "s2", "s1"]
    assert {
        (request.query["search"], request.query["kind"], request.query["page_size"]) for request in server.requests
    } == {("x", "k", "100")}


async def test_iter_reads_down_to_a_moment(client, server):
    rows = [day(number) for number in range(9, 0, -1)]
    server.respond({"payment_sessions": rows, "pagination": None})
    since = datetime(2024, 6, 5, tzinfo=UTC)
    found = [each.id async for each in client.payment_sessions.iter(since=since, prefetch=1)]
    assert found == ["s9", "s8", "s7", "s6", "s5"]
    assert len(server.requests) == 1


async def test_iter_does_not_take_sessions_without_an_id_for_one_and_the_same(client, server):
    rows = [{"status": "pending", "created_at": "2024-06-01T00:00:00Z"}] * 2
    server.respond({"payment_sessions": rows, "pagination": None})
    with pytest.raises(PaginationDriftError, match="has no id"):
        _ = [each async for each in client.payment_sessions.iter(prefetch=1)]


# --- capture, void, cancel, refund --------------------------------------------------------------------------------


async def test_capture_takes_cents(client, server):
    server.respond({"id": "cap_1"})
    done = await client.payment_sessions.capture(ID, total_amount=12000, idempotency_key="k", extra={"items": []})
    assert done == PaymentCapture(id="cap_1", idempotency_key="k")
    assert server.only.body == {"idempotency_key": "k", "total_amount": 12000, "items": []}


async def test_void_sends_a_key_alone(client, server):
    server.respond({"id": "void_1"})
    done = await client.payment_sessions.void(ID)
    assert done == PaymentVoid(id="void_1", idempotency_key=server.only.body["idempotency_key"])
    assert list(server.only.body) == ["idempotency_key"]


async def test_cancel_returns_the_status(client, server):
    server.respond({"id": ID, "status": "canceled"})
    done = await client.payment_sessions.cancel(ID)
    assert done == PaymentCancellation(id=ID, status=PaymentSessionStatus.CANCELED)


async def test_cancel_sends_undocumented_fields(client, server):
    await client.payment_sessions.cancel(ID, extra={"idempotency_key": "k"})
    assert server.only.body == {"idempotency_key": "k"}


@pytest.mark.parametrize("status", [200, 204])
async def test_cancel_takes_a_response_without_fields(client, server, status):
    server.respond(b"", status, Content_Length="0")
    assert await client.payment_sessions.cancel(ID) == PaymentCancellation()


@pytest.mark.parametrize(("details", "sent"), [(UNSET, {}), (None, {"item_details": None}), ([], {"item_details": []}), ([{"a": 1}], {"item_details": [{"a": 1}]})])  # fmt: skip
async def test_refund_names_the_session_as_truemed_does(client, server, details, sent):
    server.respond({"refund_id": "re_1"})
    done = await client.payment_sessions.refund(
        ID, amount=500, reason=RefundReason.DUPLICATE_PAYMENT, item_details=details, idempotency_key="r1"
    )
    assert done == PaymentRefund(refund_id="re_1", idempotency_key="r1")
    assert server.only.body == {
        "idempotency_key": "r1",
        "amount": 500,
        "payment_id": ID,
        "reason": "duplicate_payment",
        **sent,
    }


async def test_each_refund_has_a_key_of_its_own(client, server):
    server.respond({"refund_id": "re_1"}).respond({"refund_id": "re_2"})
    one = await client.payment_sessions.refund(ID, amount=500, reason="customer_request")
    two = await client.payment_sessions.refund(ID, amount=500, reason="customer_request")
    assert one.idempotency_key != two.idempotency_key
    with pytest.raises(InvalidArgumentError, match="used with other values"):
        await client.payment_sessions.refund(
            "another", amount=500, reason="customer_request", idempotency_key=one.idempotency_key
        )


async def test_key_of_a_capture_is_scoped_to_its_session(client, server):
    server.respond({"id": "cap_1"})
    await client.payment_sessions.capture("a", total_amount=1, idempotency_key="k")
    await client.payment_sessions.capture("b", total_amount=2, idempotency_key="k")
    with pytest.raises(InvalidArgumentError, match="used with other values"):
        await client.payment_sessions.capture("a", total_amount=2, idempotency_key="k")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda sessions: sessions.capture(ID, total_amount=0), "total_amount must be at least 1 cents"),
        (lambda sessions: sessions.capture(ID, total_amount=-5), "total_amount must be at least 1 cents"),
        (lambda sessions: sessions.capture(ID, total_amount=1.0), "total_amount must be an integer in cents"),
        (lambda sessions: sessions.capture(ID, total_amount=1, extra={"total_amount": 2}), "must not contain total_amount"),
        (lambda sessions: sessions.capture("", total_amount=1), "payment_session_id must be"),
        (lambda sessions: sessions.void(ID, idempotency_key=""), "idempotency_key must be"),
        (lambda sessions: sessions.void(ID, extra=[]), "extra must be a mapping"),
        (lambda sessions: sessions.refund("", amount=1, reason="x"), "payment_session_id must be"),
        (lambda sessions: sessions.refund(ID, amount=0, reason="x"), "amount must be at least 1 cents"),
        (lambda sessions: sessions.refund(ID, amount=1.5, reason="x"), "amount must be an integer in cents"),
        (lambda sessions: sessions.refund(ID, amount=1, reason=""), "reason must not be empty"),
        (lambda sessions: sessions.refund(ID, amount=1, reason=None), "reason must be a string"),
        (lambda sessions: sessions.refund(ID, amount=1, reason="x", item_details={"a": 1}), r"item_details\[0\] must be a map"),
        (lambda sessions: sessions.refund(ID, amount=1, reason="x", item_details=[1]), r"item_details\[0\] must be a map"),
        (lambda sessions: sessions.refund(ID, amount=1, reason="x", extra={"payment_id": "y"}), "must not contain payment_id"),
    ],
)  # fmt: skip
async def test_invalid_arguments_raise_before_sending(client, server, call, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await call(client.payment_sessions)
    assert server.requests == []


WRITES = {
    "capture": lambda sessions: sessions.capture(ID, total_amount=1),
    "void": lambda sessions: sessions.void(ID),
    "refund": lambda sessions: sessions.refund(ID, amount=1, reason="fraudulent"),
}
CODES = {
    "capture": "MissingField TotalAmountInvalid PaymentSessionDoesNotExist SessionVoided SessionExpired SessionPending"
    " SessionCaptured",
    "void": "MissingField PaymentSessionDoesNotExist SessionCaptured SessionPending ImmediateCapture",
    "refund": "MissingField AmountInvalid InvalidPaymentId ChargeDisputed NoSessionCaptures",
}


@pytest.mark.parametrize(("call", "code"), [(call, code) for call, codes in CODES.items() for code in codes.split()])
async def test_documented_code_has_a_class_of_its_name(client, server, call, code):
    server.respond({"error": code, "message": "no idempotency_key"}, 400)
    with pytest.raises(getattr(errors, f"{code}Error")) as caught:
        await WRITES[call](client.payment_sessions)
    assert type(caught.value).__name__ == f"{code}Error"
    assert isinstance(caught.value, errors.BadRequestError)
    assert (caught.value.code, caught.value.outcome, len(server.requests)) == (code, "rejected", 1)


@pytest.mark.parametrize("call", WRITES)
async def test_unknown_outcome_is_settled_with_the_key_of_the_error(client, server, call):
    server.respond({}, 500).respond({}, 500).respond({}, 500).respond({"id": "x", "refund_id": "x"})
    with pytest.raises(errors.ServerError) as caught:
        await WRITES[call](client.payment_sessions)
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 3)
    key = caught.value.idempotency_key
    again = {
        "capture": lambda sessions: sessions.capture(ID, total_amount=1, idempotency_key=key),
        "void": lambda sessions: sessions.void(ID, idempotency_key=key),
        "refund": lambda sessions: sessions.refund(ID, amount=1, reason="fraudulent", idempotency_key=key),
    }
    assert (await again[call](client.payment_sessions)).idempotency_key == key
    assert len({str(request.body) for request in server.requests}) == 1


async def test_policy_of_one_attempt_is_kept(client, server):
    server.respond({"error": "ServerError", "message": "x"}, 400)
    once = client.with_options(retry=RetryPolicy(max_attempts=1))
    with pytest.raises(errors.ServerError):
        await once.payment_sessions.void(ID)
    assert len(server.requests) == 1


# --- wait_until_final ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("final", ["captured", "rejected", "canceled", "authorized", "authorization_voided"])
async def test_waiting_ends_when_only_the_merchant_can_change_the_status(client, server, clock, final):
    for status in ("pending", "processing", "brand_new", final):
        server.respond({"id": ID, "status": status})
    found = await client.payment_sessions.wait_until_final(ID)
    assert (found.status, clock.slept) == (final, [1, 2, 4])
    assert {request.path for request in server.requests} == {ONE}


async def test_waiting_for_a_payment_ends_with_one_last_look(client, server, clock):
    server.respond({"id": ID, "status": "processing"})
    with pytest.raises(errors.DeadlineExceededError, match="neither final nor authorized after 2 seconds") as caught:
        await client.payment_sessions.wait_until_final(ID, timeout=2)
    assert (clock.slept, caught.value.endpoint, caught.value.attempts) == ([1, 1], "payment_sessions.get", 3)


# --- periods and local filters ------------------------------------------------------------------------------------


def rows(*rows: tuple[str, str | None]) -> dict[str, Any]:
    """One page of payments: the status and the time of creation of each, newest first."""
    return {
        "payment_sessions": [
            {"id": f"{number}", "status": status, "created_at": created}
            for number, (status, created) in enumerate(rows)
        ],
        "pagination": {"count": len(rows), "current_page": 1, "last_page": 1, "page_size": 100},
    }


PERIOD = rows(
    ("captured", "2026-11-01T00:00:00Z"),
    ("captured", "2026-10-31T23:59:59Z"),
    ("pending", "2026-10-15T09:00:00Z"),
    ("captured", "2026-10-01T00:00:00Z"),
    ("captured", "2026-09-30T23:59:59Z"),
    ("captured", None),
)


@pytest.mark.parametrize(
    ("period", "ids"),
    [
        ({"until": date(2026, 10, 31)}, "1234"),
        ({"until": datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)}, "234"),
        ({"until": date(2026, 10, 31), "status": "captured"}, "134"),
        ({"status": "captured"}, "01345"),
        ({"status": PaymentSessionStatus.PENDING}, "2"),
        ({"status": "Captured"}, ""),
        ({"until": date.max}, "012345"),
    ],
)
async def test_iter_selects_by_period_and_status(client, server, period, ids):
    server.respond(PERIOD)
    found = [session.id async for session in client.payment_sessions.iter(**period)]
    assert "".join(found) == ids
    assert {name for request in server.requests for name in request.query} <= {"page", "page_size"}, (
        "the client selects"
    )


async def test_iter_of_a_month_leaves_out_what_is_before_and_after(client, server):
    server.respond(rows(*[(row["status"], row["created_at"]) for row in PERIOD["payment_sessions"][:-1]]))
    month = {"since": date(2026, 10, 1), "until": date(2026, 10, 31), "look_back": timedelta(0)}
    found = [session.id async for session in client.payment_sessions.iter(**month)]
    assert found == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("period", "problem"),
    [
        ({"until": "2026-10-31"}, "until must be a datetime or a date"),
        ({"since": date(2026, 10, 2), "until": date(2026, 10, 1)}, "until must be later than the start of the period"),
        (
            {"since": datetime(2026, 10, 2, tzinfo=UTC), "until": datetime(2026, 10, 2, tzinfo=UTC)},
            "until must be later than the start of the period",
        ),
        ({"status": ""}, "status must not be empty"),
        ({"status": ["captured"]}, "status must be a string"),
    ],
)
async def test_iter_refuses_a_bad_period_before_anything_is_sent(client, server, period, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        client.payment_sessions.iter(**period)
    assert server.requests == []
