"""What Truemed publishes about reconciliations, a fact a test.

Pages: reference "List Reconciliation Transactions" (TRANSACTIONS) and guide "Reconciliations" (GUIDE). The reference of
payouts is not at hand. What is not published is told by the docstrings of the library, and its tests are elsewhere.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.support.scripted_transport import answering
from truemed_async import endpoints
from truemed_async.errors import APIError, BadRequestError, InvalidArgumentError, NotFoundError, ServerError
from truemed_async.models import Payout, Transaction

DAYS: dict[str, Any] = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
NONE = {"transactions": [], "pagination": None}
NO_PAYOUTS = {"payouts": [], "pagination": None}


async def asked(**given: Any) -> Any:
    client, wire = answering(NONE)
    await client.reconciliations.list_transactions(**DAYS, **given)
    return wire


async def listed(*rows: dict[str, Any]) -> Any:
    client, _ = answering({"transactions": [*rows], "pagination": None})
    return (await client.reconciliations.list_transactions(**DAYS)).items


# --- TRANSACTIONS: the request ------------------------------------------------------------------------------------


async def test_transactions_are_a_get():
    """TRANSACTIONS: GET /api/v1/reconciliation/transactions."""
    wire = await asked()
    assert wire.line == "GET /api/v1/reconciliation/transactions"
    assert wire.only.body is None


@pytest.mark.parametrize("name", ["start_date", "end_date"])
async def test_a_day_is_required(name):
    """TRANSACTIONS: start_date and end_date are Required."""
    client, wire = answering(NONE)
    with pytest.raises(TypeError, match=name):
        await client.reconciliations.list_transactions(**{key: day for key, day in DAYS.items() if key != name})
    assert wire.sent == []


@pytest.mark.parametrize("name", ["start_date", "end_date"])
async def test_a_day_is_written_year_month_day(name):
    """TRANSACTIONS: "date", YYYY-MM-DD."""
    assert (await asked()).query[name] == DAYS[name]


async def test_the_days_are_inclusive():
    """TRANSACTIONS: both inclusive, so one day is a range and a day before the first is none."""
    client, wire = answering(NONE)
    await client.reconciliations.list_transactions(start_date="2026-10-01", end_date="2026-10-01")
    assert wire.query == {"start_date": "2026-10-01", "end_date": "2026-10-01"}
    with pytest.raises(InvalidArgumentError, match="must not be before"):
        await client.reconciliations.list_transactions(start_date="2026-10-02", end_date="2026-10-01")


async def test_payout_ids_are_separated_by_commas():
    """TRANSACTIONS: "po_1,po_2"."""
    assert (await asked(payout_ids=["po_1", "po_2"])).query["payout_ids"] == "po_1,po_2"


@pytest.mark.parametrize(("given", "sent"), [(True, "true"), (False, "false")])
async def test_pending_payouts_can_be_left_out(given, sent):
    """TRANSACTIONS: include_pending_payouts, boolean."""
    assert (await asked(include_pending_payouts=given)).query["include_pending_payouts"] == sent


async def test_pending_payouts_come_unless_said_otherwise():
    """TRANSACTIONS: the default is true, and the server's to apply."""
    assert "include_pending_payouts" not in (await asked()).query


@pytest.mark.parametrize(("name", "value"), [("page", 2), ("page_size", 30)])
async def test_paging_is_that_of_all_lists(name, value):
    """TRANSACTIONS: page and page_size, optional."""
    assert (await asked(**{name: value})).query[name] == str(value)
    assert name not in (await asked()).query


# --- TRANSACTIONS: the answer -------------------------------------------------------------------------------------


async def test_the_rows_stand_under_transactions():
    """TRANSACTIONS: "transactions", an array."""
    assert len(await listed({"type": "charge"}, {"type": "refund"})) == 2
    assert endpoints.LIST_TRANSACTIONS.items == "transactions"


@pytest.mark.parametrize("said", [None, {"count": 1, "current_page": 1, "last_page": 1, "page_size": 30}])
async def test_pagination_is_an_object_or_null(said):
    """TRANSACTIONS: "object or null"."""
    client, _ = answering({"transactions": [], "pagination": said})
    found = (await client.reconciliations.list_transactions(**DAYS)).pagination
    assert (found and found.to_dict()) == said


@pytest.mark.parametrize(
    ("word", "property"),
    [("charge", "is_charge"), ("refund", "is_refund"), ("fee", "is_fee"), ("dispute", "is_dispute")],
)
async def test_a_transaction_is_one_of_four_things(word, property):
    """GUIDE: charge, refund, Truemed fee, dispute; how they are spelt is not published."""
    (row,) = await listed({"type": word})
    assert getattr(row.type, property)


async def test_a_payout_id_is_a_string_or_null():
    """GUIDE: payout_id is null while a transaction is not paid out."""
    assert [row.payout_id for row in await listed({"type": "x", "payout_id": "po_1"}, {"type": "x", "payout_id": None})] == [
        "po_1",
        None,
    ]  # fmt: skip


async def test_no_field_of_a_transaction_is_invented():
    """GUIDE: type and payout_id are all the names that are published; the rest is in ``extra``."""
    assert [field.name for field in attrs.fields(Transaction) if field.name != "extra"] == ["type", "payout_id"]
    (row,) = await listed({"type": "x", "anything": {"else": 1}})
    assert row.extra == {"anything": {"else": 1}}


# --- payouts ------------------------------------------------------------------------------------------------------


async def test_payouts_are_a_get():
    """GUIDE: GET /api/v1/reconciliation/payouts with start_date and end_date."""
    client, wire = answering(NO_PAYOUTS)
    await client.reconciliations.list_payouts(**DAYS)
    assert (wire.line, wire.query) == ("GET /api/v1/reconciliation/payouts", DAYS)


async def test_payouts_are_paginated():
    """GUIDE: paginated."""
    client, wire = answering(NO_PAYOUTS)
    await client.reconciliations.list_payouts(**DAYS, page=3, page_size=10)
    assert (wire.query["page"], wire.query["page_size"]) == ("3", "10")


async def test_a_payout_has_an_id_in_the_style_of_stripe():
    """GUIDE: payout_id, "po_…"."""
    client, _ = answering({"payouts": [{"payout_id": "po_1NabcDEF"}], "pagination": None})
    assert [each.payout_id for each in await client.reconciliations.list_payouts(**DAYS)] == ["po_1NabcDEF"]


async def test_a_payouts_id_is_what_transactions_are_asked_for_by():
    """GUIDE and TRANSACTIONS: the id of a payout is an element of payout_ids."""
    assert (await asked(payout_ids=["po_1NabcDEF"])).query["payout_ids"] == "po_1NabcDEF"


async def test_no_field_of_a_payout_is_invented():
    """GUIDE: an arrival date and an amount, whose names are not published."""
    assert [field.name for field in attrs.fields(Payout) if field.name != "extra"] == ["payout_id"]


ERRORS = [(400, BadRequestError), (404, NotFoundError), (405, APIError), (500, ServerError), (501, ServerError)]


@pytest.mark.parametrize(("status", "kind"), ERRORS)
@pytest.mark.parametrize("method", ["list_payouts", "list_transactions"])
async def test_the_errors_of_the_table_are_told_apart(method, status, kind):
    """TRANSACTIONS: "Errors: 400, 404, 405, 500, 501"."""
    client, _ = answering((status, {"error": "X", "message": "m"}))
    with pytest.raises(APIError) as caught:
        await getattr(client.reconciliations, method)(**DAYS)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code) == (status, "X")
