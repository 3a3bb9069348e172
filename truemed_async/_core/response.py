"""Reads an answer: a typed value, or a :class:`Problem`. Pure: no I/O; the time, seconds since the epoch, comes in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import NoneType
from typing import Any, Generic, TypeVar, cast

import attrs

from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async._core.problem import Problem
from truemed_async._sensitive import Sensitive
from truemed_async.errors import (
    DOCUMENTED_CODES,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    IdempotencyMismatchError,
    NotFoundError,
    PaymentMethodError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    ServerError,
    TruncatedResponseError,
    UnexpectedRedirectError,
    UnprocessableError,
    UserIdAlreadySetError,
)
from truemed_async.models import Model
from truemed_async.models._compile import StructureError
from truemed_async.models._converter import JSONDecodeError, loads, structurer

T = TypeVar("T")

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a decoded answer that are read; a page of 500 sessions has under 400 kB."""
ERROR_BODY_LIMIT = 64 * 1024
"""Bytes of an error's answer that are read; what lies beyond is left unread."""

_BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
# Documented as final: whatever else the server says, a repeat cannot end differently.
_FINAL = frozenset({409, 422, 501})
# Answers that say the request was not processed; any other failure that is retried may have had its effect.
_NOT_PROCESSED = frozenset({425, 429})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]+\Z")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_WITHOUT_BODY = frozenset({204, 205})
# No such header is documented for this API; these are the usual names.
_REQUEST_ID_HEADERS = ("x-request-id", "request-id")


@attrs.frozen(eq=False)
class RawResponse:
    """Status, headers and decoded body as they came. ``announced`` says that the server stated the body's length."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    announced: bool = False

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, if it names one."""
        for name in _REQUEST_ID_HEADERS:
            value = self.headers.get(name, "")[:200]
            if _REQUEST_ID.match(value):  # it is shown and logged, so it must look like an id
                return value
        return None


@attrs.frozen(kw_only=True)
class Response(Generic[T]):
    """A typed answer with what surrounded it.

    Attributes:
        value: The decoded answer.
        status: The HTTP status.
        headers: The response headers, looked up without regard to case.
        request_id: The server's id of the request, or ``None``.
        attempts: How many requests it took.
        elapsed: Seconds from the first attempt's start to the answer, pauses included.
        idempotency_key: The key of a write, or ``None``.
    """

    value: T
    status: int
    headers: Mapping[str, str] = attrs.field(repr=lambda headers: repr(list(headers)))
    request_id: str | None
    attempts: int
    elapsed: float
    idempotency_key: str | None


def read(raw: RawResponse, endpoint: Endpoint[T], now: float) -> T | Problem:
    """Return the answer's value, or what is wrong with it."""
    if 200 <= raw.status < 300:
        return _value(raw, endpoint)
    if raw.status < 200:
        return Problem(
            error=ProtocolError,
            reason=f"the server answered {raw.status}, which is not an answer",
            outcome="unknown",
            status=raw.status,
            request_id=raw.request_id,
        )
    if 300 <= raw.status < 400:
        return Problem(
            error=UnexpectedRedirectError,
            reason=f"the server answered with a redirect ({raw.status}), which was not followed",
            outcome="rejected",
            status=raw.status,
            request_id=raw.request_id,
        )
    return _refusal(raw, endpoint, now)


def _value(raw: RawResponse, endpoint: Endpoint[T]) -> T | Problem:
    start = raw.body.lstrip()[:1]
    if endpoint.result is NoneType and (start in (b"", b"{", b"[") or raw.status in _WITHOUT_BODY):
        return cast("T", None)  # what is no JSON is somebody else's page
    if start not in (b"{", b"["):
        if raw.body:
            return _undecodable(raw, "the answer is not JSON")
        if not raw.announced and raw.status not in _WITHOUT_BODY:
            return _truncated(raw)
        return _without_fields(raw, endpoint)
    try:
        data = loads(raw.body)
    except JSONDecodeError:
        return _truncated(raw) if ends_early(raw.body) else _undecodable(raw, "the answer is malformed JSON")
    try:
        return cast("T", structurer(cast("Any", endpoint.result), endpoint.items)(data))
    except StructureError as mismatch:
        path, expected = mismatch.path, mismatch.expected
    return _undecodable(raw, f"expected {expected} at {path or 'the top'}", path)


def _without_fields(raw: RawResponse, endpoint: Endpoint[T]) -> T | Problem:
    """Read an answer without a body: where no field is required it is one, for it is not known what some answers hold."""
    result = cast("Any", endpoint.result)
    if isinstance(result, type) and issubclass(result, Model):
        try:
            return cast("T", structurer(cast("Any", result))({}))
        except StructureError:
            pass  # said below
    return _undecodable(raw, "the answer is not JSON")


_STRING = re.compile(rb'"[^"]*"')


def ends_early(body: bytes) -> bool:
    """Whether a body that does not parse is the beginning of JSON: a bracket or a string is still open.

    No proper prefix of a JSON object or array parses, so this is how a cut-off answer shows even where the transport
    took it for whole: gzip cut before its trailer, or a connection whose close is the only end mark. Each step is one
    pass in C: the body may be hostile, and this runs on the event loop.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")  # what quotes are left begin and end strings
    rest = _STRING.sub(b"", plain)
    opened = rest.count(b"{") + rest.count(b"[")
    return b'"' in rest or opened > rest.count(b"}") + rest.count(b"]")


def _truncated(raw: RawResponse) -> Problem:
    return Problem(
        error=TruncatedResponseError,
        reason="the answer ended early",
        outcome="unknown",
        retries=None,
        status=raw.status,
        request_id=raw.request_id,
    )


def _undecodable(raw: RawResponse, reason: str, path: str = "") -> Problem:
    return Problem(
        error=DecodeError,
        reason=reason,
        outcome="unknown",
        status=raw.status,
        request_id=raw.request_id,
        path=path,
    )


def _refusal(raw: RawResponse, endpoint: Endpoint[Any], now: float) -> Problem:
    """Classify an error answer: what its body says goes before its status."""
    body: Any = _parsed(raw.body)
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    message, redirect_url = _text(fields.get("message")), _text(fields.get("redirect_url"))
    code = _text(fields.get("error"))
    if code is not None and not _CODE.match(code):  # it comes from outside, and codes are shown
        code = None
    error = _error_class(raw.status, code, message, endpoint, has_redirect=redirect_url is not None)
    documented = raw.status == 400 and error is ServerError
    retried = documented or raw.status in _RETRIED
    word = raw.headers.get("x-should-retry")  # beats the status, not the body; other values mean nothing
    if word in ("true", "false") and not documented and raw.status not in _FINAL:
        retried = word == "true"
    applied = raw.status not in _FINAL and raw.status not in _NOT_PROCESSED and (retried or error is ServerError)
    wait = retry_after(raw.headers, now)
    return Problem(
        error=error,
        reason=_reason(raw.status, code, error),
        outcome="unknown" if applied or raw.status == 408 else "rejected",
        retries=None if retried else 0,
        throttled=raw.status == 429 or (raw.status == 503 and wait is not None),
        retry_after=wait,
        status=raw.status,
        code=code,
        request_id=raw.request_id,
        message=None if message is None else Sensitive(message),
        body=None if body is None else Sensitive(cast("Any", body)),
        redirect_url=None if redirect_url is None else Sensitive(redirect_url),
    )


def _error_class(
    status: int, code: str | None, message: str | None, endpoint: Endpoint[Any], *, has_redirect: bool
) -> type[APIError]:
    if status >= 500 or (status == 400 and code == "ServerError"):
        return ServerError
    if status == 409 and code == "user_id_already_set":
        return UserIdAlreadySetError
    if status == 422 and has_redirect:
        return PaymentMethodError
    if status in (400, 422) and code == "NotFound":  # of a deleted token; with which status, no page at hand says
        return NotFoundError
    if status == 400 and code is not None and code in DOCUMENTED_CODES:
        return DOCUMENTED_CODES[code]
    # Truemed documents "a 400 validation error" for a reused key and no code of its own, so its words must tell.
    told = f"{code} {message}".lower()
    if status == 400 and endpoint.idempotency is Idempotency.KEYED and "idempotency" in told:
        return IdempotencyMismatchError
    return _BY_STATUS.get(status, APIError)


def _reason(status: int, code: str | None, error: type[APIError]) -> str:
    """Put the status and the code into words."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
    shown = "" if code is None else f", {code}"
    hint = f": {error.hint}" if issubclass(error, UserIdAlreadySetError) else ""
    return f"{status} {phrase}{shown}{hint}"


def _parsed(body: bytes) -> Any:
    """Return the JSON of an error's body, or its text, or ``None``."""
    try:
        return loads(body)
    except JSONDecodeError:
        return body.decode(errors="replace") or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the server asks to wait, or ``None`` if it does not say so intelligibly.

    A date is compared with the answer's own ``Date``, so that a wrong clock on this machine does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():  # `float` would also take nan, 1_000 and digits of other scripts
        return float(value) if len(value) <= 10 else None
    until = _http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(headers.get("date", "")) or datetime.fromtimestamp(now, UTC))).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
