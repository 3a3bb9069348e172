"""Reads a response: a typed value, or an :class:`AttemptFailure`. Pure: no I/O, and the time is an argument."""

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
from truemed_async._core.failure import AttemptFailure
from truemed_async._frozen import fast_constructor
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
from truemed_async.models._base import Model
from truemed_async.models._compile import StructureError
from truemed_async.models._converter import JSONDecodeError, loads
from truemed_async.models._reading import lenient_structurer, structurer

T = TypeVar("T")

BODY_LIMIT = 8 * 1024 * 1024
"""How many bytes of a decoded response are read; a page of 500 sessions has less than 400 kB."""
ERROR_BODY_LIMIT = 64 * 1024
"""How many bytes of an error response are read; the rest is ignored."""

_BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}
_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
# Documented as final: whatever else the server says, a retry cannot end differently.
_NEVER_RETRIED = frozenset({409, 422, 501})
# The request was certainly not processed. After any other failure that is retried it may have been applied.
_KNOWN_NOT_APPLIED = frozenset({425, 429})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some servers begin JSON with it
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]+\Z")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_BODILESS_STATUSES = frozenset({204, 205})
# No such header is documented for this API; these are the usual names.
_REQUEST_ID_HEADERS = ("x-request-id", "request-id")


@attrs.frozen(eq=False, weakref_slot=False)
class RawResponse:
    """Status, headers and decoded body. ``has_length`` says whether the server stated the length of the body."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    has_length: bool = False

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, if it sent one."""
        for name in _REQUEST_ID_HEADERS:
            value = self.headers.get(name)
            if value is not None and _REQUEST_ID.match(
                value := value[:200]
            ):  # it is printed and logged, so it must look like an id
                return value
        return None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Response(Generic[T]):
    """A typed response with its metadata.

    Attributes:
        value: The decoded body.
        status: The HTTP status.
        headers: The response headers; names are case-insensitive.
        request_id: The server's id of the request, or ``None``.
        attempts: The number of requests.
        elapsed: Seconds from the start of the first attempt to the response, including backoff.
        idempotency_key: The key of a write, or ``None``.
    """

    value: T
    status: int
    headers: Mapping[str, str] = attrs.field(repr=lambda headers: repr(list(headers)))
    request_id: str | None
    attempts: int
    elapsed: float
    idempotency_key: str | None


new_raw_response, new_response = fast_constructor(RawResponse), fast_constructor(Response[Any])


def read_response(raw: RawResponse, endpoint: Endpoint[T], now: float, *, lenient: bool = False) -> T | AttemptFailure:
    """Return the response's value, or what is wrong with it."""
    if 200 <= raw.status < 300:
        return _read_success(raw, endpoint, lenient=lenient)
    if raw.status < 200:
        return AttemptFailure(
            error=ProtocolError,
            reason=f"the server sent status {raw.status}, which is not a final response",
            outcome="unknown",
            status=raw.status,
            request_id=raw.request_id,
        )
    if 300 <= raw.status < 400:
        return AttemptFailure(
            error=UnexpectedRedirectError,
            reason=f"the server responded with a redirect ({raw.status}), which was not followed",
            outcome="rejected",
            status=raw.status,
            request_id=raw.request_id,
        )
    return _error_response(raw, endpoint, now)


def _read_success(raw: RawResponse, endpoint: Endpoint[T], *, lenient: bool) -> T | AttemptFailure:
    body = raw.body.removeprefix(_BYTE_ORDER_MARK)
    start = body.lstrip()[:1]
    if endpoint.result is NoneType and (start in (b"", b"{", b"[") or raw.status in _BODILESS_STATUSES):
        return cast("T", None)  # a body that is not JSON is another server's page
    if start not in (b"{", b"["):
        if raw.body:
            return _undecodable(raw, "the response is not JSON")
        if not raw.has_length and raw.status not in _BODILESS_STATUSES:
            return _truncated(raw)
        return _empty_response(raw, endpoint)
    try:
        data = loads(body)
    except JSONDecodeError:
        return _truncated(raw) if looks_truncated(body) else _undecodable(raw, "the response is malformed JSON")
    try:
        find_structure = lenient_structurer if lenient else structurer
        return cast("T", find_structure(cast("Any", endpoint.result), endpoint.items)(data))
    except StructureError as mismatch:
        path, expected = mismatch.path, mismatch.expected
    return _undecodable(raw, f"expected {expected} at {path or 'the top'}", path)


def _empty_response(raw: RawResponse, endpoint: Endpoint[T]) -> T | AttemptFailure:
    """Read a response without a body. It is valid if no field is required: the content of some responses is unknown."""
    result = cast("Any", endpoint.result)
    if isinstance(result, type) and issubclass(result, Model):
        try:
            return cast("T", structurer(cast("Any", result))({}))
        except StructureError:
            pass  # the failure below has no cause
    return _undecodable(raw, "the response is not JSON")


_STRING = re.compile(rb'"[^"]*"')


def looks_truncated(body: bytes) -> bool:
    """Whether a body that does not parse is the beginning of JSON: a bracket or a string is still open.

    No proper prefix of a JSON object or array parses, so this detects a truncated response even if the transport
    considers it complete: gzip that is cut before its trailer, or a connection whose close is the only end mark. Each
    step is one pass in C, because the body may be hostile and this runs on the event loop.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")  # the remaining quotes begin and end strings
    rest = _STRING.sub(b"", plain)
    opening = rest.count(b"{") + rest.count(b"[")
    return b'"' in rest or opening > rest.count(b"}") + rest.count(b"]")


def _truncated(raw: RawResponse) -> AttemptFailure:
    return AttemptFailure(
        error=TruncatedResponseError,
        reason="the response ended early",
        outcome="unknown",
        max_retries=None,
        status=raw.status,
        request_id=raw.request_id,
    )


def _undecodable(raw: RawResponse, reason: str, path: str = "") -> AttemptFailure:
    return AttemptFailure(
        error=DecodeError,
        reason=reason,
        outcome="unknown",
        status=raw.status,
        request_id=raw.request_id,
        path=path,
    )


def _error_response(raw: RawResponse, endpoint: Endpoint[Any], now: float) -> AttemptFailure:
    """Classify an error response. Its body takes precedence over its status."""
    body: Any = _parse_error_body(raw.body)
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    message, redirect_url = _string_or_none(fields.get("message")), _string_or_none(fields.get("redirect_url"))
    code = _string_or_none(fields.get("error"))
    if code is not None and not _CODE.match(code):  # it comes from outside, and codes are printed
        code = None
    error = _error_class(raw.status, code, message, endpoint, has_redirect=redirect_url is not None)
    documented = raw.status == 400 and error is ServerError
    retried = documented or raw.status in _RETRIED_STATUSES
    should_retry = raw.headers.get("x-should-retry")  # overrides the status, not the body
    if should_retry in ("true", "false") and not documented and raw.status not in _NEVER_RETRIED:
        retried = should_retry == "true"
    maybe_applied = (
        raw.status not in _NEVER_RETRIED and raw.status not in _KNOWN_NOT_APPLIED and (retried or error is ServerError)
    )
    wait = parse_retry_after(raw.headers, now)
    return AttemptFailure(
        error=error,
        reason=_describe(raw.status, code, error),
        outcome="unknown" if maybe_applied or raw.status == 408 else "rejected",
        max_retries=None if retried else 0,
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
    if (
        status in (400, 422) and code == "NotFound"
    ):  # for a deleted token; the documentation does not say with which status
        return NotFoundError
    if status == 400 and code is not None and code in DOCUMENTED_CODES:
        return DOCUMENTED_CODES[code]
    # Truemed documents "a 400 validation error" for a reused key, without a code, so the text has to decide.
    text = f"{code} {message}".lower()
    if status == 400 and endpoint.idempotency is Idempotency.KEYED and "idempotency" in text:
        return IdempotencyMismatchError
    return _BY_STATUS.get(status, APIError)


def _describe(status: int, code: str | None, error: type[APIError]) -> str:
    """Describe the status and the code."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
    suffix = "" if code is None or code == phrase.replace(" ", "") else f", {code}"
    hint = f": {error.hint}" if error.hint else ""
    return f"{status} {phrase}{suffix}{hint}"


def _parse_error_body(body: bytes) -> Any:
    """Return an error body as JSON, as text if it is not JSON, or ``None`` if it is empty."""
    try:
        return loads(body.removeprefix(_BYTE_ORDER_MARK))
    except JSONDecodeError:
        return body.decode(errors="replace") or None


def _string_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the server asks to wait, or ``None`` if the header is missing or invalid.

    A date is compared with the response's own ``Date``, so that a wrong clock on this machine does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():  # `float` would also accept nan, 1_000 and digits of other scripts
        return float(value) if len(value) <= 10 else None
    until = _parse_http_date(value)
    if until is None:
        return None
    return max(
        0.0, (until - (_parse_http_date(headers.get("date", "")) or datetime.fromtimestamp(now, UTC))).total_seconds()
    )


def _parse_http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
