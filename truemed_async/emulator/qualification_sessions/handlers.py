"""The three endpoints about qualification sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from truemed_async.emulator.pagination import DATETIME, page_schema, paginate
from truemed_async.emulator.qualification_sessions.model import STATUSES, Filters, QualificationSession
from truemed_async.emulator.request import ApiError, Request, validation_error
from truemed_async.emulator.routing import PAGE_PARAMS, Listing, Parameter, Route
from truemed_async.emulator.schema import Date, Enum, Nullable, Number, Object, String

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

_MAYBE = Nullable(String())
_DOUBLE = Nullable(Number())

# The whole table of the page: 19 fields.
SESSION: Final = Object(
    {
        "qualification_session_id": String(),
        "status": Enum(STATUSES),
        "charge_group_created_at": DATETIME,
        "created_at": DATETIME,
        "customer_status": _MAYBE,
        "eligible_amount": _DOUBLE,
        "email": _MAYBE,
        "expires_at": DATETIME,
        "fee": _DOUBLE,
        "lmn_reviewed_at": DATETIME,
        "session_type": _MAYBE,
        "skus_param": _MAYBE,
        "source": _MAYBE,
        "stripe_invoice_id": _MAYBE,
        "stripe_invoice_number": _MAYBE,
        "stripe_invoice_paid_at": DATETIME,
        "user_business_id": _MAYBE,
        "user_id": _MAYBE,
        "user_name": _MAYBE,
    }
)
_SETTABLE = ("user_id", "metadata", "success_url", "failure_url")


def get_session(state: State, request: Request) -> object:
    """GET /api/v1/qualification_session/{qualification_session_id}."""
    return _existing(state, request).wire()


def list_sessions(state: State, request: Request) -> object:
    """GET /api/v1/qualification_sessions."""
    filters = Filters(
        status=request.query["status"],
        user_id=request.query["user_id"],
        expires_on=request.query["expires_at"],
        search=(request.query["search"] or "").casefold() or None,
    )
    narrowed = None if filters == Filters() else filters
    return paginate(
        state, state.qualification_sessions, request, "qualification_sessions", QualificationSession.wire, narrowed
    )


def update_session(state: State, request: Request) -> object:
    """POST /api/v1/qualification_session/{qualification_session_id}/update."""
    session = _existing(state, request)

    def update() -> Mapping[str, object]:
        changes = {name: request.body[name] for name in _SETTABLE if name in request.body}
        if "metadata" in changes:
            _require_json(changes["metadata"])
        # Truemed says set-when-null and nothing about the same value again: any second value is refused.
        if "user_id" in changes and session.user_id is not None:
            raise ApiError(409, "user_id_already_set", "user_id is already set on this qualification session")
        # Stored in every status; the URLs just have no effect once the status is final.
        state.qualification_sessions.change(session.id, **changes)
        return {"qualification_session_id": session.id, "status": session.status}

    return state.replays.once("qualification_sessions.update", session.id, request.body, update)


def _existing(state: State, request: Request) -> QualificationSession:
    try:
        return state.qualification_sessions.get(request.params["qualification_session_id"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such qualification session") from None


def _require_json(metadata: str) -> None:
    try:
        orjson.loads(metadata)
    except orjson.JSONDecodeError:
        raise validation_error("metadata must be a JSON-encoded string") from None


# create_qualification_session is missing: Truemed names it, but no page gives its path.
ROUTES: Final = (
    Route(
        name="qualification_sessions.get",
        method="GET",
        path="/api/v1/qualification_session/{qualification_session_id}",
        handler=get_session,
        summary="Get Qualification Session Details",
        response=SESSION,
        errors={404: ("NotFound",)},
    ),
    Route(
        name="qualification_sessions.list",
        method="GET",
        path="/api/v1/qualification_sessions",
        handler=list_sessions,
        summary="List Qualification Sessions",
        query={
            **PAGE_PARAMS,
            "user_id": Parameter(String()),
            "status": Parameter(Enum(STATUSES)),
            "expires_at": Parameter(Date()),
            "search": Parameter(String()),
        },
        response=page_schema("qualification_sessions", SESSION),
        listing=Listing("qualification_sessions", "qualification_sessions", "qualification_session_id"),
    ),
    Route(
        name="qualification_sessions.update",
        method="POST",
        path="/api/v1/qualification_session/{qualification_session_id}/update",
        handler=update_session,
        summary="Update a Qualification Session",
        body=Object(
            {"idempotency_key": String(min_length=1)},
            {name: String() for name in _SETTABLE},
        ),
        response=Object({"qualification_session_id": String(), "status": Enum(STATUSES)}),
        errors={404: ("NotFound",), 409: ("user_id_already_set",)},
    ),
)
