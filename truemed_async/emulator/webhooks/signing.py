"""How a delivery shows that it is Truemed's.

Truemed publishes what is signed and with what; that the header reads `t=…,v1=<hex>` is a guess.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from truemed_async.emulator.webhooks.model import Mode

SIGNATURE: Final = "x-truemed-signature"
API_KEY: Final = "x-truemed-api-key"


def authentication(mode: Mode, secrets: Sequence[str], body: bytes, at: datetime) -> tuple[str, str]:
    """Return the header that authenticates a body: a signature for each secret, or the first secret itself."""
    if mode == "unsigned":
        return API_KEY, secrets[0]
    t = str(int(at.timestamp()))
    signatures = (hmac.new(secret.encode(), t.encode() + b"." + body, hashlib.sha256).hexdigest() for secret in secrets)
    return SIGNATURE, ",".join([f"t={t}", *(f"v1={signature}" for signature in signatures)])


def masked(name: str, value: str) -> str:
    """Return a header's value for the log: an unsigned webhook's is its secret."""
    return "***" if name.lower() == API_KEY else value
