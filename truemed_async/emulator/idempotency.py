"""Idempotency: the first response to a key is repeated for each further request with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import orjson

from truemed_async.emulator.request import ApiError, validation_error

KEY_REUSE: Final = "idempotency_key was used with another payload"


@attrs.frozen(kw_only=True)
class StoredResponse:
    """The response to a key within its scope, and the fingerprint of the payload that it belongs to."""

    operation: str
    subject: str
    key: str
    fingerprint: str
    status: int
    body: Any


class IdempotencyStore:
    """The stored responses. A key is scoped to an operation and its subject, and never expires.

    Truemed documents the scope for the update of a qualification session, but not how long a key is remembered.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._responses: dict[tuple[str, str, str], StoredResponse] = {}

    def run_once(
        self,
        operation: str,
        subject: str,
        payload: Mapping[str, Any],
        act: Callable[[], Mapping[str, object] | ApiError],
    ) -> object:
        """Call ``act``, or repeat the response to the payload's key; 400 if the key was used with another payload.

        A result of ``act`` is stored. This includes an ``ApiError``, which is then raised: the request had an effect.
        An exception from ``act`` means that it had none, so its key remains unused. Without a key, ``act`` always runs.
        """
        key = payload.get("idempotency_key")
        if not isinstance(key, str):
            return _raise_error(act())
        # Equal payloads may differ in white space and in the order of their members.
        fingerprint = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
        stored = self._responses.get((operation, subject, key))
        if stored is None:
            result = act()
            status, body = (result.status, result.body) if isinstance(result, ApiError) else (200, result)
            self.put(
                StoredResponse(
                    operation=operation, subject=subject, key=key, fingerprint=fingerprint, status=status, body=body
                )
            )
            return _raise_error(result)
        if stored.fingerprint != fingerprint:
            raise validation_error(KEY_REUSE)
        return _raise_error(ApiError.of(stored.status, stored.body) if stored.status >= 400 else stored.body)

    def put(self, response: StoredResponse) -> None:
        """Store the response for the next request with its key."""
        self._responses[response.operation, response.subject, response.key] = response

    def forget(self, subject: str) -> None:
        """Delete the keys of a subject that was removed."""
        for scope in [scope for scope in self._responses if scope[1] == subject]:
            del self._responses[scope]

    def clear(self) -> None:
        """Delete all keys."""
        self._responses.clear()

    def __iter__(self) -> Iterator[StoredResponse]:
        return iter(tuple(self._responses.values()))


def _raise_error(result: Mapping[str, object] | ApiError) -> Mapping[str, object]:
    if isinstance(result, ApiError):
        raise result
    return result
