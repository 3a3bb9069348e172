"""The endpoints about reconciliations: docs/truemed-api.md 2.5, R1 and R2."""

from datetime import UTC, date, datetime

import pytest

from tests.support.factories import make_authorized, make_captured

PAYOUTS = "/api/v1/reconciliation/payouts"
TRANSACTIONS = "/api/v1/reconciliation/transactions"
ALL = "?start_date=2000-01-01&end_date=2099-12-31"


def rows(api, path=TRANSACTIONS, query=ALL):
    response = api.read(path + query)
    assert response.status == 200
    return response.json[path.rpartition("/")[2]]


def entries(api):
    """Oldest first, as they were made."""
    return [(row["type"], row["amount"]) for row in reversed(rows(api))]


def test_payment_makes_transactions_for_charge_fee_refund_and_dispute(emulator, api):
    """docs/truemed-api.md 2.5 R2: `type` covers charge, refund, Truemed fee, dispute; amounts and the fee are assumed."""
    state = emulator.state.payment_sessions
    id = make_captured(emulator)
    assert entries(api) == [("charge", 100_00), ("truemed_fee", -5_00)]
    state.refund(id, 20_00)
    state.open_dispute(id)
    state.close_dispute(id)
    state.open_dispute(id)
    state.lose_dispute(id)
    assert entries(api)[2:] == [("refund", -20_00), ("truemed_fee", 50), ("dispute", -80_00)]
    assert {row["payment_session_id"] for row in rows(api)} == {id}
    assert rows(api)[0].keys() == {
        "transaction_id", "type", "amount", "payout_id", "payment_session_id", "created_at",
    }  # fmt: skip


def test_hold_makes_transactions_when_it_is_captured(emulator, api):
    """docs/truemed-api.md 4.1: a hold is no money yet."""
    id = make_authorized(emulator)
    assert entries(api) == []
    emulator.state.payment_sessions.capture(id, 95_00)
    assert entries(api) == [("charge", 95_00), ("truemed_fee", -4_75)]
    expired = make_authorized(emulator)
    emulator.state.payment_sessions.expire_hold(expired)
    emulator.state.payment_sessions.capture(expired)
    assert len(entries(api)) == 2


@pytest.mark.parametrize(("total", "found"), [(0, []), (19, [("charge", 19)])])
def test_amount_of_zero_makes_no_transaction(emulator, api, total, found):
    """A free trial, and a fee of less than a cent."""
    make_captured(emulator, total_amount=total)
    assert entries(api) == found


def test_payout_pays_the_pending_transactions(emulator, api):
    """docs/truemed-api.md 2.5 R1: payout_id, an arrival date and an amount (their names are assumed); R2: payout_id null if unpaid."""
    make_captured(emulator)
    assert {row["payout_id"] for row in rows(api)} == {None}
    id = emulator.state.payouts.pay_out()
    assert id.startswith("po_")
    assert {row["payout_id"] for row in rows(api)} == {id}
    today = emulator.clock.now().date().isoformat()
    assert rows(api, PAYOUTS) == [{"payout_id": id, "arrival_date": today, "amount": 95_00}]
    assert emulator.state.payouts.pay_out() is None
    emulator.state.payment_sessions.refund(make_captured(emulator, total_amount=10), 10)
    emulator.state.payouts.pay_out(payout_id="po_2", arrival_date=date(2026, 1, 2))
    assert rows(api, PAYOUTS)[0] == {"payout_id": "po_2", "arrival_date": "2026-01-02", "amount": 0}
    assert len(rows(api, PAYOUTS)) == 2


@pytest.fixture
def three(emulator):
    """A transaction of each of three days, the first two paid out."""
    for day, payout in ((1, "po_1"), (2, "po_2"), (3, None)):
        emulator.state.transactions.add(
            transaction_id=f"{day}",
            type="charge",
            amount=1,
            payout_id=payout,
            created_at=datetime(2026, 5, day, 23, 59, 59, 999_000, tzinfo=UTC),
        )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?start_date=2026-05-01&end_date=2026-05-03", "321"),
        ("?start_date=2026-05-02&end_date=2026-05-02", "2"),
        ("?start_date=2026-05-03&end_date=2026-05-01", ""),
        (ALL + "&include_pending_payouts=true", "321"),
        (ALL + "&include_pending_payouts=false", "21"),
        (ALL + "&payout_ids=po_1,po_2", "21"),
        (ALL + "&payout_ids=po_2", "2"),
        (ALL + "&payout_ids=po_1%2Cpo_9", "1"),
        (ALL + "&page_size=2", "32"),
        (ALL + "&page_size=2&page=2", "1"),
    ],
)
@pytest.mark.usefixtures("three")
def test_transactions_are_filtered_by_days_payouts_and_pages(api, query, found):
    """docs/truemed-api.md 2.5 R2: days inclusive; payout_ids with commas; include_pending_payouts, default true."""
    assert "".join(row["transaction_id"] for row in rows(api, query=query)) == found


def test_payouts_are_filtered_by_arrival(emulator, api):
    """docs/truemed-api.md 2.5 R1: start_date, end_date."""
    for day in (1, 2, 3):
        emulator.state.payouts.add(payout_id=f"po_{day}", amount=1, arrival_date=date(2026, 5, day))
    found = rows(api, PAYOUTS, "?start_date=2026-05-02&end_date=2026-05-03")
    assert [row["payout_id"] for row in found] == ["po_3", "po_2"]
