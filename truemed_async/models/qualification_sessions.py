"""Qualification sessions: whether a shopper holds a Letter of Medical Necessity for an order."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from truemed_async._sensitive import mask
from truemed_async.errors import InvalidArgumentError
from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum

__all__ = [
    "QualificationSession",
    "QualificationSessionUpdate",
    "QualificationStatus",
]


class QualificationStatus(OpenEnum):
    """The status of a qualification session. Unknown values are kept."""

    PENDING = "pending"
    """The session was created; the shopper has not completed the survey yet."""
    PROCESSING = "processing"
    """The shopper completed the survey and it is under review."""
    APPROVED = "approved"
    """The shopper holds a valid Letter of Medical Necessity covering the items in the order."""
    REJECTED = "rejected"
    """The shopper is ineligible for a Letter of Medical Necessity for the items in the order."""

    @property
    def is_final(self) -> bool:
        """Whether the status will not change again: approved or rejected."""
        return self in (QualificationStatus.APPROVED, QualificationStatus.REJECTED)


@attrs.frozen(kw_only=True)
class QualificationSession(Model):
    """One qualification session. All times are aware; Truemed sends UTC.

    ``repr`` masks ``email``, ``user_name`` and ``user_id`` (which many merchants fill with an e-mail address).
    Source: Truemed, "Get Qualification Session Details".

    Attributes:
        qualification_session_id: Its id, for example ``"qs_abc123"``.
        status: Its status.
        charge_group_created_at: When the charge group was created.
        created_at: When the session was created.
        customer_status: The customer's status, as sent by Truemed.
        eligible_amount: The eligible amount. Truemed documents a double without a unit.
        email: Who completed the session.
        expires_at: When the Letter of Medical Necessity expires.
        fee: The fee for this qualification. Truemed documents a double without a unit.
        lmn_reviewed_at: When the Letter of Medical Necessity was reviewed.
        session_type: The type of session, as sent by Truemed.
        skus_param: The ``skus`` of the qualification link.
        source: The ``source`` of the qualification link.
        stripe_invoice_id: The Stripe invoice of this qualification.
        stripe_invoice_number: That invoice's number.
        stripe_invoice_paid_at: When that invoice was paid.
        user_business_id: The user's business id.
        user_id: The ``user_id`` of the qualification link, or as set by an update.
        user_name: The user's name; null if personal data is hidden.
    """

    qualification_session_id: str
    status: QualificationStatus
    charge_group_created_at: datetime | None = None
    created_at: datetime | None = None
    customer_status: str | None = None
    eligible_amount: float | None = None
    email: str | None = attrs.field(default=None, repr=mask)
    expires_at: datetime | None = None
    fee: float | None = None
    lmn_reviewed_at: datetime | None = None
    session_type: str | None = None
    skus_param: str | None = None
    source: str | None = None
    stripe_invoice_id: str | None = None
    stripe_invoice_number: str | None = None
    stripe_invoice_paid_at: datetime | None = None
    user_business_id: str | None = None
    user_id: str | None = attrs.field(default=None, repr=mask)
    user_name: str | None = attrs.field(default=None, repr=mask)

    def is_valid_at(self, moment: datetime | None = None) -> bool:
        """Whether the shopper holds a Letter of Medical Necessity from this session that is valid at a moment.

        That is so if the session is approved and the moment is before ``expires_at`` and not before
        ``lmn_reviewed_at``. A session without ``expires_at`` is never valid, because nothing tells for how long it
        would be; one without ``lmn_reviewed_at`` is valid at any moment before it expires.

        Args:
            moment: An aware datetime. By default now, at which an approved session has been reviewed, whatever the
                clock of this machine says.

        Raises:
            InvalidArgumentError: ``moment`` is naive: it has no time zone.

        Source: Truemed API reference, "Get Qualification Session Details": an approved shopper "holds a valid Letter of
        Medical Necessity", which expires at ``expires_at``.
        """
        if moment is not None and moment.tzinfo is None:
            raise InvalidArgumentError("moment must have a time zone, such as datetime.now(UTC)")
        if self.status != QualificationStatus.APPROVED or self.expires_at is None:
            return False
        if moment is None:
            return datetime.now(UTC) < self.expires_at
        return (self.lmn_reviewed_at is None or self.lmn_reviewed_at <= moment) and moment < self.expires_at


@attrs.frozen(kw_only=True)
class QualificationSessionUpdate(Model):
    """The response to an update. Source: Truemed, "Update a Qualification Session".

    Attributes:
        qualification_session_id: The session that was updated.
        status: Its status; an update never changes it.
        idempotency_key: The key that was sent. Repeating the update with it and the same values has no further effect.
    """

    qualification_session_id: str
    status: QualificationStatus
    idempotency_key: str = ""
