"""The base of every error, those of misuse, and those of webhooks."""

from __future__ import annotations


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


class WebhookError(TruemedError):
    """A webhook delivery was refused."""


class SignatureError(WebhookError):
    """The delivery is not signed with any of the given secrets. Answer 401."""


class StaleDeliveryError(WebhookError):
    """The signature is right but its timestamp lies too far in the past or future. Answer 401."""


class PayloadError(WebhookError):
    """The delivery is authentic but its body cannot be read. Answer 400."""
