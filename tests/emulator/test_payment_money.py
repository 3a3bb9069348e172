"""Capture, void, cancel and refund of a payment session: docs/truemed-api.md 2.1 P4 to P7."""

import pytest

from tests.support.factories import REFUND, assert_refused, make_authorized, make_captured, session_path

KEY = "key-1"


def capture(api, id, amount=100_00, **more):
    return api.post(session_path(id, "capture"), {"total_amount": amount, "idempotency_key": KEY, **more})


def void(api, id, key=KEY):
    return api.post(session_path(id, "void"), {"idempotency_key": key})


def refund(api, id, amount=100_00, **changes):
    body = {"amount": amount, "idempotency_key": KEY, "payment_id": id, "reason": "customer_request", **changes}
    return api.post(REFUND, {name: value for name, value in body.items() if value is not None})


# --- capture ------------------------------------------------------------------------------------------------------


def test_capture_of_a_hold_responds_with_its_id(emulator, api):
    """docs/truemed-api.md 2.1 P4: response 200, `id` of this capture, not of the session."""
    id = make_authorized(emulator)
    response = capture(api, id)
    assert response.status == 200
    assert response.json.keys() == {"id"}
    assert response.json["id"] not in {id, None}
    row = api.read(session_path(id)).json
    assert (row["status"], row["capture_amount"]) == ("captured", 100_00)
    assert row["captured_on"] >= row["authorized_on"]


def test_second_capture_is_rejected_unless_it_repeats_the_key(emulator, api):
    """docs/truemed-api.md 2.1 P4: `id` is stable per key; 1.5: a replay with the same key never gets SessionCaptured."""
    id = make_authorized(emulator)
    first = capture(api, id)
    assert capture(api, id).content == first.content
    assert_refused(capture(api, id, idempotency_key="other"), "SessionCaptured")


def test_capture_without_a_key_is_accepted(emulator, api):
    """docs/truemed-api.md 2.1 P4: whether the key is required was not visible: our choice."""
    assert api.post(session_path(make_authorized(emulator), "capture"), {"total_amount": 100_00}).status == 200


@pytest.mark.parametrize("amount", [90_00, 95_00])
def test_capture_of_less_than_the_total_is_accepted(emulator, api, amount):
    """docs/truemed-api.md 2.1 P4: total_amount ≤ the created total_amount."""
    id = make_authorized(emulator)
    assert capture(api, id, amount).status == 200
    assert api.read(session_path(id)).json["capture_amount"] == amount


@pytest.mark.parametrize("amount", [0, -1, 89_99, 100_01])
def test_capture_rejects_an_amount(emulator, api, amount):
    """docs/truemed-api.md 2.1 P4: TotalAmountInvalid: below the item sum, 0, negative, or above the created total."""
    id = make_authorized(emulator)
    assert_refused(capture(api, id, amount), "TotalAmountInvalid")
    assert api.read(session_path(id)).json["status"] == "authorized"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("pending", "SessionPending"),
        ("processing", "SessionPending"),
        ("captured", "SessionCaptured"),
        ("authorization_voided", "SessionVoided"),
        ("authorization_expired", "SessionExpired"),
        ("canceled", "SessionCanceled"),
        ("rejected", "SessionRejected"),
    ],
)
def test_capture_in_another_status_is_rejected(emulator, api, status, error):
    """docs/truemed-api.md 2.1 P4: SessionVoided, SessionExpired, SessionPending, SessionCaptured; the list is cut there."""
    id = emulator.state.payment_sessions.add(kind="authorization", status=status)
    assert_refused(capture(api, id), error)
    assert api.read(session_path(id)).json["status"] == status


def test_hold_ends_after_6_95_days(emulator, api):
    """docs/truemed-api.md 4.1: 6.95 days; the status shows it only after a capture call."""
    in_time, id = make_authorized(emulator), make_authorized(emulator)
    emulator.clock.advance(6.95 * 86400 - 60)
    assert capture(api, in_time).status == 200
    emulator.clock.advance(60)
    assert api.read(session_path(id)).json["status"] == "authorized"
    first = capture(api, id)
    assert_refused(first, "SessionExpired")
    assert api.read(session_path(id)).json["status"] == "authorization_expired"
    assert capture(api, id).content == first.content
    assert_refused(capture(api, id, idempotency_key="other"), "SessionExpired")


def test_hold_may_be_renewed_by_the_bank(emulator, api):
    """docs/truemed-api.md 2.1 P2: `authorization_expired` is when the reauthorization inside a capture call failed."""
    id = make_authorized(emulator)
    emulator.state.payment_sessions.expire_hold(id)
    emulator.state.payment_sessions.reauthorize(id)
    assert capture(api, id).status == 200
    assert api.read(session_path(id)).json["status"] == "captured"


# --- void ---------------------------------------------------------------------------------------------------------


def test_void_of_a_hold_responds_with_its_id(emulator, api):
    """docs/truemed-api.md 2.1 P5: 200, `id` is that of the void, stable per key."""
    id = make_authorized(emulator)
    response = void(api, id)
    assert (response.status, response.json.keys()) == (200, {"id"})
    assert response.json["id"] not in {id, None}
    assert api.read(session_path(id)).json["status"] == "authorization_voided"
    assert void(api, id).content == response.content


def test_second_void_responds_with_the_first(emulator, api):
    """docs/truemed-api.md 2.1 P5: the errors are complete, and none is for a hold that is released already: our choice."""
    id = make_authorized(emulator)
    assert void(api, id, "1").json == void(api, id, "2").json


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"status": "captured", "kind": "authorization"}, "SessionCaptured"),
        ({"status": "pending", "kind": "authorization"}, "SessionPending"),
        ({"status": "processing", "kind": "authorization"}, "SessionPending"),
        ({"status": "canceled", "kind": "authorization"}, "SessionPending"),
        ({"status": "authorization_expired", "kind": "authorization"}, "SessionPending"),
        ({"status": "pending"}, "ImmediateCapture"),
        ({"status": "captured"}, "ImmediateCapture"),
    ],
    ids=str,
)
def test_void_in_another_status_is_rejected(emulator, api, fields, error):
    """docs/truemed-api.md 2.1 P5: SessionCaptured, SessionPending, ImmediateCapture."""
    assert_refused(void(api, emulator.state.payment_sessions.add(**fields)), error)


# --- cancel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, {}, {"idempotency_key": KEY}])
def test_cancel_of_a_pending_session_responds_with_its_status(emulator, api, body):
    """docs/truemed-api.md 2.1 P6: for pending sessions; status becomes `canceled`. Body and answer are not visible."""
    id = emulator.state.payment_sessions.add()
    response = api.post(session_path(id, "cancel"), body)
    assert (response.status, response.json) == (200, {"id": id, "status": "canceled"})
    assert api.read(session_path(id)).json["status"] == "canceled"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("processing", "SessionProcessing"),
        ("authorized", "SessionAuthorized"),
        ("captured", "SessionCaptured"),
        ("authorization_voided", "SessionVoided"),
        ("canceled", "SessionCanceled"),
    ],
)
def test_cancel_in_another_status_is_rejected(emulator, api, status, error):
    """docs/truemed-api.md 2.1 P6: the errors are undocumented: those of capture if they fit, otherwise assumed."""
    assert_refused(api.post(session_path(emulator.state.payment_sessions.add(status=status), "cancel"), {}), error)


# --- refund -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["customer_request", "fraudulent", "duplicate_payment"])
def test_refunds_in_parts_are_stored_each_with_its_id(emulator, api, reason):
    """docs/truemed-api.md 2.1 P7: `refund_id`, one per refund, several per payment."""
    id = make_captured(emulator)
    one_part = refund(api, id, 40_00, reason=reason)
    other = refund(api, id, 60_00, reason=reason, idempotency_key="2", item_details=[{"sku": "A"}])
    assert (one_part.status, one_part.json.keys()) == (200, {"refund_id"})
    assert one_part.json["refund_id"] != other.json["refund_id"]
    stored = emulator.state.payment_sessions.get(id).refunds
    assert [(entry.amount, entry.reason, entry.item_details) for entry in stored] == [
        (40_00, reason, None),
        (60_00, reason, [{"sku": "A"}]),
    ]
    assert_refused(refund(api, id, 1, idempotency_key="3"), "AmountInvalid")


def test_key_of_a_refund_is_rejected_for_another_payment(emulator, api):
    """docs/truemed-api.md 1.5: "unique per refund request"."""
    assert refund(api, make_captured(emulator), 10_00).status == 200
    assert_refused(refund(api, make_captured(emulator), 10_00), "ValidationError")


@pytest.mark.parametrize("amount", [0, -1, 100_01])
def test_refund_of_a_bad_amount_is_rejected(emulator, api, amount):
    """docs/truemed-api.md 2.1 P7: ≤ what remains refundable; 1.4: AmountInvalid."""
    assert_refused(refund(api, make_captured(emulator), amount), "AmountInvalid")


@pytest.mark.parametrize("status", ["pending", "authorized", "authorization_voided"])
def test_refund_of_a_session_that_was_not_captured_is_rejected(emulator, api, status):
    """docs/truemed-api.md 1.4: NoSessionCaptures."""
    assert_refused(refund(api, emulator.state.payment_sessions.add(status=status)), "NoSessionCaptures")


def test_refund_of_a_disputed_charge_is_rejected(emulator, api):
    """docs/truemed-api.md 1.4: ChargeDisputed."""
    id = make_captured(emulator)
    emulator.state.payment_sessions.open_dispute(id)
    assert_refused(refund(api, id), "ChargeDisputed")
    emulator.state.payment_sessions.close_dispute(id)
    assert refund(api, id).status == 200
