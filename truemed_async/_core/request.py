"""Builds the request that is sent. Pure: no I/O, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import attrs
import orjson
from yarl import URL

from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async._frozen import fast_constructor
from truemed_async._sensitive import Sensitive
from truemed_async._validation.scalars import resolve_idempotency_key, validate_id
from truemed_async.errors import InvalidArgumentError

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_UNRESERVED = re.compile(r"[0-9A-Za-z._~-]*\Z")
# Headers that the client sets, and those that would change the framing of the message or its destination.
_RESERVED_HEADERS = frozenset(
    {
        "x-truemed-api-key",
        "content-type",
        "content-length",
        "transfer-encoding",
        "connection",
        "host",
        "accept-encoding",
    }
)

Query = Mapping[str, "str | int | bool | None"]


@attrs.frozen(eq=False, weakref_slot=False)
class Request:
    """One request, frozen before its first attempt: every attempt sends the same bytes.

    Its ``repr`` shows neither ids nor bodies.

    Attributes:
        endpoint: The endpoint.
        url: The complete URL.
        body: The JSON body as bytes, in a box that prints masked; ``None`` for a request without a body.
        headers: Additional headers, or ``None``. The API key and the content type are added when it is sent.
        idempotency_key: The key in the body, or ``None``.
    """

    endpoint: Endpoint[Any]
    url: URL = attrs.field(repr=False)
    body: Sensitive[bytes] | None = attrs.field(repr=False)
    headers: Mapping[str, str] | None = attrs.field(repr=False)
    idempotency_key: str | None

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again although an earlier attempt may have been applied."""
        return self.endpoint.idempotency is Idempotency.SAFE or self.idempotency_key is not None


_new_request = fast_constructor(Request)


def build_request(
    base_url: URL,
    endpoint: Endpoint[Any],
    *,
    path: Mapping[str, str] | None = None,
    query: Query | None = None,
    body: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Validate the parts of a request and combine them."""
    if not isinstance(endpoint, Endpoint):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgumentError(f"endpoint must be an Endpoint, not {type(endpoint).__name__}")
    if path is not None:
        _validate_mapping("path", path)
    if query is not None:
        _validate_mapping("query", query)
    if body is not None:
        _validate_mapping("body", body)
    if endpoint.idempotency is not Idempotency.KEYED:
        if idempotency_key is not None:
            raise InvalidArgumentError(f"{endpoint.name} takes no idempotency key")
    else:
        idempotency_key = resolve_idempotency_key(idempotency_key)
        if body is not None and "idempotency_key" in body:
            raise InvalidArgumentError("pass the idempotency key as idempotency_key=…, not inside the body")
        body = {"idempotency_key": idempotency_key, **(body or {})}
    if body is not None and endpoint.method == "GET":
        raise InvalidArgumentError(f"{endpoint.name} is a GET and takes no body")
    return _new_request(
        endpoint,
        _build_url(base_url, _expand_path(endpoint, path or {}), query),
        None if body is None else Sensitive(_encode(endpoint, body)),
        None if headers is None else validate_headers(headers),
        idempotency_key,
    )


def _validate_mapping(name: str, value: Mapping[Any, Any]) -> None:
    if isinstance(value, (dict, Mapping)):  # pyright: ignore[reportUnnecessaryIsInstance]  # a dict is found much faster
        for key in value:
            if not isinstance(key, str):
                break
        else:
            return
    raise InvalidArgumentError(f"{name} must be a mapping with strings as keys")


def _expand_path(endpoint: Endpoint[Any], values: Mapping[str, str]) -> str:
    """Put ids into the path. They pass an allow-list, so nothing has to be escaped."""
    names, path = endpoint.placeholders, endpoint.path
    if len(values) != len(names):
        raise _placeholders_error(names)
    for name in names:
        if name not in values:
            raise _placeholders_error(names)
        path = path.replace(f"{{{name}}}", validate_id(name, values[name]))
    return path


def _placeholders_error(names: Sequence[str]) -> InvalidArgumentError:
    return InvalidArgumentError(f"the path needs exactly: {', '.join(names) or 'nothing'}")


def _build_url(base_url: URL, path: str, query: Query | None) -> URL:
    """Combine the URL. Everything is encoded already, and the base URL was parsed once."""
    path = f"{base_url.raw_path.rstrip('/')}{path}"
    query_string = _format_query(query) if query else ""
    if not query_string:
        return base_url.with_path(path, encoded=True)
    return URL.build(  # which does not parse it
        scheme=base_url.scheme,
        authority=base_url.raw_authority,
        path=path,
        query_string=query_string,
        encoded=True,
    )


def _format_query(query: Query) -> str:
    """Format the query in its order, without ``None`` values. A space is ``%20`` and ``+`` is ``%2B``."""
    return "&".join(
        [f"{_escape(name)}={_format_value(name, value)}" for name, value in query.items() if value is not None]
    )


def _format_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return _escape(str(value))
    except ValueError:  # a lone surrogate, or an integer with more digits than Python converts
        pass  # raise outside the handler so that the value is not in the exception's context
    raise InvalidArgumentError(f"{name} contains a lone surrogate or too many digits, which cannot be sent")


def _escape(text: str) -> str:
    return text if _UNRESERVED.match(text) else quote(text, safe="")  # most texts; quote takes several times as long


def _encode(endpoint: Endpoint[Any], body: Mapping[str, Any]) -> bytes:
    try:
        encoded = orjson.dumps(dict(body))
        if b"null" in encoded:  # which is also how orjson writes NaN and infinity
            json.dumps(body, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        pass  # raise outside the handler: the text of the error may quote the value
    else:
        return encoded
    raise InvalidArgumentError(f"the body of {endpoint.name} contains a value that JSON cannot represent")


def validate_headers(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return additional headers, or raise an error that names the invalid one."""
    if not isinstance(headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgumentError("headers must be a mapping")
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.match(name):
            raise InvalidArgumentError("a header's name must be an HTTP token")
        if name.lower() in _RESERVED_HEADERS:
            raise InvalidArgumentError(f"the header {name.lower()} is set by the client")
        # Control characters would end the header; the HTTP library accepts outer spaces and non-ASCII characters.
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or value != value.strip():
            raise InvalidArgumentError(f"header {name.lower()} must be printable ASCII without outer spaces")
    return dict(headers)
