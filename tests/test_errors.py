"""The tree of errors, as it is drawn in the module's docstring, and what an error shows, keeps and hides."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

from truemed_async import errors
from truemed_async._core.failure import AttemptFailure
from truemed_async._sensitive import Sensitive
from truemed_async.errors import (
    APIError,
    CallError,
    DecodeError,
    InvalidArgumentError,
    PaymentMethodError,
    RateLimitedError,
    SyncInAsyncError,
    TruemedError,
    UserIdAlreadySetError,
)

pytestmark = pytest.mark.kills(
    "truemed_async._core.response", "truemed_async._core.request", "truemed_async._sensitive"
)

TREE = {
    "TruemedError": "Exception",
    "ConfigurationError": "TruemedError",
    "ClientClosedError": "TruemedError",
    "SyncInAsyncError": "TruemedError",
    "InvalidArgumentError": "TruemedError",
    "CallError": "TruemedError",
    "TransportError": "CallError",
    "ConnectError": "TransportError",
    "TLSError": "ConnectError",
    "DisconnectedError": "TransportError",
    "AttemptTimeoutError": "TransportError",
    "DeadlineExceededError": "TransportError",
    "ProtocolError": "TransportError",
    "TruncatedResponseError": "TransportError",
    "ResponseTooLargeError": "TransportError",
    "UnexpectedRedirectError": "TransportError",
    "DecodeError": "CallError",
    "APIError": "CallError",
    "BadRequestError": "APIError",
    "IdempotencyMismatchError": "BadRequestError",
    "MissingFieldError": "BadRequestError",
    "TotalAmountInvalidError": "BadRequestError",
    "AmountInvalidError": "BadRequestError",
    "PaymentSessionDoesNotExistError": "BadRequestError",
    "InvalidPaymentIdError": "BadRequestError",
    "SessionPendingError": "BadRequestError",
    "SessionCapturedError": "BadRequestError",
    "SessionVoidedError": "BadRequestError",
    "SessionExpiredError": "BadRequestError",
    "ImmediateCaptureError": "BadRequestError",
    "ChargeDisputedError": "BadRequestError",
    "NoSessionCapturesError": "BadRequestError",
    "AuthenticationError": "APIError",
    "PermissionDeniedError": "APIError",
    "NotFoundError": "APIError",
    "ConflictError": "APIError",
    "UserIdAlreadySetError": "ConflictError",
    "UnprocessableError": "APIError",
    "PaymentMethodError": "UnprocessableError",
    "RateLimitedError": "APIError",
    "ServerError": "APIError",
    "PaginationDriftError": "TruemedError",
    "WebhookError": "TruemedError",
    "SignatureError": "WebhookError",
    "StaleDeliveryError": "WebhookError",
    "PayloadError": "WebhookError",
}
CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
CALL_ERRORS = [each for each in CLASSES if issubclass(each, CallError)]


def test_link_is_in_the_published_path():
    assert {each.__name__: each.__bases__[0].__name__ for each in CLASSES} == TREE


def test_docstring_draws_every_error():
    drawn = set(re.findall(r"\b[A-Z]\w*Error\b", errors.__doc__ or "")) - {"ServerError", "RuntimeError", "ValueError"}
    assert drawn == set(TREE) - {"ServerError"}
    assert "└ ServerError (5xx" in (errors.__doc__ or "")


def test_two_errors_are_builtin_errors_too():
    assert issubclass(InvalidArgumentError, ValueError)
    assert issubclass(SyncInAsyncError, RuntimeError)
    assert not issubclass(CallError, (ValueError, RuntimeError, OSError))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_class_has_a_docstring(kind):
    assert kind.__doc__


def make_error(kind: type[CallError], **options: Any) -> CallError:
    """Return an error as the client raises it, with everything in it."""
    return AttemptFailure(
        error=kind,
        reason="it broke",
        outcome="unknown",
        status=418,
        code="Teapot",
        path="a.b",
        retry_after=7.0,
        request_id="r-1",
        message=Sensitive("canary"),
        body=Sensitive({"email": "canary"}),
        redirect_url=Sensitive("https://canary.example/"),
    ).to_error(
        **{
            "endpoint": "qualification_sessions.update",
            "attempts": 3,
            "outcome": "unknown",
            "idempotency_key": "k-1",
            "retries_suppressed": True,
            **options,
        }
    )


@pytest.mark.parametrize("kind", CALL_ERRORS, ids=lambda kind: kind.__name__)
def test_every_call_error_has_outcome_and_attempts(kind):
    error = make_error(kind)
    assert type(error) is kind
    assert error.endpoint == "qualification_sessions.update"
    assert error.attempts == 3
    assert error.outcome == "unknown"
    assert error.idempotency_key == "k-1"
    assert error.request_id == "r-1"
    assert error.retries_suppressed is True
    if isinstance(error, APIError):
        assert (error.status, error.code, error.message, error.body) == (418, "Teapot", "canary", {"email": "canary"})
    if isinstance(error, DecodeError):
        assert error.path == "a.b"
    if isinstance(error, RateLimitedError):
        assert error.retry_after == 7.0
    if isinstance(error, PaymentMethodError):
        assert error.redirect_url == "https://canary.example/"


@pytest.mark.parametrize("kind", CALL_ERRORS, ids=lambda kind: kind.__name__)
def test_text_of_an_error_omits_the_message(kind):
    error = make_error(kind)
    assert "canary" not in f"{error} {error!r} {error.args} {vars(error)}"


@pytest.mark.parametrize("kind", CALL_ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_error_keeps_attributes_without_message(kind, protocol):
    error = make_error(kind)
    error.add_note("order 7")
    pickled = pickle.dumps(error, protocol)
    assert b"canary" not in pickled
    again = pickle.loads(pickled)
    assert type(again) is kind
    assert (str(again), again.args) == (str(error), error.args)
    attributes = {name: value for name, value in vars(error).items() if not isinstance(value, Sensitive)}
    assert vars(again) == {**attributes, "__notes__": ["order 7"]}  # without the one on the message
    if isinstance(again, APIError):
        assert again.message is None
        assert again.body is None
    if isinstance(again, PaymentMethodError):
        assert again.redirect_url is None


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy])
def test_error_can_be_copied(twin):
    error = make_error(DecodeError)
    assert str(twin(error)) == str(error)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            (
                "request r-1: qualification_sessions.update: it broke (3 attempts; outcome unknown: it may have been applied,"
                " idempotency_key=k-1, no further retry: the retry budget is used up)"
            ),
        ),
        (
            {"attempts": 1, "outcome": "not_sent", "idempotency_key": None, "retries_suppressed": False},
            "request r-1: qualification_sessions.update: it broke (1 attempt; outcome not_sent: nothing was sent)",
        ),
        (
            {"is_read": True, "idempotency_key": None, "retries_suppressed": False},
            "request r-1: qualification_sessions.update: it broke (3 attempts; outcome unknown: no usable response)",
        ),
        (
            {"is_read": True, "outcome": "not_sent", "idempotency_key": None, "retries_suppressed": False},
            "request r-1: qualification_sessions.update: it broke (3 attempts; outcome not_sent: nothing was sent)",
        ),
        (
            {"attempts": 0, "outcome": "rejected", "retries_suppressed": False},
            (
                "request r-1: qualification_sessions.update: it broke (0 attempts; outcome rejected: it had no effect,"
                " idempotency_key=k-1)"
            ),
        ),
    ],
)
def test_text_describes_failure_and_remedy(changes, text):
    assert str(make_error(CallError, **changes)) == text


def test_error_can_be_constructed_with_its_endpoint():
    error = CallError("it broke", endpoint="x.y")
    assert (error.attempts, error.outcome, error.idempotency_key, error.request_id) == (1, "unknown", None, None)
    assert str(error) == "x.y: it broke (1 attempt; outcome unknown: it may have been applied)"
    bare = APIError("it broke", endpoint="x.y")
    assert (bare.status, bare.code, bare.message, bare.body) == (0, None, None, None)
    assert PaymentMethodError("it broke", endpoint="x.y").redirect_url is None


def test_hint_for_a_set_user_id_is_truemeds():
    """Truemed guide, "Update a Qualification Session": "contact Truemed support"."""
    assert "Truemed support" in UserIdAlreadySetError.hint


def test_other_errors_are_pickled_like_any_exception():
    for kind in CLASSES:
        if not issubclass(kind, CallError):
            again = pickle.loads(pickle.dumps(kind("it broke")))
            assert (type(again), again.args) == (kind, ("it broke",))
            assert isinstance(again, TruemedError)
