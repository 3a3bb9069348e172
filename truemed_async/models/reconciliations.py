"""Reconciliations: what Truemed paid out, and the transactions that each payout is made of.

Truemed's guide says what the rows are about, and names few of their fields. Those are fields here; everything else
that an answer holds is in ``extra``. The properties look there under names that are guesses, and say so: they return
``None`` where the name or the kind of value is another one, and never convert.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs

from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=\Z|[Tt ])")


class TransactionType(OpenEnum):
    """What a transaction is. Truemed says what there is but shows no literal, so these spellings are guesses.

    Whatever comes survives as it is, and the properties know it by the word that it contains.
    """

    CHARGE = "charge"
    """A payment of a shopper."""
    REFUND = "refund"
    """Money returned to a shopper."""
    FEE = "truemed_fee"
    """Truemed's fee, or a part of it that was returned."""
    DISPUTE = "dispute"
    """A payment that the shopper's bank has called back, or its outcome."""

    @property
    def is_charge(self) -> bool:
        """Whether it is a payment: its name says "charge" and none of the other three words."""
        return "charge" in self._folded and not (self.is_refund or self.is_fee or self.is_dispute)

    @property
    def is_refund(self) -> bool:
        """Whether it is a refund: its name says "refund", and not "fee" or "dispute"."""
        return "refund" in self._folded and not (self.is_fee or self.is_dispute)

    @property
    def is_fee(self) -> bool:
        """Whether it is Truemed's fee: its name says "fee", and not "dispute"."""
        return "fee" in self._folded and not self.is_dispute

    @property
    def is_dispute(self) -> bool:
        """Whether it is about a dispute: its name says "dispute" or "chargeback"."""
        return "dispute" in self._folded or "chargeback" in self._folded

    @property
    def _folded(self) -> str:
        return self._value_.casefold()


@attrs.frozen(kw_only=True)
class Payout(Model):
    """One payout to your bank account. Source: Truemed guide, "Reconciliations"; its reference page is not at hand.

    ``==`` compares ``extra`` as well, unlike other models: most of what makes two rows differ is there.

    Attributes:
        payout_id: Its id, in Stripe's style: ``"po_…"``.
    """

    payout_id: str
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def amount(self) -> int | None:
        """What was paid out, in cents. A guess: the guide speaks of an amount and gives neither name nor unit.

        ``None`` where the answer has no whole number under ``amount``; what it has instead is in ``extra``.
        """
        return _whole(self.extra.get("amount"))

    @property
    def arrival_date(self) -> date | None:
        """The day on which the money arrives, in UTC. A guess: the guide speaks of such a date and gives no name.

        ``None`` where the answer has no ``YYYY-MM-DD``, alone or before a time, under ``arrival_date``.
        """
        return _day(self.extra.get("arrival_date"))


@attrs.frozen(kw_only=True)
class Transaction(Model):
    """One charge, refund, fee or dispute. Source: Truemed guide, "Reconciliations"; "List Reconciliation Transactions".

    ``==`` compares ``extra`` as well, unlike other models: most of what makes two rows differ is there, and two charges
    of one checkout can be alike in all that has a name.

    Attributes:
        type: What it is.
        payout_id: The payout that it was paid with; ``None`` while it is not paid out.
    """

    type: TransactionType
    payout_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False, repr=False)

    @property
    def transaction_id(self) -> str | None:
        """Its id: the text under ``transaction_id``, else under ``id``. A guess, ``None`` where there is neither."""
        return next(
            (found for name in ("transaction_id", "id") if isinstance(found := self.extra.get(name), str) and found),
            None,
        )

    @property
    def amount(self) -> int | None:
        """What it adds to its payout, in cents; refunds and fees are negative. A guess: name, unit and sign.

        ``None`` where the answer has no whole number under ``amount``; what it has instead is in ``extra``.
        """
        return _whole(self.extra.get("amount"))

    @property
    def created_on(self) -> date | None:
        """Its day, as Truemed gives it: the date, alone or before a time, under ``created_at``. A guess."""
        return _day(self.extra.get("created_at"))


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _day(value: object) -> date | None:
    """Return the day that a text begins with. Nothing is shifted: Truemed's reports give UTC days."""
    if not isinstance(value, str):
        return None
    found = _DAY.match(value)
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None
