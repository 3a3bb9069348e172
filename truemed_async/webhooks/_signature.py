"""Authenticity of a delivery: the signature over its bytes, or the shared secret in its header.

Pure functions that return a refusal instead of raising it, so that no traceback shows a frame with a secret or a body.

Truemed documents the header, the algorithm (HMAC-SHA256) and the signed bytes (``t``, a dot, the raw body), and that the
header holds a timestamp ``t`` and one or more versioned signatures. Undocumented is how the header is written; the common
``t=1767225600,v1=<hex>`` is assumed. Accepted are parts in any order, separated by commas or semicolons and blanks,
unknown parts, several ``v1``, lower-case hexadecimal or base64, and seconds or milliseconds since 1970.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from truemed_async.errors import InvalidArgumentError, SignatureError

Headers = Mapping[str, str | Sequence[str]]
"""A request's headers, in any case. A value may be a sequence (API Gateway), and the mapping may be a WSGI environ."""

SIGNATURE_HEADER = "x-truemed-signature"
SECRET_HEADER = "x-truemed-api-key"  # noqa: S105  # the name of a header

_MAX_HEADER_LENGTH = 4096
_MAX_SIGNATURES = 16
_WHITESPACE = " \t"


def sign(body: bytes, secret: str, *, timestamp: datetime | None = None) -> dict[str, str]:
    """Return the headers of a signed delivery, for tests of an endpoint.

    Args:
        body: The raw body to send.
        secret: The webhook's secret.
        timestamp: When it is signed; a naive time is UTC. Default: now.

    Raises:
        InvalidArgumentError: The body is not ``bytes``, or the secret is not a non-empty string.
    """
    if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"body must be the raw bytes to send, not {type(body).__name__}")
    if not isinstance(secret, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"secret must be a string, not {type(secret).__name__}")
    if not secret:
        raise InvalidArgumentError("secret must not be empty")
    moment = datetime.now(UTC) if timestamp is None else timestamp
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    t = str(int(aware.timestamp()))
    v1 = _hmac(secret.encode(), t, body).hex()
    return {SIGNATURE_HEADER: f"t={t},v1={v1}"}


def verify_signature(body: bytes, headers: Headers, keys: Sequence[bytes]) -> datetime | SignatureError:
    """Return when a delivery was signed with one of the keys, or why it is refused."""
    value = _single_header(headers, SIGNATURE_HEADER)
    if value is None:
        return _missing_header_error(headers, SIGNATURE_HEADER, SECRET_HEADER, "unsigned")
    parsed = _parse_header(value)
    if parsed is None:
        return SignatureError(f"the header {SIGNATURE_HEADER} does not hold one t=… and one or more v1=…")
    t, moment, signatures = parsed
    matches = False
    for key in keys:  # no early exit: the time taken must not depend on what matches
        digest = _hmac(key, t, body)
        for expected in (digest.hex().encode(), b64encode(digest)):
            for signature in signatures:
                matches |= hmac.compare_digest(expected, signature)
    return moment if matches else SignatureError("the signature does not match this body with any of the secrets")


def verify_shared_secret(headers: Headers, keys: Sequence[bytes]) -> SignatureError | None:
    """Return why an unsigned delivery is refused, or ``None`` if it carries one of the secrets."""
    value = _single_header(headers, SECRET_HEADER)
    if value is None:
        return _missing_header_error(headers, SECRET_HEADER, SIGNATURE_HEADER, "signed")
    encoded = value.encode()
    matches = False
    for key in keys:
        matches |= hmac.compare_digest(key, encoded)
    return None if matches else SignatureError(f"the header {SECRET_HEADER} does not hold any of the secrets")


def _hmac(key: bytes, t: str, body: bytes) -> bytes:
    return hmac.digest(key, b"%b.%b" % (t.encode(), body), "sha256")


def _header_values(headers: Headers, name: str) -> list[Any]:
    """Return every value of a header; a mapping may hold several, or write its name in several ways."""
    names = (name, f"http_{name.replace('-', '_')}")
    values: list[Any] = []
    for key, value in cast("Mapping[object, object]", headers).items():
        if isinstance(key, str) and key.lower() in names:
            values.extend(cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else (value,))
    return values


def _single_header(headers: Headers, name: str) -> str | None:
    """Return a header that was sent once: of two, a proxy and this process might trust different ones."""
    values = _header_values(headers, name)
    if len(values) != 1 or not isinstance(values[0], str):
        return None
    return values[0] if 0 < len(values[0]) <= _MAX_HEADER_LENGTH and values[0].isascii() else None


def _missing_header_error(headers: Headers, name: str, other: str, mode: str) -> SignatureError:
    count = len(_header_values(headers, name))
    if count > 1:
        return SignatureError(f"the header {name} was sent {count} times")
    if count == 1:
        return SignatureError(f"the header {name} is empty, longer than {_MAX_HEADER_LENGTH} characters, or not ASCII")
    hint = f"; it has {other}: was the webhook created with mode={mode!r}?" if _header_values(headers, other) else ""
    return SignatureError(f"the delivery has no header {name}{hint}")


def _parse_header(value: str) -> tuple[str, datetime, list[bytes]] | None:
    """Return ``t`` as written, the time that it means, and the signatures."""
    timestamps: list[str] = []
    signatures: list[bytes] = []
    for part in value.replace(";", ",").split(","):
        name, _, content = part.strip(_WHITESPACE).partition("=")
        if not name or not content:
            return None
        if name == "t":
            timestamps.append(content)
        elif name == "v1":
            signatures.append(content.encode())
    if len(timestamps) != 1 or not 1 <= len(signatures) <= _MAX_SIGNATURES:
        return None
    moment = _parse_timestamp(timestamps[0])
    return None if moment is None else (timestamps[0], moment, signatures)


def _parse_timestamp(t: str) -> datetime | None:
    if not t.isdigit() or len(t) > 13:  # the header is ASCII, so these are the digits 0 to 9
        return None
    return datetime.fromtimestamp(int(t) if len(t) <= 10 else int(t) / 1000, UTC)
