"""Builds what goes over the wire. Pure: no I/O, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import attrs
import orjson
from yarl import URL

from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async._sensitive import Sensitive
from truemed_async._validation.scalars import resolve_idempotency_key, validate_id
from truemed_async.errors import InvalidArgumentError

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# The SDK's own, and those that would change how the message is framed or where it goes.
_OWN_HEADERS = frozenset(
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


@attrs.frozen(eq=False)
class Request:
    """One request, frozen before its first attempt: every attempt sends the same bytes.

    Its ``repr`` shows neither ids nor bodies.
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


def build(
    base_url: URL,
    endpoint: Endpoint[Any],
    *,
    path: Mapping[str, str] | None = None,
    query: Query | None = None,
    body: Mapping[str, Any] | None = None,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Check the parts and put them together."""
    if key is not None and endpoint.idempotency is not Idempotency.KEYED:
        raise InvalidArgumentError(f"{endpoint.name} takes no idempotency key")
    if endpoint.idempotency is Idempotency.KEYED:
        key = resolve_idempotency_key(key)
        if body is not None and "idempotency_key" in body:
            raise InvalidArgumentError("give the idempotency key as idempotency_key=…, not inside the body")
        body = {"idempotency_key": key, **(body or {})}
    if body is not None and endpoint.method == "GET":
        raise InvalidArgumentError(f"{endpoint.name} is a GET and takes no body")
    return Request(
        endpoint,
        _address(base_url, _filled(endpoint, path or {}), query),
        None if body is None else Sensitive(_encode(endpoint, body)),
        None if headers is None else validate_headers(headers),
        key,
    )


def _filled(endpoint: Endpoint[Any], values: Mapping[str, str]) -> str:
    """Put ids into the path. They pass an allow-list, so nothing is left to escape."""
    names, filled = endpoint.placeholders, endpoint.path
    if len(values) != len(names) or not all(name in values for name in names):
        raise InvalidArgumentError(f"the path needs exactly: {', '.join(names) or 'nothing'}")
    for name in names:
        filled = filled.replace(f"{{{name}}}", validate_id(name, values[name]))
    return filled


def _address(base_url: URL, path: str, query: Query | None) -> URL:
    """Put the URL together. Everything is encoded already; the base, parsed once, is reused."""
    prefix = base_url.raw_path.rstrip("/")
    written = _query(query)
    if written:
        return URL(f"{base_url.origin()}{prefix}{path}?{written}", encoded=True)
    return base_url.with_path(f"{prefix}{path}", encoded=True)


def _query(query: Query | None) -> str:
    """Write the query in the given order; what is ``None`` is left out. A blank is ``%20`` and ``+`` is ``%2B``."""
    pairs = [
        f"{quote(name, safe='')}={_written(name, value)}" for name, value in (query or {}).items() if value is not None
    ]
    return "&".join(pairs)


def _written(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return quote(str(value), safe="")
    except UnicodeEncodeError:
        pass  # said below, without the value
    raise InvalidArgumentError(f"{name} contains a lone surrogate, which cannot be sent")


def _encode(endpoint: Endpoint[Any], body: Mapping[str, Any]) -> bytes:
    try:
        written = orjson.dumps(dict(body))
        if b"null" in written:  # which is also what orjson makes of NaN and infinity
            json.dumps(body, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        pass  # its text may quote the value
    else:
        return written
    raise InvalidArgumentError(f"the body of {endpoint.name} holds something that JSON cannot")


def validate_headers(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return further headers, or name the one that is refused."""
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.match(name):
            raise InvalidArgumentError("a header's name must be an HTTP token")
        if name.lower() in _OWN_HEADERS:
            raise InvalidArgumentError(f"the header {name.lower()} is set by the client")
        # Control characters would end the header; the HTTP library lets blanks at the ends and non-ASCII through.
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or value != value.strip():
            raise InvalidArgumentError(f"header {name.lower()} must be printable ASCII without outer blanks")
    return dict(headers)
