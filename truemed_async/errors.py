"""Everything that can go wrong, in one tree.

::

    TruemedError
      ├ ConfigurationError · ClientClosedError · SyncInAsyncError (also a RuntimeError)
      ├ InvalidArgumentError (also a ValueError)        refused before any I/O
      ├ CallError                                       everything that happened on a call
      │   ├ TransportError
      │   │   ├ ConnectError ─ TLSError                 nothing was sent
      │   │   ├ DisconnectedError · AttemptTimeoutError · DeadlineExceededError
      │   │   └ ProtocolError · TruncatedResponseError · ResponseTooLargeError · UnexpectedRedirectError
      │   ├ DecodeError                                 a whole answer of the wrong shape
      │   └ APIError                                    Truemed answered with an error
      │       ├ BadRequestError (400) ─ IdempotencyMismatchError
      │       ├ AuthenticationError (401) · PermissionDeniedError (403) · NotFoundError (404)
      │       ├ ConflictError (409) ─ UserIdAlreadySetError
      │       ├ UnprocessableError (422) ─ PaymentMethodError
      │       ├ RateLimitedError (429)
      │       └ ServerError (5xx, and the documented 400 "ServerError")
      ├ PaginationDriftError
      └ WebhookError ─ SignatureError · StaleDeliveryError · PayloadError

No text, argument or ``repr`` of these holds the API key, a body, or a personal value. What Truemed said is in
:attr:`APIError.message` and :attr:`APIError.body`, for programs to read; it is left out of ``str(error)`` because it
may quote personal data. Pickling an error (as task queues do) drops both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from truemed_async._sensitive import Sensitive

CallOutcome = Literal["not_sent", "unknown", "rejected"]
"""What a failed call may have done: it never left; it may have been applied; it was refused."""

_WHAT_IT_MEANS: Mapping[str, str] = {
    "not_sent": "nothing was sent",
    "unknown": "it may have been applied",
    "rejected": "it was refused",
}


class TruemedError(Exception):
    """The base of every error of this library."""


class ConfigurationError(TruemedError):
    """The client cannot be built from what was given: a missing key, a malformed URL."""


class ClientClosedError(TruemedError):
    """The client was closed, or belongs to another event loop that is still running."""


class SyncInAsyncError(TruemedError, RuntimeError):
    """A synchronous call was made from the thread that would have to answer it."""


class InvalidArgumentError(TruemedError, ValueError):
    """An argument was refused before anything was sent."""


class PaginationDriftError(TruemedError):
    """A listing can no longer promise that nothing is missing."""


class CallError(TruemedError):
    """A call failed; the attributes say how far it got and how to settle it.

    Attributes:
        endpoint: The endpoint's name, for example ``"qualification_sessions.update"``.
        attempts: How many requests were made, at least 0.
        outcome: ``"not_sent"``, ``"unknown"`` (it may have been applied) or ``"rejected"``.
        idempotency_key: The key of a write: calling again with the same key and arguments is safe and settles an
            unknown outcome. ``None`` where the endpoint takes no key.
        request_id: The server's id of the last answer, where it gave one.
        retries_suppressed: Whether a retry was due but the client's retry budget was used up (an outage).
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
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.endpoint = endpoint
        self.attempts = attempts
        self.outcome: CallOutcome = outcome
        self.idempotency_key = idempotency_key
        self.request_id = request_id
        self.retries_suppressed = retries_suppressed

    def __str__(self) -> str:
        request = f"request {self.request_id}: " if self.request_id else ""
        tries = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        key = f", idempotency_key={self.idempotency_key}" if self.idempotency_key else ""
        budget = ", no further retry: the retry budget is used up" if self.retries_suppressed else ""
        fate = f"{self.outcome}: {_WHAT_IT_MEANS[self.outcome]}"
        return f"{request}{self.endpoint}: {self.reason} ({tries}; outcome {fate}{key}{budget})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(self).items() if not isinstance(value, Sensitive)}
        return _restore, (type(self), self.args, state)


def _restore(cls: type[CallError], args: tuple[Any, ...], state: dict[str, Any]) -> CallError:
    """Rebuild a pickled error: its constructor takes more than ``args``."""
    error = cls.__new__(cls, *args)
    error.args = args
    vars(error).update(state)
    return error


class TransportError(CallError):
    """The exchange itself failed; Truemed's answer is missing or unusable."""


class ConnectError(TransportError):
    """No connection could be made: name resolution, refusal, or the connect time-out. Nothing was sent."""


class TLSError(ConnectError):
    """The TLS handshake failed, for example on a certificate that does not verify. Nothing was sent."""


class DisconnectedError(TransportError):
    """The connection broke after the request may have been sent."""


class AttemptTimeoutError(TransportError):
    """One attempt took longer than ``Timeouts.attempt``."""


class DeadlineExceededError(TransportError):
    """The whole call, with its retries and pauses, took longer than ``Timeouts.total``."""


class ProtocolError(TransportError):
    """The answer was not well-formed HTTP."""


class TruncatedResponseError(TransportError):
    """The answer ended early."""


class ResponseTooLargeError(TransportError):
    """The answer, once decompressed, was larger than this library reads."""


class UnexpectedRedirectError(TransportError):
    """The server answered with a redirect. It was not followed: it would have carried the key elsewhere."""


class DecodeError(CallError):
    """A whole answer came, but its content is not what the endpoint returns.

    Attributes:
        path: Where in the answer, for example ``"qualification_sessions[3].created_at"``; never the value.
    """

    path: str = ""


class APIError(CallError):
    """Truemed answered with an error status.

    Attributes:
        status: The HTTP status.
        code: Truemed's ``error`` value, for example ``"ValidationError"``; ``None`` if there is none, or if what is
            there does not look like a code (it is in ``body`` then).
    """

    status: int = 0
    code: str | None = None
    _message: Sensitive[str] | None = None
    _body: Sensitive[Any] | None = None

    @property
    def message(self) -> str | None:
        """Truemed's ``message``: text for people. It may quote personal data; log it with care."""
        return self._message.value if self._message else None

    @property
    def body(self) -> Any:
        """The whole error body: parsed JSON, or text where it is not JSON, or ``None``. It may hold personal data."""
        return self._body.value if self._body else None


class BadRequestError(APIError):
    """400: the request was refused; ``code`` says why."""


class IdempotencyMismatchError(BadRequestError):
    """400: the idempotency key was used before with another payload. Use a fresh key for a new change."""


class AuthenticationError(APIError):
    """401: the API key is missing, wrong, or of the other environment."""


class PermissionDeniedError(APIError):
    """403: the API key may not do this."""


class NotFoundError(APIError):
    """404: no such object for this API key."""


class ConflictError(APIError):
    """409: the request contradicts what is stored. Never retried."""


class UserIdAlreadySetError(ConflictError):
    """409 ``user_id_already_set``: the session has a ``user_id``, and it cannot be changed through the API.

    Truemed: "If you need to correct a previously set value, contact Truemed support".
    """

    hint: ClassVar[str] = "the session already has a user_id; only Truemed support can correct it"


class UnprocessableError(APIError):
    """422: the request was understood but cannot be done."""


class PaymentMethodError(UnprocessableError):
    """422: a stored payment method could not be charged; send the customer to :attr:`redirect_url`."""

    _redirect_url: Sensitive[str] | None = None

    @property
    def redirect_url(self) -> str | None:
        """Truemed's page where the customer repairs the payment method (personal: it is in no text or log)."""
        return self._redirect_url.value if self._redirect_url else None


class RateLimitedError(APIError):
    """429: too many requests.

    Attributes:
        retry_after: Seconds the server asked to wait, or ``None``.
    """

    retry_after: float | None = None


class ServerError(APIError):
    """5xx, or the documented 400 with ``error: "ServerError"``."""


class WebhookError(TruemedError):
    """A webhook delivery was refused."""


class SignatureError(WebhookError):
    """The delivery is not signed with any of the given secrets. Answer 401."""


class StaleDeliveryError(WebhookError):
    """The signature is right but its timestamp lies too far in the past or future. Answer 401."""


class PayloadError(WebhookError):
    """The delivery is authentic but its body cannot be read. Answer 400."""
