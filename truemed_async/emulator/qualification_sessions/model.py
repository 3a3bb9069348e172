"""What a qualification session is, and what a listing of them is narrowed by."""

from datetime import date, datetime

import attrs

from truemed_async.emulator.clock import wire_datetime

STATUSES = ("pending", "processing", "approved", "rejected")


@attrs.frozen(kw_only=True)
class QualificationSession:
    """One qualification session: Truemed's 19 response fields, then what Truemed stores without ever showing it.

    Datetimes are aware, in UTC, with whole milliseconds: what is stored is what the wire shows. `eligible_amount`
    and `fee` are doubles whose unit Truemed does not state.
    """

    qualification_session_id: str
    status: str = "pending"
    charge_group_created_at: datetime | None = None
    created_at: datetime | None = None
    customer_status: str | None = None
    eligible_amount: float | None = None
    email: str | None = None
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
    user_id: str | None = None
    user_name: str | None = None

    utm: str | None = None
    external_user_id: str | None = None
    metadata: str | None = None
    success_url: str | None = None
    failure_url: str | None = None

    @property
    def id(self) -> str:
        """The id, under the name that all listed rows share."""
        return self.qualification_session_id

    def wire(self) -> dict[str, object]:
        """Return the response object: all 19 fields, null where there is nothing."""
        return {
            "qualification_session_id": self.qualification_session_id,
            "status": self.status,
            "charge_group_created_at": wire_datetime(self.charge_group_created_at),
            "created_at": wire_datetime(self.created_at),
            "customer_status": self.customer_status,
            "eligible_amount": self.eligible_amount,
            "email": self.email,
            "expires_at": wire_datetime(self.expires_at),
            "fee": self.fee,
            "lmn_reviewed_at": wire_datetime(self.lmn_reviewed_at),
            "session_type": self.session_type,
            "skus_param": self.skus_param,
            "source": self.source,
            "stripe_invoice_id": self.stripe_invoice_id,
            "stripe_invoice_number": self.stripe_invoice_number,
            "stripe_invoice_paid_at": wire_datetime(self.stripe_invoice_paid_at),
            "user_business_id": self.user_business_id,
            "user_id": self.user_id,
            "user_name": self.user_name,
        }


@attrs.frozen
class Filters:
    """What a listing is narrowed by; None does not narrow. `search` is case-folded."""

    status: str | None = None
    user_id: str | None = None
    expires_on: date | None = None
    search: str | None = None

    def match(self, session: QualificationSession) -> bool:
        """Tell whether the session belongs in the listing."""
        return (
            (self.status is None or session.status == self.status)
            and (self.user_id is None or session.user_id == self.user_id)
            and (
                self.expires_on is None
                or (session.expires_at is not None and session.expires_at.date() == self.expires_on)
            )
            and (self.search is None or self._found_in(session, self.search))
        )

    @staticmethod
    def _found_in(session: QualificationSession, needle: str) -> bool:
        # The five fields that Truemed names; that a part of the value is enough, in any case, is our choice.
        fields = (session.user_name, session.email, session.user_business_id, session.utm, session.external_user_id)
        return any(field is not None and needle in field.casefold() for field in fields)
