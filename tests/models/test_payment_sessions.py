"""Payment sessions and tokens as objects."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from tests.support.paths import FIXTURES
from truemed_async import (
    PaymentSession,
    PaymentSessionStatus,
    PaymentToken,
    PaymentTokenUpdate,
    ProvisionTokenRequest,
    StoredPaymentMethod,
)
from truemed_async.endpoints import ENDPOINTS
from truemed_async.models._compile import StructureError
from truemed_async.models._reading import structurer

RESULTS = {endpoint.name: endpoint for endpoint in ENDPOINTS if endpoint.name.startswith("payment_")}
RESPONSES = [
    pytest.param(name, sample["response"]["body"], id=f"{name}: {sample['about']}")
    for name in sorted(RESULTS)
    for sample in json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["samples"]
    if sample["response"]["status"] == 200
]
CANARIES = {
    "customer_email": "canary@example.com",
    "customer_name": "Canary Name",
    "metadata": "canary metadata",
    "payment_token": "ptok_canary",
    "redirect_url": "https://app.truemed.com/canary",
}


def read(kind: Any, **data: Any) -> Any:
    return structurer(kind)(data)


@pytest.mark.parametrize(("name", "body"), RESPONSES)
def test_serialized_results_parse_to_equal_objects(name, body):
    endpoint = RESULTS[name]
    found = structurer(endpoint.result, endpoint.items)(body)
    for row in found.items if endpoint.items else [found]:
        again = structurer(type(row))(json.loads(json.dumps(row.to_dict())))
        assert again == row
        assert again.extra == row.extra


@pytest.mark.parametrize("kind", [endpoint.result for endpoint in RESULTS.values() if endpoint.items is None])
def test_repr_shows_no_personal_data(kind):
    if kind is type(None):
        return
    base = {field.name: "x" for field in attrs.fields(kind) if field.type in (str, "str")} | {"status": "pending"}
    output = repr(read(kind, **(base | CANARIES), a_new_field={"who": "canary"}))
    assert "canary" not in output.lower()


# Truemed API reference, "Get Payment Status": the eight values, whether to fulfill the order, and whether it is final.
STATUSES = {
    "pending": (False, False),
    "processing": (False, False),
    "captured": (True, True),
    "rejected": (False, True),
    "canceled": (False, True),
    "authorized": (False, False),
    "authorization_voided": (False, True),
    "authorization_expired": (False, True),
}


def test_every_status_is_known_by_truemeds_name():
    assert {str(status) for status in PaymentSessionStatus} == set(STATUSES)


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
def test_status_properties_match_the_table(status, expected):
    session = read(PaymentSession, status=status)
    for each in (session, session.status):
        assert (each.may_fulfill, each.is_final) == expected


@pytest.mark.parametrize("status", ["refunded", "Capture", "captured ", "", "CAPTURED_"])
def test_properties_of_an_unknown_status_are_false(status):
    session = read(PaymentSession, status=status)
    assert session.status == status
    assert not session.status.is_known
    assert (session.may_fulfill, session.is_final) == (False, False)


@pytest.mark.parametrize("status", ["Captured", "CAPTURED"])
def test_captured_in_another_case_may_be_fulfilled(status):
    session = read(PaymentSession, status=status)
    assert (session.may_fulfill, session.is_final, session.status) == (True, True, "captured")


def test_pickled_status_keeps_its_properties():
    assert pickle.loads(pickle.dumps(PaymentSessionStatus.CAPTURED)).may_fulfill
    assert PaymentSessionStatus("captured").may_fulfill


def test_session_is_read_from_its_status_alone():
    assert read(PaymentSession, status="pending").id == ""


def test_fields_that_no_page_shows_are_kept():
    session = read(PaymentSession, status="captured", truemed_fee="$38.00", refunds=[{"amount": 1}])
    assert session.extra == {"truemed_fee": "$38.00", "refunds": [{"amount": 1}]}
    assert session.to_dict()["truemed_fee"] == "$38.00"


@pytest.mark.parametrize(
    ("field", "value"),
    [("total_amount", 19.99), ("capture_amount", "1999"), ("refund_amount", True), ("authorized_on", "soon")],
)
def test_money_and_times_are_read_strictly(field, value):
    with pytest.raises(StructureError) as caught:
        read(PaymentSession, status="captured", **{field: value})
    assert caught.value.path == field


def test_times_are_aware():
    token = read(PaymentToken, payment_token="t", created_at="2024-01-15T09:30:00", lmn_expires_at=None)
    assert token.created_at == datetime(2024, 1, 15, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"brand": "visa", "last4": "4242", "exp_month": 9, "exp_year": 2027}, ("visa", "4242", 9, 2027)),
        ({"exp_month": "09", "exp_year": "2027"}, (None, None, 9, 2027)),
        ({"last4": 4242, "exp_month": True, "exp_year": "soon", "brand": None}, (None, None, None, None)),
        ({"exp_month": "٩", "exp_year": "99999"}, (None, None, None, None)),
        ({}, (None, None, None, None)),
    ],
)
def test_card_with_undocumented_fields_is_read_without_error(fields, expected):
    card = read(StoredPaymentMethod, **fields)
    assert (card.brand, card.last4, card.exp_month, card.exp_year) == expected
    assert card.extra == fields


@pytest.mark.parametrize(
    ("action", "needed"), [("HealthSurvey", True), ("Other", True), (None, False), ("None", False)]
)
def test_needs_customer_follows_next_action(action, needed):
    assert read(PaymentTokenUpdate, next_action=action).needs_customer is needed


def test_request_is_provisioned_when_there_is_a_token():
    assert not read(ProvisionTokenRequest, payment_token=None).is_provisioned
    assert read(ProvisionTokenRequest, payment_token="t").is_provisioned
