"""Qualification sessions: what one is, and the three endpoints about them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, cast

import attrs
import orjson

from truemed_async.emulator.call import Call, Problem, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

STATUSES = ("pending", "processing", "approved", "rejected")

_DEFAULT_PAGE_SIZE = 30
_POSITIVE = re.compile(r"0*[1-9][0-9]{0,8}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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
            "charge_group_created_at": _wire_datetime(self.charge_group_created_at),
            "created_at": _wire_datetime(self.created_at),
            "customer_status": self.customer_status,
            "eligible_amount": self.eligible_amount,
            "email": self.email,
            "expires_at": _wire_datetime(self.expires_at),
            "fee": self.fee,
            "lmn_reviewed_at": _wire_datetime(self.lmn_reviewed_at),
            "session_type": self.session_type,
            "skus_param": self.skus_param,
            "source": self.source,
            "stripe_invoice_id": self.stripe_invoice_id,
            "stripe_invoice_number": self.stripe_invoice_number,
            "stripe_invoice_paid_at": _wire_datetime(self.stripe_invoice_paid_at),
            "user_business_id": self.user_business_id,
            "user_id": self.user_id,
            "user_name": self.user_name,
        }


def _wire_datetime(value: datetime | None) -> str | None:
    # ISO 8601 in UTC with milliseconds, as in Truemed's examples: 2024-06-13T16:03:07.473Z
    return None if value is None else value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


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


def get_session(state: State, call: Call) -> object:
    """GET /api/v1/qualification_session/{qualification_session_id}."""
    return _existing(state, call).wire()


def list_sessions(state: State, call: Call) -> object:
    """GET /api/v1/qualification_sessions."""
    page = _positive(call.query, "page", 1)
    # Truemed does not state its largest page: a larger one is cut to ours, and the answer says so.
    page_size = min(_positive(call.query, "page_size", _DEFAULT_PAGE_SIZE), state.max_page_size)
    filters = Filters(
        status=_status(call.query),
        user_id=call.query.get("user_id"),
        expires_on=_expires_on(call.query),
        search=call.query.get("search", "").casefold() or None,
    )
    sessions, count = state.page(filters, (page - 1) * page_size, page * page_size)
    return {
        "qualification_sessions": [session.wire() for session in sessions],
        "pagination": {
            "count": count,
            "current_page": page,
            # An empty listing still has its first page.
            "last_page": max(1, -(-count // page_size)),
            "page_size": page_size,
        },
    }


def update_session(state: State, call: Call) -> object:
    """POST /api/v1/qualification_session/{qualification_session_id}/update."""
    session = _existing(state, call)
    payload = _payload(call.body)
    key = _text(payload, "idempotency_key")
    if not key:
        raise invalid("idempotency_key is required")
    # Equal payloads may differ in blanks and in the order of their members.
    fingerprint = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    before = state.replay(session.id, key)
    if before is not None:
        if before.fingerprint != fingerprint:
            raise invalid("idempotency_key was used with another payload")
        return before.answer

    changes: dict[str, Any] = {
        name: value
        for name in ("user_id", "metadata", "success_url", "failure_url")
        if (value := _text(payload, name)) is not None
    }
    if "metadata" in changes:
        _require_json(changes["metadata"])
    # Truemed says set-when-null and nothing about the same value again: any second value is refused.
    if "user_id" in changes and session.user_id is not None:
        raise Problem(409, "user_id_already_set", "user_id is already set on this qualification session")
    # Stored in every status; the URLs just have no effect once the status is final.
    state.replace(attrs.evolve(session, **changes))
    answer = {"qualification_session_id": session.id, "status": session.status}
    # Only what took effect is remembered: a refused request changed nothing, so its key is still free.
    state.remember(session.id, key, fingerprint, answer)
    return answer


def _existing(state: State, call: Call) -> QualificationSession:
    try:
        return state.get(call.params["qualification_session_id"])
    except KeyError:
        raise Problem(404, "NotFound", "no such qualification session") from None


def _positive(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not _POSITIVE.fullmatch(value):
        raise invalid(f"{name} must be an integer from 1")
    return int(value)


def _status(query: Mapping[str, str]) -> str | None:
    value = query.get("status")
    if value is not None and value not in STATUSES:
        raise invalid(f"status must be one of {', '.join(STATUSES)}")
    return value


def _expires_on(query: Mapping[str, str]) -> date | None:
    value = query.get("expires_at")
    if value is None:
        return None
    # fromisoformat alone takes more than YYYY-MM-DD: 20270101 and week dates too.
    if not _DATE.fullmatch(value):
        raise invalid("expires_at must be a date, YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise invalid("expires_at must be a day that exists") from None


def _payload(body: bytes) -> dict[str, object]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid("the body must be JSON") from None
    if not isinstance(payload, dict):
        raise invalid("the body must be a JSON object")
    return cast("dict[str, object]", payload)


def _text(payload: Mapping[str, object], name: str) -> str | None:
    """Return the member, or None when it is absent; an explicit null is not a string."""
    if name not in payload:
        return None
    value = payload[name]
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value


def _require_json(metadata: str) -> None:
    try:
        orjson.loads(metadata)
    except orjson.JSONDecodeError:
        raise invalid("metadata must be a JSON-encoded string") from None


def utc_milliseconds(value: datetime) -> datetime:
    """Return the same moment in UTC, cut to whole milliseconds; a naive datetime is refused with ValueError."""
    if value.tzinfo is None:
        raise ValueError("a datetime needs a timezone")
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)
