"""Tracebacks, messages and logs show no secret, signature or body."""

import asyncio
import copy
import pickle
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.webhook_payloads import PAYMENT_SESSION, QUALIFICATION_SESSION, make_body, make_signed_headers
from truemed_async.errors import InvalidArgumentError, TruemedError
from truemed_async.webhooks import AsyncReceiver, DeliveryStatus, MemoryDedupStore, Receiver, verify_and_parse

SECRET = "canary-secret-of-a-webhook"
OTHER = "canary-secret-of-another"
PERSON = "canary.person@example.com"
BODY = make_body({**QUALIFICATION_SESSION, "email": PERSON}, "qualification_status.updated")
HEADERS = make_signed_headers(BODY, SECRET)
UNSIGNED = {"x-truemed-api-key": OTHER}
OLD = make_signed_headers(BODY, SECRET, timestamp=datetime.now(UTC) - timedelta(days=9))
UNREADABLE = make_body({**PAYMENT_SESSION, "status": {"canary": PERSON}}, "payment_session.updated")
CANARIES = ("canary", HEADERS["x-truemed-signature"][-64:], "2607001444")

CALLS = {
    "no header": (BODY, {}, {}),
    "forged": (BODY, make_signed_headers(BODY, OTHER), {}),
    "stale": (BODY, OLD, {}),
    "not JSON": (BODY[:-1], make_signed_headers(BODY[:-1], SECRET), {}),
    "unreadable": (UNREADABLE, make_signed_headers(UNREADABLE, SECRET), {}),
    "wrong secret": (BODY, UNSIGNED, {"mode": "unsigned"}),
    "a text as body": (BODY.decode(), HEADERS, {}),
    "an object as body": ({"email": PERSON}, HEADERS, {}),
    "headers that are none": (BODY, [*HEADERS.items()], {}),
    "a bad option": (BODY, HEADERS, {"max_age": 7}),
    "bad secrets": (BODY, HEADERS, {"secrets": [SECRET, f" {OTHER}"]}),
}


def frames_of(error):
    """Yield the library's frames with the local variables that a crash reporter would show."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "truemed_async" in frame.f_code.co_filename:
            yield frame.f_code.co_name, {name: repr(value) for name, value in frame.f_locals.items()}


@pytest.mark.parametrize(("body", "headers", "options"), CALLS.values(), ids=CALLS)
def test_verification_errors_show_no_secret_or_body(body, headers, options):
    try:
        verify_and_parse(body, headers, **{"secrets": SECRET, **options})
    except TruemedError as caught:
        error = caught
    assert list(frames_of(error))
    for _, text in frames_of(error):
        assert not [canary for canary in CANARIES if canary in repr(text)]
    assert not [canary for canary in CANARIES if canary in f"{error}{error!r}{error.args}{error.__context__}"]
    assert str(pickle.loads(pickle.dumps(error))) == str(copy.copy(error)) == str(error)


@pytest.mark.parametrize("kind", [Receiver, AsyncReceiver])
def test_receiver_argument_errors_show_no_secret_or_body(kind):
    receiver = kind(print, secrets=SECRET, store=None)
    with pytest.raises(InvalidArgumentError) as caught:
        receipt = receiver.receive(BODY.decode(), HEADERS)
        asyncio.run(receipt)
    for _, text in frames_of(caught.value):
        assert not [canary for canary in CANARIES if canary in repr(text)]
    with pytest.raises(InvalidArgumentError) as caught:
        kind(print, secrets=[SECRET, f"{OTHER}\n"], store=None)
    for _, text in frames_of(caught.value):
        assert not [canary for canary in CANARIES if canary in repr(text)]
    assert "canary" not in repr(vars(receiver))


def test_handler_exceptions_show_the_event_masked(caplog):
    def handler(event):
        raise RuntimeError("the warehouse is closed")

    for receiver in (
        Receiver(handler, secrets=SECRET, store=MemoryDedupStore()),
        AsyncReceiver(handler, secrets=SECRET, store=MemoryDedupStore()),
    ):
        receipt = receiver.receive(BODY, HEADERS)
        result = asyncio.run(receipt) if asyncio.iscoroutine(receipt) else receipt
        assert result.status is DeliveryStatus.FAILED
        assert not [canary for canary in CANARIES if canary in repr([*frames_of(result.error), result])]
    assert not [canary for canary in CANARIES if canary in caplog.text]
