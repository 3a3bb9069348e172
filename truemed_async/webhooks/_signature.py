"""Authenticity of a delivery: the signature over its bytes, or the shared secret in its header.

Pure functions that return a refusal instead of raising it, so that no traceback shows a frame with a secret or a body.

Truemed documents the header, the algorithm (HMAC-SHA256), the signed bytes (``t``, a dot, the raw body), and that the
header holds a timestamp ``t`` and one or more versioned signatures. How the header is written is undocumented, so any way
is accepted: values with or without labels, in any order, separated by commas, semicolons, ampersands, bars or blanks, and
in quotes or not. A timestamp is in seconds, milliseconds or ISO 8601; a signature in hexadecimal, base64 or base64url. A
delivery is authentic if one of the signatures is the HMAC over one of the timestamps, exactly as written, and the body.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from truemed_async.errors import InvalidArgumentError, SignatureError

Headers = Mapping[str, str | Sequence[str]]
"""A request's headers, in any case. A value may be a sequence (API Gateway), and the mapping may be a WSGI environ."""

SIGNATURE_HEADER = "x-truemed-signature"
SECRET_HEADER = "x-truemed-api-key"  # noqa: S105  # the name of a header

_SPELLINGS: Mapping[str, tuple[str, str]] = {
    name: (name, f"http_{name.replace('-', '_')}")
    for name in (SIGNATURE_HEADER, SECRET_HEADER, "traceparent", "tracestate")
}
"""Each header's name in a request, and in a WSGI environ."""

_MAX_HEADER_LENGTH = 4096
_MAX_CANDIDATES = 8
"""The largest number of timestamps, and of signatures, that are tried."""

_MIN_SIGNATURE_LENGTH = 43
_HEX_LENGTH = 64

_USUAL = re.compile("t=([0-9]{10}),v1=([0-9a-f]{64})")
_SEPARATORS = re.compile(r"""[\s,;&|"']+""")
_LABEL_END = re.compile("[=:]+")
_HEX = re.compile("[0-9A-Fa-f]{64}")
_BASE64 = re.compile("[0-9A-Za-z+/_-]{43}=?")
_EPOCH = re.compile("[0-9]{1,13}")
_ISO_8601 = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?")
_OBJECT = re.compile(rb"\s*\{")


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
    value = single_header(headers, SIGNATURE_HEADER)
    if value is None:
        return _missing_header_error(headers, SIGNATURE_HEADER, SECRET_HEADER, "unsigned")
    timestamps, signatures = parse_signature_header(value)
    if not _OBJECT.match(body):
        # The dot between the timestamp and the body could be that of a fraction of a second.
        timestamps = {text: moment for text, moment in timestamps.items() if _EPOCH.fullmatch(text)}
    if not timestamps or not signatures:
        return SignatureError(f"the header {SIGNATURE_HEADER} does not hold a timestamp and a signature")
    if len(timestamps) > _MAX_CANDIDATES or len(signatures) > _MAX_CANDIDATES:
        return SignatureError(f"the header {SIGNATURE_HEADER} holds more than {_MAX_CANDIDATES} candidates")
    has_base64 = min(map(len, signatures)) < _HEX_LENGTH
    moments: list[datetime] = []
    for text, moment in timestamps.items():
        matches = False
        for key in keys:  # no early exit: the time taken must not depend on what matches
            mac = _hmac(key, text, body)
            forms = [mac.hex().encode()]
            if has_base64:
                forms += [b64encode(mac).rstrip(b"="), urlsafe_b64encode(mac).rstrip(b"=")]
            for expected in forms:
                for signature in signatures:
                    matches |= hmac.compare_digest(expected, signature)
        if matches:
            moments.append(moment)
    if not moments:
        return SignatureError("the signature does not match this body with any of the secrets")
    return max(moments)


def verify_shared_secret(headers: Headers, keys: Sequence[bytes]) -> SignatureError | None:
    """Return why an unsigned delivery is refused, or ``None`` if it carries one of the secrets."""
    value = single_header(headers, SECRET_HEADER)
    if value is None:
        return _missing_header_error(headers, SECRET_HEADER, SIGNATURE_HEADER, "signed")
    encoded = value.encode()
    matches = False
    for key in keys:
        matches |= hmac.compare_digest(key, encoded)
    return None if matches else SignatureError(f"the header {SECRET_HEADER} does not hold any of the secrets")


def has_credentials(headers: Headers) -> bool:
    """Whether a request has a header of a signature or secret."""
    return bool(_header_values(headers, SIGNATURE_HEADER) or _header_values(headers, SECRET_HEADER))


def _hmac(key: bytes, t: str, body: bytes) -> bytes:
    return hmac.digest(key, b"%b.%b" % (t.encode(), body), "sha256")


def _header_values(headers: Headers, name: str) -> list[Any]:
    """Return every value of a header; a mapping may hold several, or write its name in several ways."""
    names = _SPELLINGS[name]
    values: list[Any] = []
    for key, value in cast("Mapping[object, object]", headers).items():
        if isinstance(key, str) and key.lower() in names:
            values.extend(cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else (value,))
    return values


def single_header(headers: Headers, name: str) -> str | None:
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


def parse_signature_header(value: str) -> tuple[dict[str, datetime], list[bytes]]:
    """Return the timestamps of a header, by their text as written, and its signatures: lower-case hex, or no padding."""
    usual = _USUAL.fullmatch(value)
    if usual is not None:  # most headers; found in a sixth of the time
        text, signature = usual.groups()
        return {text: datetime.fromtimestamp(int(text), UTC)}, [signature.encode()]
    return _parse_parts(value)


def _parse_parts(value: str) -> tuple[dict[str, datetime], list[bytes]]:
    timestamps: dict[str, datetime] = {}
    signatures: list[bytes] = []
    for part in _SEPARATORS.split(value):
        text = part
        while text:
            if len(text) < _MIN_SIGNATURE_LENGTH:
                if (moment := _parse_timestamp(text)) is not None:
                    timestamps[text] = moment
                    break
            elif _HEX.fullmatch(text):
                signatures.append(text.lower().encode())
                break
            elif _BASE64.fullmatch(text):
                signatures.append(text.rstrip("=").encode())
                break
            text = _remove_label(text)
    return timestamps, signatures


def _remove_label(text: str) -> str:
    """Return what follows the first ``=`` or ``:``; nothing if there is neither."""
    end = _LABEL_END.search(text)
    return "" if end is None else text[end.end() :]


def _parse_timestamp(text: str) -> datetime | None:
    """Return the time of a text in seconds or milliseconds since 1970, or in ISO 8601, where no zone means UTC."""
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text) if len(text) <= 10 else int(text) / 1000, UTC)
    if not text[0].isdigit() or not _ISO_8601.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
