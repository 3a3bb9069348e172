"""Deliveries in every grammar of the signature header: genuine ones are handled once, forged ones are refused.

10,000 genuine and 100,000 forged deliveries in the long run; samples in the default one.
"""

import collections
import hashlib
import hmac
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from tests.support.webhook_payloads import (
    CATALOG_ITEM,
    PAYMENT_SESSION,
    PAYMENT_TOKEN,
    QUALIFICATION_SESSION,
    SECRET,
    Grammar,
    hmac_of,
    make_body,
    make_capture_body,
)
from truemed_async.errors import SignatureError
from truemed_async.webhooks import (
    CatalogItemEligibilityUpdated,
    DeliveryStatus,
    MemoryDedupStore,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    Receiver,
    UnknownEvent,
    verify_and_parse,
)

HEADER = "x-truemed-signature"


def verify(body, header):
    return verify_and_parse(body, {HEADER: header}, secrets=SECRET)


# ---- genuine deliveries

NAMES = {
    PaymentSessionUpdated: (
        PAYMENT_SESSION,
        [
            "payment_session_complete",
            "payment_session.updated",
            "payment_session.status_updated",
            "PAYMENT-SESSION",
            "x",
        ],
    ),
    PaymentTokenUpdated: (PAYMENT_TOKEN, ["payment_token_updated", "payment_method.updated", "token.provisioned", "x"]),
    QualificationSessionCompleted: (
        QUALIFICATION_SESSION,
        ["qualification_session_complete", "qualification_session.status_updated", "qualification.done", "x"],
    ),
    CatalogItemEligibilityUpdated: (
        CATALOG_ITEM,
        ["product_catalog.item.eligibility_updated", "product_catalog.item.reviewed", "x"],
    ),
    UnknownEvent: ({"some": "thing"}, ["refund.created", "x", "payment_method.updated"]),
}


IDS = ("payment_session_id", "payment_token", "qualification_session_id")


def test_genuine_deliveries_in_any_grammar_and_name_are_handled_once(scale):
    rng, handled = random.Random(11), collections.Counter()
    receiver = Receiver(
        lambda event: handled.update([(event.delivery_id, type(event))]), secrets=SECRET, store=MemoryDedupStore()
    )
    count = scale(1_000, 10_000)
    expected = {}
    for number in range(count):
        kind = rng.choice(list(NAMES))
        data, names = NAMES[kind]
        data = {name: f"{value}-{number}" if name in IDS else value for name, value in data.items()}  # another state
        body = make_body(data, rng.choice(names), f"whd_{number}")
        expected[f"whd_{number}", kind] = 1
        for status in (DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE):
            header = Grammar(rng).sign(body, datetime.now(UTC) - timedelta(seconds=rng.randrange(600_000)))
            assert receiver.receive(body, {HEADER: header}).status is status, header
    assert handled == expected


@given(st.randoms(use_true_random=False))
def test_any_grammar_is_accepted(rng):
    body = make_capture_body()
    assert verify(body, Grammar(rng).sign(body, datetime.now(UTC))).delivery_id == "whd_1"


# ---- forged deliveries


def change_bit(rng, data, bits=(0, 1, 2, 3, 4)):
    """Change a bit of ASCII text or bytes, other than the one that only changes the case of a letter."""
    changed = bytearray(data.encode() if isinstance(data, str) else data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.choice(bits)
    return changed.decode() if isinstance(data, str) else bytes(changed)


def cut(rng, data):
    return data[: rng.randrange(len(data))]


class Forger:
    """A genuine delivery in one grammar, and the forger's changes to it."""

    def __init__(self, rng, body):
        self.rng, self.body, self.grammar = rng, body, Grammar(rng)
        self.moment = datetime.now(UTC) - timedelta(seconds=rng.randrange(300))
        self.t = self.grammar.write_time(self.moment)
        self.signature = self.grammar.write_signature(hmac_of(self.t, body))

    def write(self, body=None, t=None, signature=None):
        """Return a body and a header; what is not given is genuine."""
        header = self.grammar.write(t or self.t, self.signature if signature is None else signature)
        return self.body if body is None else body, header

    def sign(self, key, message):
        return self.grammar.write_signature(hmac.new(key, message, hashlib.sha256).digest())


def other_time(forger):
    return forger.grammar.write_time(forger.moment + timedelta(seconds=forger.rng.choice([-1, 1]) * forger.rng.randint(2, 250)))  # fmt: skip


FORGERIES = {
    "a bit of the body": lambda f: f.write(body=change_bit(f.rng, f.body)),
    "a bit of the time": lambda f: f.write(t=change_bit(f.rng, f.t)),
    "a bit of the signature": lambda f: f.write(signature=change_bit(f.rng, f.signature)),
    "a body cut short": lambda f: f.write(body=cut(f.rng, f.body)),
    "a signature cut short": lambda f: f.write(signature=cut(f.rng, f.signature.rstrip("="))),
    "a longer signature": lambda f: f.write(signature=f.signature.rstrip("=") + f.rng.choice("0aZ")),
    "bytes behind the body": lambda f: f.write(body=f.body + f.rng.randbytes(f.rng.randint(1, 9))),
    "another body": lambda f: f.write(body=make_capture_body(f.rng.randrange(10**9) + 10)),
    "another time": lambda f: f.write(t=other_time(f)),
    "another secret": lambda f: f.write(signature=f.sign(SECRET.encode() + b"x", f"{f.t}.".encode() + f.body)),
    "an empty secret": lambda f: f.write(signature=f.sign(b"", f"{f.t}.".encode() + f.body)),
    "no time": lambda f: f.write(t="none"),
    "no signature": lambda f: f.write(signature=""),
    "the time moved to the body": lambda f: f.write(body=f"{f.t}.".encode() + f.body),
    "the end of the time moved to the body": lambda f: f.write(body=f.t[-1:].encode() + f.body, t=f.t[:-1]),
    "the fraction moved to the body": lambda f: f.write(
        body=f"{f.t.partition('.')[2] or '0'}.".encode() + f.body, t=f.t.partition(".")[0]
    ),
    "a random signature": lambda f: f.write(signature=f.grammar.write_signature(f.rng.randbytes(32))),
    "the digest of the body": lambda f: f.write(signature=f.grammar.write_signature(hashlib.sha256(f.body).digest())),
    "the secret itself": lambda f: f.write(signature=SECRET),
    "a body signed without its time": lambda f: f.write(signature=f.sign(SECRET.encode(), f.body)),
    "a body signed without the dot": lambda f: f.write(signature=f.sign(SECRET.encode(), f.t.encode() + f.body)),
    "a signature that is encoded twice": lambda f: f.write(signature=f.signature.encode().hex()),
    "zeros": lambda f: f.write(signature="0" * len(f.signature)),
    "many random signatures": lambda f: (
        f.body, f.grammar.write(f.t, *(f.grammar.write_signature(f.rng.randbytes(32)) for _ in range(f.rng.randint(2, 12))))
    ),
}  # fmt: skip


def check_forgeries(count):
    rng = random.Random(20260501)
    for number in range(count):
        forger = Forger(rng, make_capture_body(number % 7))
        name = rng.choice(list(FORGERIES))
        body, header = FORGERIES[name](forger)
        try:
            verify(body, header)
        except SignatureError:
            pass
        else:
            raise AssertionError(f"accepted: {name}")
        if number % 10 == 0:
            assert verify(*forger.write()), "the genuine delivery is accepted"


def test_forged_deliveries_are_rejected(scale):
    check_forgeries(scale(8_000, 100_000))


def test_forged_deliveries_with_broken_comparison_are_accepted(monkeypatch):
    """Negative control: the forgeries reach the comparison, and the check detects that they pass."""
    monkeypatch.setattr(hmac, "compare_digest", lambda expected, received: True)
    with pytest.raises(AssertionError, match="accepted: "):
        check_forgeries(500)


def test_forged_deliveries_over_the_secret_of_the_test_are_accepted(monkeypatch):
    """Negative control: what the forger writes with the right key and message is genuine."""
    rng = random.Random(5)
    for _ in range(200):
        forger = Forger(rng, make_capture_body())
        assert verify(*forger.write(signature=forger.sign(SECRET.encode(), f"{forger.t}.".encode() + forger.body)))
