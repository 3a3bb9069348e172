"""Every fault by its name, and how one is made from its parameters."""

from collections.abc import Mapping
from inspect import getdoc
from math import isfinite
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, cast, get_args, get_origin

import attrs

from truemed_async.emulator.faults import bomb, broken, connection, content, edited, semantics, slow, status
from truemed_async.emulator.faults.base import Fault

FAULTS: Mapping[str, type[Fault]] = MappingProxyType(
    {
        # the connection
        "refuse_connection": connection.RefuseConnection,
        "accept_then_close": connection.AcceptThenClose,
        "tls_bad_certificate": connection.TlsBadCertificate,
        "tls_handshake_stall": connection.TlsHandshakeStall,
        # before the response, without an effect
        "empty_response": connection.EmptyResponse,
        "reset_peer": connection.ResetPeer,
        "hang": connection.Hang,
        "latency": slow.Latency,
        "stale_keepalive": connection.StaleKeepalive,
        # after applying the effect
        "applied_then_reset": connection.AppliedThenReset,
        "applied_then_hang": connection.AppliedThenHang,
        "applied_then_500": connection.AppliedThen500,
        "applied_then_400_server_error": connection.AppliedThen400ServerError,
        # a broken response
        "partial_status_line": broken.PartialStatusLine,
        "partial_headers": broken.PartialHeaders,
        "garbage_then_close": broken.GarbageThenClose,
        "malformed_chunk": broken.MalformedChunk,
        "truncate_body": broken.TruncateBody,
        "truncate_chunked": broken.TruncateChunked,
        "truncate_gzip_clean": broken.TruncateGzipClean,
        "truncate_close_delimited": broken.TruncateCloseDelimited,
        "reset_in_body": broken.ResetInBody,
        "duplicate_content_length": broken.DuplicateContentLength,
        "content_length_and_chunked": broken.ContentLengthAndChunked,
        "extra_bytes_after_body": broken.ExtraBytesAfterBody,
        "header_flood": broken.HeaderFlood,
        "huge_header": broken.HugeHeader,
        "informational_flood": broken.InformationalFlood,
        "unexpected_101": broken.Unexpected101,
        # a slow response
        "dribble": slow.Dribble,
        "bandwidth": slow.Bandwidth,
        "slow_close": slow.SlowClose,
        # the content
        "wrong_content_type": content.WrongContentType,
        "html_error_page": content.HtmlErrorPage,
        "empty_200": content.Empty200,
        "unexpected_204": content.Unexpected204,
        "invalid_utf8": content.InvalidUtf8,
        "bad_gzip": content.BadGzip,
        "bomb": bomb.Bomb,
        "deep_json": content.DeepJson,
        "huge_number": edited.HugeNumber,
        "nan": edited.Nan,
        "null_pagination": edited.NullPagination,
        "unknown_fields": edited.UnknownFields,
        "missing_field": edited.MissingField,
        "wrong_type": edited.WrongType,
        "null_field": edited.NullField,
        "unknown_enum": edited.UnknownEnum,
        # the status
        "status": status.Status,
        "rate_limit": status.RateLimit,
        "outage": status.Outage,
        "fail_first": status.FailFirst,
        "flaky": status.Flaky,
        "redirect": status.Redirect,
        "maintenance_page": status.MaintenancePage,
        "should_retry": status.ShouldRetry,
        "oversize_error_body": bomb.OversizeErrorBody,
        # the semantics
        "key_reuse_mismatch": semantics.KeyReuseMismatch,
        "conflict_409": semantics.Conflict409,
        "declined_422": semantics.Declined422,
        "replica_lag": semantics.ReplicaLag,
        "unstable_ties": semantics.UnstableTies,
        "clamp_page_size": semantics.ClampPageSize,
        "insert_between_pages": semantics.InsertBetweenPages,
        "delete_between_pages": semantics.DeleteBetweenPages,
        "clock_skew": content.ClockSkew,
    }
)


@attrs.frozen
class Parameter:
    """What a fault may be told; `default` is None when it is `required`, too."""

    name: str
    type: Any
    required: bool
    default: object


def parameters(name: str) -> tuple[Parameter, ...]:
    """Return what the fault of this name may be told."""
    kind = FAULTS[name]
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind) if attrs.has(kind) else ()
    return tuple(
        Parameter(
            name=field.alias or field.name,
            type=field.type,
            required=field.default is attrs.NOTHING,
            default=None if field.default is attrs.NOTHING else field.default,
        )
        for field in fields
        if field.init
    )


def description(name: str) -> str:
    """Return what the fault of this name does, in a sentence."""
    return getdoc(FAULTS[name]) or ""


def create(name: str, given: Mapping[str, object]) -> Fault:
    """Return the fault of this name; a ValueError says what is allowed instead of what was given."""
    if name not in FAULTS:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(sorted(FAULTS))}")
    known = {parameter.name: parameter for parameter in parameters(name)}
    takes = f"{name} takes {', '.join(known) or 'no parameters'}"
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise ValueError(f"{takes}: not {', '.join(unknown)}")
    missing = [name for name, parameter in known.items() if parameter.required and name not in given]
    if missing:
        raise ValueError(f"{takes}: {', '.join(missing)} is missing")
    for key, value in given.items():
        require(value, known[key].type, f"{name}: {key}")
    make: Any = FAULTS[name]
    try:
        fault: Fault = make(**given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return fault


def require(value: object, kind: Any, what: str) -> None:
    """Raise ValueError unless the value is of the annotated kind."""
    if not _fits(value, kind):
        raise ValueError(f"{what} must be {_spelled(kind)}, not {value!r}")


def _fits(value: object, kind: Any) -> bool:
    origin = get_origin(kind)
    if origin is UnionType:
        return any(_fits(value, part) for part in get_args(kind))
    if origin is Literal:
        return value in get_args(kind)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            isinstance(text, str) for pair in cast("Mapping[object, object]", value).items() for text in pair
        )
    if kind in {int, float}:
        # True is an int to Python, and 5 is no float: neither is what a caller means.
        return isinstance(value, (int, kind)) and not isinstance(value, bool) and isfinite(value)
    return kind is Any or isinstance(value, kind)


def _spelled(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is UnionType:
        return " or ".join(map(_spelled, get_args(kind)))
    if origin is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if origin is Mapping:
        return "names and values, all text"
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
    return words.get(kind) or str(kind.__name__)
