"""Whether a delivery is Truemed's: the signature over its bytes, or the secret that it carries.

Pure, and nothing here raises for what came from outside: a refusal is returned, so that no traceback holds a frame with
a secret or a body in it.

Truemed names the header, the algorithm (HMAC-SHA256) and what is signed (``t``, a point, the raw body), and says that
the header holds a timestamp ``t`` and one or more versioned signatures. How the header is written is a guess: the usual
``t=1767225600,v1=<hex>``. Accepted are parts in any order, with commas or semicolons and blanks between, unknown names,
several ``v1``, hexadecimal in lower case or base64, and seconds or milliseconds since 1970.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from truemed_async.errors import InvalidArgumentError, SignatureError

SIGNATURE_HEADER = "x-truemed-signature"
SECRET_HEADER = "x-truemed-api-key"  # noqa: S105  # the name of a header

_HEADER_LIMIT = 4096
_MOST_SIGNATURES = 16
_BLANKS = " \t"


def sign(body: bytes, secret: str, *, timestamp: datetime | None = None) -> dict[str, str]:
    """Return the headers of a signed delivery, for tests of your endpoint.

    Args:
        body: The raw body that will be sent.
        secret: The webhook's secret.
        timestamp: When it is signed; a naive time is UTC. Now, if not given.

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
    written = _mac(secret.encode(), t, body).hex()
    return {SIGNATURE_HEADER: f"t={t},v1={written}"}


def signed_at(body: bytes, headers: Mapping[str, str], keys: Sequence[bytes]) -> datetime | SignatureError:
    """Return when a delivery was signed with one of the keys, or why it is refused."""
    value = _only(headers, SIGNATURE_HEADER)
    if value is None:
        return SignatureError(_missing(headers, SIGNATURE_HEADER, SECRET_HEADER, "unsigned"))
    parsed = _parsed(value)
    if parsed is None:
        return SignatureError(f"the header {SIGNATURE_HEADER} is not one t=… and some v1=…")
    t, moment, signatures = parsed
    right = False
    for key in keys:  # all of them, whatever is found: the time tells nothing
        mac = _mac(key, t, body)
        for wanted in (mac.hex().encode(), b64encode(mac)):
            for given in signatures:
                right |= hmac.compare_digest(wanted, given)
    return moment if right else SignatureError("the signature is not that of this body under any of the secrets")


def carries_secret(headers: Mapping[str, str], keys: Sequence[bytes]) -> SignatureError | None:
    """Return why an unsigned delivery is refused, or ``None`` if it carries one of the secrets."""
    value = _only(headers, SECRET_HEADER)
    if value is None:
        return SignatureError(_missing(headers, SECRET_HEADER, SIGNATURE_HEADER, "signed"))
    given = value.encode()
    right = False
    for key in keys:
        right |= hmac.compare_digest(key, given)
    return None if right else SignatureError(f"the header {SECRET_HEADER} holds none of the secrets")


def _mac(key: bytes, t: str, body: bytes) -> bytes:
    return hmac.digest(key, b"%b.%b" % (t.encode(), body), "sha256")


def _values(headers: Mapping[str, str], name: str) -> list[Any]:
    """Return every value of a header; a mapping may hold several, or spell its name in several ways."""
    return [value for key, value in headers.items() if key.lower() == name]


def _only(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header that is there once: of two, a proxy and this process may each believe another."""
    values = _values(headers, name)
    if len(values) != 1 or not isinstance(values[0], str):
        return None
    return values[0] if 0 < len(values[0]) <= _HEADER_LIMIT and values[0].isascii() else None


def _missing(headers: Mapping[str, str], name: str, other: str, mode: str) -> str:
    count = len(_values(headers, name))
    if count > 1:
        return f"the header {name} came {count} times"
    if count == 1:
        return f"the header {name} is empty, longer than {_HEADER_LIMIT} characters, or not ASCII"
    hint = f"; it has {other}: was the webhook made for mode={mode!r}?" if _values(headers, other) else ""
    return f"the delivery has no header {name}{hint}"


def _parsed(value: str) -> tuple[str, datetime, list[bytes]] | None:
    """Return ``t`` as it is written, the moment that it means, and the signatures."""
    moments: list[str] = []
    signatures: list[bytes] = []
    for part in value.replace(";", ",").split(","):
        name, _, content = part.strip(_BLANKS).partition("=")
        if not name or not content:
            return None
        if name == "t":
            moments.append(content)
        elif name == "v1":
            signatures.append(content.encode())
    if len(moments) != 1 or not 1 <= len(signatures) <= _MOST_SIGNATURES:
        return None
    moment = _moment(moments[0])
    return None if moment is None else (moments[0], moment, signatures)


def _moment(t: str) -> datetime | None:
    if not t.isdigit() or len(t) > 13:  # the header is ASCII, so these are 0 to 9
        return None
    return datetime.fromtimestamp(int(t) if len(t) <= 10 else int(t) / 1000, UTC)
