"""The invoices of the emulator, which bills as Truemed does (docs/truemed-api.md, section 7, row N10)."""

from datetime import UTC
from decimal import Decimal

import pytest

from truemed_async.errors import InvalidArgumentError


async def test_letters_of_a_week_share_the_invoice_of_a_thursday(shop, emulator):
    sessions = emulator.state.qualification_sessions
    for _ in range(3):
        id = sessions.add()
        sessions.start_review(id)
        sessions.approve(id)
    fees = {Decimal(str(each.fee)) for each in await shop.qualifications.iter()}
    assert len(fees) == 1, "the fee is flat"
    report = await shop.qualifications.letter_invoices()
    assert (report.invoices, len(report.unbilled)) == ((), 3)

    emulator.clock.advance(14 * 24 * 3600)
    report = await shop.qualifications.letter_invoices()
    (invoice,) = report.invoices
    assert (len(invoice.lines), invoice.total, invoice.problems) == (3, 3 * fees.pop(), ())
    assert invoice.billed_at.astimezone(UTC).weekday() == 3
    assert (report.agrees, report.unbilled, invoice.is_paid) == (True, (), True)

    month = f"{invoice.billed_at:%Y-%m}"
    assert (await shop.qualifications.letter_invoices(month=month)).invoices == (invoice,)
    assert (await shop.qualifications.letter_invoices(month="2020-01")).invoices == ()


async def test_invalid_month_is_refused_before_anything_is_sent(shop, emulator):
    with pytest.raises(InvalidArgumentError, match="month must be a valid"):
        await shop.qualifications.letter_invoices(month="October")
    assert len(emulator.requests) == 0
