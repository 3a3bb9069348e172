"""Everything that can go wrong, in one tree.

::

    TruemedError
      ├ ConfigurationError · ClientClosedError · SyncInAsyncError (also a RuntimeError)
      ├ InvalidArgumentError (also a ValueError)        rejected before any I/O
      ├ CallError                                       a call failed
      │   ├ TransportError
      │   │   ├ ConnectError ─ TLSError                 nothing was sent
      │   │   ├ DisconnectedError · AttemptTimeoutError · DeadlineExceededError
      │   │   └ ProtocolError · TruncatedResponseError · ResponseTooLargeError · UnexpectedRedirectError
      │   ├ DecodeError                                 a complete response of the wrong shape
      │   └ APIError                                    Truemed responded with an error
      │       ├ BadRequestError (400)
      │       │   ├ IdempotencyMismatchError · MissingFieldError
      │       │   ├ TotalAmountInvalidError · AmountInvalidError
      │       │   ├ PaymentSessionDoesNotExistError · InvalidPaymentIdError
      │       │   ├ SessionPendingError · SessionCapturedError · SessionVoidedError · SessionExpiredError
      │       │   └ ImmediateCaptureError · ChargeDisputedError · NoSessionCapturesError
      │       ├ AuthenticationError (401) · PermissionDeniedError (403) · NotFoundError (404)
      │       ├ ConflictError (409) ─ UserIdAlreadySetError
      │       ├ UnprocessableError (422) ─ PaymentMethodError
      │       ├ RateLimitedError (429)
      │       └ ServerError (5xx, and the documented 400 "ServerError")
      ├ PaginationDriftError
      └ WebhookError ─ SignatureError · StaleDeliveryError · PayloadError

The text, the arguments and the ``repr`` of an error never contain the API key, a body or a personal value. Truemed's
own message and body are available to programs as :attr:`APIError.message` and :attr:`APIError.body`; ``str(error)``
leaves them out because they may quote personal data. Pickling an error (as task queues do) drops both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from truemed_async._sensitive import Sensitive

__all__ = [
    "APIError",
    "AmountInvalidError",
    "AttemptTimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "CallError",
    "CallOutcome",
    "ChargeDisputedError",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "DeadlineExceededError",
    "DecodeError",
    "DisconnectedError",
    "IdempotencyMismatchError",
    "ImmediateCaptureError",
    "InvalidArgumentError",
    "InvalidPaymentIdError",
    "MissingFieldError",
    "NoSessionCapturesError",
    "NotFoundError",
    "PaginationDriftError",
    "PayloadError",
    "PaymentMethodError",
    "PaymentSessionDoesNotExistError",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitedError",
    "ResponseTooLargeError",
    "ServerError",
    "SessionCapturedError",
    "SessionExpiredError",
    "SessionPendingError",
    "SessionVoidedError",
    "SignatureError",
    "StaleDeliveryError",
    "SyncInAsyncError",
    "TLSError",
    "TotalAmountInvalidError",
    "TransportError",
    "TruemedError",
    "TruncatedResponseError",
    "UnexpectedRedirectError",
    "UnprocessableError",
    "UserIdAlreadySetError",
    "WebhookError",
]


class TruemedError(Exception):
    """The base of every error of this library."""


# --- misuse -------------------------------------------------------------------------------------------------------


class ConfigurationError(TruemedError):
    """The client cannot be configured: the API key is missing or malformed, or the URL is not acceptable."""


class ClientClosedError(TruemedError):
    """The client is closed, or belongs to another event loop that is still running."""


class SyncInAsyncError(TruemedError, RuntimeError):
    """A synchronous call was made on the thread that would have to execute it."""


class InvalidArgumentError(TruemedError, ValueError):
    """An argument is invalid. Nothing was sent."""


class PaginationDriftError(TruemedError):
    """The list changed in a way that makes it impossible to guarantee that no row is missing."""


# --- calls --------------------------------------------------------------------------------------------------------

CallOutcome = Literal["not_sent", "unknown", "rejected"]
"""What a failed call may have done: nothing was sent; it may have been applied; Truemed rejected it."""

_MESSAGE_NOTE = "error.message is the server's explanation; it may quote personal data"

_OUTCOME_TEXT: Mapping[str, str] = {
    "not_sent": "nothing was sent",
    "unknown": "it may have been applied",
    "rejected": "it had no effect",
}


class CallError(TruemedError):
    """A call failed. The attributes say how far it got and whether it is safe to call again.

    Attributes:
        endpoint: The endpoint's name, for example ``"qualification_sessions.update"``.
        attempts: The number of requests that were made, at least 0.
        outcome: ``"not_sent"``, ``"unknown"`` (a write may have been applied) or ``"rejected"``.
        idempotency_key: The key of a write. Calling again with the same key and arguments is safe and resolves an
            unknown outcome. ``None`` if the endpoint takes no key.
        request_id: The server's id of the last response, if it sent one.
        retries_suppressed: Whether a retry was due but the client's retry budget was used up, as in an outage.
        is_read: Whether the call only reads. Calling again is then always safe.
    """

    def __init__(
        self,
        reason: str,
        *,
        endpoint: str,
        attempts: int = 1,
        outcome: CallOutcome = "unknown",
        idempotency_key: str | None = None,
        request_id: str | None = None,
        retries_suppressed: bool = False,
        is_read: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.endpoint = endpoint
        self.attempts = attempts
        self.outcome: CallOutcome = outcome
        self.idempotency_key = idempotency_key
        self.request_id = request_id
        self.retries_suppressed = retries_suppressed
        self.is_read = is_read

    def __str__(self) -> str:
        request = f"request {self.request_id}: " if self.request_id else ""
        attempts = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        key = f", idempotency_key={self.idempotency_key}" if self.idempotency_key else ""
        budget = ", no further retry: the retry budget is used up" if self.retries_suppressed else ""
        text = _OUTCOME_TEXT[self.outcome]
        if self.is_read and self.outcome == "unknown":
            text = "no usable response"
        return f"{request}{self.endpoint}: {self.reason} ({attempts}; outcome {self.outcome}: {text}{key}{budget})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(self).items() if not isinstance(value, Sensitive)}
        if "__notes__" in state:
            state["__notes__"] = [note for note in state["__notes__"] if note != _MESSAGE_NOTE]
        return _unpickle, (type(self), self.args, state)


def _unpickle(cls: type[CallError], args: tuple[Any, ...], state: dict[str, Any]) -> CallError:
    """Rebuild a pickled error: its constructor takes more than ``args``."""
    error = cls.__new__(cls, *args)
    error.args = args
    vars(error).update(state)
    return error


class TransportError(CallError):
    """The exchange failed: there is no response, or it is unusable."""


class ConnectError(TransportError):
    """No connection could be made: name resolution, a refused connection, or a connect timeout. Nothing was sent."""


class TLSError(ConnectError):
    """The TLS handshake failed, for example because a certificate does not verify. Nothing was sent."""


class DisconnectedError(TransportError):
    """The connection broke after the request may have been sent."""


class AttemptTimeoutError(TransportError):
    """One attempt took longer than ``Timeouts.attempt``."""


class DeadlineExceededError(TransportError):
    """The call, with its retries and backoff, took longer than ``Timeouts.total``."""


class ProtocolError(TransportError):
    """The response was not well-formed HTTP."""


class TruncatedResponseError(TransportError):
    """The response ended early."""


class ResponseTooLargeError(TransportError):
    """The decompressed response was larger than this library accepts."""


class UnexpectedRedirectError(TransportError):
    """The server responded with a redirect. It was not followed: that would have sent the API key elsewhere."""


class DecodeError(CallError):
    """The response was complete, but its content is not what the endpoint returns.

    Attributes:
        path: The position in the response, for example ``"qualification_sessions[3].created_at"``; never the value.
    """

    path: str = ""


# --- error responses, by status -----------------------------------------------------------------------------------


class APIError(CallError):
    """Truemed responded with an error status.

    Attributes:
        status: The HTTP status.
        code: Truemed's ``error`` value, for example ``"ValidationError"``; ``None`` if it is missing or does not look
            like a code (``body`` then holds it).
    """

    hint: ClassVar[str] = ""  # what the status does not say
    status: int = 0
    code: str | None = None
    _message: Sensitive[str] | None = None
    _body: Sensitive[Any] | None = None

    @property
    def message(self) -> str | None:
        """Truemed's ``message``, a text for people. It may quote personal data; log it with care."""
        return self._message.value if self._message else None

    @property
    def body(self) -> Any:
        """The complete error body: parsed JSON, text if it is not JSON, or ``None``. It may hold personal data."""
        return self._body.value if self._body else None

    def attach_content(self, message: Sensitive[str] | None, body: Sensitive[Any] | None) -> None:
        """Store what Truemed sent. The boxes keep it out of ``vars(error)``, logs and pickles."""
        self._message, self._body = message, body
        if message is not None:  # a traceback shows the note, and `str(error)`, which is logged, does not
            self.add_note(_MESSAGE_NOTE)


class BadRequestError(APIError):
    """400: the request was rejected; ``code`` says why."""


class AuthenticationError(APIError):
    """401: the API key is missing, wrong, or belongs to the other environment."""

    hint: ClassVar[str] = "the server does not know this API key; is it a key of another environment?"


class PermissionDeniedError(APIError):
    """403: the API key does not have permission for this call."""


class NotFoundError(APIError):
    """404, or ``error: "NotFound"``: there is no such object for this API key."""

    hint: ClassVar[str] = "there is no such object for this API key"


class ConflictError(APIError):
    """409: the request conflicts with what is stored. Never retried."""


class UserIdAlreadySetError(ConflictError):
    """409 ``user_id_already_set``: the session has a ``user_id``, which cannot be changed through the API.

    Truemed: "If you need to correct a previously set value, contact Truemed support".
    """

    hint: ClassVar[str] = "the session already has a user_id; only Truemed support can correct it"


class UnprocessableError(APIError):
    """422: the request was understood but cannot be carried out."""


class PaymentMethodError(UnprocessableError):
    """422: a stored payment method could not be charged; send the customer to :attr:`redirect_url`."""

    _redirect_url: Sensitive[str] | None = None

    @property
    def redirect_url(self) -> str | None:
        """Truemed's page where the customer repairs the payment method. It is personal: no text or log contains it."""
        return self._redirect_url.value if self._redirect_url else None

    def attach_redirect_url(self, redirect_url: Sensitive[str] | None) -> None:
        """Store the URL in its box, which keeps it out of ``vars(error)``, logs and pickles."""
        self._redirect_url = redirect_url


class RateLimitedError(APIError):
    """429: too many requests.

    Attributes:
        retry_after: How many seconds the server asked to wait, or ``None``.
    """

    retry_after: float | None = None


class ServerError(APIError):
    """5xx, or the documented 400 with ``error: "ServerError"``."""


# --- status 400, by the documented value of `error` ---------------------------------------------------------------


class IdempotencyMismatchError(BadRequestError):
    """400: the idempotency key was used before with another payload. Use a new key for a new change."""


class MissingFieldError(BadRequestError):
    """400 ``MissingField``: a field that Truemed requires was not sent."""

    code: str | None = "MissingField"


class TotalAmountInvalidError(BadRequestError):
    """400 ``TotalAmountInvalid``: the amount to capture is 0, negative, or does not fit the session.

    It must not be above the session's ``total_amount``, nor below the sum of its items.
    """

    code: str | None = "TotalAmountInvalid"


class AmountInvalidError(BadRequestError):
    """400 ``AmountInvalid``: the amount to refund is not a valid amount, or exceeds what can still be refunded."""

    code: str | None = "AmountInvalid"


class PaymentSessionDoesNotExistError(BadRequestError):
    """400 ``PaymentSessionDoesNotExist``: there is no such payment session for this API key."""

    code: str | None = "PaymentSessionDoesNotExist"


class InvalidPaymentIdError(BadRequestError):
    """400 ``InvalidPaymentId``: there is no such payment to refund. Pass the payment session's ``id``."""

    code: str | None = "InvalidPaymentId"


class SessionPendingError(BadRequestError):
    """400 ``SessionPending``: the customer has not finished, so no money is held yet. To end the session, cancel it."""

    code: str | None = "SessionPending"


class SessionCapturedError(BadRequestError):
    """400 ``SessionCaptured``: the session is already captured. To return the money, refund it."""

    code: str | None = "SessionCaptured"


class SessionVoidedError(BadRequestError):
    """400 ``SessionVoided``: the hold was released. To charge the customer, create a new session."""

    code: str | None = "SessionVoided"


class SessionExpiredError(BadRequestError):
    """400 ``SessionExpired``: the hold expired and could not be renewed. To charge the customer, create a new session."""

    code: str | None = "SessionExpired"


class ImmediateCaptureError(BadRequestError):
    """400 ``ImmediateCapture``: the session is not an ``authorization``, so there is nothing to void."""

    code: str | None = "ImmediateCapture"


class ChargeDisputedError(BadRequestError):
    """400 ``ChargeDisputed``: the customer disputes the charge, so it cannot be refunded."""

    code: str | None = "ChargeDisputed"


class NoSessionCapturesError(BadRequestError):
    """400 ``NoSessionCaptures``: no money was captured that could be refunded."""

    code: str | None = "NoSessionCaptures"


DOCUMENTED_CODES: Mapping[str, type[BadRequestError]] = {
    kind.code: kind for kind in BadRequestError.__subclasses__() if kind.code is not None
}
"""The class of a response with status 400, by its ``error``."""


# --- webhooks -----------------------------------------------------------------------------------------------------


class WebhookError(TruemedError):
    """A webhook delivery was rejected."""


class SignatureError(WebhookError):
    """The delivery is not signed with any of the given secrets. Respond with 401."""


class StaleDeliveryError(WebhookError):
    """The signature is valid but its timestamp is too far in the past or future. Respond with 401."""


class PayloadError(WebhookError):
    """The delivery is authentic but its body cannot be read. Respond with 400."""
