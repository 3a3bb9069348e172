"""Truemed's invoices to the merchant for Letters of Medical Necessity, added up from qualification sessions.

Truemed has no endpoint for them. Merchants that reimburse after a purchase pay a flat fee for each Letter, billed in a
batch every Thursday (docs/truemed-api.md, section 7, row N10); that the fields ``fee``, ``charge_group_created_at`` and
``stripe_invoice_…`` of a session describe that invoice is inferred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Self

import attrs

from truemed_async.models.qualification_sessions import QualificationSession

__all__ = ["LetterInvoice", "LetterInvoiceLine", "LetterInvoiceReport"]


@attrs.frozen(kw_only=True)
class LetterInvoiceLine:
    """One Letter on an invoice.

    Attributes:
        qualification_session_id: The session.
        fee: Its fee, exactly as sent; ``None`` if it has none. Truemed documents no unit; dollars are assumed.
        reviewed_at: When the Letter was reviewed.
        billed_at: When it was put on the invoice: ``charge_group_created_at`` of the session.
        paid_at: When the invoice was paid, as this session says.
    """

    qualification_session_id: str
    fee: Decimal | None
    reviewed_at: datetime | None
    billed_at: datetime | None
    paid_at: datetime | None


@attrs.frozen(kw_only=True)
class LetterInvoice:
    """One invoice of Truemed for Letters: all sessions with its number.

    Attributes:
        number: Its number: ``stripe_invoice_number`` of the sessions.
        stripe_invoice_ids: Its ids at Stripe; there should be one.
        lines: Its Letters, in the order of the list of sessions.
    """

    number: str
    stripe_invoice_ids: tuple[str, ...]
    lines: tuple[LetterInvoiceLine, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the fees; a Letter without a fee counts as 0, and is one of :attr:`problems`."""
        return sum((line.fee for line in self.lines if line.fee is not None), Decimal(0))

    @property
    def billed_at(self) -> datetime | None:
        """When the first of its Letters was put on it."""
        return min((line.billed_at for line in self.lines if line.billed_at is not None), default=None)

    @property
    def paid_at(self) -> datetime | None:
        """When it was paid; ``None`` while a session of it says that it is not."""
        moments = [line.paid_at for line in self.lines if line.paid_at is not None]
        return max(moments) if len(moments) == len(self.lines) else None

    @property
    def is_paid(self) -> bool:
        """Whether every session of it says that it is paid."""
        return self.paid_at is not None

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not fit: Letters without a fee, different fees, or sessions that contradict each other."""
        fees = Counter(line.fee for line in self.lines)
        missing = fees.pop(None, 0)
        paid = sum(line.paid_at is not None for line in self.lines)
        found: list[str] = []
        if missing:
            found.append(f"without a fee: {missing:,} of {len(self.lines):,}")
        if len(fees) > 1:
            found.append(f"different fees: {', '.join(f'{count:,} of {fee}' for fee, count in fees.items())}")
        if 0 < paid < len(self.lines):
            found.append(f"paid, as only {paid:,} of {len(self.lines):,} sessions say")
        if len(self.stripe_invoice_ids) > 1:
            found.append(f"several ids at Stripe: {', '.join(self.stripe_invoice_ids)}")
        return tuple(found)


@attrs.frozen(kw_only=True)
class LetterInvoiceReport:
    """The invoices of a period, and what is not billed yet.

    Attributes:
        invoices: The invoices, the first one billed first.
        unbilled: The Letters that have a fee and no invoice number yet, of any time.
    """

    invoices: tuple[LetterInvoice, ...]
    unbilled: tuple[LetterInvoiceLine, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the invoices."""
        return sum((invoice.total for invoice in self.invoices), Decimal(0))

    @property
    def agrees(self) -> bool:
        """Whether no invoice has problems."""
        return not any(invoice.problems for invoice in self.invoices)

    @classmethod
    def of(cls, sessions: Iterable[QualificationSession], days: tuple[date, date] | None = None) -> Self:
        """Add up sessions; with ``days``, the first and last one in UTC, only invoices billed then.

        Pass all sessions: an invoice is the sum of all that have its number, whenever they were created. One whose
        sessions do not say when it was billed belongs to every period.
        """
        lines: dict[str, list[LetterInvoiceLine]] = {}
        ids: dict[str, dict[str, None]] = {}
        unbilled: list[LetterInvoiceLine] = []
        for session in sessions:
            line = LetterInvoiceLine(
                qualification_session_id=session.qualification_session_id,
                fee=None if session.fee is None else Decimal(str(session.fee)),
                reviewed_at=session.lmn_reviewed_at,
                billed_at=session.charge_group_created_at,
                paid_at=session.stripe_invoice_paid_at,
            )
            number = session.stripe_invoice_number
            if number:
                lines.setdefault(number, []).append(line)
                if session.stripe_invoice_id:
                    ids.setdefault(number, {})[session.stripe_invoice_id] = None
            elif line.fee:
                unbilled.append(line)
        invoices = [
            LetterInvoice(number=number, stripe_invoice_ids=tuple(ids.get(number, ())), lines=tuple(found))
            for number, found in lines.items()
        ]
        return cls(
            invoices=tuple(sorted((each for each in invoices if _is_within(each, days)), key=_billing_order)),
            unbilled=tuple(unbilled),
        )


def _is_within(invoice: LetterInvoice, days: tuple[date, date] | None) -> bool:
    if days is None or invoice.billed_at is None:
        return True
    return days[0] <= invoice.billed_at.astimezone(UTC).date() <= days[1]


def _billing_order(invoice: LetterInvoice) -> tuple[datetime, str]:
    return invoice.billed_at or datetime.max.replace(tzinfo=UTC), invoice.number
