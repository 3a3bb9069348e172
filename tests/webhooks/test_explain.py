"""``explain_delivery``: the checks of a delivery, without its values."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.webhook_payloads import (
    ENCODINGS,
    PAYMENT_SESSION,
    QUALIFICATION_SESSION,
    SECRET,
    TIMES,
    Grammar,
    encode_json,
    hmac_of,
    make_body,
    make_capture_body,
    make_secret_headers,
    make_signed_headers,
)
from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks import MAX_DELIVERY_BYTES, explain_delivery

BODY = make_capture_body()
HEADER = "x-truemed-signature"


def explain(body=BODY, headers=None, **options):
    """Return the names of the passed checks, and the detail of the last check."""
    checks = explain_delivery(
        body, make_signed_headers(body) if headers is None else headers, **{"secrets": SECRET, **options}
    )
    assert all(check.passed for check in checks[:-1])
    return [check.name for check in checks if check.passed], checks[-1].detail


def grammar_of(header):
    (detail,) = (
        each.detail for each in explain_delivery(BODY, {HEADER: header}, secrets=SECRET) if each.name == "header"
    )
    return detail


def test_accepted_delivery_passes_all_checks():
    passed = ["size", "header", "signature", "age", "body", "event"]
    assert explain() == (passed, "PaymentSessionUpdated, by its name")
    assert explain(make_body(PAYMENT_SESSION, "new.name")) == (passed, "PaymentSessionUpdated, by its members")
    assert explain(make_body({}, "x")) == (passed, "UnknownEvent: neither its name nor its members are known")
    assert explain(make_body({}, "webhook.test")) == (passed, "a test of the endpoint, which reaches no handler")
    unsigned = explain(encode_json(PAYMENT_SESSION), make_secret_headers(), mode="unsigned")
    assert unsigned == (["size", "secret", "body", "event"], "PaymentSessionUpdated, by its members")


@pytest.mark.parametrize(
    ("body", "headers", "options", "passed", "detail"),
    [
        (b" " * (MAX_DELIVERY_BYTES + 1), {}, {}, [], f"more than {MAX_DELIVERY_BYTES} bytes"),
        (BODY, {}, {}, ["size"], "the delivery has no header x-truemed-signature"),
        (BODY, make_signed_headers(BODY, "another"), {}, ["size", "header"], "the signature does not match this body with any of the secrets"),
        (b"x", make_signed_headers(BODY), {}, ["size", "header"], "the signature does not match this body with any of the secrets"),
        (BODY, make_secret_headers("another"), {"mode": "unsigned"}, ["size"], "the header x-truemed-api-key does not hold any of the secrets"),
        (BODY[1:], make_signed_headers(BODY[1:]), {}, ["size", "header", "signature", "age"], "the body is not JSON"),
    ],
)  # fmt: skip
def test_refused_delivery_names_the_failed_check(body, headers, options, passed, detail):
    assert explain(body, headers, **options) == (passed, detail)


def test_stale_delivery_fails_the_age_check():
    now = datetime.now(UTC)
    passed, detail = explain(now=now + timedelta(days=8))
    assert passed == ["size", "header", "signature"]
    assert "max_age" in detail
    assert "clock_skew" in explain(now=now - timedelta(days=8))[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body + b"\n", "without its final line break"),
        (lambda body: body.replace(b"\n", b"\r\n"), "with LF line breaks"),
        (lambda body: b"\xef\xbb\xbf" + body, "without its byte order mark"),
    ],
)
def test_changed_body_is_explained(change, reason):
    body = json.dumps(json.loads(BODY), indent=1).encode()
    assert reason in explain(change(body), make_signed_headers(body))[1]


def test_body_with_removed_line_break_or_converted_lines_is_explained():
    body = BODY + b"\n"
    assert "with a final line break" in explain(BODY, make_signed_headers(body))[1]
    body = b'{\r\n"a": 1}'
    assert "with CRLF line breaks" in explain(body.replace(b"\r\n", b"\n"), make_signed_headers(body))[1]


def test_reserialized_body_is_explained():
    compact = json.dumps(json.loads(BODY), separators=(",", ":"), ensure_ascii=False).encode()
    assert "it was parsed and serialized again" in explain(BODY, make_signed_headers(compact))[1]


@pytest.mark.parametrize(("form", "name"), [
    ("seconds", "seconds"), ("milliseconds", "milliseconds"), ("ISO 8601, Z", "ISO 8601"), ("ISO 8601, basic", "ISO 8601"),
])  # fmt: skip
def test_grammar_names_the_form_of_the_timestamp(form, name):
    t = TIMES[form](datetime.now(UTC))
    assert f"timestamp in {name}, label 't'" in grammar_of(f"t={t},v1={hmac_of(t, BODY).hex()}")


def test_grammar_names_encodings_labels_and_separators():
    mac = bytes(range(32))
    urlsafe = b"\xff\xfe" * 16
    assert grammar_of(f"v1={mac.hex()}") == "signature in lower-case hex, label 'v1'; separators: none"
    assert "upper-case hex, label 'Sig'" in grammar_of(f"Sig: {urlsafe.hex().upper()};")
    assert "hex of mixed case, no label" in grammar_of(urlsafe.hex()[:32] + urlsafe.hex()[32:].upper())
    assert "base64 with padding, an unusual label" in grammar_of(f"private={ENCODINGS['base64'](mac)}")
    assert "base64url without padding" in grammar_of(ENCODINGS["base64url without padding"](urlsafe))
    assert grammar_of('x, y; z & a | b "') == (
        "neither a timestamp nor a signature; separators: comma, semicolon, ampersand, bar, blank, quote"
    )


def test_explanation_shows_no_values():
    rng, secret = random.Random(3), "canary-secret"
    data = {**QUALIFICATION_SESSION, "email": "canary@example.com", "qualification_session_id": "canary-id"}
    for number in range(300):
        body = make_body(data, rng.choice(["qualification_status.updated", "canary.event"]), f"canary-{number}")
        grammar = Grammar(rng)
        t = grammar.write_time(datetime.now(UTC))
        header = grammar.write(t, grammar.write_signature(hmac_of(t, body, secret))) + ",canary=1"
        for key in (secret, "another"):
            for headers in ({HEADER: header}, {"x-truemed-api-key": "canary-secret"}, {}):
                text = repr(explain_delivery(body, headers, secrets=key))
                assert "canary" not in text
                assert t not in text
                assert hmac_of(t, body, secret).hex() not in text.lower()


def test_explain_with_invalid_argument_raises():
    for options in ({"secrets": ""}, {"mode": "x"}, {"max_age": 7}):
        with pytest.raises(InvalidArgumentError):
            explain_delivery(BODY, {}, **{"secrets": SECRET, **options})
    with pytest.raises(InvalidArgumentError, match="raw bytes"):
        explain_delivery(BODY.decode(), {}, secrets=SECRET)
