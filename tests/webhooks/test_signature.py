"""Authenticity of deliveries: accepted signatures and secrets, and refused ones."""

import base64
import hmac
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from multidict import CIMultiDict

from tests.support.webhook_payloads import (
    PAYMENT_SESSION,
    SECRET,
    TIMES,
    encode_json,
    hmac_of,
    make_capture_body,
    make_secret_headers,
    make_signed_headers,
)
from truemed_async.errors import InvalidArgumentError, PayloadError, SignatureError, StaleDeliveryError, WebhookError
from truemed_async.webhooks import MAX_DELIVERY_BYTES, PaymentSessionUpdated, _signature, sign, verify_and_parse

BODY = make_capture_body()
HEADER = "x-truemed-signature"


def verify(body=BODY, headers=None, **options):
    return verify_and_parse(
        body, make_signed_headers(body) if headers is None else headers, **{"secrets": SECRET, **options}
    )


def now():
    return int(datetime.now(UTC).timestamp())


def headed(value):
    return {HEADER: value}


# ---- accepted


def test_documented_signature_is_accepted():
    t = now()
    event = verify(headers=headed(f"t={t},v1={hmac_of(t, BODY).hex()}"))
    assert isinstance(event, PaymentSessionUpdated)
    assert event.signed_at == datetime.fromtimestamp(t, UTC)


@pytest.mark.parametrize(
    "write",
    [
        lambda t, m: f"v1={m.hex()},t={t}",
        lambda t, m: f"t={t}, v1={m.hex()}",
        lambda t, m: f"t={t};v1={m.hex()}",
        lambda t, m: f"t={t},v1={base64.b64encode(m).decode()}",
        lambda t, m: f"t={t},v1={base64.urlsafe_b64encode(m).decode().rstrip('=')}",
        lambda t, m: f"t={t},v1={m.hex().upper()}",
        lambda t, m: f"t={t},v0=something,v1={m.hex()},v2=else,kid=7",
        lambda t, m: f"t={t},v1={'0' * 64},v1={m.hex()}",
        lambda t, m: f"t={t},v1={m.hex()},v1={'0' * 64}",
        lambda t, m: f"t={t},v2={m.hex()}",
        lambda t, m: f"T = {t} ; Signature = {m.hex()}",
        lambda t, m: f't="{t}",v1="{m.hex()}"',
        lambda t, m: f"{t},{m.hex()}",
        lambda t, m: f"t={t},v1=sha256={m.hex()}",
        lambda t, m: f"t:{t} v1:{m.hex()}",
        lambda t, m: f"t={t},v1={m.hex()},",
        lambda t, m: f",t={t},,v1={m.hex()}",
        lambda t, m: f"t={t},t={t},v1={m.hex()}",
        lambda t, m: f"t=1,t={t},v1={m.hex()}",
        lambda t, m: f"t={t}," + ",".join([f"v1={'0' * 64}"] * 7 + [f"v1={m.hex()}"]),
    ],
    ids=[
        "other order", "blank", "semicolon", "base64", "base64url", "upper-case hex", "unknown parts", "second of two",
        "first of two", "another version", "blanks around", "quotes", "no labels", "two labels", "colons", "trailing separator",
        "empty parts", "repeated time", "another time too", "eight signatures",
    ],
)  # fmt: skip
def test_header_grammar_variants_are_accepted(write):
    t = now()
    event = verify(headers=headed(write(t, hmac_of(t, BODY))))
    assert (event.delivery_id, event.signed_at) == ("whd_1", datetime.fromtimestamp(t, UTC))


@pytest.mark.parametrize("form", TIMES)
def test_timestamp_in_any_form_is_accepted_and_its_age_checked(form):
    def header(moment):
        t = TIMES[form](moment)
        return headed(f"t={t},v1={hmac_of(t, BODY).hex()}")

    moment = datetime.now(UTC)
    event = verify(headers=header(moment))
    assert abs(event.signed_at - moment) < timedelta(seconds=1)
    assert event.signed_at.utcoffset() == timedelta(0)
    with pytest.raises(StaleDeliveryError, match="max_age"):
        verify(headers=header(moment - timedelta(days=8)))
    with pytest.raises(StaleDeliveryError, match="clock_skew"):
        verify(headers=header(moment + timedelta(hours=1)))


@given(st.from_regex(r"t=[0-9]{9,11},v1=[0-9a-fA-F]{63,65}", fullmatch=True))
def test_usual_header_is_parsed_as_any_other(value):
    assert _signature.parse_signature_header(value) == _signature._parse_parts(value)


def test_age_is_that_of_the_signed_timestamp():
    """An unsigned timestamp next to the signed one must not make the delivery younger."""
    old, new = now() - 8 * 86400, now()
    for extra in (f"t={new}", f"ts={new}"):
        with pytest.raises(StaleDeliveryError):
            verify(headers=headed(f"{extra},t={old},v1={hmac_of(old, BODY).hex()}"))
    both = f"t={old},t={new},v1={hmac_of(old, BODY).hex()},v1={hmac_of(new, BODY).hex()}"
    assert verify(headers=headed(both)).signed_at == datetime.fromtimestamp(new, UTC)


def test_fraction_of_the_timestamp_moved_to_the_body_is_rejected():
    """``t`` and the body are joined by a dot, and a fraction of a second has one."""
    for t in ("2026-05-01T12:00:00.123Z", "2026-05-01T12:00:00.123"):
        whole, _, rest = t.partition(".")
        for body in (f"{rest}.".encode() + BODY, f" {rest}.".encode() + BODY):
            with pytest.raises(SignatureError):
                verify(body, headed(f"t={whole},v1={hmac_of(t, BODY).hex()}"))


def test_timestamp_in_milliseconds_is_accepted():
    t = now() * 1000 + 250
    event = verify(headers=headed(f"t={t},v1={hmac_of(t, BODY).hex()}"))
    assert event.signed_at == datetime.fromtimestamp(t / 1000, UTC)


def test_header_name_is_case_insensitive():
    assert verify(headers={HEADER.upper(): sign(BODY, SECRET)[HEADER]})


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: (value,)], ids=["list", "tuple"])
def test_header_values_in_a_sequence_are_accepted(wrap):
    """API Gateway passes ``multiValueHeaders`` so."""
    assert verify(headers={"Accept": wrap("*/*"), HEADER: wrap(sign(BODY, SECRET)[HEADER])})
    assert verify(headers={"X-Truemed-Api-Key": wrap(SECRET)}, mode="unsigned")
    with pytest.raises(SignatureError, match="sent 2 times"):
        verify(headers={"X-Truemed-Api-Key": [SECRET, SECRET]}, mode="unsigned")
    with pytest.raises(SignatureError, match="no header"):
        verify(headers={HEADER: []})


def test_wsgi_environ_as_headers_is_accepted():
    environ = {"wsgi.version": (1, 0), "REQUEST_METHOD": "POST", "HTTP_X_TRUEMED_SIGNATURE": sign(BODY, SECRET)[HEADER]}
    assert verify(headers=environ)
    assert verify(headers={"HTTP_X_TRUEMED_API_KEY": SECRET}, mode="unsigned")


def test_header_names_that_are_not_strings_are_ignored():
    with pytest.raises(SignatureError, match="no header"):
        verify(headers={HEADER.encode(): sign(BODY, SECRET)[HEADER].encode(), None: "x", 7: "y"})


@pytest.mark.parametrize("secrets", [["new-one", SECRET], (SECRET, "new-one")])
def test_any_of_several_secrets_is_accepted(secrets):
    assert verify(secrets=secrets)
    assert verify(headers=make_secret_headers(), secrets=secrets, mode="unsigned")
    with pytest.raises(SignatureError):
        verify(secrets=["new-one", "newer-one"])


@pytest.mark.parametrize(
    "timestamp",
    [None, datetime.now(UTC), datetime.now(UTC).replace(tzinfo=None), datetime.now(UTC).astimezone()],
    ids=["now", "aware", "naive", "another zone"],
)
def test_headers_of_sign_are_accepted(timestamp):
    assert verify(headers=sign(BODY, SECRET, timestamp=timestamp))


def test_shared_secret_is_accepted():
    event = verify(encode_json(PAYMENT_SESSION), make_secret_headers(), mode="unsigned")
    assert (event.delivery_id, event.signed_at) == (None, None)


# ---- refused


@pytest.mark.parametrize(
    "value",
    [
        "",
        "t",
        "=",
        "t=,v1=",
        "v1={mac}",
        "t={t}",
        "t={t},v1=",
        "t={t},v1={cut}",
        "t={t},v1={mac}00",
        "t=-{t},v1={mac}",
        "t=+{t},v1={mac}",
        "t={t}.0,v1={mac}",
        "t={t}.{mac}",
        "t={t}{mac}",
        "t=٣,v1={mac}",
        "t=99999999999999,v1={mac}",
        "t=2026-13-01T00:00:00Z,v1={mac}",
        "t=0001-01-01T00:00:00+23:59,v1={mac}",
        "t=2026-05-01,v1={mac}",
        "t={t},v1={mac}\u00e9",
        "t={t},v1={mac},{long}",
        "t={t},{many}",
        "{times},v1={mac}",
    ],
)
def test_malformed_header_is_rejected(value):
    t = now()
    good = hmac_of(t, BODY).hex()
    header = value.format(
        t=t, mac=good, cut=good[:-1], long="x=" + "y" * 5000, many=",".join([f"v1={good}"] * 9),
        times=",".join(f"t={t + number}" for number in range(9)),
    )  # fmt: skip
    with pytest.raises(SignatureError):
        verify(headers=headed(header))


def test_missing_header_error_suggests_the_other_mode():
    with pytest.raises(SignatureError, match="no header x-truemed-signature$"):
        verify(headers={})
    with pytest.raises(SignatureError, match="mode='unsigned'"):
        verify(headers=make_secret_headers())
    with pytest.raises(SignatureError, match="mode='signed'"):
        verify(mode="unsigned")


def test_repeated_header_that_the_server_joined_is_accepted_if_one_is_valid():
    """WSGI servers join repeated headers with a comma, which a single header may hold too."""
    good = sign(BODY, SECRET)[HEADER]
    for other in (good, "t=1,v1=00", "", "x"):
        assert verify(headers=headed(f"{good},{other}"))
        assert verify(headers=headed(f"{other},{good}"))
    with pytest.raises(SignatureError):
        verify(headers=headed("t=1,v1=00,t=2,v1=00"))


def test_repeated_header_is_rejected_even_if_one_is_valid():
    good = sign(BODY, SECRET)[HEADER]
    for second in (good, "t=1,v1=00", ""):
        with pytest.raises(SignatureError, match="sent 2 times"):
            verify(headers=CIMultiDict([(HEADER, good), (HEADER, second)]))
        with pytest.raises(SignatureError, match="sent 2 times"):
            verify(headers={HEADER: good, HEADER.upper(): second})
    with pytest.raises(SignatureError, match="sent 2 times"):
        verify(headers=CIMultiDict([("x-truemed-api-key", SECRET)] * 2), mode="unsigned")
    with pytest.raises(SignatureError):
        verify(headers=make_secret_headers(f"{SECRET},{SECRET}"), mode="unsigned")


@pytest.mark.parametrize("value", ["", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "\u00e9", "x" * 5000])
def test_wrong_shared_secret_is_rejected(value):
    with pytest.raises(SignatureError):
        verify(headers=make_secret_headers(value), mode="unsigned")


def test_header_of_bytes_is_rejected():
    for mode, name in (("signed", HEADER), ("unsigned", "x-truemed-api-key")):
        with pytest.raises(SignatureError):
            verify(headers={name: SECRET.encode()}, mode=mode)


def test_stale_and_forged_deliveries_raise_different_errors():
    old = datetime.now(UTC) - timedelta(days=7, hours=1, minutes=1)
    with pytest.raises(StaleDeliveryError, match="max_age"):
        verify(headers=make_signed_headers(BODY, timestamp=old))
    with pytest.raises(SignatureError):
        verify(headers=make_signed_headers(BODY, "another-secret", timestamp=old))
    soon = datetime.now(UTC) + timedelta(minutes=6)
    with pytest.raises(StaleDeliveryError, match="clock_skew"):
        verify(headers=make_signed_headers(BODY, timestamp=soon))


@pytest.mark.parametrize(
    ("ago", "options"),
    [
        (timedelta(days=7, minutes=50), {}),
        (-timedelta(minutes=4), {}),
        (timedelta(minutes=4), {"max_age": timedelta(minutes=5)}),
        (-timedelta(minutes=50), {"clock_skew": timedelta(hours=1)}),
        (timedelta(days=20_000), {"max_age": timedelta.max}),
    ],
)
def test_delivery_within_max_age_and_clock_skew_is_accepted(ago, options):
    assert verify(headers=make_signed_headers(BODY, timestamp=datetime.now(UTC) - ago), **options)


def test_too_large_body_is_rejected_before_verification():
    with pytest.raises(PayloadError, match="larger"):
        verify(b" " * (MAX_DELIVERY_BYTES + 1), {})
    body = BODY + b" " * (MAX_DELIVERY_BYTES - len(BODY))
    assert verify(body)


# ---- arguments


@pytest.mark.parametrize("body", [BODY.decode(), {"webhook_delivery_id": "whd_1"}, bytearray(BODY), None])
def test_decoded_body_raises_with_advice(body):
    with pytest.raises(InvalidArgumentError, match="raw bytes"):
        verify(body, make_signed_headers(BODY))
    with pytest.raises(InvalidArgumentError, match="raw bytes"):
        sign(body, SECRET)


@pytest.mark.parametrize(
    "secrets",
    ["", [], (), None, 7, b"bytes", bytearray(b"x"), [SECRET, ""], [SECRET, None], [b"x"], " x", "x\n", "x\0", "\u00e9", {"a"}],
)  # fmt: skip
def test_invalid_secrets_raise_without_showing_them(secrets):
    with pytest.raises(InvalidArgumentError, match="secrets must be") as caught:
        verify(secrets=secrets)
    assert SECRET not in str(caught.value)


def test_secret_of_an_unset_variable_is_named_as_the_cause():
    with pytest.raises(InvalidArgumentError, match="is the environment variable of the secret set"):
        verify(secrets=os.environ.get("TRUEMED_WEBHOOK_SECRET_THAT_NOBODY_SET"))


@pytest.mark.parametrize("secret", ["", b"x", None])
def test_sign_with_invalid_secret_raises(secret):
    with pytest.raises(InvalidArgumentError, match="secret must"):
        sign(BODY, secret)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mode": "plain"}, "mode must be"),
        ({"mode": None}, "mode must be"),
        ({"event_type": ""}, "event_type must be"),
        ({"event_type": 7}, "event_type must be"),
        ({"max_age": 300}, "max_age must be"),
        ({"max_age": -timedelta(1)}, "max_age must be"),
        ({"clock_skew": None}, "clock_skew must be"),
        ({"headers": [("a", "b")]}, "headers must be"),
        ({"headers": "a"}, "headers must be"),
    ],
)
def test_verify_with_invalid_argument_raises(options, match):
    with pytest.raises(InvalidArgumentError, match=match):
        verify(**options)


# ---- forgeries


def test_all_signatures_and_secrets_are_compared_in_constant_time(monkeypatch):
    t, compared = now(), []
    real = hmac.compare_digest

    def spy(expected, given):
        compared.append((expected, given))
        return real(expected, given)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    first, last = hmac_of(t, BODY, secret="one").hex(), "0" * 64
    assert verify(headers=headed(f"t={t},v1={first},v1={last}"), secrets=["one", "two", "three"])
    assert {given for _, given in compared} == {first.encode(), last.encode()}
    expected = {hmac_of(t, BODY, secret=secret).hex().encode() for secret in ("one", "two", "three")}
    assert {(want, given.encode()) for want in expected for given in (first, last)} <= set(compared)
    assert all(isinstance(side, bytes) for pair in compared for side in pair)
    compared.clear()
    assert verify(headers=make_secret_headers("one"), secrets=["one", "two"], mode="unsigned")
    assert [expected for expected, _ in compared] == [b"one", b"two"]


def test_any_flipped_bit_is_rejected():
    header = sign(BODY, SECRET)[HEADER]
    for number in range(len(BODY) * 8):
        body = bytearray(BODY)
        body[number // 8] ^= 1 << number % 8
        with pytest.raises(SignatureError):
            verify(bytes(body), headed(header))
    start = header.index("v1=") + 3
    for number in range(len(header) * 7):
        changed = bytearray(header.encode())
        changed[number // 7] ^= 1 << number % 7
        text = changed.decode()
        try:
            verify(headers=headed(text))
        except SignatureError:
            continue
        # A label, a separator or the case of hex was changed: another grammar of the same values.
        assert (text[2:12], text[start:].lower()) == (header[2:12], header[start:].lower())


@given(st.one_of(st.text(), st.text("tv1=,;. 0a", max_size=60)), st.binary(max_size=60))
def test_any_header_raises_only_webhook_errors(value, body):
    for mode, name in (("signed", HEADER), ("unsigned", "x-truemed-api-key")):
        with pytest.raises(WebhookError):
            verify(body, {name: value}, mode=mode)
