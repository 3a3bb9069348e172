"""Several sales channels: docs/truemed-api.md 1.2, a key belongs to one of them, and sees only its objects."""

import pytest

from tests.emulator.conftest import Api
from tests.support.browser import Shopper
from tests.support.factories import CREATE, LIST, REFUND, order, session_path
from truemed_async.emulator import ROUTES, Emulator

OTHER = "key-of-the-other-channel"


@pytest.fixture
def emulator():
    with Emulator(sessions=0, sales_channels=[OTHER]) as emulator:
        yield emulator


@pytest.fixture
def other(emulator):
    """The state of the other sales channel."""
    return emulator.sales_channels[OTHER].state


def ask(emulator, key, method, target, body=None):
    return Api(emulator).send(method, target, body, {"x-truemed-api-key": key})


@pytest.mark.parametrize(
    ("method", "target", "body", "error"),
    [
        ("GET", "/api/v1/qualification_session/qs_1", None, "NotFound"),
        ("POST", "/api/v1/qualification_session/qs_1/update", {"idempotency_key": "k", "user_id": "u"}, "NotFound"),
        ("GET", session_path("p_1"), None, "NotFound"),
        ("POST", session_path("p_1", "cancel"), {}, "PaymentSessionDoesNotExist"),
        ("POST", session_path("p_1", "void"), {"idempotency_key": "k"}, "PaymentSessionDoesNotExist"),
        ("POST", REFUND, {"idempotency_key": "k", "payment_id": "p_1", "amount": 1, "reason": "fraudulent"}, "InvalidPaymentId"),
        ("GET", "/api/v1/payment_tokens/pt_1", None, "NotFound"),
        ("POST", "/api/v1/payment_tokens/pt_1/delete", {}, "NotFound"),
        ("POST", CREATE, order(payment_token="pt_1"), "NotFound"),
        ("GET", "/api/v1/payment_tokens/provision_request/pr_1", None, "NotFound"),
        ("POST", "/api/v1/product_catalog/items/detail", {"sku": "S"}, "NotFound"),
    ],
)  # fmt: skip
def test_object_of_another_channel_does_not_exist(emulator, other, method, target, body, error):
    other.qualification_sessions.add(qualification_session_id="qs_1")
    other.payment_sessions.add(id="p_1")
    other.payment_tokens.add(payment_token="pt_1")
    other.provision_requests.add(provision_token_request_id="pr_1")
    other.catalog_items.add(sku="S")
    before = other.dump()
    foreign = ask(emulator, emulator.api_key, method, target, body)
    assert (foreign.status, foreign.json["error"]) == (400 if "Payment" in error else 404, error)
    assert {**other.dump(), "clock": None} == {**before, "clock": None}
    assert error.encode() not in ask(emulator, OTHER, method, target, body).content


@pytest.mark.parametrize("route", [route for route in ROUTES if route.listing], ids=lambda route: route.name)
def test_list_has_the_objects_of_its_channel_only(emulator, route):
    for state, count in ((emulator.state, 2), (emulator.sales_channels[OTHER].state, 3)):
        for _ in range(count):
            state.qualification_sessions.add()
            state.catalog_items.add()
            state.payment_tokens.add()
            state.payment_sessions.refund(state.payment_sessions.add(status="captured", capture_amount=10), 10)
            state.payouts.pay_out()
    for api_key, count in ((emulator.api_key, 2), (OTHER, 3)):
        response = ask(emulator, api_key, "GET", f"{route.path}?start_date=2020-01-01&end_date=2099-01-01").json
        assert (len(response[route.listing.key]), response["pagination"]["count"]) == (count, count)


def test_create_is_in_the_channel_of_its_key_and_keys_of_idempotency_are_too(emulator, other):
    first = ask(emulator, emulator.api_key, "POST", CREATE, order()).json["id"]
    second = ask(emulator, OTHER, "POST", CREATE, order()).json["id"]
    assert first != second
    assert (emulator.state.payment_sessions.rows[0].id, other.payment_sessions.rows[0].id) == (first, second)


def test_key_of_no_channel_is_refused(emulator):
    assert ask(emulator, f"{OTHER}x", "GET", LIST).status == 401


def test_hosted_page_belongs_to_the_channel_of_its_object(emulator, other):
    created = ask(emulator, OTHER, "POST", CREATE, order()).json
    shopper = Shopper(emulator)
    shopper.submit(shopper.submit(created["redirect_url"]).onward)
    assert other.payment_sessions.get(created["id"]).status == "captured"
    assert shopper.get("/_emulator/hosted/payment_sessions/nobody").status == 404


def test_clock_is_shared_and_applies_to_each_channel(emulator, other):
    ids = []
    for state in (emulator.state, other):
        ids.append(state.payment_sessions.add(kind="authorization"))
        state.payment_sessions.submit(ids[-1])
    emulator.clock.advance(7 * 24 * 3600)
    assert emulator.state.payment_sessions.get(ids[0]).status == "canceled"
    assert other.payment_sessions.get(ids[1]).status == "canceled"


def test_webhooks_are_sent_for_the_channel_in_which_they_are_registered(emulator, other, merchant):
    first, second = emulator.webhooks, emulator.sales_channels[OTHER].webhooks
    url = f"{emulator.url}/_emulator/webhooks"
    registered = ask(emulator, OTHER, "POST", url.removeprefix(emulator.url), {"url": merchant.url})
    assert registered.status in (200, 201)
    assert (len(first.endpoints), len(second.endpoints)) == (0, 1)
    emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
    id = other.qualification_sessions.add(status="processing")
    other.qualification_sessions.approve(id)
    assert second.wait_until_idle()
    (delivery,) = second.deliveries
    assert (delivery.resource_id, first.deliveries) == (id, ())


def test_stale_lists_are_those_of_the_first_channel(emulator, other):
    """A fault of consistency must not lead one channel to the objects of another."""
    emulator.faults.add("replica_lag", n=1)
    for state in (emulator.state, other):
        state.qualification_sessions.add()
        state.qualification_sessions.add()
    counts = [
        ask(emulator, key, "GET", "/api/v1/qualification_sessions").json["pagination"]["count"]
        for key in (emulator.api_key, OTHER)
    ]
    assert counts == [1, 2]


@pytest.mark.parametrize("keys", [["a", "a"], ["first"], [""]])
def test_each_channel_needs_a_key_of_its_own(keys):
    with pytest.raises(ValueError, match="a key of its own|an API key of its own"):
        Emulator(sessions=0, api_key="first", sales_channels=keys)


def test_repr_has_no_key(emulator):
    assert OTHER not in repr(emulator.sales_channels[OTHER])
