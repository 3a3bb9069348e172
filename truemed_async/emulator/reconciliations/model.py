"""What a transaction and a payout are. Of their fields Truemed's pages show `type` and `payout_id`: the rest is a guess."""

from datetime import date, datetime
from typing import Final

import attrs

# Truemed says that these four are covered, and not how they are spelled: a guess.
TYPES: Final = ("charge", "refund", "truemed_fee", "dispute")


@attrs.frozen(kw_only=True)
class Transaction:
    """One charge, refund, fee or dispute; `amount` is in cents, negative when it lowers the payout."""

    transaction_id: str
    created_at: datetime
    type: str
    amount: int
    payment_session_id: str | None = None
    payout_id: str | None = None

    @property
    def id(self) -> str:
        """The id, under the name that all listed rows share."""
        return self.transaction_id

    @property
    def status(self) -> str:
        """Whether it is paid out."""
        return "pending" if self.payout_id is None else "paid_out"


@attrs.frozen(kw_only=True)
class Payout:
    """One transfer to the merchant's bank; `amount` is the sum of its transactions, in cents."""

    payout_id: str
    created_at: datetime
    arrival_date: date
    amount: int

    @property
    def id(self) -> str:
        """The id, under the name that all listed rows share."""
        return self.payout_id

    @property
    def status(self) -> str:
        """Always the same: Truemed shows none."""
        return "paid_out"


@attrs.frozen
class TransactionFilters:
    """The days (UTC, inclusive) of a transaction, its payouts, and whether it may have none."""

    start: date
    end: date
    payout_ids: frozenset[str] | None
    pending: bool

    def match(self, row: Transaction) -> bool:
        """Tell whether the transaction belongs in the listing."""
        return (
            self.start <= row.created_at.date() <= self.end
            and (self.payout_ids is None or row.payout_id in self.payout_ids)
            and (self.pending or row.payout_id is not None)
        )


@attrs.frozen
class PayoutFilters:
    """The days of arrival, inclusive."""

    start: date
    end: date

    def match(self, row: Payout) -> bool:
        """Tell whether the payout belongs in the listing."""
        return self.start <= row.arrival_date <= self.end
