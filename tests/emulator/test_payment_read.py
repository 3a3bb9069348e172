"""GET /payments/v1/payment_session/{id} and GET /payments/v1/payment_sessions: docs/truemed-api.md 2.1 P2 and P3."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.factories import CREATE, LIST, make_authorized, make_captured, order, session_path

T0 = datetime(2026, 5, 1, 9, 30, 0, 250_000, tzinfo=UTC)

ROW = {
    "id",
    "status",
    "status_summary",
    "kind",
    "total_amount",
    "amount_details",
    "authorize_amount",
    "capture_amount",
    "authorized_on",
    "captured_on",
    "created_at",
    "customer_email",
    "customer_name",
    "metadata",
    "payment_token",
}


def test_session_has_these_members(emulator, api):
    """docs/truemed-api.md 2.1 P2: the fields of its table; which of them are always there is our choice."""
    id = emulator.state.payment_sessions.add(created_at=T0)
    body = api.read(session_path(id)).json
    assert body.keys() == ROW | {"order_items", "refunds"}
    assert body["created_at"] == "2026-05-01T09:30:00.250Z"
    assert (body["authorized_on"], body["captured_on"], body["capture_amount"]) == (
        None,
        None,
        None,
    )


def test_session_shows_the_amounts_as_given(emulator, api):
    """docs/truemed-api.md 2.1 P2: amount_details as given at creation, order and item level."""
    line = {"name": "A", "price": 600_00, "quantity": 1, "amount_details": {"total_discounts": 5_00}}
    details = {"total_additional_charges": 5_00, "additional_charges_details": [{"name": "Shipping", "amount": 5_00}]}
    id = api.post(CREATE, order(order_items=[line], amount_details=details)).json["id"]
    body = api.read(session_path(id)).json
    assert body["amount_details"] == details
    (item,) = body["order_items"]
    assert item.pop("item_id")
    assert item == {**line, "sku": None}


@pytest.mark.parametrize(
    ("status", "summary"),
    [
        ("pending", "Incomplete"),
        ("processing", "Processing"),
        ("rejected", "Rejected"),
        ("canceled", "Canceled"),
        ("authorized", "Authorized"),
        ("authorization_voided", "Voided"),
        ("authorization_expired", "Expired"),
        ("brand_new", "Incomplete"),
    ],
)
def test_session_summarizes_its_status(emulator, api, status, summary):
    """docs/truemed-api.md 2.1 P2 and 6: the known summaries; their mapping to statuses is assumed."""
    id = emulator.state.payment_sessions.add(status=status)
    assert api.read(session_path(id)).json["status_summary"] == summary


def test_summary_changes_with_disputes_and_refunds(emulator, api):
    """docs/truemed-api.md 2.1 P2: overall incl. refunds and disputes; 4.1: they never change `status`."""
    state = emulator.state.payment_sessions
    id = make_captured(emulator, total_amount=10_00)

    def read_summary():
        response = api.read(session_path(id)).json
        assert response["status"] == "captured"
        return response["status_summary"]

    assert read_summary() == "Captured"
    state.open_dispute(id)
    assert read_summary() == "Disputed"
    state.close_dispute(id)
    state.refund(id, 4_00)
    assert read_summary() == "Partially Refunded"
    state.refund(id, 6_00)
    assert read_summary() == "Refunded"


def test_summary_of_a_partial_capture_is_partially_captured(emulator, api):
    """docs/truemed-api.md 2.1 P2: `Partially Captured`."""
    id = make_authorized(emulator)
    emulator.state.payment_sessions.capture(id, 95_00)
    body = api.read(session_path(id)).json
    assert (body["status"], body["status_summary"]) == ("captured", "Partially Captured")
    assert (body["authorize_amount"], body["capture_amount"]) == (100_00, 95_00)


def test_one_time_payment_is_authorized_when_it_is_captured(emulator, api):
    """docs/truemed-api.md 2.1 P3: `authorized_on`, for `one_time_payment`, equals `captured_on`."""
    body = api.read(session_path(make_captured(emulator))).json
    assert body["authorized_on"] == body["captured_on"] is not None
    assert body["capture_amount"] == body["authorize_amount"] == 100_00


def test_session_shows_refunds(emulator, api):
    """docs/truemed-api.md 2.1 P2: `refunds`, of the third-party list; its elements are our choice."""
    id = make_captured(emulator)
    (entry,) = emulator.state.payment_sessions.refund(id, 4_00, "fraudulent").refunds
    (refund,) = api.read(session_path(id)).json["refunds"]
    assert refund.pop("created_at").endswith("Z")
    assert refund == {"refund_id": entry.refund_id, "amount": 4_00, "reason": "fraudulent"}


# --- the lines as they are now ------------------------------------------------------------------------------------

LINES = [
    {"name": "A", "price": 30_00, "quantity": 2, "sku": "A"},
    {"name": "B", "price": 40_00, "quantity": 1, "sku": "B"},
]
REFUNDABLE = {"total_refundable", "quantity_refundable"}
CAPTURABLE = {"total_capturable", "quantity_capturable"}


def lines(api, id):
    return api.read(session_path(id)).json["order_items"]


@pytest.mark.parametrize("status", ["pending", "processing", "rejected", "canceled", "authorization_voided"])
def test_line_in_other_statuses_states_no_remainder(emulator, api, status):
    """docs/truemed-api.md 2.1 P3: absent unless captured; absent unless currently authorized."""
    id = emulator.state.payment_sessions.add(status=status, order_items=LINES)
    assert all(not item.keys() & (REFUNDABLE | CAPTURABLE) for item in lines(api, id))


def test_line_of_a_hold_states_what_can_be_captured(emulator, api):
    """docs/truemed-api.md 2.1 P3: remaining capturable amount and quantity."""
    id = make_authorized(emulator, order_items=LINES)
    one_line, other = lines(api, id)
    assert (one_line["total_capturable"], one_line["quantity_capturable"]) == (60_00, 2)
    assert (other["total_capturable"], other["quantity_capturable"]) == (40_00, 1)
    assert not one_line.keys() & REFUNDABLE


def test_line_of_a_capture_states_what_can_be_refunded(emulator, api):
    """docs/truemed-api.md 2.1 P3: remaining refundable amount and quantity. Which refund is of which line: our choice."""
    id = make_captured(emulator, order_items=LINES)
    assert [line["total_refundable"] for line in lines(api, id)] == [60_00, 40_00]
    assert not lines(api, id)[0].keys() & CAPTURABLE
    emulator.state.payment_sessions.refund(id, 55_00)
    assert [line["total_refundable"] for line in lines(api, id)] == [45_00, 40_00]
    emulator.state.payment_sessions.refund(id, 45_00)
    assert [(line["total_refundable"], line["quantity_refundable"]) for line in lines(api, id)] == [(0, 0), (0, 0)]


# --- the listing --------------------------------------------------------------------------------------------------


def fill(emulator, count, **fields):
    """Add session 0 (oldest) to session count-1 (newest)."""
    return [
        emulator.state.payment_sessions.add(id=f"{index}", created_at=T0 + timedelta(hours=index), **fields)
        for index in range(count)
    ]


def ids(api, query=""):
    return [row["id"] for row in api.read(LIST + query).json["payment_sessions"]]


def test_list_has_sessions_newest_first_however_quickly_they_were_created(api):
    """docs/truemed-api.md 2.1 P3: newest created first, however little time was between."""
    session_ids = [api.post(CREATE, order(idempotency_key=f"{number}")).json["id"] for number in range(5)]
    assert ids(api) == session_ids[::-1]


def test_list_has_sessions_of_every_status(emulator, api):
    """docs/truemed-api.md 2.1 P3: every session, incl. pending, holds, voided, captured."""
    for status in ("pending", "authorized", "authorization_voided", "captured", "canceled"):
        emulator.state.payment_sessions.add(id=status, status=status)
    assert len(ids(api)) == 5


def test_list_has_lines_and_refunds_only_if_requested(emulator, api):
    """docs/truemed-api.md 2.1 P3: include_order_items adds order_items, summarize_refunds adds refund_amount."""
    id = make_captured(emulator, order_items=LINES)
    emulator.state.payment_sessions.refund(id, 5_00)
    emulator.state.payment_sessions.refund(id, 1_00)

    def row(query):
        return api.read(LIST + query).json["payment_sessions"][0]

    assert row("").keys() == row("?include_order_items=false&summarize_refunds=false").keys() == ROW
    assert row("?include_order_items=true")["order_items"] == lines(api, id)
    assert row("?summarize_refunds=true")["refund_amount"] == 6_00


def test_list_searches_id_email_and_name(emulator, api):
    """docs/truemed-api.md 2.1 P3: search; over which fields is that of a third party, in any case is our choice."""
    add = emulator.state.payment_sessions.add
    add(id="needle-1")
    add(id="b", customer_email="NEEDLE@example.com", created_at=T0)
    add(id="c", customer_name="The Needle", created_at=T0 - timedelta(1))
    add(id="d", metadata="needle")
    assert ids(api, "?search=needLE") == ["needle-1", "b", "c"]
    assert len(ids(api, "?search=")) == 4
