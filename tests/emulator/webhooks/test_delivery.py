"""How webhooks are delivered: again until they are taken, each in its turn, whatever the merchant or the emulator does."""

import asyncio
import itertools
import socket
import threading
from datetime import timedelta

import pytest

from tests.support.factories import make_captured
from tests.support.waiting import TIMEOUT, wait_until
from tests.support.webhook_endpoint import Merchant
from truemed_async.emulator import Emulator

WEEK = 7 * 24 * 3600
STEPS = [5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600]


@pytest.fixture
def endpoint(emulator, merchant):
    return emulator.webhooks.register(merchant.url)


@pytest.fixture
def happen(emulator, endpoint):
    """Cause an event, and return its delivery after an attempt."""

    def happen():
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        return emulator.webhooks.deliveries[0]

    return happen


def pass_time(emulator, seconds):
    emulator.clock.advance(seconds)
    assert emulator.webhooks.wait_until_idle(TIMEOUT)


def outcomes(delivery):
    return [attempt.status or attempt.failure for attempt in delivery.attempts]


class TestRequest:
    def test_signed_delivery_is_post_with_signature(self, emulator, merchant, endpoint, happen):
        """Guide "Webhooks": the signed string is `{t}.{body}`, HMAC-SHA256."""
        delivery = happen()
        (request,) = merchant.requests
        assert request.line == "POST /webhooks?shop=1 HTTP/1.1"
        assert request.all("content-type") == ["application/json"]
        assert request.all("x-truemed-api-key") == []
        assert request.is_signed(endpoint.secrets[0])
        assert not request.is_signed("another")
        t, signatures = request.signed_with()
        assert len(signatures) == 1
        assert abs(t - emulator.clock.now().timestamp()) < 60
        assert request.body == delivery.body

    def test_signature_uses_emulator_clock(self, emulator, merchant, happen):
        emulator.clock.advance(WEEK)
        happen()
        t, _ = merchant.requests[0].signed_with()
        assert abs(t - emulator.clock.now().timestamp()) < 60

    def test_unsigned_delivery_carries_the_secret(self, emulator, merchant):
        """Guide "Webhooks": the legacy method sends the secret verbatim in `x-truemed-api-key`."""
        endpoint = emulator.webhooks.register(merchant.url, mode="unsigned")
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        (request,) = merchant.wait(1)
        assert request.all("x-truemed-api-key") == list(endpoint.secrets)
        assert request.all("x-truemed-signature") == []


class TestAcknowledgment:
    def test_204_acknowledges_delivery(self, happen):
        delivery = happen()
        assert (delivery.state, outcomes(delivery)) == ("delivered", [204])

    @pytest.mark.parametrize("status", [200, 201, 202, 205, 400, 401, 404, 410, 429, 500, 503])
    def test_other_status_does_not_acknowledge(self, emulator, merchant, happen, status):
        merchant.plan = [status]
        delivery = happen()
        assert (delivery.state, outcomes(delivery)) == ("waiting", [status])
        pass_time(emulator, 5)
        assert (delivery.state, outcomes(delivery)) == ("delivered", [status, 204])

    def test_redirect_is_not_followed(self, emulator, merchant, happen):
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            there = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
            response = f"HTTP/1.1 307 X\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
            merchant.plan = [response.encode()]
            assert outcomes(happen()) == [307]
            elsewhere.settimeout(0.2)
            with pytest.raises(TimeoutError):
                elsewhere.accept()

    @pytest.mark.parametrize(
        ("plan", "failure"),
        [
            ("reset", "ClientOSError"),
            ("close", "ServerDisconnectedError"),
            (b"no http at all\r\n\r\n", "ClientResponseError"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 200),
        ],
    )
    def test_broken_response_does_not_acknowledge(self, emulator, merchant, happen, plan, failure):
        merchant.plan = [plan]
        delivery = happen()
        assert (delivery.state, outcomes(delivery)) == ("waiting", [failure])
        pass_time(emulator, 5)
        assert delivery.state == "delivered"

    def test_timeout_does_not_acknowledge(self, emulator, merchant, endpoint):
        emulator.webhooks.timeout = 0.1
        merchant.plan = ["hang"]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        wait_until(lambda: emulator.webhooks.deliveries[0].attempts)
        assert outcomes(emulator.webhooks.deliveries[0]) == ["TimeoutError"]
        emulator.webhooks.timeout = 10
        pass_time(emulator, 5)
        assert emulator.webhooks.deliveries[0].state == "delivered"

    def test_refused_connection_does_not_acknowledge(self, emulator, free_port):
        emulator.webhooks.register(f"http://localhost:{free_port}")
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert outcomes(emulator.webhooks.deliveries[0]) == ["ClientConnectorError"]

    def test_each_attempt_uses_a_new_connection(self, emulator, merchant, happen):
        """One that is kept could be closed just when it is used again, and look like a failure."""
        happen()
        happen()
        assert [request.all("connection") for request in merchant.requests] == [["close"]] * 2


class TestBackoff:
    def test_retries_follow_emulator_clock_and_end_after_seven_days(self, emulator, merchant, happen):
        """Guide "Webhooks": retried with backoff for up to 7 days."""
        merchant.plan = [500] * 1000
        delivery = happen()
        waits = []
        while delivery.state == "waiting":
            waits.append((delivery.due - delivery.attempts[-1].at).total_seconds())
            pass_time(emulator, waits[-1] - 1)
            assert len(delivery.attempts) == len(waits), "too early"
            pass_time(emulator, 1)
            assert len(delivery.attempts) == len(waits) + 1
        assert [round(wait) for wait in waits[: len(STEPS)]] == STEPS
        assert {round(wait) for wait in waits[len(STEPS) :]} == {STEPS[-1]}
        assert delivery.state == "abandoned"
        lasted = delivery.attempts[-1].at - delivery.created_at
        assert timedelta(days=6, hours=18) < lasted < timedelta(days=7)
        pass_time(emulator, WEEK)
        assert len(merchant.requests) == len(delivery.attempts) == len(waits) + 1

    def test_retry_is_sent_as_time_passes(self, emulator, merchant, endpoint):
        emulator.webhooks.faults.add("delay", seconds=0.2)
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert len(merchant.wait(1)) == 1
        (delivery,) = emulator.webhooks.deliveries
        assert emulator.clock.now() - delivery.created_at >= timedelta(seconds=0.2)

    def test_retry_sends_same_body_with_new_signature(self, emulator, merchant, endpoint, happen):
        merchant.plan = [500, 500]
        happen()
        pass_time(emulator, 5)
        pass_time(emulator, 30)
        assert len({request.body for request in merchant.requests}) == 1
        times = [request.signed_with()[0] for request in merchant.requests]
        first, second = (later - earlier for earlier, later in itertools.pairwise(times))
        assert 5 <= first < 30 <= second
        assert all(request.is_signed(endpoint.secrets[0]) for request in merchant.requests)

    def test_retrying_delivery_does_not_block_others(self, emulator, merchant, happen):
        merchant.plan = [500]
        late, early = happen(), happen()
        assert (late.state, early.state) == ("waiting", "delivered")


class TestConcurrency:
    def test_deliveries_to_one_endpoint_keep_order(self, emulator, merchant, endpoint):
        merchant.plan = ["hang"]
        ids = [emulator.state.qualification_sessions.add(status="processing") for _ in range(20)]
        for id in ids:
            emulator.state.qualification_sessions.approve(id)
        merchant.wait(1)
        assert emulator.webhooks.waiting == 20
        merchant.open.set()
        wait_until(lambda: len(merchant.requests) == 20)
        assert [request.data["qualification_session_id"] for request in merchant.requests] == ids

    def test_endpoints_do_not_wait_for_each_other(self, emulator, merchant, endpoint):
        merchant.plan = ["hang"]
        other = Merchant()
        try:
            emulator.webhooks.register(other.url)
            for _ in range(3):
                emulator.state.qualification_sessions.approve(
                    emulator.state.qualification_sessions.add(status="processing")
                )
            assert len(other.wait(3)) == 3
            assert len(merchant.wait(1)) == 1
        finally:
            other.close()

    def test_wait_until_idle_returns_false_after_timeout(self, emulator, merchant, endpoint):
        merchant.plan = ["hang"]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert not emulator.webhooks.wait_until_idle(0.05)
        merchant.open.set()
        assert emulator.webhooks.wait_until_idle(TIMEOUT)

    def test_transitions_of_many_threads_are_delivered(self, emulator, merchant, endpoint):
        def run():
            for _ in range(10):
                make_captured(emulator)

        threads = [threading.Thread(target=run) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert len(merchant.requests) == 100
        assert {delivery.state for delivery in emulator.webhooks.deliveries} == {"delivered"}


class TestResend:
    def test_resend_acknowledged_delivery_sends_again(self, emulator, merchant, happen):
        delivery = happen()
        merchant.plan = [500]
        emulator.webhooks.resend(delivery.id)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        # Taken once: nothing is repeated for a failure after that.
        assert (delivery.state, outcomes(delivery)) == ("delivered", [204, 500])
        assert merchant.requests[0].body == merchant.requests[1].body

    def test_resend_waiting_delivery_sends_it_now_and_once(self, emulator, merchant, happen):
        merchant.plan = [500]
        delivery = happen()
        emulator.webhooks.resend(delivery.id)
        pass_time(emulator, WEEK)
        assert (delivery.state, outcomes(delivery)) == ("delivered", [500, 204])

    def test_resend_abandoned_delivery_sends_again(self, emulator, merchant, happen):
        merchant.plan = [500]
        delivery = happen()
        emulator.clock.advance(2 * WEEK)
        merchant.plan = [500]
        wait_until(lambda: delivery.state == "abandoned")
        emulator.webhooks.resend(delivery.id)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert (delivery.state, len(delivery.attempts)) == ("delivered", 3)

    def test_resend_in_flight_delivery_sends_one_more(self, emulator, merchant, endpoint):
        merchant.plan = ["hang"]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        merchant.wait(1)
        (delivery,) = emulator.webhooks.deliveries
        emulator.webhooks.resend(delivery.id)
        merchant.open.set()
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        pass_time(emulator, 5)
        assert outcomes(delivery) == ["ServerDisconnectedError", 204, 204]

    def test_resend_unknown_delivery_raises(self, emulator, endpoint, happen):
        delivery = happen()
        with pytest.raises(KeyError):
            emulator.webhooks.resend("x")
        emulator.webhooks.unregister(endpoint.id)
        with pytest.raises(KeyError):
            emulator.webhooks.resend(delivery.id)
        assert delivery.state == "delivered"


class TestStop:
    def test_stop_keeps_waiting_deliveries(self, merchant):
        emulator = Emulator(sessions=0)
        merchant.plan = [500]
        with emulator:
            emulator.webhooks.register(merchant.url)
            first = emulator.state.qualification_sessions.add(status="processing")
            emulator.state.qualification_sessions.approve(first)
            assert emulator.webhooks.wait_until_idle(TIMEOUT)
        second = emulator.state.qualification_sessions.add(status="processing")
        emulator.state.qualification_sessions.approve(second)  # the sender is stopped
        assert emulator.webhooks.waiting == 1
        assert len(merchant.requests) == 1
        with emulator:
            assert emulator.webhooks.wait_until_idle(TIMEOUT)
            pass_time(emulator, 5)
        ids = [request.data["qualification_session_id"] for request in merchant.requests]
        assert ids == [first, second, first]

    def test_stop_aborts_in_flight_delivery_and_retries_it(self, merchant):
        emulator = Emulator(sessions=0)
        merchant.plan = ["hang"]
        with emulator:
            emulator.webhooks.register(merchant.url)
            emulator.state.qualification_sessions.approve(
                emulator.state.qualification_sessions.add(status="processing")
            )
            merchant.wait(1)
        (delivery,) = emulator.webhooks.deliveries
        assert (delivery.state, outcomes(delivery)) == ("waiting", ["aborted"])
        with emulator:
            pass_time(emulator, 5)
        assert (delivery.state, outcomes(delivery)) == ("delivered", ["aborted", 204])

    async def test_stop_requeues_unsent_delivery(self, merchant):
        """Taken by the sender, but its task is canceled before its first step."""
        async with Emulator(sessions=0) as emulator:
            emulator.webhooks.register(merchant.url)
            emulator.state.qualification_sessions.approve(
                emulator.state.qualification_sessions.add(status="processing")
            )
            (sending,) = emulator.webhooks.take_due()
            assert emulator.webhooks.waiting == 1
        async with emulator:
            async with asyncio.timeout(TIMEOUT):
                while sending.delivery.state == "waiting":
                    await asyncio.sleep(0.001)
        assert outcomes(sending.delivery) == [204]

    def test_no_delivery_without_a_registered_endpoint(self, emulator):
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert emulator.webhooks.deliveries == ()
        assert emulator._senders[0]._task is None

    async def test_failing_callback_does_not_stop_deliveries(self, merchant, caplog):
        def broken(*_):
            raise ZeroDivisionError

        async with Emulator(sessions=0) as emulator:
            emulator.webhooks.register(merchant.url)
            emulator.webhooks.on_attempt.append(broken)
            for _ in range(2):
                emulator.state.qualification_sessions.approve(
                    emulator.state.qualification_sessions.add(status="processing")
                )
            async with asyncio.timeout(TIMEOUT):
                while emulator.webhooks.waiting:
                    await asyncio.sleep(0.001)
        assert {delivery.state for delivery in emulator.webhooks.deliveries} == {"delivered"}
        assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError] * 2


class TestRecords:
    def test_delivery_records_every_attempt(self, emulator, merchant, endpoint, happen):
        seen = []
        emulator.webhooks.on_attempt.append(lambda endpoint, delivery: seen.append((endpoint, delivery.attempts[-1])))
        merchant.plan = [500]
        delivery = happen()
        pass_time(emulator, 5)
        assert [attempt for _, attempt in seen] == delivery.attempts
        assert {endpoint for endpoint, _ in seen} == {endpoint}
        first, second = delivery.attempts
        assert second.at - first.at >= timedelta(seconds=5)
        assert 0 <= first.seconds < 10
        assert [value for name, value in first.headers if name == "x-truemed-signature"] == merchant.requests[0].all(
            "x-truemed-signature"
        )

    def test_recorded_headers_mask_the_secret(self, emulator, merchant):
        emulator.webhooks.register(merchant.url, mode="unsigned", secret="s3cret")
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        (delivery,) = emulator.webhooks.deliveries
        assert ("x-truemed-api-key", "***") in delivery.attempts[0].headers
        assert "s3cret" not in repr((delivery, delivery.attempts, emulator.webhooks, emulator.webhooks.endpoints))
        assert merchant.requests[0].all("x-truemed-api-key") == ["s3cret"]

    def test_deliveries_are_pruned_unless_waiting(self, emulator, monkeypatch, happen):
        monkeypatch.setattr("truemed_async.emulator.webhooks.outbox.MAX_DELIVERIES", 3)
        emulator.webhooks.faults.add("delay", times=1)
        waits = happen()
        for _ in range(4):
            happen()
        assert len(emulator.webhooks.deliveries) == 5
        pass_time(emulator, 60)
        assert waits.state == "delivered"
        happen()
        assert len(emulator.webhooks.deliveries) == 3
        assert repr(emulator.webhooks) == "<1 webhooks, 3 deliveries>"

    def test_clear_removes_waiting_deliveries(self, emulator, merchant, endpoint):
        merchant.plan = ["hang"]
        for _ in range(3):
            emulator.state.qualification_sessions.approve(
                emulator.state.qualification_sessions.add(status="processing")
            )
        merchant.wait(1)
        under_way = emulator.webhooks.deliveries[-1]
        emulator.webhooks.clear()
        assert (emulator.webhooks.deliveries, emulator.webhooks.waiting) == ((), 0)
        merchant.open.set()
        wait_until(lambda: under_way.attempts)
        pass_time(emulator, WEEK)
        assert (under_way.state, len(merchant.requests)) == ("abandoned", 1)
        assert emulator.webhooks.endpoints == (endpoint,)
