"""Reconciled money of one October."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truemed_async.emulator import Emulator


def add_books_of_october(emulator: Emulator) -> None:
    """Add two payouts of October 2024, the first with transactions of September, and one of November."""
    transactions, payouts = emulator.state.transactions, emulator.state.payouts

    def enter(month: int, day: int, amount: int, type: str = "charge") -> None:
        transactions.add(created_at=datetime(2024, month, day, 23, 59, tzinfo=UTC), amount=amount, type=type)

    enter(9, 29, 10_000)
    enter(9, 30, -500, "truemed_fee")
    enter(10, 1, 2_000)
    payouts.pay_out(payout_id="po_1", arrival_date=date(2024, 10, 5))
    for day in range(6, 26):
        enter(10, day, 1999)
    enter(10, 26, -1999, "refund")
    payouts.pay_out(payout_id="po_2", arrival_date=date(2024, 10, 28))
    enter(10, 30, 700)
    payouts.pay_out(payout_id="po_3", arrival_date=date(2024, 11, 4))
    enter(10, 31, 50)
