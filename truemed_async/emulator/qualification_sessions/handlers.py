"""The three endpoints about qualification sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from truemed_async.emulator.call import Call, Problem, invalid
from truemed_async.emulator.kinds import Anything, Choice, Day, Members, Nullable, Text
from truemed_async.emulator.listing import MOMENT, PAGING, listed, listing
from truemed_async.emulator.qualification_sessions.model import STATUSES, Filters, QualificationSession
from truemed_async.emulator.route import Listing, Parameter, Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

_MAYBE = Nullable(Text())
_DOUBLE = Nullable(Anything({"type": "number", "format": "double"}))

# The whole table of the page: 19 fields.
SESSION: Final = Members(
    {
        "qualification_session_id": Text(),
        "status": Choice(STATUSES),
        "charge_group_created_at": MOMENT,
        "created_at": MOMENT,
        "customer_status": _MAYBE,
        "eligible_amount": _DOUBLE,
        "email": _MAYBE,
        "expires_at": MOMENT,
        "fee": _DOUBLE,
        "lmn_reviewed_at": MOMENT,
        "session_type": _MAYBE,
        "skus_param": _MAYBE,
        "source": _MAYBE,
        "stripe_invoice_id": _MAYBE,
        "stripe_invoice_number": _MAYBE,
        "stripe_invoice_paid_at": MOMENT,
        "user_business_id": _MAYBE,
        "user_id": _MAYBE,
        "user_name": _MAYBE,
    }
)
_SETTABLE = ("user_id", "metadata", "success_url", "failure_url")


def get_session(state: State, call: Call) -> object:
    """GET /api/v1/qualification_session/{qualification_session_id}."""
    return _existing(state, call).wire()


def list_sessions(state: State, call: Call) -> object:
    """GET /api/v1/qualification_sessions."""
    filters = Filters(
        status=call.query["status"],
        user_id=call.query["user_id"],
        expires_on=call.query["expires_at"],
        search=(call.query["search"] or "").casefold() or None,
    )
    narrowed = None if filters == Filters() else filters
    return listed(
        state, state.qualification_sessions, call, "qualification_sessions", QualificationSession.wire, narrowed
    )


def update_session(state: State, call: Call) -> object:
    """POST /api/v1/qualification_session/{qualification_session_id}/update."""
    session = _existing(state, call)

    def update() -> Mapping[str, object]:
        changes = {name: call.body[name] for name in _SETTABLE if name in call.body}
        if "metadata" in changes:
            _require_json(changes["metadata"])
        # Truemed says set-when-null and nothing about the same value again: any second value is refused.
        if "user_id" in changes and session.user_id is not None:
            raise Problem(409, "user_id_already_set", "user_id is already set on this qualification session")
        # Stored in every status; the URLs just have no effect once the status is final.
        state.qualification_sessions.change(session.id, **changes)
        return {"qualification_session_id": session.id, "status": session.status}

    return state.replays.once("qualification_sessions.update", session.id, call.body, update)


def _existing(state: State, call: Call) -> QualificationSession:
    try:
        return state.qualification_sessions.get(call.params["qualification_session_id"])
    except KeyError:
        raise Problem(404, "NotFound", "no such qualification session") from None


def _require_json(metadata: str) -> None:
    try:
        orjson.loads(metadata)
    except orjson.JSONDecodeError:
        raise invalid("metadata must be a JSON-encoded string") from None


# create_qualification_session is missing: Truemed names it, but no page gives its path.
ROUTES: Final = (
    Route(
        name="qualification_sessions.get",
        method="GET",
        path="/api/v1/qualification_session/{qualification_session_id}",
        handler=get_session,
        summary="Get Qualification Session Details",
        answer=SESSION,
        errors={404: ("NotFound",)},
    ),
    Route(
        name="qualification_sessions.list",
        method="GET",
        path="/api/v1/qualification_sessions",
        handler=list_sessions,
        summary="List Qualification Sessions",
        query={
            **PAGING,
            "user_id": Parameter(Text()),
            "status": Parameter(Choice(STATUSES)),
            "expires_at": Parameter(Day()),
            "search": Parameter(Text()),
        },
        answer=listing("qualification_sessions", SESSION),
        listing=Listing("qualification_sessions", "qualification_sessions", "qualification_session_id"),
    ),
    Route(
        name="qualification_sessions.update",
        method="POST",
        path="/api/v1/qualification_session/{qualification_session_id}/update",
        handler=update_session,
        summary="Update a Qualification Session",
        body=Members(
            {"idempotency_key": Text(shortest=1)},
            {name: Text() for name in _SETTABLE},
        ),
        answer=Members({"qualification_session_id": Text(), "status": Choice(STATUSES)}),
        errors={404: ("NotFound",), 409: ("user_id_already_set",)},
    ),
)
