"""The endpoint of each framework on a real server, asked over a plain socket."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.framework_servers import APPS, READ_BEFORE, answer_to, chunk, head, post
from tests.support.webhook_payloads import SECRET, captured, enveloped, signed
from truemed_async.webhooks import BODY_LIMIT, MemoryDedupStore, Result

MEBIBYTE = b"x" * 2**20
numbers = itertools.count(1)


class Shop:
    """A merchant's code on a server: keeps the events, and fails as often as it is told to."""

    def __init__(self):
        self.events, self.receipts, self.failures = [], [], []
        self.told = threading.Event()

    def fulfil(self, event):
        if self.failures:
            raise self.failures.pop()
        self.events.append(event.delivery_id)


@pytest.fixture(scope="module", params=list(APPS))
def running(request):
    """Serve one framework's application for all tests of this file."""
    shop = Shop()
    kind, make_app = APPS[request.param]

    async def fulfil_async(event):
        shop.fulfil(event)

    handler = fulfil_async if request.param in ("aiohttp", "django on asgi") else shop.fulfil
    receiver = kind(handler, secrets=SECRET, store=MemoryDedupStore(), hooks=[shop.receipts.append])
    with make_app(receiver) as port:
        yield shop, port, request.param


@pytest.fixture
def shop(running):
    shop, *_ = running
    shop.events.clear()
    shop.receipts.clear()
    shop.failures.clear()
    return shop


@pytest.fixture
def port(running):
    return running[1]


@pytest.fixture
def reads_all(running):
    """Whether the framework itself reads a whole body before any view sees the request."""
    return "django on asgi" in running[2]


@pytest.fixture
def body():
    """Return a delivery that no other test has."""
    return captured(next(numbers))


def test_a_delivery_is_handled_once_and_answered_204_without_a_body(port, shop, body):
    assert answer_to(port, post(body, signed(body))) == (204, b"")
    assert answer_to(port, post(body, signed(body))) == (204, b"")
    assert len(shop.events) == 1
    assert [receipt.result for receipt in shop.receipts] == [Result.HANDLED, Result.DUPLICATE]


def test_what_is_not_truemeds_is_answered_401(port, shop, body):
    assert answer_to(port, post(body, signed(body, "another-secret"))) == (401, b"")
    assert answer_to(port, post(body, {})) == (401, b"")
    assert answer_to(port, post(body, signed(body, timestamp=datetime.now(UTC) - timedelta(days=8)))) == (401, b"")
    assert answer_to(port, post(body + b" ", signed(body))) == (401, b"")
    assert [receipt.result for receipt in shop.receipts] == [Result.REFUSED, Result.REFUSED, Result.STALE, Result.REFUSED]  # fmt: skip
    assert shop.events == []


@pytest.mark.parametrize("other", ["t=1,v1=00", "", "x"])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_that_came_twice_is_answered_401(port, shop, body, other, first):
    right = signed(body)["x-truemed-signature"]
    values = [right, other] if first else [other, right]
    headers = [("X-Truemed-Signature", value) for value in values]
    assert answer_to(port, head(*headers, ("Content-Length", len(body))) + body)[0] == 401
    assert shop.events == []


def test_a_handler_that_raises_is_answered_500_and_called_again(port, shop, body):
    shop.failures = [RuntimeError("the warehouse is closed"), LookupError("so is the other")]
    assert [answer_to(port, post(body, signed(body))) for _ in range(3)] == [(500, b""), (500, b""), (204, b"")]
    assert len(shop.events) == 1


def test_an_unknown_event_is_answered_204_and_told(port, shop):
    body = enveloped({"a": 1}, "refund.created")
    assert answer_to(port, post(body, signed(body))) == (204, b"")
    assert [receipt.result for receipt in shop.receipts] == [Result.UNKNOWN_EVENT]


def test_what_cannot_be_read_is_answered_400(port, shop):
    assert answer_to(port, post(b"{", signed(b"{"))) == (400, b"")


def test_a_body_without_a_length_is_read(port, shop, body):
    data = (
        head(*signed(body).items(), ("Transfer-Encoding", "chunked")) + chunk(body[:7]) + chunk(body[7:]) + chunk(b"")
    )
    assert answer_to(port, data) == (204, b"")
    assert len(shop.events) == 1


def test_a_body_that_was_read_before_is_not_lost(port, shop, body):
    assert answer_to(port, post(body, signed(body), READ_BEFORE)) == (204, b"")
    assert len(shop.events) == 1


def test_the_largest_body_is_read(port, shop, body):
    body += b" " * (BODY_LIMIT - len(body))
    assert answer_to(port, post(body, signed(body))) == (204, b"")
    assert len(shop.events) == 1


def test_a_body_that_says_it_is_too_large_is_answered_413_before_it_is_sent(port, shop, reads_all):
    length = BODY_LIMIT + 1
    sent = b"x" * length if reads_all else b""
    assert answer_to(port, head(*signed(b"").items(), ("Content-Length", length)) + sent)[0] == 413
    assert [receipt.result for receipt in shop.receipts] == [Result.TOO_LARGE]


def test_a_body_without_length_and_end_is_answered_413(port, shop, reads_all):
    """300 MiB would follow."""
    start = head(*signed(b"").items(), ("Transfer-Encoding", "chunked"))
    if reads_all:
        status, _ = answer_to(port, start + chunk(MEBIBYTE) + chunk(b"x") + chunk(b""))
    else:
        status, _ = answer_to(port, start, itertools.repeat(chunk(MEBIBYTE), 300))
    assert status == 413
    assert [receipt.result for receipt in shop.receipts] == [Result.TOO_LARGE]


def test_only_posts_are_taken(port, shop):
    assert answer_to(port, head(method="GET"))[0] == 405
    assert shop.receipts == []
