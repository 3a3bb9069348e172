"""Idempotency: the first answer to a key is the answer to it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import orjson

from truemed_async.emulator.request import ApiError, validation_error


@attrs.frozen(kw_only=True)
class Replay:
    """The answer to a key within its scope, and which payload it answered."""

    operation: str
    subject: str
    key: str
    fingerprint: str
    status: int
    body: Any


class Replays:
    """What keys were answered: each is scoped to an operation and what it acts on, and never forgotten.

    Truemed states the scope for the update of a qualification session; how long a key lives it does not state.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._replays: dict[tuple[str, str, str], Replay] = {}

    def once(
        self,
        operation: str,
        subject: str,
        payload: Mapping[str, Any],
        act: Callable[[], Mapping[str, object] | ApiError],
    ) -> object:
        """Act, or answer as before to the key of the payload; 400 when it came with another payload.

        What `act` returns took effect and is remembered, a `ApiError` too, which is then raised. What it raises had no
        effect, so its key is still free. A payload without a key acts each time.
        """
        key = payload.get("idempotency_key")
        if not isinstance(key, str):
            return _spoken(act())
        # Equal payloads may differ in blanks and in the order of their members.
        fingerprint = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
        before = self._replays.get((operation, subject, key))
        if before is None:
            outcome = act()
            status, body = (outcome.status, outcome.body) if isinstance(outcome, ApiError) else (200, outcome)
            self.put(
                Replay(operation=operation, subject=subject, key=key, fingerprint=fingerprint, status=status, body=body)
            )
            return _spoken(outcome)
        if before.fingerprint != fingerprint:
            raise validation_error("idempotency_key was used with another payload")
        return _spoken(ApiError.of(before.status, before.body) if before.status >= 400 else before.body)

    def put(self, replay: Replay) -> None:
        """Keep an answer for the next request with its key."""
        self._replays[replay.operation, replay.subject, replay.key] = replay

    def forget(self, subject: str) -> None:
        """Forget the keys of what is gone."""
        for at in [at for at in self._replays if at[1] == subject]:
            del self._replays[at]

    def clear(self) -> None:
        """Forget all keys."""
        self._replays.clear()

    def __iter__(self) -> Iterator[Replay]:
        return iter(tuple(self._replays.values()))


def _spoken(outcome: Mapping[str, object] | ApiError) -> Mapping[str, object]:
    if isinstance(outcome, ApiError):
        raise outcome
    return outcome
