"""What Truemed publishes about qualification sessions, a fact a test.

Pages: reference "Get Qualification Session Details" (GET), reference "List Qualification Sessions" (LIST), guide
"Update a Qualification Session" (UPDATE).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.scripted_transport import answering
from truemed_async.errors import (
    APIError,
    BadRequestError,
    IdempotencyMismatchError,
    NotFoundError,
    ServerError,
    UserIdAlreadySetError,
)
from truemed_async.models import QualificationStatus

SESSION: dict[str, Any] = {"qualification_session_id": "qs_abc123", "status": "approved"}
UPDATE = {"error": "user_id_already_set", "message": "set"}
EMPTY = {"qualification_sessions": [], "pagination": None}


async def got(**fields: Any) -> Any:
    client, _ = answering({**SESSION, **fields})
    return await client.qualification_sessions.get("qs_abc123")


# --- GET: reference, "Get Qualification Session Details" ----------------------------------------------------------


async def test_get_takes_the_id_in_the_path():
    """GET: path parameter qualification_session_id, required; "The qualification session ID from the URL path"."""
    client, wire = answering(SESSION)
    await client.qualification_sessions.get("qs_abc123")
    assert wire.line == "GET /api/v1/qualification_session/qs_abc123"
    assert (wire.only.body, wire.query) == (None, {})


@pytest.mark.parametrize("status", ["pending", "processing", "approved", "rejected"])
async def test_a_status_is_one_of_four(status):
    """GET: "One of: pending, processing, approved, rejected"."""
    found = (await got(status=status)).status
    assert (found, found.is_known) == (status, True)


def test_there_are_no_further_statuses():
    """GET: the list of statuses has four; "qualified" is not among them."""
    assert set(QualificationStatus) == {"pending", "processing", "approved", "rejected"}


@pytest.mark.parametrize(
    ("status", "final"), [("pending", False), ("processing", False), ("approved", True), ("rejected", True)]
)
def test_approved_and_rejected_are_terminal(status, final):
    """UPDATE: "a terminal status (approved or rejected)"."""
    assert QualificationStatus(status).is_final is final


@pytest.mark.parametrize(
    "field",
    ["charge_group_created_at", "created_at", "expires_at", "lmn_reviewed_at", "stripe_invoice_paid_at"],
)
async def test_a_moment_is_a_datetime_or_null(field):
    """GET: "datetime or null"."""
    found = await got(**{field: "2024-01-15T09:30:00Z"})
    assert getattr(found, field) == datetime(2024, 1, 15, 9, 30, tzinfo=UTC)
    assert getattr(await got(**{field: None}), field) is None


@pytest.mark.parametrize(
    "field",
    [
        "customer_status",
        "email",
        "session_type",
        "skus_param",
        "source",
        "stripe_invoice_id",
        "stripe_invoice_number",
        "user_business_id",
        "user_id",
        "user_name",
    ],
)
async def test_a_text_is_a_string_or_null(field):
    """GET: "string or null"."""
    assert getattr(await got(**{field: "x"}), field) == "x"
    assert getattr(await got(**{field: None}), field) is None


@pytest.mark.parametrize("field", ["eligible_amount", "fee"])
@pytest.mark.parametrize("amount", [0.1, 1999.99, 56080.0, 1e15 + 0.25, 4.35])
async def test_an_amount_is_a_double_and_loses_nothing(field, amount):
    """GET: "double or null". The unit is not published, so it is neither cents nor converted."""
    found = await got(**{field: amount})
    assert getattr(found, field) == amount
    assert json.loads(json.dumps(found.to_dict()))[field] == amount
    assert getattr(await got(**{field: None}), field) is None


async def test_a_session_has_nineteen_fields():
    """GET: the response table."""
    names = [name for name in (await got()).to_dict() if name != "extra"]
    assert len(names) == 19
    assert not {"metadata", "success_url", "failure_url"} & set(names), "an update stores them, no page shows them"


ERRORS = [(400, BadRequestError), (404, NotFoundError), (405, APIError), (500, ServerError), (501, ServerError)]


@pytest.mark.parametrize(("status", "kind"), ERRORS)
@pytest.mark.parametrize("method", ["get", "list"])
async def test_the_errors_of_the_table_are_told_apart(method, status, kind):
    """GET and LIST: "Errors: 400, 404, 405, 500, 501"."""
    client, _ = answering((status, {"error": "X", "message": "m"}))
    with pytest.raises(APIError) as caught:
        await (
            client.qualification_sessions.get("qs_1") if method == "get" else client.qualification_sessions.list(page=1)
        )
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code, caught.value.message) == (status, "X", "m")


# --- LIST: reference, "List Qualification Sessions" ---------------------------------------------------------------


async def test_the_list_is_a_get_without_required_parameters():
    """LIST: every query parameter is Optional."""
    client, wire = answering(EMPTY)
    await client.qualification_sessions.list()
    assert (wire.line, wire.query) == ("GET /api/v1/qualification_sessions", {})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"page": 2}, "2"),
        ({"page_size": 30}, "30"),
        ({"user_id": "u-1"}, "u-1"),
        ({"status": "approved"}, "approved"),
        ({"expires_at": "2025-01-15"}, "2025-01-15"),
        ({"search": "jane@example.com"}, "jane@example.com"),
    ],
    ids=["page", "page_size", "user_id", "status", "expires_at", "search"],
)
async def test_a_query_parameter_has_its_published_name(given, sent):
    """LIST: page, page_size, user_id, status, expires_at ("YYYY-MM-DD format"), search."""
    client, wire = answering(EMPTY)
    await client.qualification_sessions.list(**given)
    assert wire.query == dict.fromkeys(given, sent)


async def test_the_filter_by_expiry_is_a_day():
    """LIST: typed datetime, described as "YYYY-MM-DD format": what is described is sent."""
    client, wire = answering(EMPTY)
    await client.qualification_sessions.list(expires_at=datetime(2025, 1, 15, 23, 59, tzinfo=UTC))
    assert wire.query == {"expires_at": "2025-01-15"}


async def test_the_rows_stand_under_qualification_sessions():
    """LIST: response, "qualification_sessions: list of objects"."""
    client, _ = answering({"qualification_sessions": [SESSION], "pagination": None})
    page = await client.qualification_sessions.list()
    assert [each.qualification_session_id for each in page] == ["qs_abc123"]


async def test_pagination_is_an_object_or_null():
    """LIST: "current page, page size, total count, and last page"."""
    said = {"count": 61, "current_page": 2, "last_page": 3, "page_size": 30}
    client, _ = answering({**EMPTY, "pagination": said}, EMPTY)
    page = await client.qualification_sessions.list()
    assert page.pagination is not None
    assert page.pagination.to_dict() == said
    assert (await client.qualification_sessions.list()).pagination is None


async def test_a_request_that_cannot_be_processed_is_a_validation_error():
    """LIST: "HTTP Status: 400 … error: ValidationError … message: Details on how the request was invalid"."""
    client, wire = answering((400, {"error": "ValidationError", "message": "details"}))
    with pytest.raises(BadRequestError) as caught:
        await client.qualification_sessions.list(status="nonsense")
    assert (caught.value.code, caught.value.message, len(wire.sent)) == ("ValidationError", "details", 1)


async def test_the_list_is_sorted_by_creation():
    """LIST: "sorted by their created_at date"; the direction is not published, so both are read."""
    rows = [{**SESSION, "qualification_session_id": f"qs_{n}", "created_at": f"2024-01-0{n}T00:00:00Z"} for n in (1, 2)]
    for order in (rows, rows[::-1]):
        said = {"count": 2, "current_page": 1, "last_page": 1, "page_size": 100}
        client, _ = answering({"qualification_sessions": order, "pagination": said})
        found = [each.qualification_session_id async for each in client.qualification_sessions.iter()]
        assert found == [row["qualification_session_id"] for row in order]


# --- UPDATE: guide, "Update a Qualification Session" --------------------------------------------------------------


async def update(**changes: Any) -> Any:
    client, wire = answering(SESSION)
    await client.qualification_sessions.update("qs_abc123", **changes)
    return wire


async def test_an_update_is_a_post():
    """UPDATE: "POST …/api/v1/qualification_session/$QUALIFICATION_SESSION_ID/update"."""
    assert (await update(user_id="u")).line == "POST /api/v1/qualification_session/qs_abc123/update"


async def test_every_update_carries_a_key():
    """UPDATE: "Every request requires an idempotency_key"."""
    assert (await update(user_id="u")).body["idempotency_key"]
    assert (await update(user_id="u", idempotency_key="your-unique-key-123")).body["idempotency_key"] == (
        "your-unique-key-123"
    )


async def test_each_change_has_a_fresh_key():
    """UPDATE: "Send a fresh idempotency_key for each distinct change"."""
    assert (await update(user_id="u")).body["idempotency_key"] != (await update(user_id="u")).body["idempotency_key"]


async def test_only_what_is_given_is_sent():
    """UPDATE: "Only the fields you supply are updated; omitted fields are left untouched"."""
    assert (await update(user_id="u")).body.keys() == {"idempotency_key", "user_id"}


async def test_metadata_is_a_json_encoded_string():
    """UPDATE: "metadata is a JSON-encoded string following the same convention as the create endpoint"."""
    sent = (await update(metadata={"order": 1001})).body["metadata"]
    assert isinstance(sent, str)
    assert json.loads(sent) == {"order": 1001}


@pytest.mark.parametrize("field", ["success_url", "failure_url"])
async def test_redirect_urls_can_be_adjusted(field):
    """UPDATE: "Update the success_url or failure_url a customer is redirected to"."""
    assert (await update(**{field: "https://shop.example/x"})).body[field] == "https://shop.example/x"


async def test_an_update_answers_with_id_and_status():
    """UPDATE: "A 200 echoes the qualification_session_id and the current status summary"."""
    client, _ = answering({"qualification_session_id": "qs_abc123", "status": "approved"})
    found = await client.qualification_sessions.update("qs_abc123", user_id="u")
    assert (found.qualification_session_id, found.status) == ("qs_abc123", "approved")


async def test_a_status_cannot_be_changed():
    """UPDATE: "Status is never mutable here"."""
    client, _ = answering(SESSION)
    with pytest.raises(TypeError):
        await client.qualification_sessions.update("qs_abc123", status="approved")


async def test_a_user_id_that_is_set_is_a_conflict():
    """UPDATE: "returns the user_id_already_set error code with a 409 status"; only support can correct it."""
    client, wire = answering((409, {"error": "user_id_already_set", "message": "m"}))
    with pytest.raises(UserIdAlreadySetError, match="only Truemed support can correct it") as caught:
        await client.qualification_sessions.update("qs_abc123", user_id="u")
    assert (caught.value.status, caught.value.code, len(wire.sent)) == (409, "user_id_already_set", 1)


async def test_a_duplicate_is_safe_after_a_network_blip():
    """UPDATE: "a duplicate POST with the same key … returns the original response, so retries … are safe"."""
    client, wire = answering((503, {}), SESSION)
    found = await client.qualification_sessions.update("qs_abc123", user_id="u")
    assert found.status == "approved"
    assert len(wire.sent) == 2
    assert wire.sent[0].body.value == wire.sent[1].body.value


async def test_a_key_with_another_payload_is_a_validation_error():
    """UPDATE: "Reusing a key with a different payload returns a 400 validation error"."""
    told = {"error": "ValidationError", "message": "idempotency_key was used with another payload"}
    client, _ = answering((400, told))
    with pytest.raises(IdempotencyMismatchError):
        await client.qualification_sessions.update("qs_abc123", user_id="u", idempotency_key="k")
