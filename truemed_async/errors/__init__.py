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

No text, argument or ``repr`` of these holds the API key, a body, or a personal value. What Truemed said is in
:attr:`APIError.message` and :attr:`APIError.body`, for programs to read; it is left out of ``str(error)`` because it
may quote personal data. Pickling an error (as task queues do) drops both.
"""

from __future__ import annotations

from truemed_async.errors._answers import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    IdempotencyMismatchError,
    NotFoundError,
    PaymentMethodError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnprocessableError,
    UserIdAlreadySetError,
)
from truemed_async.errors._base import (
    ClientClosedError,
    ConfigurationError,
    InvalidArgumentError,
    PaginationDriftError,
    PayloadError,
    SignatureError,
    StaleDeliveryError,
    SyncInAsyncError,
    TruemedError,
    WebhookError,
)
from truemed_async.errors._calls import (
    AttemptTimeoutError,
    CallError,
    CallOutcome,
    ConnectError,
    DeadlineExceededError,
    DecodeError,
    DisconnectedError,
    ProtocolError,
    ResponseTooLargeError,
    TLSError,
    TransportError,
    TruncatedResponseError,
    UnexpectedRedirectError,
)
from truemed_async.errors._documented import (
    AmountInvalidError,
    ChargeDisputedError,
    ImmediateCaptureError,
    InvalidPaymentIdError,
    MissingFieldError,
    NoSessionCapturesError,
    PaymentSessionDoesNotExistError,
    SessionCapturedError,
    SessionExpiredError,
    SessionPendingError,
    SessionVoidedError,
    TotalAmountInvalidError,
)

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

for _each in (globals()[_name] for _name in __all__):
    if isinstance(_each, type):
        _each.__module__ = __name__  # so tracebacks, pickles and the documentation name what users import
