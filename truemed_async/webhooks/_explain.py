"""Explain a delivery: which checks it passes, and how its signature header is written. No values are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import orjson

from truemed_async._sensitive import Sensitive
from truemed_async.errors import PayloadError, SignatureError
from truemed_async.webhooks._events import UnknownEvent
from truemed_async.webhooks._parse import is_declared_type, is_test_event, parse_body
from truemed_async.webhooks._signature import (
    SECRET_HEADER,
    SIGNATURE_HEADER,
    Headers,
    parse_signature_header,
    single_header,
    verify_shared_secret,
    verify_signature,
)
from truemed_async.webhooks._verify import (
    DEFAULT_CLOCK_SKEW,
    DEFAULT_MAX_AGE,
    MAX_DELIVERY_BYTES,
    Mode,
    Verifier,
    validate_delivery,
)

_COMMON_LABELS = frozenset(
    {"t", "ts", "time", "timestamp", "v0", "v1", "v2", "s", "sig", "signature", "sha256", "hmac", "hmac-sha256"}
)


@attrs.frozen
class DeliveryCheck:
    """One check of a delivery.

    Attributes:
        name: ``"size"``, ``"header"``, ``"signature"`` or ``"secret"``, ``"age"``, ``"body"``, ``"event"``.
        passed: Whether the delivery passes the check.
        detail: What was found, without any value of the delivery.
    """

    name: str
    passed: bool
    detail: str


def explain_delivery(
    body: bytes,
    headers: Headers,
    *,
    secrets: str | Sequence[str],
    mode: Mode = "signed",
    max_age: timedelta = DEFAULT_MAX_AGE,
    clock_skew: timedelta = DEFAULT_CLOCK_SKEW,
    now: datetime | None = None,
) -> tuple[DeliveryCheck, ...]:
    """Return the checks of a delivery in order, up to the first one that it fails.

    The arguments are those of :func:`verify_and_parse`; ``now`` is the time at which the delivery arrived, if it is not
    the current one.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """
    delivery, boxed = Sensitive((body, headers)), Sensitive[object](secrets)
    del body, headers, secrets  # a traceback may show this frame
    verifier = Verifier.of(boxed, mode=mode, event_type=None, max_age=max_age, clock_skew=clock_skew)
    return tuple(_check(validate_delivery(delivery), verifier, now or datetime.now(UTC)))


def _check(delivery: Sensitive[tuple[bytes, Headers]], verifier: Verifier, now: datetime) -> list[DeliveryCheck]:
    body, headers = delivery.value
    if len(body) > MAX_DELIVERY_BYTES:
        return [DeliveryCheck("size", False, f"more than {MAX_DELIVERY_BYTES} bytes")]
    checks = [DeliveryCheck("size", True, "within the limit")]

    def failed(name: str, detail: object) -> list[DeliveryCheck]:
        return [*checks, DeliveryCheck(name, False, str(detail))]

    signed_at: datetime | None = None
    if verifier.mode == "unsigned":
        refusal = verify_shared_secret(headers, verifier.keys)
        if refusal is not None:
            return failed("secret", refusal)
        checks.append(DeliveryCheck("secret", True, f"{SECRET_HEADER} holds it"))
    else:
        verified = verify_signature(body, headers, verifier.keys)
        header = single_header(headers, SIGNATURE_HEADER)
        if header is None:
            return failed("header", verified)
        checks.append(DeliveryCheck("header", True, _describe_grammar(header)))
        if isinstance(verified, SignatureError):
            reason = _explain_mismatch(body, headers, verifier.keys)
            return failed("signature", verified if reason is None else f"{verified}; {reason}")
        checks.append(DeliveryCheck("signature", True, "matches the body and a secret"))
        stale = verifier.check_age(verified, now)
        if stale is not None:
            return failed("age", stale)
        checks.append(DeliveryCheck("age", True, "within max_age and clock_skew"))
        signed_at = verified
    event = parse_body(body, None, signed_at)
    if isinstance(event, PayloadError):
        return failed("body", event)
    if is_test_event(event):
        found = "a test of the endpoint, which reaches no handler"
    elif isinstance(event, UnknownEvent):
        found = "UnknownEvent: neither its name nor its members are known"
    else:
        found = f"{type(event).__name__}, by its {'name' if is_declared_type(event) else 'members'}"
    checks.append(DeliveryCheck("body", True, "a JSON object with the documented members"))
    checks.append(DeliveryCheck("event", True, found))
    return checks


def _describe_grammar(header: str) -> str:
    """Return how a signature header is written; of its labels only common ones are shown."""
    timestamps, signatures = parse_signature_header(header)
    parts = [
        *(f"timestamp in {_describe_time(text)}, {_describe_label(header, text)}" for text in timestamps),
        *(_describe_signature(header, signature.decode()) for signature in signatures),
    ]
    between = [name for name, character in _SEPARATOR_NAMES if character in header]
    return "; ".join(
        [*(parts or ["neither a timestamp nor a signature"]), f"separators: {', '.join(between) or 'none'}"]
    )


_SEPARATOR_NAMES = (
    ("comma", ","),
    ("semicolon", ";"),
    ("ampersand", "&"),
    ("bar", "|"),
    ("blank", " "),
    ("quote", '"'),
)


def _describe_time(text: str) -> str:
    if not text.isdigit():
        return "ISO 8601"
    return "seconds" if len(text) <= 10 else "milliseconds"


def _describe_signature(header: str, value: str) -> str:
    if len(value) == 64:
        upper = value.upper()
        text = next((each for each in (value, upper) if each in header), None)
        form = {value: "lower-case hex", upper: "upper-case hex"}.get(text or "", "hex of mixed case")
        return f"signature in {form}, {_describe_label(header, text or value)}"
    form = "base64url" if set("-_") & set(value) else "base64"
    padding = "with" if f"{value}=" in header else "without"
    return f"signature in {form} {padding} padding, {_describe_label(header, value)}"


def _describe_label(header: str, text: str) -> str:
    found = re.search(rf"([A-Za-z0-9_-]+)\s*[=:]\s*[\"']?{re.escape(text)}", header, re.IGNORECASE)
    if found is None:
        return "no label"
    return f"label {found[1]!r}" if found[1].lower() in _COMMON_LABELS else "an unusual label"


def _explain_mismatch(body: bytes, headers: Headers, keys: Sequence[bytes]) -> str | None:
    """Return a likely reason why a signature does not match."""
    for variant, reason in _body_variants(body):
        if variant != body and not isinstance(verify_signature(variant, headers, keys), SignatureError):
            return f"it matches the body {reason}"
    return None


def _body_variants(body: bytes) -> Iterator[tuple[bytes, str]]:
    yield body.rstrip(b"\r\n"), "without its final line break: it was added when the body was saved"
    yield body.rstrip(b"\r\n") + b"\n", "with a final line break: it was removed when the body was saved"
    yield body.replace(b"\r\n", b"\n"), "with LF line breaks: they were converted"
    yield body.replace(b"\n", b"\r\n"), "with CRLF line breaks: they were converted"
    yield body.removeprefix(b"\xef\xbb\xbf"), "without its byte order mark"
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    yield orjson.dumps(value), "serialized compactly: it was parsed and serialized again"
