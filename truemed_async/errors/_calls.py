"""What happened on a call before there was an answer, or instead of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from truemed_async._sensitive import Sensitive
from truemed_async.errors._base import TruemedError

CallOutcome = Literal["not_sent", "unknown", "rejected"]
"""What a failed call may have done: it never left; it may have been applied; it was refused."""

_WHAT_IT_MEANS: Mapping[str, str] = {
    "not_sent": "nothing was sent",
    "unknown": "it may have been applied",
    "rejected": "it was refused",
}


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
