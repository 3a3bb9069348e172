"""Each fault of webhooks by its name, as the merchant sees it at the socket."""

import pytest

from tests.support.waiting import TIMEOUT
from tests.support.webhook_endpoint import Merchant
from truemed_async.emulator import Emulator

APPROVED, CATALOG = "qualification_session_complete", "product_catalog_item_eligibility_updated"
NAMES = (
    "bad_signature",
    "delay",
    "double_header",
    "drop_until_retry",
    "duplicate_delivery",
    "oversize_body",
    "reorder",
    "rotate_secret",
    "stale_timestamp",
)


@pytest.fixture
def endpoint(emulator, merchant):
    return emulator.webhooks.register(merchant.url)


@pytest.fixture
def happen(emulator, endpoint):
    """Let something happen so many times, and return its deliveries when those that are due were sent."""

    def happen(times=1):
        before = len(emulator.webhooks.deliveries)
        for _ in range(times):
            emulator.state.qualification_sessions.approve(
                emulator.state.qualification_sessions.add(status="processing")
            )
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        return emulator.webhooks.deliveries[: len(emulator.webhooks.deliveries) - before][::-1]

    return happen


def pass_time(emulator, seconds):
    emulator.clock.advance(seconds)
    assert emulator.webhooks.wait_until_idle(TIMEOUT)


def ids(merchant):
    return [request.json["webhook_delivery_id"] for request in merchant.requests]


def test_names_lists_all_faults(emulator):
    assert emulator.webhooks.faults.names == NAMES


class TestDuplicateDelivery:
    @pytest.mark.parametrize("n", [0, 1, 4])
    def test_acknowledged_delivery_is_sent_again(self, emulator, merchant, happen, n):
        fault = emulator.webhooks.faults.add("duplicate_delivery", n=n)
        (delivery,) = happen()
        assert ids(merchant) == [delivery.id] * (1 + n)
        assert (delivery.state, fault.hits) == ("delivered", 1)

    def test_copies_follow_the_acknowledgment(self, emulator, merchant, happen):
        emulator.webhooks.faults.add("duplicate_delivery")
        merchant.plan = [500]
        happen()
        assert len(merchant.requests) == 1
        pass_time(emulator, 5)
        assert len(merchant.requests) == 3

    def test_rejected_copy_is_not_retried(self, emulator, merchant, happen):
        emulator.webhooks.faults.add("duplicate_delivery", n=2)
        merchant.plan = [204, 500, 400]
        (delivery,) = happen()
        pass_time(emulator, 3600)
        assert [attempt.status for attempt in delivery.attempts] == [204, 500, 400]
        assert delivery.state == "delivered"


class TestReorder:
    def test_delivery_follows_the_next_one(self, emulator, merchant, happen):
        emulator.webhooks.faults.add("reorder", times=1)
        first, second, third = happen(3)
        assert ids(merchant) == [second.id, first.id, third.id]

    def test_deliveries_are_swapped_in_pairs(self, emulator, merchant, happen):
        fault = emulator.webhooks.faults.add("reorder")
        delivery_ids = [delivery.id for delivery in happen(6)]
        assert ids(merchant) == [delivery_ids[each] for each in (1, 0, 3, 2, 5, 4)]
        assert fault.hits == 3

    def test_delivery_without_successor_is_sent_after_the_window(self, emulator, merchant, happen):
        emulator.webhooks.faults.add("reorder", times=1)
        (first,) = happen()
        assert merchant.requests == []
        pass_time(emulator, 5)
        (second,) = happen()
        assert ids(merchant) == [first.id, second.id]

    def test_delivery_follows_a_delayed_one(self, emulator, merchant, happen):
        emulator.webhooks.faults.add("reorder", times=1)
        happen()
        emulator.webhooks.faults.add("delay", times=1)
        happen()
        assert merchant.requests == []
        pass_time(emulator, 60)
        assert ids(merchant) == [delivery.id for delivery in emulator.webhooks.deliveries]


def test_delay(emulator, merchant, happen):
    emulator.webhooks.faults.add("delay", seconds=100, times=1)
    late, prompt = happen(2)
    assert ids(merchant) == [prompt.id]
    pass_time(emulator, 99 - 1)
    assert len(merchant.requests) == 1
    pass_time(emulator, 2)
    assert ids(merchant) == [prompt.id, late.id]


def test_drop_until_retry(emulator, merchant, happen):
    fault = emulator.webhooks.faults.add("drop_until_retry", n=2)
    (delivery,) = happen()
    assert merchant.requests == []
    pass_time(emulator, 5)
    assert merchant.requests == []
    pass_time(emulator, 30)
    assert ids(merchant) == [delivery.id]
    assert [(each.failure, each.fault) for each in delivery.attempts] == [("lost", "drop_until_retry")] * 2 + [
        (None, None)
    ]
    assert fault.hits == 1


class TestBadSignature:
    def test_signature_uses_another_secret(self, emulator, merchant, endpoint, happen):
        emulator.webhooks.faults.add("bad_signature", times=1)
        delivery, _ = happen(2)
        forged, right = merchant.requests
        assert not forged.is_signed(endpoint.secrets[0])
        assert right.is_signed(endpoint.secrets[0])
        assert delivery.attempts[0].fault == "bad_signature"

    def test_unsigned_delivery_carries_another_secret(self, emulator, merchant):
        endpoint = emulator.webhooks.register(merchant.url, mode="unsigned")
        emulator.webhooks.faults.add("bad_signature")
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        (request,) = merchant.wait(1)
        (secret,) = request.all("x-truemed-api-key")
        assert secret not in endpoint.secrets

    def test_fault_acts_on_each_attempt(self, emulator, merchant, endpoint, happen):
        emulator.webhooks.faults.add("bad_signature", times=2)
        merchant.plan = [401, 401]
        (delivery,) = happen()
        pass_time(emulator, 5)
        pass_time(emulator, 30)
        assert [request.is_signed(endpoint.secrets[0]) for request in merchant.requests] == [False, False, True]
        assert [each.fault for each in delivery.attempts] == ["bad_signature"] * 2 + [None]


@pytest.mark.parametrize(("value", "seconds"), [({}, 8 * 24 * 3600), ({"seconds": 600}, 600)])
def test_stale_timestamp(emulator, merchant, endpoint, happen, value, seconds):
    emulator.webhooks.faults.add("stale_timestamp", **value)
    happen()
    (request,) = merchant.requests
    t, _ = request.signed_with()
    assert abs(emulator.clock.now().timestamp() - seconds - t) < 60
    assert request.is_signed(endpoint.secrets[0])


class TestDoubleHeader:
    def test_wrong_header_precedes_right_one(self, emulator, merchant, endpoint, happen):
        emulator.webhooks.faults.add("double_header")
        happen()
        (request,) = merchant.requests
        wrong, right = request.all("x-truemed-signature")
        assert [request.is_signed(endpoint.secrets[0], header) for header in (wrong, right)] == [False, True]

    def test_bad_signature_removes_the_right_header(self, emulator, merchant, endpoint, happen):
        emulator.webhooks.faults.add("double_header")
        emulator.webhooks.faults.add("bad_signature")
        (delivery,) = happen()
        assert not merchant.requests[0].is_signed(endpoint.secrets[0])
        assert delivery.attempts[0].fault == "double_header, bad_signature"


def test_rotate_secret(emulator, merchant, endpoint, happen):
    emulator.webhooks.faults.add("rotate_secret", times=1)
    happen(2)
    (rotated,) = emulator.webhooks.endpoints
    assert [request.is_signed(endpoint.secrets[0]) for request in merchant.requests] == [False] * 2
    assert [request.is_signed(rotated.secrets[0]) for request in merchant.requests] == [True] * 2


@pytest.mark.parametrize(("value", "size"), [({}, 2 * 1024**2), ({"size": 1000}, 1000)])
def test_oversize_body(emulator, merchant, endpoint, happen, value, size):
    emulator.webhooks.faults.add("oversize_body", **value)
    (delivery,) = happen()
    (request,) = merchant.requests
    assert request.body == delivery.body + b" " * size
    assert request.is_signed(endpoint.secrets[0])


class TestScope:
    def test_times_limits_number_of_hits(self, emulator, merchant, happen):
        fault = emulator.webhooks.faults.add("duplicate_delivery", times=2)
        happen(4)
        assert (len(merchant.requests), fault.hits, fault.active) == (6, 2, False)
        assert (emulator.webhooks.faults.active, emulator.webhooks.faults.ended) == ((), (fault,))

    def test_event_restricts_deliveries(self, emulator, merchant, happen):
        fault = emulator.webhooks.faults.add("duplicate_delivery", event=CATALOG)
        happen()
        assert (len(merchant.requests), fault.hits) == (1, 0)
        emulator.state.catalog_items.review(emulator.state.catalog_items.add(), "eligible")
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert (len(merchant.requests), fault.hits) == (3, 1)

    def test_event_restricts_requests(self, emulator, merchant, endpoint, happen):
        fault = emulator.webhooks.faults.add("bad_signature", event=CATALOG)
        happen()
        assert (merchant.requests[0].is_signed(endpoint.secrets[0]), fault.hits) == (True, 0)

    def test_probability_depends_on_the_seed(self):
        def struck(seed, more=()):
            merchant = Merchant()
            try:
                with Emulator(sessions=0, seed=seed) as emulator:
                    emulator.webhooks.register(merchant.url)
                    fault = emulator.webhooks.faults.add("duplicate_delivery", probability=0.5)
                    for name in more:
                        emulator.webhooks.faults.add(name, probability=0.5, seconds=0)
                    for _ in range(40):
                        emulator.state.qualification_sessions.approve(
                            emulator.state.qualification_sessions.add(status="processing")
                        )
                    assert emulator.webhooks.wait_until_idle(TIMEOUT)
                    assert len(merchant.requests) == 40 + fault.hits
                    return [ids(merchant).count(delivery.id) for delivery in emulator.webhooks.deliveries]
            finally:
                merchant.close()

        once = struck(1)
        assert 8 < sum(count == 2 for count in once) < 32
        assert struck(1) == once != struck(2)
        # Another fault changes nothing for this one.
        assert struck(1, ["delay"]) == once

    def test_with_block_removes_fault(self, emulator, merchant, happen):
        with emulator.webhooks.faults.add("duplicate_delivery") as fault:
            happen()
        happen()
        assert (len(merchant.requests), fault.hits, fault.active) == (3, 1, False)
        fault.remove()
        assert emulator.webhooks.faults.ended == (fault,)

    def test_clear_removes_all_faults(self, emulator, merchant, happen):
        faults = [emulator.webhooks.faults.add(name) for name in NAMES]
        assert emulator.webhooks.faults.active == tuple(faults)
        assert "rotate_secret" in repr(emulator.webhooks.faults)
        emulator.webhooks.faults.clear()
        happen()
        assert len(merchant.requests) == 1
        assert [fault.hits for fault in faults] == [0] * len(NAMES)
        assert (emulator.webhooks.faults.active, emulator.webhooks.faults.ended) == ((), ())


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("nonsense", {}, "there is no webhook fault 'nonsense'; there are bad_signature, "),
        ("delay", {"event": "x"}, "event must name an event: payment_session_complete, "),
        ("delay", {"times": 0}, "times must be >= 1"),
        ("delay", {"times": 1.5}, "times must be a whole number or null"),
        ("delay", {"times": True}, "times must be a whole number or null"),
        ("delay", {"probability": 0}, "probability must be > 0"),
        ("delay", {"probability": 1.1}, "probability must be <= 1"),
        ("delay", {"probability": "1"}, "probability must be a number"),
        ("delay", {"probability": float("nan")}, "probability must be a number"),
        ("delay", {"n": 1}, "delay takes seconds: not n"),
        ("reorder", {"seconds": 1, "n": 2}, "reorder takes no parameters: not n, seconds"),
        ("delay", {"seconds": -1}, "delay: seconds must be >= 0"),
        ("delay", {"seconds": float("inf")}, "delay: seconds must be a number"),
        ("delay", {"seconds": float("nan")}, "delay: seconds must be a number"),
        ("delay", {"seconds": "1"}, "delay: seconds must be a number"),
        ("delay", {"seconds": 1e300}, "delay: seconds must be <= 3.1536e+07"),
        ("stale_timestamp", {"seconds": 1e12}, "stale_timestamp: seconds must be <= "),
        ("duplicate_delivery", {"n": 1.5}, "duplicate_delivery: n must be a whole number"),
        ("duplicate_delivery", {"n": 10**6}, "duplicate_delivery: n must be <= 1000"),
        ("oversize_body", {"size": 2**40}, "oversize_body: size must be <= "),
        ("oversize_body", {"size": True}, "oversize_body: size must be a whole number"),
    ],
)
def test_error_describes_the_problem(emulator, name, arguments, says):
    with pytest.raises(ValueError) as caught:
        emulator.webhooks.faults.add(name, **arguments)
    assert says in str(caught.value)
    assert emulator.webhooks.faults.active == ()


def test_hits_count_deliveries_or_attempts_by_phase(emulator, happen):
    """One that acts on deliveries is asked once for each, one that acts on requests for each attempt."""
    active = emulator.webhooks.faults.add("duplicate_delivery", n=3)
    written = emulator.webhooks.faults.add("bad_signature")
    assert happen()
    assert (active.hits, written.hits) == (1, 4)
    assert APPROVED in {delivery.event for delivery in emulator.webhooks.deliveries}
