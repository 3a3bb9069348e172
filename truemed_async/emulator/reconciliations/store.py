"""The merchant's account: every charge, refund, fee and dispute, and the payouts that settle them."""

from datetime import date, datetime
from functools import partial
from typing import ClassVar

import attrs

from truemed_async.emulator.reconciliations.model import Payout, Transaction
from truemed_async.emulator.store import Core, Store
from truemed_async.emulator.transition import require


class Transactions(Store[Transaction]):
    """Transactions and their life: `pending` → `paid_out`. Captures, refunds and disputes add them by themselves."""

    name: ClassVar[str] = "transactions"
    kind = Transaction
    id_field: ClassVar[str] = "transaction_id"
    prefix: ClassVar[str] = "txn_"

    def charged(self, payment_session_id: str, amount: int) -> None:
        """Account for a captured payment of so many cents, and for the fee on it; a free trial leaves no trace."""
        if amount:
            self._enter("charge", amount, payment_session_id)
        if fee_of(amount):
            self._enter("truemed_fee", -fee_of(amount), payment_session_id)

    def refunded(self, payment_session_id: str, amount: int) -> None:
        """Account for cents that went back."""
        self._enter("refund", -amount, payment_session_id)

    def disputed(self, payment_session_id: str, amount: int) -> None:
        """Account for cents that the bank has taken back; negative when it returns them."""
        self._enter("dispute", -amount, payment_session_id)

    def _enter(self, type: str, amount: int, payment_session_id: str) -> None:
        self.add(type=type, amount=amount, payment_session_id=payment_session_id)


class Payouts(Store[Payout]):
    """Payouts: each settles what is pending."""

    name: ClassVar[str] = "payouts"
    kind = Payout
    id_field: ClassVar[str] = "payout_id"
    prefix: ClassVar[str] = "po_"

    def __init__(self, core: Core, transactions: Transactions) -> None:
        """Begin without any; `transactions` are what is paid out."""
        super().__init__(core)
        self._transactions = transactions

    def pay_out(self, *, payout_id: str | None = None, arrival_date: date | None = None) -> str | None:
        """Settle every pending transaction with one payout that arrives today, unless told; None when there is none."""
        with self._core.lock:
            pending = [row for row in self._transactions.rows if row.payout_id is None]
            if not pending:
                return None
            id = self.add(
                payout_id=payout_id or self.new_id(),
                arrival_date=arrival_date or self._core.clock.now().date(),
                amount=sum(row.amount for row in pending),
            )
            for row in reversed(pending):
                self._transactions.move("pay_out", row.id, partial(settle, payout_id=id))
            return id


def fee_of(amount: int) -> int:
    """Return Truemed's fee on so many cents: 5 %, which is made up, as is that nothing of it comes back."""
    return amount // 20


def settle(row: Transaction, now: datetime, *, payout_id: str) -> Transaction:
    """Move `pending` → `paid_out`."""
    del now
    require(row, "pending")
    return attrs.evolve(row, payout_id=payout_id)
