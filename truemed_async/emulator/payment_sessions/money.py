"""The endpoints that take, release or give back money, and the one that gives up a session."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from truemed_async.emulator.payment_sessions.model import PaymentSession
from truemed_async.emulator.request import ApiError, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

# Why a status does not allow what is asked for. Truemed publishes `SessionPending`, `SessionCaptured`,
# `SessionVoided` and `SessionExpired`; the pages are cut before the others, if there are others: a guess.
_BY_STATUS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pending": "SessionPending",
        "processing": "SessionPending",
        "authorized": "SessionAuthorized",
        "captured": "SessionCaptured",
        "rejected": "SessionRejected",
        "canceled": "SessionCanceled",
        "authorization_voided": "SessionVoided",
        "authorization_expired": "SessionExpired",
    }
)
STATUS_ERRORS: Final = tuple(dict.fromkeys(_BY_STATUS.values()))


def capture_session(state: State, request: Request) -> object:
    """POST /payments/v1/payment_session/{payment_session_id}/capture."""
    session = _existing(state, request.params["payment_session_id"])

    def capture() -> Mapping[str, object] | ApiError:
        if session.status != "authorized":
            raise _refused(session)
        _require_amount(session, request.body["total_amount"])
        after = state.payment_sessions.capture(session.id, request.body["total_amount"])
        # The session has expired by this very call: the refusal is its effect, and the answer to its key.
        return {"id": after.capture_id} if after.status == "captured" else _refused(after)

    return state.replays.once("payment_sessions.capture", session.id, request.body, capture)


def void_session(state: State, request: Request) -> object:
    """POST /payments/v1/payment_session/{payment_session_id}/void."""
    session = _existing(state, request.params["payment_session_id"])

    def void() -> Mapping[str, object]:
        if session.kind != "authorization":
            raise ApiError(400, "ImmediateCapture", "only a session of the kind authorization can be voided")
        if session.status == "captured":
            raise _refused(session)
        # The errors of the page are complete and none is that the hold is released already: it is answered as before.
        if session.status == "authorization_voided":
            return {"id": session.void_id}
        # Nor is there one for a session that never had a hold, or has it no longer.
        if session.status != "authorized":
            raise ApiError(400, "SessionPending", f"the session is {session.status}: there is no hold")
        return {"id": state.payment_sessions.void(session.id).void_id}

    return state.replays.once("payment_sessions.void", session.id, request.body, void)


def cancel_session(state: State, request: Request) -> object:
    """POST /payments/v1/payment_session/{payment_session_id}/cancel."""
    session = _existing(state, request.params["payment_session_id"])

    def cancel() -> Mapping[str, object]:
        if session.status != "pending":
            raise _refused(session, "SessionProcessing" if session.status == "processing" else None)
        state.payment_sessions.cancel(session.id)
        return {"id": session.id, "status": "canceled"}

    return state.replays.once("payment_sessions.cancel", session.id, request.body, cancel)


def refund_session(state: State, request: Request) -> object:
    """POST /payments/v1/refund."""

    def refund() -> Mapping[str, object]:
        body = request.body
        if body["payment_id"] not in state.payment_sessions:
            raise ApiError(400, "InvalidPaymentId", "no such payment session")
        session = state.payment_sessions.get(body["payment_id"])
        if session.status != "captured":
            raise ApiError(400, "NoSessionCaptures", f"the session is {session.status}: nothing was captured")
        if session.disputed:
            raise ApiError(400, "ChargeDisputed", "the charge is disputed")
        if not 0 < body["amount"] <= session.refundable:
            raise ApiError(400, "AmountInvalid", "amount must be positive, and no more than is left to refund")
        made = state.payment_sessions.refund(session.id, body["amount"], body["reason"], body.get("item_details"))
        return {"refund_id": made.refund_id}

    return state.replays.once("payment_sessions.refund", "", request.body, refund)


def _existing(state: State, id: str) -> PaymentSession:
    try:
        return state.payment_sessions.get(id)
    except KeyError:
        raise ApiError(400, "PaymentSessionDoesNotExist", "no such payment session") from None


def _refused(session: PaymentSession, error: str | None = None) -> ApiError:
    return ApiError(400, error or _BY_STATUS[session.status], f"the session is {session.status}")


def _require_amount(session: PaymentSession, amount: int) -> None:
    # The page, read literally, forbids to capture less than the items cost, although less than the total is allowed.
    if amount <= 0 or amount < session.items_total:
        raise ApiError(400, "TotalAmountInvalid", "total_amount is less than the items cost")
    if amount > session.total_amount:
        raise ApiError(400, "TotalAmountInvalid", "total_amount is more than was authorized")
