"""Personal data in exports: written as it is, hashed with a secret, or left out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Literal, get_args

import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError

Pii = Literal["keep", "hash", "drop"]
"""``keep`` writes personal data as it is, ``hash`` writes keyed hashes, ``drop`` leaves the columns out."""

Hasher = Callable[[Any], str]

MIN_SECRET_BYTES = 16  # a single word could be guessed, and every e-mail address with it


def validate_pii(pii: object, secret: Sensitive[bytes | str | None]) -> Sensitive[bytes] | None:
    """Check ``pii`` and return the secret that it needs."""
    value = secret.value
    if pii not in get_args(Pii):
        raise InvalidArgumentError("pii must be 'keep', 'hash' or 'drop'")
    if pii != "hash":
        if value is not None:
            raise InvalidArgumentError("secret requires pii='hash'")
        return None
    if not isinstance(value, (bytes, str)):
        raise InvalidArgumentError(f"pii='hash' needs a secret of {MIN_SECRET_BYTES} bytes or more, as bytes or str")
    raw = Sensitive(value.encode() if isinstance(value, str) else value)
    if len(raw.value) < MIN_SECRET_BYTES:
        raise InvalidArgumentError(f"secret must have at least {MIN_SECRET_BYTES} bytes, preferably random ones")
    return raw


def make_hasher(secret: Sensitive[bytes]) -> Hasher:
    """Return HMAC-SHA256 with this secret, in hex.

    Equal values have equal hashes in every column, file and run, so that tables can be joined. Without the secret it
    cannot be found out which hash belongs to a known e-mail address. Text is hashed as UTF-8, other values as JSON.
    """
    keyed = hmac.new(secret.value, digestmod=hashlib.sha256)

    def hash_value(value: Any) -> str:
        digest = keyed.copy()
        digest.update(value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        return digest.hexdigest()

    return hash_value
