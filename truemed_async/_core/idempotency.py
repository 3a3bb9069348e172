"""Remembers which idempotency key was sent with which body, to reject a mix-up before it is sent."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from truemed_async._core.request import Request
from truemed_async.errors import InvalidArgumentError

MAX_KEYS = 1024


class IdempotencyKeyCache:
    """The last keys that a client used. As at Truemed, the scope of a key is one object of one endpoint."""

    def __init__(self) -> None:
        self._digests: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def check(self, request: Request) -> None:
        """Remember the request's key, or reject it if it was sent with another body."""
        if request.idempotency_key is None or request.body is None:
            return
        scope = (str(request.url), request.idempotency_key)
        digest = hashlib.sha256(request.body.value).digest()
        if self._digests.setdefault(scope, digest) != digest:
            raise InvalidArgumentError(
                "this idempotency_key was used with other values: use a new key for a new change,"
                " or the same values to repeat one"
            )
        self._digests.move_to_end(scope)
        if len(self._digests) > MAX_KEYS:
            self._digests.popitem(last=False)
