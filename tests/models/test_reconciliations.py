"""Payouts, transactions, and whether they add up."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, strategies as st

from truemed_async.models import (
    Payout,
    PayoutCheck,
    ReconciliationCheck,
    ReconciliationRow,
    Transaction,
    TransactionType,
)
from truemed_async.models._compile import StructureError
from truemed_async.models._reading import structurer
from truemed_async.money import format_dollars

DAY = date(2026, 10, 5)


def payout(**fields: Any) -> Payout:
    return structurer(Payout)({"payout_id": "po_1", **fields})


def transaction(**fields: Any) -> Transaction:
    return structurer(Transaction)({"type": "charge", **fields})


# --- rows as they come --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 1, -250, 2**63 - 1])
def test_whole_number_is_an_amount_in_cents(amount):
    assert payout(amount=amount).amount == amount
    assert transaction(amount=amount).amount == amount


@pytest.mark.parametrize("amount", [12.5, 1250.0, "12.50", "1250", True, None, [1], {"value": 1}])
def test_other_values_are_no_amount_but_stay_in_extra(amount):
    for row in (payout(amount=amount), transaction(amount=amount)):
        assert row.amount is None
        assert row.extra["amount"] is amount
    assert payout().amount is None


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-10-05", DAY),
        ("2026-10-05T23:59:59.999Z", DAY),
        ("2026-10-05T23:59:59-08:00", DAY),
        ("2026-10-05 00:00:00", DAY),
        ("2026-10-05x", None),
        ("2026-10-32", None),
        ("20261005", None),
        ("2026-W40-1", None),
        ("", None),
        (None, None),
        (1791158400, None),
    ],
)
def test_day_is_the_one_that_is_written_and_never_shifted(text, day):
    assert payout(arrival_date=text).arrival_date == day
    assert transaction(created_at=text).created_on == day


@pytest.mark.parametrize(
    ("fields", "id"),
    [
        ({"transaction_id": "txn_1", "id": "x"}, "txn_1"),
        ({"id": "x"}, "x"),
        ({"transaction_id": "", "id": "x"}, "x"),
        ({"transaction_id": 7}, "7"),
        ({"transaction_id": 7.5, "id": True}, None),
        ({}, None),
    ],
)
def test_transaction_has_the_id_that_it_carries(fields, id):
    assert transaction(**fields).transaction_id == id


def test_rows_that_differ_only_in_unknown_fields_are_not_the_same():
    """Two charge rows of one checkout are both real: a set must not lose one."""
    one, other = transaction(amount=1250), transaction(amount=31)
    assert one != other
    assert len({one, other, transaction(amount=1250)}) == 2
    assert payout(amount=1) != payout(amount=2)
    assert payout(amount=1) == payout(amount=1)


@pytest.mark.parametrize(("kind", "path"), [(Payout, "payout_id"), (Transaction, "type")])
def test_published_field_is_required(kind, path):
    with pytest.raises(StructureError) as caught:
        structurer(kind)({"amount": 1})
    assert caught.value.path == path


def test_to_dict_returns_the_received_fields():
    data = {"type": "charge", "payout_id": None, "amount": 12.5, "who": {"knows": [1]}}
    assert structurer(Transaction)(data).to_dict() == data


# Truemed guide, "Reconciliations": charge, refund, Truemed fee, dispute; how they are spelled is not published.
KINDS = ("is_charge", "is_refund", "is_fee", "is_dispute")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("charge", "is_charge"),
        ("Charge", "is_charge"),
        ("payment_charge", "is_charge"),
        ("refund", "is_refund"),
        ("charge_refund", "is_refund"),
        ("fee", "is_fee"),
        ("truemed_fee", "is_fee"),
        ("Truemed Fee", "is_fee"),
        ("refund_fee", "is_fee"),
        ("dispute", "is_dispute"),
        ("dispute_fee", "is_dispute"),
        ("chargeback", "is_dispute"),
        ("payout", None),
        ("", None),
    ],
)
def test_type_is_known_by_its_word(text, kind):
    value = TransactionType(text)
    assert [name for name in KINDS if getattr(value, name)] == ([] if kind is None else [kind])
    assert value == text or value == text.casefold()  # a known one in another case


@given(st.text() | st.lists(st.sampled_from(["charge", "refund", "fee", "dispute", "_", "back"])).map("".join))
def test_type_is_at_most_one_thing(text):
    assert sum(getattr(TransactionType(text), name) for name in KINDS) <= 1


# --- whether they add up ------------------------------------------------------------------------------------------


def row(amount: int | None, payout_id: str | None = "po_1", type: str = "charge", **fields: Any) -> ReconciliationRow:
    known: dict[str, Any] = {"payout_listed_on": DAY, "payout_amount_cents": 1000} if payout_id else {}
    return ReconciliationRow(
        listed_on=DAY,
        type=TransactionType(type),
        amount_cents=amount,
        payout_id=payout_id,
        **{**known, **fields},
    )


def test_payout_that_is_the_sum_of_its_transactions_agrees():
    report = ReconciliationCheck.of([row(1250), row(-200, type="refund"), row(-50, type="truemed_fee")])
    (found,) = report.payouts
    assert found == PayoutCheck(
        payout_id="po_1", listed_on=DAY, amount_cents=1000, transactions=3, transactions_cents=1000
    )
    assert (found.difference_cents, found.agrees, report.agrees, report.mismatches) == (0, True, True, [])
    assert report.by_type == {"charge": 1250, "refund": -200, "truemed_fee": -50}
    assert str(report).splitlines()[0] == "payouts: 1, $10.00; 0 do not add up"


def test_mismatching_payout_is_reported_with_its_difference():
    report = ReconciliationCheck.of([row(999)])
    assert [each.difference_cents for each in report.mismatches] == [1]
    assert not report.agrees
    assert (
        "  payout po_1 of 2026-10-05: $10.00, its transactions (1) $9.99, difference $0.01" in str(report).splitlines()
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(None), row(1000)], "a transaction's amount cannot be read"),
        ([row(1000), row(None)], "a transaction's amount cannot be read"),
        ([row(1000, payout_amount_cents=None)], "its amount cannot be read"),
    ],
)
def test_amount_that_cannot_be_read_never_passes_for_agreement(rows, message):
    report = ReconciliationCheck.of(rows)
    assert [each.difference_cents for each in report.mismatches] == [None]
    assert not report.agrees
    assert message in str(report)


def test_unreadable_amount_without_payout_is_reported():
    report = ReconciliationCheck.of([row(None, None)])
    assert (report.unreadable, report.agrees, report.pending, report.pending_cents) == (1, False, 1, 0)
    assert str(report).splitlines()[-1] == "without an amount that can be read, and in no sum: 1"


def test_payout_without_transactions_agrees_only_if_zero():
    empty = ReconciliationRow.of_payout(payout(amount=0), DAY)
    some = ReconciliationRow.of_payout(payout(amount=5), DAY)
    assert ReconciliationCheck.of([empty]).agrees
    assert [each.difference_cents for each in ReconciliationCheck.of([some]).mismatches] == [5]


def test_transactions_are_counted_by_where_their_money_is():
    elsewhere = {"payout_listed_on": None, "payout_amount_cents": None}
    report = ReconciliationCheck.of(
        [row(1000), row(70, None), row(-20, None), row(300, "po_9", **elsewhere), row(0, in_period=False)]
    )
    assert (report.pending, report.pending_cents) == (2, 50)
    assert (report.paid_elsewhere, report.paid_elsewhere_cents) == (1, 300)
    assert report.by_type == {"charge": 1350}
    assert report.payouts[0].transactions == 2
    assert report.agrees


def test_payouts_come_in_the_order_of_their_days():
    later = row(1000, "po_a", payout_listed_on=date(2026, 10, 9))
    report = ReconciliationCheck.of([later, row(1000, "po_b")])
    assert [each.payout_id for each in report.payouts] == ["po_b", "po_a"]


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1), st.integers(-3, 3))
def test_sums_are_exact(amounts, off):
    rows = [row(amount, payout_amount_cents=sum(amounts) + off) for amount in amounts]
    (found,) = ReconciliationCheck.of(rows).payouts
    assert found.difference_cents == off


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "$0.00"),
        (5, "$0.05"),
        (-5, "-$0.05"),
        (123405, "$1,234.05"),
        (-100, "-$1.00"),
        (10**17 + 1, "$1,000,000,000,000,000.01"),
        (None, "unknown"),
    ],
)
def test_cents_are_written_as_dollars_exactly(cents, text):
    assert format_dollars(cents) == text


def test_row_key_is_its_id_or_a_hash_of_its_values():
    assert row(1, transaction_id="txn_1").key == "transaction:txn_1"
    assert ReconciliationRow.of_payout(payout(), DAY).key == "payout:po_1"
    assert row(1).key == row(1).key != row(2).key
    assert row(1, extra={"a": 1}).key != row(1).key
