"""From the bytes of a delivery to a typed event: is it Truemed's, is it fresh, can it be read; in this order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast, get_args

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError, PayloadError, StaleDeliveryError, WebhookError
from truemed_async.models._compile import StructureError
from truemed_async.models._converter import JSONDecodeError, loads
from truemed_async.webhooks._events import Event, read_event
from truemed_async.webhooks._signature import carries_secret, signed_at

Mode = Literal["signed", "unsigned"]
"""Truemed's two ways to deliver; chosen for each webhook in the dashboard, for good."""

BODY_LIMIT = 1024 * 1024
"""Bytes of a delivery that are read. An event has a few thousand."""

REDELIVERED = timedelta(days=7, hours=1)
"""Truemed delivers for up to 7 days and may not sign again each time."""
REPLAYED = timedelta(minutes=5)
"""How old a delivery may be where nothing remembers which were handled."""
CLOCK_SKEW = timedelta(minutes=5)

_DEEPEST = 64


def verify_and_parse(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secrets: str | Sequence[str],
    mode: Mode = "signed",
    event_type: str | None = None,
    max_age: timedelta = REDELIVERED,
    clock_skew: timedelta = CLOCK_SKEW,
) -> Event:
    """Check that a delivery is Truemed's and return its typed event. Nothing is parsed before it is verified.

    It cannot tell a delivery from its repetition: handle each :attr:`Event.dedup_key` once, or use a
    :class:`Receiver`, which does.

    Args:
        body: The raw bytes of the request, before anything has parsed or decoded them.
        headers: The request's headers, in any case. Pass your framework's own mapping and not a ``dict`` of it, which
            would hide that a header came twice.
        secrets: The webhook's secret, or several while you change it: any of them will do.
        mode: ``"signed"`` (``x-truemed-signature``) or ``"unsigned"`` (``x-truemed-api-key``), as the webhook was made.
            An unsigned delivery proves only that its sender knows the secret.
        event_type: What the route receives, for unsigned deliveries whose body does not say; without it they are told
            by their fields.
        max_age: How long ago a delivery may have been signed. Truemed repeats a delivery for up to 7 days and may not
            sign it again, hence 7 days and an hour; a shorter time may refuse real events.
        clock_skew: How far ahead of this machine's clock it may have been signed.

    Raises:
        SignatureError: The header is missing, doubled, malformed or wrong. Answer 401.
        StaleDeliveryError: The signature is right, but older than ``max_age`` or from the future. Answer 401.
        PayloadError: It is Truemed's, but over 1 MiB, not JSON, or of another shape than the event it names. Answer
            400: Truemed will repeat it.
        InvalidArgumentError: The body is not ``bytes``, a secret is empty, or an option is none of those above.
    """
    given, boxed = Sensitive((body, headers)), Sensitive[object](secrets)
    del body, headers, secrets  # a traceback may show this frame
    verifier = Verifier.of(boxed, mode=mode, event_type=event_type, max_age=max_age, clock_skew=clock_skew)
    result = verifier.open(checked(given), datetime.now(UTC))
    if isinstance(result, Event):
        return result
    raise result


def checked(given: Sensitive[tuple[bytes, Mapping[str, str]]]) -> Sensitive[tuple[bytes, Mapping[str, str]]]:
    """Return a body and headers in their box, if they are what they have to be."""
    if not isinstance(given.value[0], bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(
            f"body must be the raw bytes of the request, before any parsing, not {type(given.value[0]).__name__}"
        )
    if not hasattr(given.value[1], "items"):
        raise InvalidArgumentError(f"headers must be a mapping of names to values, not {type(given.value[1]).__name__}")
    return given


@attrs.frozen(kw_only=True)
class Verifier:
    """How the deliveries of one webhook are verified and read."""

    keys: tuple[bytes, ...] = attrs.field(repr=False, eq=False)
    mode: Mode
    event_type: str | None
    max_age: timedelta
    clock_skew: timedelta

    @classmethod
    def of(cls, secrets: Sensitive[Any], *, mode: Any, event_type: Any, max_age: Any, clock_skew: Any) -> Verifier:
        """Check the options; the secrets come in a box, because a traceback may show this frame."""
        if mode not in get_args(Mode):
            raise InvalidArgumentError("mode must be 'signed' or 'unsigned'")
        if event_type is not None and (not isinstance(event_type, str) or not event_type):
            raise InvalidArgumentError("event_type must be a non-empty string, or None")
        for name, value in (("max_age", max_age), ("clock_skew", clock_skew)):
            if not isinstance(value, timedelta) or value < timedelta(0):
                raise InvalidArgumentError(f"{name} must be a timedelta >= 0")
        keys = _keys(secrets.value)
        if isinstance(keys, str):
            raise InvalidArgumentError(f"secrets must be a string or a sequence of strings: {keys}")
        return cls(keys=keys, mode=mode, event_type=event_type, max_age=max_age, clock_skew=clock_skew)

    def open(self, given: Sensitive[tuple[bytes, Mapping[str, str]]], now: datetime) -> Event | WebhookError:
        """Return the event of a body and headers, or the error to raise; none of its frames is in a traceback."""
        body, headers = given.value
        if len(body) > BODY_LIMIT:
            return PayloadError(f"the body is larger than {BODY_LIMIT} bytes")
        if self.mode == "unsigned":
            refused = carries_secret(headers, self.keys)
            return refused or self._read(body, None)
        signed = signed_at(body, headers, self.keys)
        if isinstance(signed, WebhookError):
            return signed
        if now - signed > self.max_age:
            return StaleDeliveryError(f"the delivery was signed {now - signed} ago; max_age is {self.max_age}")
        if signed - now > self.clock_skew:
            return StaleDeliveryError(f"the delivery is signed {signed - now} ahead; clock_skew is {self.clock_skew}")
        return self._read(body, signed)

    def _read(self, body: bytes, signed: datetime | None) -> Event | PayloadError:
        try:
            data = loads(body)
        except JSONDecodeError:
            return PayloadError("the body is not JSON")
        if not isinstance(data, dict):
            return PayloadError("the body is not a JSON object")
        fields = cast("dict[str, Any]", data)
        if body.count(b"[") + body.count(b"{") > _DEEPEST and _depth_exceeds(fields, _DEEPEST):
            return PayloadError(f"the body is nested more than {_DEEPEST} deep")
        try:
            return read_event(fields, self.event_type, signed)
        except StructureError as mismatch:
            return PayloadError(f"expected {mismatch.expected} at {mismatch.path or 'the top of the payload'}")


def _keys(given: object) -> tuple[bytes, ...] | str:
    """Return the secrets as bytes, or what is wrong with them."""
    each = [given] if isinstance(given, str) else given
    if not isinstance(each, Sequence) or isinstance(each, (bytes, bytearray)):
        return f"not {type(given).__name__}"
    made: list[bytes] = []
    for secret in cast("Sequence[object]", each):
        if not isinstance(secret, str):
            return f"one is of type {type(secret).__name__}"
        if not secret:
            return "one is empty, and anybody could sign with it"
        if not secret.isascii() or not secret.isprintable() or secret.strip() != secret:
            return "one holds control or non-ASCII characters, or blanks around it"
        made.append(secret.encode())
    return tuple(made) or "there is none"


def _depth_exceeds(data: dict[str, Any], most: int) -> bool:
    """Whether JSON is nested deeper than ``most``, found without recursion: it may be hostile."""
    level: list[Any] = [data]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", value).values() if isinstance(value, dict) else value
