"""Deliveries as documented by Truemed."""

import base64
import hashlib
import hmac
import json
from datetime import UTC

from truemed_async.webhooks import sign, verify_and_parse

SECRET = "the-secret-of-this-webhook"

ITEM = {"item_id": "item_1", "name": "Blender", "price": 19900, "quantity": 1, "sku": "BL-1", "total_refundable": 19900, "quantity_refundable": 1}  # fmt: skip
PAYMENT_SESSION = {
    "payment_session_id": "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11",
    "status": "captured",
    "created_at": "2026-05-01T12:00:00Z",
    "order_items": [ITEM],
    "capture_amount": 19900,
    "metadata": '{"order": "2607001444"}',
    "payment_token": "pt_1",
}
PAYMENT_TOKEN = {
    "payment_token": "pt_1",
    "provision_token_request_id": "ptr_1",
    "lmn_expires_at": "2027-05-01T12:00:00Z",
    "metadata": "subscription 7",
}
QUALIFICATION_SESSION = {
    "qualification_session_id": "qs_abc123",
    "status": "approved",
    "email": "ada@example.com",
    "expires_at": "2027-05-01T12:00:00Z",
    "source": "newsletter",
    "user_id": "user-42",
}
CATALOG_ITEM = {
    "object": {
        "sku": "BL-1",
        "name": "Blender",
        "created_at": "2026-05-01T12:00:00Z",
        "eligibility": "eligible_with_lmn",
        "reviewed_at": "2026-05-02T12:00:00Z",
        "url": "https://shop.example/blender",
    }
}


def encode_json(value):
    return json.dumps(value, ensure_ascii=False).encode()


def make_body(data, event_type, delivery_id="whd_1", **more):
    """Return the body of a signed delivery."""
    return encode_json({"webhook_delivery_id": delivery_id, "event_type": event_type, "data": data, **more})


def make_capture_body(number=1):
    """Return the body of a signed delivery of one captured session."""
    data = {**PAYMENT_SESSION, "payment_session_id": f"ps_{number}"}
    return make_body(data, "payment_session.updated", f"whd_{number}")


def make_signed_headers(body, secret=SECRET, **options):
    """Return the headers of a signed delivery."""
    return {"Content-Type": "application/json", **sign(body, secret, **options)}


def key_of(number):
    """Return the key under which a store remembers the event of ``make_capture_body(number)``."""
    body = make_capture_body(number)
    return verify_and_parse(body, make_signed_headers(body), secrets=SECRET).dedup_key


def make_secret_headers(secret=SECRET):
    """Return the headers of an unsigned delivery."""
    return {"X-Truemed-Api-Key": secret}


# ---- the grammars of x-truemed-signature


def hmac_of(t, body, secret=SECRET):
    """Sign as documented by Truemed, without the code under test."""
    return hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).digest()


TIMES = {
    "seconds": lambda moment: str(int(moment.timestamp())),
    "milliseconds": lambda moment: str(int(moment.timestamp() * 1000)),
    "ISO 8601, Z": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "ISO 8601, lower case": lambda moment: moment.strftime("%Y-%m-%dt%H:%M:%Sz"),
    "ISO 8601, offset": lambda moment: moment.isoformat(),
    "ISO 8601, fraction": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "ISO 8601, no zone": lambda moment: moment.replace(tzinfo=None).isoformat(),
    "ISO 8601, basic": lambda moment: moment.strftime("%Y%m%dT%H%M%SZ"),
}
ENCODINGS = {
    "hex": lambda mac: mac.hex(),
    "upper-case hex": lambda mac: mac.hex().upper(),
    "base64": lambda mac: base64.b64encode(mac).decode(),
    "base64 without padding": lambda mac: base64.b64encode(mac).decode().rstrip("="),
    "base64url": lambda mac: base64.urlsafe_b64encode(mac).decode(),
    "base64url without padding": lambda mac: base64.urlsafe_b64encode(mac).decode().rstrip("="),
}
TIME_LABELS = ["t", "T", "ts", "time", "timestamp", ""]
SIGNATURE_LABELS = ["v1", "v0", "V1", "v2", "s", "sig", "signature", "sha256", "hmac-sha256", "v1=sha256", ""]
SEPARATORS = [",", ", ", " , ", ";", "; ", " ", "&", "|", ",,", "\t"]
EQUALS = ["=", ":", " = ", "= ", ": "]
QUOTES = ["", "", "", '"', "'"]
OTHERS = ["kid=7", "v9=something", "alg=hmac-sha256", "x", ""]


class Grammar:
    """One way to write the header, chosen at random."""

    def __init__(self, rng):
        self.time, self.encoding = rng.choice(list(TIMES)), rng.choice(list(ENCODINGS))
        self.labels = rng.choice(TIME_LABELS), rng.choice(SIGNATURE_LABELS)
        self.separator, self.equals, self.quote = rng.choice(SEPARATORS), rng.choice(EQUALS), rng.choice(QUOTES)
        self.others = rng.sample(OTHERS, rng.randrange(3))
        self.shuffle = rng.shuffle

    def write_time(self, moment):
        return TIMES[self.time](moment.astimezone(UTC))

    def write_signature(self, mac):
        return ENCODINGS[self.encoding](mac)

    def write(self, t, *signatures):
        """Return a header with a timestamp and signatures, in any order."""
        values = [(self.labels[0], t), *((self.labels[1], signature) for signature in signatures)]
        quoted = [(label, f"{self.quote}{value}{self.quote}") for label, value in values]
        parts = [f"{label}{self.equals}{value}" if label else value for label, value in quoted] + self.others
        self.shuffle(parts)
        return self.separator.join(parts)

    def sign(self, body, moment, secret=SECRET):
        t = self.write_time(moment)
        return self.write(t, self.write_signature(hmac_of(t, body, secret)))
