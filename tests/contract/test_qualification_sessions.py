"""What Truemed publishes about qualification sessions, a fact a test.

Pages: reference "Get Qualification Session Details" (GET), reference "List Qualification Sessions" (LIST), guide
"Update a Qualification Session" (UPDATE).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fake_transport import make_client

SESSION: dict[str, Any] = {"qualification_session_id": "qs_abc123", "status": "approved"}


async def get_session(**fields: Any) -> Any:
    client, _ = make_client({**SESSION, **fields})
    return await client.qualification_sessions.get("qs_abc123")


# --- GET: reference, "Get Qualification Session Details" ----------------------------------------------------------


@pytest.mark.parametrize("field", ["eligible_amount", "fee"])
@pytest.mark.parametrize("amount", [0.1, 1999.99, 56080.0, 1e15 + 0.25, 4.35])
async def test_amounts_are_doubles_without_loss(field, amount):
    """GET: "double or null". The unit is not published, so it is neither cents nor converted."""
    found = await get_session(**{field: amount})
    assert getattr(found, field) == amount
    assert json.loads(json.dumps(found.to_dict()))[field] == amount
    assert getattr(await get_session(**{field: None}), field) is None


# --- LIST: reference, "List Qualification Sessions" ---------------------------------------------------------------


async def test_list_is_sorted_by_creation():
    """LIST: "sorted by their created_at date"; the direction is not published, so both are read."""
    rows = [{**SESSION, "qualification_session_id": f"qs_{n}", "created_at": f"2024-01-0{n}T00:00:00Z"} for n in (1, 2)]
    for order in (rows, rows[::-1]):
        pagination = {"count": 2, "current_page": 1, "last_page": 1, "page_size": 100}
        client, _ = make_client({"qualification_sessions": order, "pagination": pagination})
        found = [each.qualification_session_id async for each in client.qualification_sessions.iter()]
        assert found == [row["qualification_session_id"] for row in order]


# --- UPDATE: guide, "Update a Qualification Session" --------------------------------------------------------------


async def update(**changes: Any) -> Any:
    client, wire = make_client(SESSION)
    await client.qualification_sessions.update("qs_abc123", **changes)
    return wire


async def test_each_change_has_a_fresh_key():
    """UPDATE: "Send a fresh idempotency_key for each distinct change"."""
    assert (await update(user_id="u")).body["idempotency_key"] != (await update(user_id="u")).body["idempotency_key"]


async def test_status_cannot_be_changed():
    """UPDATE: "Status is never mutable here"."""
    client, _ = make_client(SESSION)
    with pytest.raises(TypeError):
        await client.qualification_sessions.update("qs_abc123", status="approved")
