"""GET /api/v1/qualification_session/{id}: one test per fact of Truemed's page "Get Qualification Session Details"."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

# The response table of the page, in its order, with the types it gives.
FIELDS = {
    "qualification_session_id": str,
    "status": str,
    "charge_group_created_at": datetime,
    "created_at": datetime,
    "customer_status": str,
    "eligible_amount": float,
    "email": str,
    "expires_at": datetime,
    "fee": float,
    "lmn_reviewed_at": datetime,
    "session_type": str,
    "skus_param": str,
    "source": str,
    "stripe_invoice_id": str,
    "stripe_invoice_number": str,
    "stripe_invoice_paid_at": datetime,
    "user_business_id": str,
    "user_id": str,
    "user_name": str,
}


def test_response_has_the_id_of_the_path(emulator, api):
    """Truemed, "Get Qualification Session Details": "based on the `qualification_session_id`", from the URL path."""
    emulator.state.qualification_sessions.add(qualification_session_id="qs_1")
    emulator.state.qualification_sessions.add(qualification_session_id="qs_2")
    response = api.get("qs_2")
    assert response.status == 200
    assert response.json["qualification_session_id"] == "qs_2"


@pytest.mark.parametrize("field", FIELDS)
def test_get_has_every_field(emulator, api, field):
    """Truemed, "Get Qualification Session Details": the response table, its type and value."""
    value = {str: "pending", float: 12.5, datetime: datetime(2026, 6, 13, 16, 3, 7, 473_000, UTC)}[FIELDS[field]]
    fields = {"qualification_session_id": "pending", field: value}
    emulator.state.qualification_sessions.add(**fields)
    expected = "2026-06-13T16:03:07.473Z" if isinstance(value, datetime) else value
    assert api.get("pending").json[field] == expected


def test_get_has_these_fields_and_no_other(emulator, api):
    """Truemed, "Get Qualification Session Details": 19 fields; what update stores (metadata, URLs) is not among them."""
    id = emulator.state.qualification_sessions.add(
        metadata="{}", success_url="https://a", failure_url="https://b", utm="u", external_user_id="e"
    )
    assert list(api.get(id).json) == list(FIELDS)


def test_get_shows_null_where_there_is_nothing(emulator, api):
    """Truemed, "Get Qualification Session Details": "or null" on all fields but the id and the status."""
    id = emulator.state.qualification_sessions.add(created_at=None)
    assert {name for name, value in api.get(id).json.items() if value is not None} == {
        "qualification_session_id",
        "status",
    }


@pytest.mark.parametrize("status", ["pending", "processing", "approved", "rejected"])
def test_get_shows_each_status(emulator, api, status):
    """Truemed, "Get Qualification Session Details": "One of: pending, processing, approved, rejected"."""
    assert api.get(emulator.state.qualification_sessions.add(status=status)).json["status"] == status


def test_get_shows_a_hidden_name_as_null(api, emulator):
    """Truemed, "Get Qualification Session Details": user_name "may be null if PII is hidden"."""
    id = emulator.state.qualification_sessions.add(status="approved", email="a@example.com", user_name=None)
    assert api.get(id).json["user_name"] is None


def test_get_shows_datetimes_in_utc_with_milliseconds(emulator, api):
    """docs/truemed-api.md 1.7: ISO 8601 UTC, as in 2024-06-13T16:03:07.473Z."""
    there = timezone(timedelta(hours=-7))
    id = emulator.state.qualification_sessions.add(created_at=datetime(2026, 1, 1, 23, 0, 0, 999, there))
    assert api.get(id).json["created_at"] == "2026-01-02T06:00:00.000Z"


def test_get_decodes_the_id_of_the_path_once(emulator, api):
    """docs/truemed-api.md 1.9: an id is an opaque string; what is percent-encoded in the path is decoded."""
    emulator.state.qualification_sessions.add(qualification_session_id="a/b %41")
    assert api.get("a%2Fb%20%2541").json["qualification_session_id"] == "a/b %41"
