"""What Truemed answered, by status."""

from __future__ import annotations

from typing import Any, ClassVar

from truemed_async._sensitive import Sensitive
from truemed_async.errors._calls import CallError


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
    """404, or ``error: "NotFound"``: no such object for this API key."""


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
