"""The endpoint of each framework on a real server, with requests over a plain socket."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.framework_servers import APPS, READ_AFTER, READ_BEFORE, chunk, head, post, send_request
from tests.support.webhook_payloads import SECRET, make_body, make_capture_body, make_signed_headers
from truemed_async.webhooks import MAX_DELIVERY_BYTES, DeliveryStatus, MemoryDedupStore

MEBIBYTE = b"x" * 2**20
numbers = itertools.count(1)


class Shop:
    """A merchant's handler on a server: records its events, and raises the planned failures."""

    def __init__(self):
        self.events, self.results, self.failures = [], [], []

    def fulfill(self, event):
        if self.failures:
            raise self.failures.pop()
        self.events.append(event.delivery_id)


@pytest.fixture(scope="module", params=list(APPS))
def running(request):
    """Serve one framework's application for all tests of this module."""
    shop = Shop()
    kind, make_app = APPS[request.param]

    async def fulfill_async(event):
        shop.fulfill(event)

    handler = fulfill_async if request.param in ("aiohttp", "django on asgi") else shop.fulfill
    receiver = kind(handler, secrets=SECRET, store=MemoryDedupStore(), hooks=[shop.results.append])
    with make_app(receiver) as port:
        yield shop, port, request.param


@pytest.fixture
def shop(running):
    shop, *_ = running
    shop.events.clear()
    shop.results.clear()
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
def joins_headers(running):
    """Whether the server or framework joins repeated headers with a comma: one header may hold as much."""
    return "flask" in running[2] or "django" in running[2]


@pytest.fixture
def body():
    """Return the body of a delivery that no other test uses."""
    return make_capture_body(next(numbers))


def test_repeated_delivery_is_handled_once_and_responds_204_without_body(port, shop, body):
    assert send_request(port, post(body, make_signed_headers(body))) == (204, b"")
    assert send_request(port, post(body, make_signed_headers(body))) == (204, b"")
    assert len(shop.events) == 1
    assert [result.status for result in shop.results] == [DeliveryStatus.HANDLED, DeliveryStatus.DUPLICATE]


def test_unauthentic_delivery_responds_401(port, shop, body):
    assert send_request(port, post(body, make_signed_headers(body, "another-secret"))) == (401, b"")
    assert send_request(port, post(body, {})) == (401, b"")
    assert send_request(
        port, post(body, make_signed_headers(body, timestamp=datetime.now(UTC) - timedelta(days=8)))
    ) == (401, b"")
    assert send_request(port, post(body + b" ", make_signed_headers(body))) == (401, b"")
    assert [result.status for result in shop.results] == [DeliveryStatus.REFUSED, DeliveryStatus.REFUSED, DeliveryStatus.STALE, DeliveryStatus.REFUSED]  # fmt: skip
    assert shop.events == []


@pytest.mark.parametrize("other", ["t=1,v1=00", "", "x"])
@pytest.mark.parametrize("first", [True, False])
def test_repeated_signature_header_responds_401_unless_the_server_joins_it(
    port, shop, body, joins_headers, other, first
):
    right = make_signed_headers(body)["x-truemed-signature"]
    headers = [("X-Truemed-Signature", value) for value in ([right, other] if first else [other, right])]
    status = send_request(port, head(*headers, ("Content-Length", len(body))) + body)[0]
    assert (status, len(shop.events)) == ((204, 1) if joins_headers else (401, 0))


def test_failing_handler_responds_500_and_is_called_again(port, shop, body):
    shop.failures = [RuntimeError("the warehouse is closed"), LookupError("so is the other")]
    assert [send_request(port, post(body, make_signed_headers(body))) for _ in range(3)] == [
        (500, b""),
        (500, b""),
        (204, b""),
    ]
    assert len(shop.events) == 1


def test_unknown_event_is_handled(port, shop):
    body = make_body({"a": 1}, "refund.created", f"whd_{next(numbers)}")
    assert send_request(port, post(body, make_signed_headers(body))) == (204, b"")
    assert [result.status for result in shop.results] == [DeliveryStatus.HANDLED]
    assert len(shop.events) == 1


def test_unreadable_body_responds_400(port, shop):
    assert send_request(port, post(b"{", make_signed_headers(b"{"))) == (400, b"")


def test_chunked_body_is_handled(port, shop, body):
    data = (
        head(*make_signed_headers(body).items(), ("Transfer-Encoding", "chunked"))
        + chunk(body[:7])
        + chunk(body[7:])
        + chunk(b"")
    )
    assert send_request(port, data) == (204, b"")
    assert len(shop.events) == 1


def test_body_read_before_the_endpoint_is_handled(port, shop, body):
    assert send_request(port, post(body, make_signed_headers(body), READ_BEFORE)) == (204, b"")
    assert len(shop.events) == 1


def test_body_read_after_the_endpoint_responds_204(port, shop, body):
    """Request logging often reads the body after the view."""
    assert send_request(port, post(body, make_signed_headers(body), READ_AFTER)) == (204, b"")
    chunked = head(*make_signed_headers(body).items(), ("Transfer-Encoding", "chunked"), route=READ_AFTER)
    assert send_request(port, chunked + chunk(body) + chunk(b"")) == (204, b"")
    assert len(shop.events) == 1


def test_too_large_chunked_body_read_after_the_endpoint_responds_413(port, shop, reads_all):
    start = head(*make_signed_headers(b"").items(), ("Transfer-Encoding", "chunked"), route=READ_AFTER)
    more = [chunk(MEBIBYTE), chunk(b"x"), chunk(b"")]
    response = send_request(port, start + b"".join(more)) if reads_all else send_request(port, start, more)
    assert response == (413, b"")


def test_body_of_the_largest_size_is_handled(port, shop, body):
    body += b" " * (MAX_DELIVERY_BYTES - len(body))
    assert send_request(port, post(body, make_signed_headers(body))) == (204, b"")
    assert len(shop.events) == 1


def test_content_length_over_limit_responds_413_before_the_body_is_sent(port, shop, reads_all):
    length = MAX_DELIVERY_BYTES + 1
    sent = b"x" * length if reads_all else b""
    assert send_request(port, head(*make_signed_headers(b"").items(), ("Content-Length", length)) + sent)[0] == 413
    assert [result.status for result in shop.results] == [DeliveryStatus.TOO_LARGE]


def test_endless_chunked_body_responds_413(port, shop, reads_all):
    """300 MiB would follow."""
    start = head(*make_signed_headers(b"").items(), ("Transfer-Encoding", "chunked"))
    if reads_all:
        status, _ = send_request(port, start + chunk(MEBIBYTE) + chunk(b"x") + chunk(b""))
    else:
        status, _ = send_request(port, start, itertools.repeat(chunk(MEBIBYTE), 300))
    assert status == 413
    assert [result.status for result in shop.results] == [DeliveryStatus.TOO_LARGE]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_and_head_respond_204_without_handler_call(port, shop, method):
    """Truemed verifies an endpoint when its webhook is created, in an undocumented way."""
    assert send_request(port, head(method=method)) == (204, b"")
    assert [result.status for result in shop.results] == [DeliveryStatus.VERIFICATION]
    assert shop.events == []


def test_other_methods_respond_405(port, shop):
    for method in ("PUT", "DELETE", "PATCH"):
        assert send_request(port, head(("Content-Length", 0), method=method))[0] == 405
    assert shop.results == []
