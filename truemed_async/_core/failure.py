"""One failed attempt as a value: the retry decision reads it, and the last one becomes the error."""

from __future__ import annotations

from typing import Any

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.errors import APIError, CallError, CallOutcome, DecodeError, PaymentMethodError, RateLimitedError


@attrs.frozen(kw_only=True, eq=False)
class AttemptFailure:
    """One failed attempt.

    Attributes:
        error: The class of the error to raise.
        reason: What happened, without any value from outside.
        outcome: What the attempt may have done.
        max_retries: How often a call may be retried because of it: 0, 1, or as the policy allows (``None``).
        throttled: Whether the server limits the rate.
        retry_after: How many seconds the server asked to wait.
    """

    error: type[CallError]
    reason: str
    outcome: CallOutcome
    max_retries: int | None = 0
    throttled: bool = False
    retry_after: float | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    path: str = ""
    message: Sensitive[str] | None = None
    body: Sensitive[Any] | None = None
    redirect_url: Sensitive[str] | None = None

    def to_error(
        self,
        *,
        endpoint: str,
        attempts: int,
        outcome: CallOutcome,
        idempotency_key: str | None,
        retries_suppressed: bool,
        is_read: bool = False,
    ) -> CallError:
        """Return the error to raise. It is built here so that no frame of its traceback holds a body."""
        error = self.error(
            self.reason,
            endpoint=endpoint,
            attempts=attempts,
            outcome=outcome,
            idempotency_key=idempotency_key,
            request_id=self.request_id,
            retries_suppressed=retries_suppressed,
            is_read=is_read,
        )
        if isinstance(error, APIError):
            error.status = self.status or 0
            error.code = self.code
            error.attach_content(self.message, self.body)
        if isinstance(error, DecodeError):
            error.path = self.path
        if isinstance(error, RateLimitedError):
            error.retry_after = self.retry_after
        if isinstance(error, PaymentMethodError):
            error.attach_redirect_url(self.redirect_url)
        return error
