"""The merchant that an emulator may start with."""

import hashlib
import json
from collections import Counter
from datetime import date, timedelta

import pytest

from truemed_async.emulator import Emulator
from truemed_async.emulator.resources.payment_sessions import HOLD_LIFE
from truemed_async.emulator.seeds import ANCHOR, seed_merchant

DAYS = "?start_date=2026-01-01&end_date=2026-12-31"


@pytest.fixture(scope="module")
def merchant():
    return seed_merchant(payment_sessions=2000, payment_tokens=100, catalog_items=40, seed=0)


def digest(**options):
    state = Emulator(sessions=0, **options).state
    return hashlib.sha256(json.dumps({**state.dump(), "clock": None}, sort_keys=True).encode()).hexdigest()


def test_merchant_is_the_same_everywhere():
    """Other tests and the documentation rest on these rows: a change of them is a change of the product."""
    digests = digest(payment_sessions=100, payment_tokens=10, catalog_items=10)
    assert digests == digest(payment_sessions=100, payment_tokens=10, catalog_items=10)
    assert digests == "2e54478a39ab4bf7435186690b80fab72409e11af78fbd362b802c4433fa4755"
    assert digests != digest(payment_sessions=100, payment_tokens=10, catalog_items=10, seed=1)


def test_merchant_has_as_many_as_were_requested(merchant):
    assert len(merchant.payment_sessions) == len({row.id for row in merchant.payment_sessions}) == 2000
    assert (len(merchant.payment_tokens), len(merchant.catalog_items)) == (100, 40)


def test_merchant_has_every_status(merchant):
    counts = Counter(session.status for session in merchant.payment_sessions)
    assert len(counts) == 8
    assert counts["captured"] > 1000


def test_seeded_sessions_keep_the_amount_rule(merchant):
    """docs/truemed-api.md 2.1 P1: the amount rule."""
    for session in merchant.payment_sessions:
        charges = (session.amount_details or {}).get("total_additional_charges", 0)
        assert session.total_amount == session.items_total + charges > 0
        assert session.capture_amount in {None, session.total_amount}
        assert session.refundable >= 0


def test_merchant_has_times_that_make_sense(merchant):
    for session in merchant.payment_sessions:
        moments = [session.created_at, session.authorized_on, session.captured_on]
        known = [moment for moment in moments if moment is not None]
        known += [refund.created_at for refund in session.refunds]
        assert ANCHOR - timedelta(days=90) <= known[0]
        assert known == sorted(known)
        assert known[-1] <= ANCHOR
        assert (session.captured_on is not None) is (session.status == "captured")
        if session.status == "authorized":
            assert session.authorized_on + HOLD_LIFE == session.hold_expires_at > ANCHOR


def test_seeded_charges_use_existing_tokens(merchant):
    used = {session.payment_token for session in merchant.payment_sessions} - {None}
    assert used
    assert used <= {token.id for token in merchant.payment_tokens}


def test_seeded_captures_and_refunds_have_transactions(merchant):
    of = {session.id: Counter() for session in merchant.payment_sessions}
    for row in merchant.transactions:
        of[row.payment_session_id][row.type] += row.amount
    for session in merchant.payment_sessions:
        entered = of[session.id]
        assert entered["charge"] == (session.capture_amount or 0)
        assert entered["refund"] == -session.refund_amount
        # docs/truemed-api.md 7, N2: a refund returns half of the fee.
        assert entered["truemed_fee"] == -((session.capture_amount or 0) // 20) + session.refund_amount // 20 // 2


def test_seeded_payouts_are_the_sums_of_their_transactions(merchant):
    """Each payout is the sum of its transactions, and what is older than a payout is paid out."""
    sums = Counter()
    for row in merchant.transactions:
        sums[row.payout_id] += row.amount
    assert {payout.id: payout.amount for payout in merchant.payouts} == {id: sums[id] for id in sums if id}
    assert len(merchant.payouts) >= 80
    assert None in sums
    for payout in merchant.payouts:
        paid = [row.created_at for row in merchant.transactions if row.payout_id == payout.id]
        # docs/truemed-api.md 7, N12: rolling, and settled within about 48 hours.
        assert timedelta(days=1) < payout.created_at - max(paid) <= payout.created_at - min(paid) < timedelta(days=3)


def test_merchant_is_listed(api, emulator):
    with Emulator(sessions=0, payment_sessions=40, payment_tokens=5, catalog_items=5) as seeded:
        other = type(api)(seeded)
        assert other.read("/payments/v1/payment_sessions").json["pagination"]["count"] == 40
        assert other.read("/api/v1/payment_tokens").json["pagination"]["count"] == 5
        assert other.read("/api/v1/product_catalog/items/list").json["pagination"]["count"] == 5
        payouts = other.read(f"/api/v1/reconciliation/payouts{DAYS}").json["payouts"]
        assert payouts
        for payout in payouts:
            query = f"{DAYS}&payout_ids={payout['payout_id']}&page_size=500"
            rows = other.read(f"/api/v1/reconciliation/transactions{query}").json["transactions"]
            assert sum(row["amount"] for row in rows) == payout["amount"]
            assert date.fromisoformat(payout["arrival_date"]) < ANCHOR.date()


def test_merchant_is_nothing_unless_requested():
    assert repr(Emulator(sessions=0).state) == "<State of nothing>"
