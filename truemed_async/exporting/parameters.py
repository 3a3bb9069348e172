"""What an export was asked for, so that a resumed one is the same; nothing personal is written down."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from truemed_async._sensitive import Sensitive


@attrs.frozen(kw_only=True)
class Parameters:
    """What decides which rows come and how they are written.

    Attributes:
        shown: What may be read by anybody: server, format, columns.
        hidden: What may not: the filters, which may name a person, and the secret of hashes. Only a slow, salted hash
            of each is written, so that trying all likely values is hard work. ``None`` is none given.
    """

    shown: Mapping[str, Any]
    hidden: Mapping[str, Sensitive[bytes] | None]

    def record(self, salt: str) -> dict[str, Any]:
        """Return what is written beside an unfinished file."""
        fingerprints = {name: _fingerprint(value, salt) for name, value in self.hidden.items()}
        return {**self.shown, **fingerprints, "salt": salt}

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Return the names of what is not as it was when that was written."""
        now = self.record(str(recorded.get("salt")))
        return [name for name, value in now.items() if recorded.get(name) != value and name != "salt"]


def hidden(value: object) -> Sensitive[bytes]:
    """Return the bytes of plain data, in a box."""
    return Sensitive(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str))


def _fingerprint(value: Sensitive[bytes] | None, salt: str) -> str | None:
    if value is None:
        return None
    return hashlib.scrypt(value.value, salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()
