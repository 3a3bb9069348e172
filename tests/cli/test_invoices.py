"""`invoices`: what Truemed bills for Letters, as docs/invoices.md tells it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

THURSDAY = datetime(2024, 10, 3, 12, tzinfo=UTC)


@pytest.fixture
def billed(emulator):
    """An invoice of October with three Letters of 8.10, a later one of November, and a Letter that is not billed."""

    def add(week, **fields):
        billed_at = THURSDAY + timedelta(days=7 * week)
        defaults = {
            "status": "approved",
            "fee": 8.1,
            "charge_group_created_at": billed_at,
            "stripe_invoice_number": f"INV-{week}",
            "stripe_invoice_id": f"in_{week}",
            "stripe_invoice_paid_at": billed_at + timedelta(days=3),
        }
        return emulator.state.qualification_sessions.add(**{**defaults, **fields})

    ids = [add(0), add(0), add(0)]
    add(5)
    add(
        6, stripe_invoice_number=None, stripe_invoice_id=None, stripe_invoice_paid_at=None, charge_group_created_at=None
    )
    return ids, add


def test_list_adds_up_each_invoice(truemed, billed, terminal):
    done = truemed("invoices", "list")
    assert (done.code, done.err) == (0, "2 invoices, $32.40; not billed yet: 1 Letter, $8.10\n")
    assert [(row["number"], row["letters"], row["total"]) for row in done.rows] == [
        ("INV-0", 3, "24.3"),
        ("INV-5", 1, "8.1"),
    ]
    assert done.rows[0]["paid_at"].startswith("2024-10-06T12:00")
    output = truemed("invoices", "list", out=terminal()).out
    assert "2024-10-03 12:00" in output
    table = list(csv.DictReader(io.StringIO(truemed("invoices", "list", "--format", "csv").out)))
    assert [row["total"] for row in table] == ["24.3", "8.1"]


def test_month_selects_by_day_of_billing(truemed, billed):
    assert [row["number"] for row in truemed("invoices", "list", "--month", "2024-10").rows] == ["INV-0"]
    assert truemed("invoices", "list", "--month", "2024-12").rows == []


def test_problem_exits_1(truemed, billed):
    _, add = billed
    add(0, fee=None)
    done = truemed("invoices", "list", "--month", "2024-10")
    assert (done.code, done.rows[0]["problems"]) == (1, "without a fee: 1 of 4")


def test_get_shows_the_letters(truemed, billed):
    ids, _ = billed
    done = truemed("invoices", "get", "INV-0")
    assert done.code == 0
    assert {row["qualification_session_id"] for row in done.rows} == set(ids)
    assert {row["fee"] for row in done.rows} == {"8.1"}


@pytest.mark.parametrize(("total", "code", "difference"), [("24.30", 0, "0.00"), ("25", 1, "0.7"), ("0", 1, "-24.3")])
def test_check_compares_the_total(truemed, billed, total, code, difference):
    done = truemed("invoices", "check", "INV-0", "--total", total)
    assert (done.code, done.out) == (code, f"INV-0: {total}; 3 Letters, 24.3; difference {difference}\n")


def test_check_names_problems_even_if_the_total_fits(truemed, billed):
    _, add = billed
    add(0, fee=0.9)
    done = truemed("invoices", "check", "INV-0", "--total", "25.2")
    assert (done.code, done.out.splitlines()[1]) == (1, "  different fees: 1 of 0.9, 3 of 8.1")


@pytest.mark.parametrize("command", [("get", "INV-9"), ("check", "INV-9", "--total", "1.00")])
def test_unknown_number_exits_1(truemed, billed, command):
    done = truemed("invoices", *command)
    assert (done.code, done.out, done.err) == (1, "", "error: no session has this invoice number\n")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("check", "INV-0", "--total", "much"), "--total must be an amount such as 1250.00"),
        (("check", "INV-0", "--total", "NaN"), "--total must be an amount such as 1250.00"),
        (("list", "--month", "October"), "--month must be a valid 'YYYY-MM'"),
    ],
)
def test_usage_error_exits_2_before_anything_is_sent(truemed, emulator, command, expected):
    done = truemed("invoices", *command)
    assert (done.code, done.err, len(emulator.requests)) == (2, f"error: {expected}\n", 0)
