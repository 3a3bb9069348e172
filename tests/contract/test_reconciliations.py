"""What Truemed publishes about reconciliations: one test per fact.

Pages: reference "List Reconciliation Transactions" (TRANSACTIONS) and guide "Reconciliations" (GUIDE). The reference of
payouts is not public. Undocumented behavior is described in docs/truemed-api.md 8,
and tested elsewhere.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.support.fake_transport import make_client
from truemed_async import endpoints
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Payout, Transaction

DAYS: dict[str, Any] = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
NONE = {"transactions": [], "pagination": None}
NO_PAYOUTS = {"payouts": [], "pagination": None}


async def list_transactions(*rows: dict[str, Any]) -> Any:
    client, _ = make_client({"transactions": [*rows], "pagination": None})
    return (await client.reconciliations.list_transactions(**DAYS)).items


# --- TRANSACTIONS: the request ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["start_date", "end_date"])
async def test_day_is_required(name):
    """TRANSACTIONS: start_date and end_date are Required."""
    client, wire = make_client(NONE)
    with pytest.raises(TypeError, match=name):
        await client.reconciliations.list_transactions(**{key: day for key, day in DAYS.items() if key != name})
    assert wire.requests == []


async def test_days_are_inclusive():
    """TRANSACTIONS: both inclusive, so one day is a range and a day before the first is none."""
    client, wire = make_client(NONE)
    await client.reconciliations.list_transactions(start_date="2026-10-01", end_date="2026-10-01")
    assert wire.query == {"start_date": "2026-10-01", "end_date": "2026-10-01"}
    with pytest.raises(InvalidArgumentError, match="must not be before"):
        await client.reconciliations.list_transactions(start_date="2026-10-02", end_date="2026-10-01")


# --- TRANSACTIONS: the answer -------------------------------------------------------------------------------------


async def test_rows_stand_under_transactions():
    """TRANSACTIONS: "transactions", an array."""
    assert len(await list_transactions({"type": "charge"}, {"type": "refund"})) == 2
    assert endpoints.LIST_TRANSACTIONS.items == "transactions"


async def test_payout_id_is_a_string_or_null():
    """GUIDE: payout_id is null while a transaction is not paid out."""
    assert [row.payout_id for row in await list_transactions({"type": "x", "payout_id": "po_1"}, {"type": "x", "payout_id": None})] == [
        "po_1",
        None,
    ]  # fmt: skip


async def test_no_field_of_a_transaction_is_invented():
    """GUIDE: type and payout_id are all the names that are published; the rest is in ``extra``."""
    assert [field.name for field in attrs.fields(Transaction) if field.name != "extra"] == ["type", "payout_id"]
    (row,) = await list_transactions({"type": "x", "anything": {"else": 1}})
    assert row.extra == {"anything": {"else": 1}}


# --- payouts ------------------------------------------------------------------------------------------------------


async def test_payout_has_an_id_in_the_style_of_stripe():
    """GUIDE: payout_id, "po_…"."""
    client, _ = make_client({"payouts": [{"payout_id": "po_1NabcDEF"}], "pagination": None})
    assert [each.payout_id for each in await client.reconciliations.list_payouts(**DAYS)] == ["po_1NabcDEF"]


async def test_no_field_of_a_payout_is_invented():
    """GUIDE: an arrival date and an amount, whose names are not published."""
    assert [field.name for field in attrs.fields(Payout) if field.name != "extra"] == ["payout_id"]
