"""The values of ``error`` that Truemed documents for payment sessions: each has a class, by its own name."""

from __future__ import annotations

from collections.abc import Mapping

from truemed_async.errors._answers import BadRequestError


class MissingFieldError(BadRequestError):
    """400 ``MissingField``: a field that Truemed requires was not sent."""


class TotalAmountInvalidError(BadRequestError):
    """400 ``TotalAmountInvalid``: the amount to capture is 0, negative, or does not fit the session.

    It must not be above the session's ``total_amount``, nor below the sum of its items.
    """


class AmountInvalidError(BadRequestError):
    """400 ``AmountInvalid``: the amount to refund is more than what can still be refunded, or no amount."""


class PaymentSessionDoesNotExistError(BadRequestError):
    """400 ``PaymentSessionDoesNotExist``: no such payment session for this API key."""


class InvalidPaymentIdError(BadRequestError):
    """400 ``InvalidPaymentId``: there is no such payment to refund. It is the session's ``id`` that is wanted."""


class SessionPendingError(BadRequestError):
    """400 ``SessionPending``: the customer has not finished, so there is no hold yet. To end the session, cancel it."""


class SessionCapturedError(BadRequestError):
    """400 ``SessionCaptured``: the session is captured already. To give the money back, refund it."""


class SessionVoidedError(BadRequestError):
    """400 ``SessionVoided``: the hold was released. To take money, create a new session."""


class SessionExpiredError(BadRequestError):
    """400 ``SessionExpired``: the hold expired and could not be renewed. To take money, create a new session."""


class ImmediateCaptureError(BadRequestError):
    """400 ``ImmediateCapture``: the session is no ``authorization``, so there is nothing to void."""


class ChargeDisputedError(BadRequestError):
    """400 ``ChargeDisputed``: the customer disputes the charge; it cannot be refunded."""


class NoSessionCapturesError(BadRequestError):
    """400 ``NoSessionCaptures``: no money was taken that could be refunded."""


DOCUMENTED: Mapping[str, type[BadRequestError]] = {
    "AmountInvalid": AmountInvalidError,
    "ChargeDisputed": ChargeDisputedError,
    "ImmediateCapture": ImmediateCaptureError,
    "InvalidPaymentId": InvalidPaymentIdError,
    "MissingField": MissingFieldError,
    "NoSessionCaptures": NoSessionCapturesError,
    "PaymentSessionDoesNotExist": PaymentSessionDoesNotExistError,
    "SessionCaptured": SessionCapturedError,
    "SessionExpired": SessionExpiredError,
    "SessionPending": SessionPendingError,
    "SessionVoided": SessionVoidedError,
    "TotalAmountInvalid": TotalAmountInvalidError,
}
"""What an answer with status 400 becomes, by its ``error``."""
