"""Qualification sessions: entity, review, and the three endpoints about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs
import orjson

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.entity import Entity, EventSpec, field, optional, required
from truemed_async.emulator.request import ApiError, validation_error
from truemed_async.emulator.routing import PAGE_PARAMS, QueryParameter, Routes, RowSource, page_schema
from truemed_async.emulator.schema import Date, DateTime, Enum, Nullable, Number, Object, String
from truemed_async.emulator.store import Store, Transition, transition

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

STATUSES: Final = ("pending", "processing", "approved", "rejected")

# How a session began: Truemed does not document the values.
LINK: Final = "link"
CHECKOUT: Final = "checkout"
# What a Letter costs: that the fee is flat is on Truemed's support pages, the amount is made up.
LETTER_FEE: Final = 15.0
_THURSDAY: Final = 3
_PAYMENT_PERIOD: Final = timedelta(days=3)

_TEXT: Final = Nullable(String())
_TIME: Final = Nullable(DateTime())


@attrs.frozen(kw_only=True)
class EmulatedQualificationSession(Entity):
    """One qualification session: Truemed's 19 response fields, then what is stored but never in a response.

    Datetimes are aware, in UTC, with whole milliseconds, as in responses. ``eligible_amount`` and ``fee`` are doubles
    whose unit Truemed does not document. ``fee``, ``charge_group_created_at`` and ``stripe_invoice_*`` describe Truemed's
    weekly invoice to the merchant, which many sessions share.
    """

    event: ClassVar[EventSpec | None] = EventSpec("qualification_session_complete", "qualification_status.updated")

    qualification_session_id: str = field(String(), webhook="always")
    status: str = field(Enum(STATUSES), webhook="always", default="pending")
    charge_group_created_at: datetime | None = field(_TIME, default=None)
    created_at: datetime | None = field(_TIME, column=True, default=None)
    customer_status: str | None = field(_TEXT, default=None)
    eligible_amount: float | None = field(Nullable(Number()), default=None)
    email: str | None = field(_TEXT, webhook="always", default=None)
    expires_at: datetime | None = field(_TIME, webhook="always", column=True, default=None)
    fee: float | None = field(Nullable(Number()), default=None)
    lmn_reviewed_at: datetime | None = field(_TIME, default=None)
    session_type: str | None = field(_TEXT, default=None)
    skus_param: str | None = field(_TEXT, default=None)
    source: str | None = field(_TEXT, webhook="always", column=True, default=None)
    stripe_invoice_id: str | None = field(_TEXT, default=None)
    stripe_invoice_number: str | None = field(_TEXT, default=None)
    stripe_invoice_paid_at: datetime | None = field(_TIME, default=None)
    user_business_id: str | None = field(_TEXT, default=None)
    user_id: str | None = field(_TEXT, update=optional(String()), webhook="always", column=True, default=None)
    user_name: str | None = field(_TEXT, default=None)

    utm: str | None = field(default=None)
    external_user_id: str | None = field(default=None)
    metadata: str | None = field(update=optional(String()), default=None)
    success_url: str | None = field(update=optional(String()), default=None)
    failure_url: str | None = field(update=optional(String()), default=None)

    @property
    def id(self) -> str:
        """The id, under the name that all rows share."""
        return self.qualification_session_id

    def is_valid_at(self, now: datetime) -> bool:
        """Return whether the shopper holds a Letter that has not expired."""
        return self.status == "approved" and self.expires_at is not None and now < self.expires_at

    def event_payload(self, transition: Transition) -> Mapping[str, Any] | None:
        """Return the payload after the review's decision."""
        decided = transition.changed and transition.before is not None and transition.after in ("approved", "rejected")
        return self.webhook_payload() if decided else None


class QualificationSessionStore(Store[EmulatedQualificationSession]):
    """Qualification sessions and their life: ``pending`` → ``processing`` → ``approved`` | ``rejected``.

    The Letters of a week, apart from those of checkouts, are on one invoice of Truemed to the merchant.
    """

    name: ClassVar[str] = "qualification_sessions"
    entity = EmulatedQualificationSession
    id_field: ClassVar[str] = "qualification_session_id"
    prefix: ClassVar[str] = "qs_"

    @transition("pending")
    def start_review(self, session: EmulatedQualificationSession, now: datetime) -> EmulatedQualificationSession:
        """Let the shopper complete the survey: ``pending`` → ``processing``."""
        del now
        return attrs.evolve(session, status="processing")

    @transition("processing")
    def approve(self, session: EmulatedQualificationSession, now: datetime) -> EmulatedQualificationSession:
        """Issue a Letter of Medical Necessity that is valid for 12 months: ``processing`` → ``approved``.

        It costs the merchant a flat fee, unless it belongs to a checkout, whose payment has a fee.
        """
        fee = None if session.session_type == CHECKOUT else LETTER_FEE
        return attrs.evolve(
            session, status="approved", lmn_reviewed_at=now, expires_at=twelve_months_after(now), fee=fee
        )

    @transition("processing")
    def reject(self, session: EmulatedQualificationSession, now: datetime) -> EmulatedQualificationSession:
        """Let the review find the shopper ineligible: ``processing`` → ``rejected``."""
        return attrs.evolve(session, status="rejected", lmn_reviewed_at=now)

    # Qualification links and invoices.

    def open_link(
        self,
        *,
        source: str | None = None,
        user_id: str | None = None,
        skus: str | None = None,
    ) -> str:
        """Let a shopper open a qualification link: return the id of a new ``pending`` session.

        A user who holds a valid Letter need not qualify again: the id is that of the session with the latest expiry.
        """
        with self.lock:
            known = self.valid_letter(user_id)
            return (
                known.id
                if known is not None
                else self.add(
                    source=source,
                    utm=source,
                    user_id=user_id,
                    external_user_id=user_id,
                    skus_param=skus,
                    session_type=LINK,
                )
            )

    def valid_letter(self, user_id: str | None) -> EmulatedQualificationSession | None:
        """Return the session of a user with the Letter that expires last, or ``None`` if none is valid."""
        now = self._core.clock.now()
        valid = [row for row in self.rows if row.user_id == user_id and row.is_valid_at(now)] if user_id else []
        return max(valid, key=lambda row: row.expires_at or now, default=None)

    def bill_due(self, now: datetime) -> None:
        """Put the Letters of each past week on the invoice of its Thursday, and let the merchant pay what is due."""
        with self.lock:
            for session, reviewed_at in self._unpaid():
                self.table.put(attrs.evolve(session, **invoice_of(reviewed_at, now)))

    def due_moments(self) -> Iterator[datetime]:
        """Yield when Letters are billed, and when their invoices are paid."""
        for _, reviewed_at in self._unpaid():
            billed_at = _next_thursday(reviewed_at)
            yield billed_at
            yield billed_at + _PAYMENT_PERIOD

    def _unpaid(self) -> Iterator[tuple[EmulatedQualificationSession, datetime]]:
        """Yield the sessions whose Letter has a fee that is not paid yet, with the time of its review."""
        for session in self.rows:
            is_open = session.fee is not None and session.stripe_invoice_paid_at is None
            if is_open and session.lmn_reviewed_at is not None:
                yield session, session.lmn_reviewed_at


def invoice_of(reviewed_at: datetime, now: datetime) -> dict[str, Any]:
    """Return the fields about the invoice of a Letter of ``reviewed_at`` as they are at ``now``; none until it is billed.

    That Letters are billed in batches every Thursday is on Truemed's support pages; the hour, the form of the number,
    and that the invoice is paid three days later are made up.
    """
    billed_at = _next_thursday(reviewed_at)
    if billed_at > now:
        return {}
    paid_at = billed_at + _PAYMENT_PERIOD
    day = billed_at.date().isoformat()
    return {
        "charge_group_created_at": billed_at,
        "stripe_invoice_id": f"in_example{day}",
        "stripe_invoice_number": f"EXAMPLE-{day}",
        "stripe_invoice_paid_at": paid_at if paid_at <= now else None,
    }


def _next_thursday(moment: datetime) -> datetime:
    """Return noon (UTC) of the next Thursday after this moment."""
    noon = moment.replace(hour=12, minute=0, second=0, microsecond=0)
    days = (_THURSDAY - noon.weekday()) % 7
    thursday = noon + timedelta(days=days)
    return thursday if thursday > moment else thursday + timedelta(days=7)


@attrs.frozen
class _Filters:
    """None does not filter; ``search`` is case-folded."""

    status: str | None = None
    user_id: str | None = None
    expires_on: date | None = None
    search: str | None = None

    def match(self, session: EmulatedQualificationSession) -> bool:
        return (
            (self.status is None or session.status == self.status)
            and (self.user_id is None or session.user_id == self.user_id)
            and (
                self.expires_on is None
                or (session.expires_at is not None and session.expires_at.date() == self.expires_on)
            )
            and (self.search is None or self._matches_search(session, self.search))
        )

    @staticmethod
    def _matches_search(session: EmulatedQualificationSession, needle: str) -> bool:
        # Truemed names these five fields; that it matches substrings, in any case, is an assumption.
        fields = (session.user_name, session.email, session.user_business_id, session.utm, session.external_user_id)
        return any(field is not None and needle in field.casefold() for field in fields)


ROUTES: Final = Routes()

_PATH: Final = "/api/v1/qualification_session/{qualification_session_id}"
_SESSION: Final = EmulatedQualificationSession.response_schema()

# create_qualification_session is missing: Truemed names it, but documents no path.


@ROUTES.route("GET", _PATH, "qualification_sessions.get", response=_SESSION, errors={404: ("NotFound",)})
def get_session(state: State, request: ReceivedRequest) -> object:
    """Get Qualification Session Details."""
    return _get_existing(state, request).serialize()


@ROUTES.route(
    "GET",
    "/api/v1/qualification_sessions",
    "qualification_sessions.list",
    query={
        **PAGE_PARAMS,
        "user_id": QueryParameter(String()),
        "status": QueryParameter(Enum(STATUSES)),
        "expires_at": QueryParameter(Date()),
        "search": QueryParameter(String()),
    },
    response=page_schema("qualification_sessions", _SESSION),
    listing=RowSource("qualification_sessions", "qualification_sessions", "qualification_session_id"),
)
def list_sessions(state: State, request: ReceivedRequest) -> object:
    """List Qualification Sessions."""
    filters = _Filters(
        status=request.query["status"],
        user_id=request.query["user_id"],
        expires_on=request.query["expires_at"],
        search=(request.query["search"] or "").casefold() or None,
    )
    return state.paginate(
        state.qualification_sessions,
        request,
        "qualification_sessions",
        None if filters == _Filters() else filters,
    )


@ROUTES.route(
    "POST",
    f"{_PATH}/update",
    "qualification_sessions.update",
    body=EmulatedQualificationSession.request_schema("update", idempotency_key=required(String(min_length=1))),
    response=Object({"qualification_session_id": String(), "status": Enum(STATUSES)}),
    errors={404: ("NotFound",), 409: ("user_id_already_set",)},
)
def update_session(state: State, request: ReceivedRequest) -> object:
    """Update a Qualification Session."""
    session = _get_existing(state, request)

    def update() -> Mapping[str, object]:
        changes = EmulatedQualificationSession.from_request("update", request.body)
        if "metadata" in changes:
            _validate_json(changes["metadata"])
        # Truemed documents that user_id can be set if it is null, but not the same value again: that is an error, too.
        if "user_id" in changes and session.user_id is not None:
            raise ApiError(409, "user_id_already_set", "user_id is already set on this qualification session")
        # Stored in every status; the URLs have no effect once the status is final.
        state.qualification_sessions.change(session.id, **changes)
        return {"qualification_session_id": session.id, "status": session.status}

    return state.idempotency.run_once("qualification_sessions.update", session.id, request.body, update)


def _get_existing(state: State, request: ReceivedRequest) -> EmulatedQualificationSession:
    try:
        return state.qualification_sessions.get(request.params["qualification_session_id"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such qualification session") from None


def _validate_json(metadata: str) -> None:
    try:
        orjson.loads(metadata)
    except orjson.JSONDecodeError:
        raise validation_error("metadata must be a JSON-encoded string") from None
