"""Letters added up to Truemed's invoices."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from truemed_async import LetterInvoiceReport, QualificationSession

THURSDAY = datetime(2026, 10, 1, 12, tzinfo=UTC)
PAID = THURSDAY + timedelta(days=3)
OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))


def letter(id, number="INV-1", fee=8.1, billed=THURSDAY, paid=PAID, invoice_id="in_1"):
    return QualificationSession(
        qualification_session_id=id,
        status="approved",
        fee=fee,
        charge_group_created_at=billed,
        stripe_invoice_number=number,
        stripe_invoice_id=invoice_id,
        stripe_invoice_paid_at=paid,
    )


def test_fees_are_added_exactly():
    report = LetterInvoiceReport.of([letter(f"qs_{number}") for number in range(3)])
    (invoice,) = report.invoices
    assert (invoice.total, report.total) == (Decimal("24.3"), Decimal("24.3"))
    assert 8.1 * 3 != 24.3, "as floats they would not be"
    assert (invoice.paid_at, invoice.is_paid, invoice.billed_at, invoice.problems) == (PAID, True, THURSDAY, ())
    assert (report.agrees, invoice.stripe_invoice_ids) == (True, ("in_1",))


def test_sessions_of_one_number_are_one_invoice_in_the_order_of_billing():
    week = timedelta(days=7)
    report = LetterInvoiceReport.of(
        [
            letter("qs_1", "INV-2", billed=THURSDAY + week, paid=None),
            letter("qs_2", "INV-1"),
            letter("qs_3", "INV-2", billed=THURSDAY + week, paid=None),
            letter("qs_4", "INV-0", billed=None, paid=None),
        ]
    )
    assert [(each.number, len(each.lines), each.is_paid) for each in report.invoices] == [
        ("INV-1", 1, True),
        ("INV-2", 2, False),
        ("INV-0", 1, False),
    ]
    assert report.invoices[2].billed_at is None


@pytest.mark.parametrize(
    ("sessions", "problem"),
    [
        ([letter("1"), letter("2", fee=None)], "without a fee: 1 of 2"),
        ([letter("1"), letter("2"), letter("3", fee=9)], "different fees: 2 of 8.1, 1 of 9"),
        ([letter("1"), letter("2", paid=None)], "paid, as only 1 of 2 sessions say"),
        ([letter("1"), letter("2", invoice_id="in_2")], "several ids at Stripe: in_1, in_2"),
    ],
)
def test_contradictions_are_problems(sessions, problem):
    report = LetterInvoiceReport.of(sessions)
    assert (report.invoices[0].problems, report.agrees) == ((problem,), False)


@pytest.mark.parametrize(
    ("billed", "is_listed"),
    [
        (datetime(2026, 9, 30, 23, 59, tzinfo=UTC), False),
        (datetime(2026, 10, 1, tzinfo=UTC), True),
        (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 1, tzinfo=UTC), False),
        (None, True),
    ],
)
def test_period_selects_by_day_of_billing(billed, is_listed):
    report = LetterInvoiceReport.of([letter("1", billed=billed, invoice_id=None)], OCTOBER)
    assert len(report.invoices) == is_listed


def test_letters_without_invoice_are_unbilled_if_they_cost_something():
    report = LetterInvoiceReport.of([letter("1", None), letter("2", None, fee=None), letter("3", None, fee=0)])
    assert (report.invoices, [line.qualification_session_id for line in report.unbilled]) == ((), ["1"])
