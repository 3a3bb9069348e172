"""What becomes of personal values: kept, hashed with a secret, or left out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Literal, get_args

import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError

Personal = Literal["keep", "hash", "drop"]
"""``keep`` writes personal values as they are, ``hash`` writes keyed hashes, ``drop`` leaves their columns out."""

Hash = Callable[[Any], str]

SHORTEST = 16  # bytes of a secret: a word would be found by trying, and with it every e-mail address


def check_personal(value: object) -> None:
    """Refuse what is none of the three."""
    if value not in get_args(Personal):
        raise InvalidArgumentError("personal must be 'keep', 'hash' or 'drop'")


def secret_bytes(secret: Sensitive[bytes | str | None], personal: Personal) -> Sensitive[bytes] | None:
    """Return the secret that ``personal`` asks for, or refuse it."""
    value = secret.value
    if personal != "hash":
        if value is not None:
            raise InvalidArgumentError("secret is for personal='hash' alone")
        return None
    if not isinstance(value, (bytes, str)):
        raise InvalidArgumentError(f"personal='hash' needs a secret: {SHORTEST} bytes or more, as bytes or str")
    raw = Sensitive(value.encode() if isinstance(value, str) else value)
    if len(raw.value) < SHORTEST:
        raise InvalidArgumentError(f"secret must have at least {SHORTEST} bytes, best of them random")
    return raw


def hasher(secret: Sensitive[bytes]) -> Hash:
    """Return HMAC-SHA256 with this secret, in hex.

    The same value gives the same hash in every column, file and run, so that tables can be joined; without the secret
    nobody can tell which hash a guessed e-mail address has. Text is hashed as it is, anything else as its JSON.
    """
    keyed = hmac.new(secret.value, digestmod=hashlib.sha256)

    def hashed(value: Any) -> str:
        one = keyed.copy()
        one.update(value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        return one.hexdigest()

    return hashed
