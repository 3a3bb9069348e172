"""Dialects: one choice for each thing that Truemed does not publish, so that clients can be tested against all of them.

The defaults are the emulator's assumptions; docs/truemed-api.md has what is known.
"""

import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Self, cast, get_args, get_origin

import attrs
import orjson

from truemed_async.emulator.faults.registry import validate_value


@attrs.frozen(kw_only=True)
class Dialect:
    """How this Truemed speaks where its pages leave a choice.

    Attributes:
        pagination: The ``pagination`` of a list: all members, numbers as strings, without count and last page, null,
            or absent.
        pagination_names: The names of its members: that of the catalog's list, or another common spelling.
        page_size_limit: The largest page; None is the ``max_page_size`` of the emulator.
        page_size_handling: Whether a larger ``page_size`` is reduced or rejected with 400; or all are ignored.
        sort_order: The order of lists.
        ties: Whether rows created at the same time keep their order from one response to the next.
        page_beyond_end: The response to a page after the last: an empty list, 404 or 400.
        list_key: The member that holds the rows of a list.
        key_refusal_status: The status for a missing or wrong API key.
        key_refusal_body: Its body: as other errors, ``{"detail": …}``, HTML, or empty.
        error_body: The shape of errors: ``{"error", "message"}``, ``{"errors": [{"code", "message"}]}``,
            ``{"code", "detail"}``, a list of messages, or plain text.
        error_case: The spelling of error codes: ``ValidationError``, ``validation_error``, ``VALIDATION_ERROR`` or
            ``validationerror``.
        success_status: The status of a write that succeeded.
        key_reuse_status: The status if an idempotency key is used again with another payload.
        amounts: Amounts as documented, all as doubles, as integers where they are whole, or as decimal strings.
        times: The format of times: in UTC as ``Z``, ``z`` or ``+00:00``, with another offset, with microseconds or
            nanoseconds, or without a time zone.
        ids: Whether the ids of objects are strings or integers.
        null_members: Whether members without a value are null or absent.
        statuses: Statuses as documented; undocumented ones for pending and processing; or in another case.
        retry_after: How a 429 says when to retry: unchanged, seconds, a date, not at all, or with ``RateLimit-*``.
        content_type: The Content-Type of JSON; ``application/problem+json`` is for errors only.
        byte_order_mark: Whether JSON starts with a byte order mark.
        event_names: The ``event_type`` of webhooks: as in the dashboard, the guides or the reference, or unknown.
        envelope: The envelope of signed webhooks: documented, with more members, with ``id`` and ``type``, or with the
            payload in ``data.object``.
        session_id_name: The member with the id of the session in payment webhooks.
        signature_label: The label of signatures in the header.
        signature_order: What comes first in the header.
        signature_separator: What separates the parts of the header.
        signature_blanks: Where the header has blanks.
        signature_encoding: The encoding of signatures.
        signature_time: The format of the signed timestamp.
        signature_values: Whether the header has one signature for each secret only, or one with another label as well.
        endpoint_verification: The request that verifies a new webhook: none, GET, HEAD, or POST with a test event.
    """

    pagination: Literal["object", "strings", "partial", "null", "absent"] = "object"
    pagination_names: Literal["count", "total_count", "total", "camel_case"] = "count"
    page_size_limit: Literal[30, 50, 100] | None = None
    page_size_handling: Literal["clamp", "reject", "ignore"] = "clamp"
    sort_order: Literal["newest_first", "oldest_first"] = "newest_first"
    ties: Literal["stable", "random"] = "stable"
    page_beyond_end: Literal["empty", "not_found", "bad_request"] = "empty"
    list_key: Literal["documented", "results", "data"] = "documented"
    key_refusal_status: Literal[401, 403, 400] = 401
    key_refusal_body: Literal["error", "detail", "html", "empty"] = "error"
    error_body: Literal["documented", "errors", "code_detail", "list", "text"] = "documented"
    error_case: Literal["documented", "snake", "screaming_snake", "lower"] = "documented"
    success_status: Literal[200, 201, 202] = 200
    key_reuse_status: Literal[400, 409, 422] = 400
    amounts: Literal["documented", "double", "integer", "decimal_string"] = "documented"
    times: Literal["z", "lower_z", "utc_offset", "local_offset", "microseconds", "nanoseconds", "no_zone"] = "z"
    ids: Literal["strings", "integers"] = "strings"
    null_members: Literal["null", "absent"] = "null"
    statuses: Literal["documented", "unknown", "upper", "capitalized"] = "documented"
    retry_after: Literal["unchanged", "seconds", "date", "none", "ratelimit"] = "unchanged"
    content_type: Literal[
        "application/json", "application/json; charset=utf-8", "text/json", "application/problem+json"
    ] = "application/json"
    byte_order_mark: bool = False
    event_names: Literal["dashboard", "guide", "reference", "unknown"] = "dashboard"
    envelope: Literal["documented", "extended", "renamed", "nested"] = "documented"
    session_id_name: Literal["payment_session_id", "payment_id", "id"] = "payment_session_id"
    signature_label: Literal["v1", "v0", "sha256", "signature"] = "v1"
    signature_order: Literal["timestamp_first", "signature_first"] = "timestamp_first"
    signature_separator: Literal[",", ";", " "] = ","
    signature_blanks: Literal["none", "after_separator", "around_equals"] = "none"
    signature_encoding: Literal["hex", "upper_hex", "base64", "base64url"] = "hex"
    signature_time: Literal["seconds", "milliseconds", "iso8601"] = "seconds"
    signature_values: Literal["one_per_secret", "with_other_label"] = "one_per_secret"
    endpoint_verification: Literal["none", "get", "head", "post"] = "none"

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(type(self)):
            validate_value(getattr(self, field.name), field.type, field.name)

    @classmethod
    def axes(cls) -> Mapping[str, tuple[Any, ...]]:
        """Return every field with all its values, the default first."""
        return {field.name: _values(field) for field in attrs.fields(cls)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the dialect with these fields; the others have their defaults.

        Raises:
            ValueError: There is no such field or value.
        """
        unknown = sorted(values.keys() - attrs.fields_dict(cls).keys())
        if unknown:
            raise ValueError(f"a dialect has no {', '.join(unknown)}; it has {', '.join(attrs.fields_dict(cls))}")
        return cls(**values)

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Return the dialect of a JSON object.

        Raises:
            ValueError: It is not a JSON object, or has an unknown field or value.
        """
        try:
            values = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise ValueError("a dialect must be JSON") from None
        if not isinstance(values, dict):
            raise ValueError("a dialect must be a JSON object")  # noqa: TRY004 - the type is that of the document
        return cls.from_dict(cast("dict[str, Any]", values))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return attrs.asdict(self)


def _values(field: Any) -> tuple[Any, ...]:
    values: list[Any] = [field.default]
    for part in get_args(field.type) if get_origin(field.type) in {types.UnionType, typing.Union} else (field.type,):
        values.extend(get_args(part) if get_origin(part) is Literal else (True,) if part is bool else ())
    return tuple(dict.fromkeys(values))
