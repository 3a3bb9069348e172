"""Verify a delivery: its authenticity, its age, and then its body. Nothing is parsed before it is verified."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast, get_args

import attrs

from truemed_async._frozen import fast_constructor
from truemed_async._sensitive import Sensitive
from truemed_async.errors import InvalidArgumentError, PayloadError, StaleDeliveryError, WebhookError
from truemed_async.webhooks._events import Event
from truemed_async.webhooks._parse import is_test_event, parse_body
from truemed_async.webhooks._signature import Headers, has_credentials, verify_shared_secret, verify_signature

Mode = Literal["signed", "unsigned"]
"""Truemed's two methods of delivery, chosen per webhook in the dashboard; they cannot be changed later."""

_MODES: tuple[str, ...] = get_args(Mode)
_NO_TIME = timedelta(0)

MAX_DELIVERY_BYTES = 1024 * 1024
"""The largest body of a delivery that is read. An event has a few thousand bytes."""

_MAX_TEST_EVENT_BYTES = 4096

DEFAULT_MAX_AGE = timedelta(days=7, hours=1)
"""Truemed redelivers for up to 7 days and may not sign again."""
DEFAULT_MAX_AGE_WITHOUT_STORE = timedelta(minutes=5)
"""The tolerance for replays where nothing remembers which events were handled."""
DEFAULT_CLOCK_SKEW = timedelta(minutes=5)


def verify_and_parse(
    body: bytes,
    headers: Headers,
    *,
    secrets: str | Sequence[str],
    mode: Mode = "signed",
    event_type: str | None = None,
    max_age: timedelta = DEFAULT_MAX_AGE,
    clock_skew: timedelta = DEFAULT_CLOCK_SKEW,
) -> Event:
    """Verify that a delivery comes from Truemed and return its typed event. Nothing is parsed before it is verified.

    Repeated deliveries are not detected: handle each :attr:`Event.dedup_key` once, or use a :class:`Receiver`.

    Args:
        body: The raw bytes of the request, before any parsing or decoding.
        headers: The request's headers, in any case. Values may be sequences of strings, and a WSGI ``environ`` is also
            accepted. Pass the framework's own mapping rather than a ``dict`` of it, which hides that a header was sent
            twice.
        secrets: The webhook's secret, or several while it is rotated: any of them is accepted.
        mode: ``"signed"`` (``x-truemed-signature``) or ``"unsigned"`` (``x-truemed-api-key``), as chosen when the webhook
            was created. An unsigned delivery only proves that its sender knows the secret.
        event_type: The event that the route receives, for unsigned deliveries whose body does not name it. Without it
            their type is inferred from their members.
        max_age: How long ago a delivery may have been signed. Truemed redelivers for up to 7 days and may not sign
            again, hence the default of 7 days and an hour; a shorter time may refuse genuine events.
        clock_skew: How far ahead of this machine's clock a delivery may have been signed.

    Raises:
        SignatureError: The header is missing, repeated, malformed or wrong. Respond with 401.
        StaleDeliveryError: The signature is valid, but older than ``max_age`` or in the future. Respond with 401.
        PayloadError: The delivery is authentic, but over 1 MiB, not JSON, or not the event that it names. Respond with
            400: Truemed delivers it again.
        InvalidArgumentError: The body is not ``bytes``, a secret is empty, or another argument is invalid.
    """
    delivery, boxed = Sensitive((body, headers)), Sensitive(secrets)
    del body, headers, secrets
    verifier = Verifier.of(boxed, mode=mode, event_type=event_type, max_age=max_age, clock_skew=clock_skew)
    result = verifier.verify(validate_delivery(delivery), datetime.now(UTC))
    if isinstance(result, Event):
        return result
    raise result


def validate_delivery(
    delivery: Sensitive[tuple[bytes, Headers]],
) -> Sensitive[tuple[bytes, Headers]]:
    """Return a body and headers if they have the right types."""
    if not isinstance(delivery.value[0], bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(
            f"body must be the raw bytes of the request, before any parsing, not {type(delivery.value[0]).__name__}"
        )
    if not hasattr(delivery.value[1], "items"):
        raise InvalidArgumentError(
            f"headers must be a mapping of names to values, not {type(delivery.value[1]).__name__}"
        )
    return delivery


@attrs.frozen(kw_only=True, weakref_slot=False)
class Verifier:
    """How the deliveries of one webhook are verified and parsed."""

    keys: tuple[bytes, ...] = attrs.field(repr=False, eq=False)
    mode: Mode
    event_type: str | None
    max_age: timedelta
    clock_skew: timedelta

    @classmethod
    def of(cls, secrets: Sensitive[Any], *, mode: Any, event_type: Any, max_age: Any, clock_skew: Any) -> Verifier:
        """Validate the options. The secrets are wrapped, because a traceback may show this frame."""
        if mode not in _MODES:
            raise InvalidArgumentError("mode must be 'signed' or 'unsigned'")
        if event_type is not None and (not isinstance(event_type, str) or not event_type):
            raise InvalidArgumentError("event_type must be a non-empty string, or None")
        _validate_span("max_age", max_age)
        _validate_span("clock_skew", clock_skew)
        keys = _encode_secrets(secrets.value)
        if isinstance(keys, str):
            raise InvalidArgumentError(f"secrets must be a string or a sequence of strings: {keys}")
        return _new_verifier(keys=keys, mode=mode, event_type=event_type, max_age=max_age, clock_skew=clock_skew)

    def verify(self, delivery: Sensitive[tuple[bytes, Headers]], now: datetime) -> Event | WebhookError:
        """Return the event of a delivery, or the error to raise; its traceback then shows none of these frames."""
        body, headers = delivery.value
        if len(body) > MAX_DELIVERY_BYTES:
            return PayloadError(f"the body is larger than {MAX_DELIVERY_BYTES} bytes")
        if self.mode == "unsigned":
            return verify_shared_secret(headers, self.keys) or parse_body(body, self.event_type, None)
        signed_at = verify_signature(body, headers, self.keys)
        if isinstance(signed_at, WebhookError):
            return signed_at
        return self.check_age(signed_at, now) or parse_body(body, self.event_type, signed_at)

    def check_age(self, signed_at: datetime, now: datetime) -> StaleDeliveryError | None:
        """Return the error to raise if a delivery is too old or in the future."""
        if now - signed_at > self.max_age:
            return StaleDeliveryError(f"the delivery was signed {now - signed_at} ago; max_age is {self.max_age}")
        if signed_at - now > self.clock_skew:
            return StaleDeliveryError(
                f"the delivery was signed {signed_at - now} in the future; clock_skew is {self.clock_skew}"
            )
        return None


_new_verifier = fast_constructor(Verifier)  # verify_and_parse makes one for each delivery


def _validate_span(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or value < _NO_TIME:
        raise InvalidArgumentError(f"{name} must be a timedelta >= 0")


def is_verification_request(delivery: Sensitive[tuple[bytes, Headers]]) -> bool:
    """Whether a delivery that is not authentic is a test of the endpoint, which has no effect and can be acknowledged.

    Truemed may send it when the webhook is created, before anyone can know the secret: a body that names a test event, or
    a request without a signature, secret and event.
    """
    body, headers = delivery.value
    if len(body) > _MAX_TEST_EVENT_BYTES:
        return False
    if body in (b"", b"{}"):
        return not has_credentials(headers)
    return is_test_event(parse_body(body, None, None))


def _encode_secrets(value: object) -> tuple[bytes, ...] | str:
    """Return the secrets as bytes, or the reason why they are invalid."""
    if value is None:
        return "not None; is the environment variable of the secret set?"
    if isinstance(value, str):
        value = (value,)
    elif not isinstance(value, Sequence) or isinstance(value, (bytes, bytearray)):
        return f"not {type(value).__name__}"
    keys: list[bytes] = []
    for secret in cast("Sequence[object]", value):
        if not isinstance(secret, str):
            return f"one has the type {type(secret).__name__}"
        if not secret:
            return "one is empty, and anyone could sign with it"
        if not secret.isascii() or not secret.isprintable() or secret.strip() != secret:
            return "one has control characters, non-ASCII characters, or surrounding whitespace"
        keys.append(secret.encode())
    return tuple(keys) or "the sequence is empty"
