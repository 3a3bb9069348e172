"""POST /payments/v1/create_payment_session: docs/truemed-api.md 2.1 P1."""

import uuid

import pytest

from tests.support.factories import CREATE, ORDER, assert_refused, order, session_path


def test_create_responds_with_id_and_redirect_url(emulator, api):
    """docs/truemed-api.md 2.1 P1: response 200, `id` (a UUID) and `redirect_url`."""
    response = api.post(CREATE, ORDER)
    assert response.status == 200
    assert response.json.keys() == {"id", "redirect_url"}
    id = response.json["id"]
    assert str(uuid.UUID(id)) == id
    assert response.json["redirect_url"] == f"{emulator.url}/_emulator/hosted/payment_sessions/{id}"


def test_created_session_is_pending_and_has_the_members_of_the_request(emulator, api):
    """docs/truemed-api.md 4.1: create → pending; P1: metadata is "echoed in webhooks and on retrieval"."""
    body = order(
        metadata='{"order": "2607001444"}', kind="authorization", tokenize=True, use_iframe=True, customer_state="CA"
    )
    id = api.post(CREATE, body).json["id"]
    row = api.read(session_path(id)).json
    assert (row["status"], row["status_summary"]) == ("pending", "Incomplete")
    for name in ("total_amount", "customer_email", "customer_name", "metadata", "kind"):
        assert row[name] == body[name]
    stored = emulator.state.payment_sessions.get(id)
    assert (stored.tokenize, stored.use_iframe, stored.customer_state) == (True, True, "CA")


def test_create_without_a_kind_is_a_one_time_payment(api):
    """docs/truemed-api.md 2.1 P1: `kind`, default `one_time_payment`."""
    id = api.post(CREATE, ORDER).json["id"]
    assert api.read(session_path(id)).json["kind"] == "one_time_payment"


def test_create_accepts_an_order_without_lines(api):
    """docs/truemed-api.md 2.1 P1: `[]` in the iframe sample."""
    assert api.post(CREATE, order(order_items=[], use_iframe=True)).status == 200


@pytest.mark.parametrize("member", ["failure_url", "idempotency_key", "customer_email", "customer_name"])
def test_create_accepts_a_request_without_an_optional_member(api, member):
    """docs/truemed-api.md 2.1 P1: in the examples, and not visibly required: our choice."""
    assert api.post(CREATE, order(**{member: None})).status == 200


# --- the amount rule ----------------------------------------------------------------------------------------------

# docs/truemed-api.md 2.1 P1: Truemed's worked example, its discounts with either sign, for the JSON that would settle it is cut.
WORKED = {
    "total_amount": 1000_00,
    "order_items": [
        {
            "name": "A",
            "quantity": 3,
            "price": 55_00,
            "amount_details": {"total_additional_charges": 45_00, "total_discounts": 10_00},
        },
        {"name": "B", "quantity": 2, "price": 150_00},
        {"name": "C", "quantity": 4, "price": 20_00, "amount_details": {"total_discounts": 5_00}},
    ],
    "amount_details": {"total_additional_charges": 425_00},
    "success_url": "https://shop.example/thanks",
}


def test_create_accepts_the_worked_example_of_the_amount_rule(api):
    """docs/truemed-api.md 2.1 P1: 20000 + 30000 + 7500 + 42500 = 100000."""
    assert api.post(CREATE, WORKED).status == 200


def test_create_accepts_discounts_of_either_sign(api):
    """docs/truemed-api.md 5.2: the formula adds total_discounts, the example subtracts discounts."""
    a, b, c = WORKED["order_items"]
    items = [
        {**a, "amount_details": {"total_additional_charges": 45_00, "total_discounts": -10_00}},
        b,
        {**c, "amount_details": {"total_discounts": -5_00}},
    ]
    assert api.post(CREATE, {**WORKED, "order_items": items}).status == 200


@pytest.mark.parametrize("total", [999_99, 1000_01, 1030_00])
def test_create_rejects_a_total_that_does_not_add_up(emulator, api, total):
    """docs/truemed-api.md 2.1 P1, amount rule: total_amount is the sum."""
    assert_refused(api.post(CREATE, {**WORKED, "total_amount": total}), "TotalAmountInvalid")
    assert emulator.state.payment_sessions.count == 0


def test_create_rejects_an_itemized_line_that_does_not_add_up(api):
    """docs/truemed-api.md 2.1 P1, amount rule: item-level charges count, too."""
    line = {**ORDER["order_items"][0], "amount_details": {"total_additional_charges": 1}}
    assert_refused(api.post(CREATE, order(order_items=[line])), "TotalAmountInvalid")
    assert api.post(CREATE, order(order_items=[line], total_amount=600_01)).status == 200


def test_create_accepts_shipping_in_the_total_of_a_request_that_is_not_itemized(api):
    """docs/truemed-api.md 2.1 P1: every itemization field is optional, and old requests keep working."""
    assert api.post(CREATE, order(total_amount=612_50)).status == 200


@pytest.mark.parametrize("total", [-1, 0])
def test_create_rejects_a_total_of_nothing(api, total):
    """docs/truemed-api.md 2.1 P1: 0 only as a free trial."""
    assert_refused(api.post(CREATE, order(total_amount=total)), "TotalAmountInvalid")


BILL = {"total_amount": 600_00, "date": "2026-12-01"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"tokenize": True, "display_next_bill_info": BILL}, 200),
        ({"tokenize": True}, 400),
        ({"tokenize": False, "display_next_bill_info": BILL}, 400),
        ({"display_next_bill_info": BILL}, 400),
    ],
    ids=["trial", "no bill", "no token", "token not asked for"],
)
def test_total_of_zero_is_accepted_for_a_free_trial_only(api, changes, status):
    """docs/truemed-api.md 2.1 P1: with `tokenize=true` and `display_next_bill_info`."""
    assert api.post(CREATE, order(total_amount=0, order_items=[], **changes)).status == status


# --- idempotency --------------------------------------------------------------------------------------------------


def test_repeated_create_without_a_key_makes_another_session(emulator, api):
    """Our choice: nothing to know a repetition by."""
    body = order(idempotency_key=None)
    assert api.post(CREATE, body).json["id"] != api.post(CREATE, body).json["id"]


def test_key_of_a_refused_create_remains_unused(api):
    """Our choice: what was refused had no effect, so its key is free for the corrected request."""
    assert_refused(api.post(CREATE, order(total_amount=-1)), "TotalAmountInvalid")
    assert api.post(CREATE, ORDER).status == 200


def test_id_replaces_the_placeholder_in_the_urls(emulator, api):
    """docs/truemed-api.md 2.1 P1: `{{payment_session_id}}`, without inner spaces, is replaced with the session id."""
    body = order(failure_url="https://shop.example/{{ payment_session_id }}")
    session = emulator.state.payment_sessions.get(api.post(CREATE, body).json["id"])
    assert session.url(success=True) == f"https://shop.example/thanks?session={session.id}"
    assert session.url(success=False) == "https://shop.example/{{ payment_session_id }}"
    assert emulator.state.payment_sessions.get(emulator.state.payment_sessions.add()).url(success=True) is None
