"""Remembers which idempotency key carried which body, to refuse a mix-up before it is sent."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from truemed_async._core.request import Request
from truemed_async.errors import InvalidArgumentError

CAPACITY = 1024


class KeyLedger:
    """The last keys that a client used. Keys are scoped as Truemed scopes them: to one object of one endpoint."""

    def __init__(self) -> None:
        self._digests: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def check(self, request: Request) -> None:
        """Note the request's key, or refuse it if it went out with another body."""
        if request.idempotency_key is None or request.body is None:
            return
        used = (str(request.url), request.idempotency_key)
        digest = hashlib.sha256(request.body.value).digest()
        if self._digests.setdefault(used, digest) != digest:
            raise InvalidArgumentError(
                "this idempotency_key was used with other values: a new change needs a new key, a repeat the same values"
            )
        self._digests.move_to_end(used)
        if len(self._digests) > CAPACITY:
            self._digests.popitem(last=False)
