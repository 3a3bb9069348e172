"""Webhooks as the developer dashboard has them: registered, rotated, removed, kept."""

import json
import threading

import pytest

from tests.support.factories import make_captured
from tests.support.waiting import TIMEOUT, wait_until
from tests.support.webhook_endpoint import Merchant
from truemed_async.emulator import Emulator

EVENTS = (
    "payment_session_complete",
    "payment_token_updated",
    "qualification_session_complete",
    "product_catalog_item_eligibility_updated",
)


def everything(emulator):
    """Let each of the four events happen, in their order."""
    make_captured(emulator, tokenize=True)
    emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
    emulator.state.catalog_items.review(emulator.state.catalog_items.add(), "eligible")


def wait(emulator):
    assert emulator.webhooks.wait_until_idle(TIMEOUT)


def events(requests):
    names = {"payment_session.updated": 0, "payment_token.updated": 1, "qualification_status.updated": 2}
    return {EVENTS[names.get(request.json["event_type"], 3)] for request in requests}


class TestRegister:
    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:9/a?b=c%20d",
            "https://localhost/",
            "http://[::1]:65535",
            "HTTP://LOCALHOST:80",
            "http://127.0.0.1?x",
        ],
    )
    def test_loopback_url_is_accepted(self, emulator, url):
        assert emulator.webhooks.register(url).url == url

    @pytest.mark.parametrize(
        "url",
        [
            "https://shop.example/webhooks",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://evil.example\\@127.0.0.1/",
            "http://evil.example#@127.0.0.1/",
            "http://user:password@127.0.0.1/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://127.0.0.2/",
            "http://2130706433/",
            "http://[::ffff:127.0.0.1]/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:x/",
            "http://127.0.0.1/\r\nX: y",
            "http://127.0.0.1/a b",
            " http://127.0.0.1/",
            "http:///",
            "http://",
            "127.0.0.1:80",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "",
        ],
    )
    def test_other_url_is_rejected(self, emulator, url):
        with pytest.raises(ValueError, match="URL of this machine"):
            emulator.webhooks.register(url)
        assert emulator.webhooks.endpoints == ()

    @pytest.mark.parametrize("secret", ["hush\nhush", "hush\x00", "hüsh", " hush", "hush "])
    def test_secret_invalid_in_header_is_rejected(self, emulator, merchant, secret):
        with pytest.raises(ValueError, match="printable ASCII") as caught:
            emulator.webhooks.register(merchant.url, secret=secret)
        assert secret not in str(caught.value)

    def test_unknown_mode_or_event_is_rejected(self, emulator, merchant):
        with pytest.raises(ValueError, match="signed or unsigned"):
            emulator.webhooks.register(merchant.url, mode="x")
        with pytest.raises(ValueError, match="payment_session_complete, payment_token_updated"):
            emulator.webhooks.register(merchant.url, events=["payment_session.updated"])

    def test_same_url_can_be_registered_in_both_modes(self, emulator, merchant):
        """Guide "Webhooks": several active ones are allowed, so both methods can run in parallel."""
        signed, unsigned = (emulator.webhooks.register(merchant.url, mode=mode) for mode in ("signed", "unsigned"))
        assert signed.secrets != unsigned.secrets
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        wait(emulator)
        assert sorted(len(request.all("x-truemed-signature")) for request in merchant.requests) == [0, 1]

    @pytest.mark.parametrize("expected", [None, *[[event] for event in EVENTS], EVENTS[1:3], []])
    def test_endpoint_receives_selected_events_only(self, emulator, merchant, expected):
        emulator.webhooks.register(merchant.url, events=expected)
        everything(emulator)
        wait(emulator)
        assert events(merchant.requests) == set(EVENTS if expected is None else expected)

    def test_register_while_sending_is_thread_safe(self, emulator, merchant):
        emulator.webhooks.register(merchant.url)
        others = []

        def register():
            for _ in range(10):
                others.append(emulator.webhooks.register(merchant.url, events=[]))
                emulator.webhooks.rotate_secret(others[-1].id)

        threads = [threading.Thread(target=register) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(30):
            emulator.state.qualification_sessions.approve(
                emulator.state.qualification_sessions.add(status="processing")
            )
        for thread in threads:
            thread.join(TIMEOUT)
        wait(emulator)
        assert (len(merchant.requests), len(emulator.webhooks.endpoints)) == (30, 41)

    def test_endpoint_registered_before_start_receives_deliveries(self, merchant):
        emulator = Emulator(sessions=0)
        emulator.webhooks.register(merchant.url)
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        with emulator:
            wait(emulator)
        assert len(merchant.requests) == 1


class TestRotateSecret:
    def test_rotation_with_overlap_signs_with_both_secrets(self, emulator, merchant):
        endpoint = emulator.webhooks.register(merchant.url)
        secrets = [endpoint.secrets[0]]
        for _ in range(3):
            emulator.state.qualification_sessions.approve(
                emulator.state.qualification_sessions.add(status="processing")
            )
            wait(emulator)
            secrets.append(emulator.webhooks.rotate_secret(endpoint.id))
        signed = [[request.is_signed(secret) for secret in secrets[:3]] for request in merchant.requests]
        assert signed == [[True, False, False], [True, True, False], [False, True, True]]
        assert [len(request.signed_with()[1]) for request in merchant.requests] == [1, 2, 2]

    def test_rotation_without_overlap_signs_with_new_secret_only(self, emulator, merchant):
        endpoint = emulator.webhooks.register(merchant.url)
        new = emulator.webhooks.rotate_secret(endpoint.id, overlap=False)
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        (request,) = merchant.wait(1)
        assert (request.is_signed(new), request.is_signed(endpoint.secrets[0])) == (True, False)

    def test_rotation_of_unsigned_endpoint_sends_new_secret(self, emulator, merchant):
        endpoint = emulator.webhooks.register(merchant.url, mode="unsigned")
        new = emulator.webhooks.rotate_secret(endpoint.id)
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert merchant.wait(1)[0].all("x-truemed-api-key") == [new]

    def test_rotation_applies_to_waiting_deliveries(self, emulator, merchant):
        endpoint = emulator.webhooks.register(merchant.url)
        merchant.plan = [500]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        wait(emulator)
        new = emulator.webhooks.rotate_secret(endpoint.id, overlap=False)
        emulator.clock.advance(5)
        wait(emulator)
        assert [request.is_signed(new) for request in merchant.requests] == [False, True]


class TestUnregister:
    def test_unregister_abandons_waiting_deliveries(self, emulator, merchant):
        endpoint = emulator.webhooks.register(merchant.url)
        merchant.plan = [500]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        wait(emulator)
        emulator.webhooks.unregister(endpoint.id)
        emulator.clock.advance(3600)
        wait(emulator)
        (delivery,) = emulator.webhooks.deliveries
        assert (delivery.state, len(merchant.requests)) == ("abandoned", 1)

    def test_unregister_abandons_in_flight_delivery(self, emulator, merchant):
        reports = []
        emulator.webhooks.on_attempt.append(lambda endpoint, delivery: reports.append((endpoint, delivery.state)))
        endpoint = emulator.webhooks.register(merchant.url)
        merchant.plan = ["hang"]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        merchant.wait(1)
        emulator.webhooks.unregister(endpoint.id)
        merchant.open.set()
        wait_until(lambda: reports)
        assert reports == [(None, "abandoned")]

    def test_unregister_before_sending_is_harmless(self, emulator):
        """The sender has taken it up; the webhook is gone before the request is made."""
        merchants = [Merchant() for _ in range(2)]
        try:
            stays = emulator.webhooks.register(merchants[0].url)
            for _ in range(30):
                goes = emulator.webhooks.register(merchants[1].url)
                emulator.state.qualification_sessions.approve(
                    emulator.state.qualification_sessions.add(status="processing")
                )
                emulator.webhooks.unregister(goes.id)
            wait(emulator)
            assert len(merchants[0].wait(30)) == 30
            assert emulator.webhooks.endpoints == (stays,)
        finally:
            for merchant in merchants:
                merchant.close()

    @pytest.mark.parametrize("method", ["unregister", "rotate_secret"])
    def test_unknown_id_raises(self, emulator, method):
        with pytest.raises(KeyError):
            getattr(emulator.webhooks, method)("x")


class TestSnapshot:
    @pytest.fixture
    def snapshot(self, emulator, merchant):
        """Two webhooks, and a delivery that failed once and one that has yet to begin; through JSON text."""
        emulator.webhooks.register(merchant.url, events=["qualification_session_complete"])
        emulator.webhooks.rotate_secret(emulator.webhooks.endpoints[0].id)
        emulator.webhooks.register(merchant.url, mode="unsigned", events=[])
        merchant.plan = [500]
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        wait(emulator)
        emulator.webhooks.faults.add("delay", seconds=3600)
        emulator.state.qualification_sessions.reject(emulator.state.qualification_sessions.add(status="processing"))
        emulator.webhooks.faults.clear()
        emulator.state.qualification_sessions.reject(
            emulator.state.qualification_sessions.add(status="processing")
        )  # is taken, and not kept
        wait(emulator)
        return json.loads(json.dumps(emulator.webhooks.dump()))

    def test_loaded_webhooks_dump_the_same(self, emulator, merchant, snapshot):
        with Emulator(sessions=0) as other:
            other.webhooks.load(snapshot)
            assert json.loads(json.dumps(other.webhooks.dump())) == snapshot
            assert other.webhooks.endpoints == emulator.webhooks.endpoints
            assert [delivery.state for delivery in other.webhooks.deliveries] == ["waiting"] * 2
            merchant.requests.clear()
            other.clock.advance(5)
            wait(other)
            other.clock.advance(3600)
            wait(other)
            assert [request.data["status"] for request in merchant.requests] == ["approved", "rejected"]
            assert all(request.is_signed(emulator.webhooks.endpoints[0].secrets[0]) for request in merchant.requests)
            assert [len(delivery.attempts) for delivery in other.webhooks.deliveries] == [1, 2]

    def test_load_replaces_everything(self, merchant, snapshot):
        with Emulator(sessions=0) as other:
            old = other.webhooks.register(merchant.url)
            other.webhooks.faults.add("delay")
            other.state.qualification_sessions.approve(other.state.qualification_sessions.add(status="processing"))
            other.webhooks.load(snapshot)
            assert old not in other.webhooks.endpoints
            assert len(other.webhooks.deliveries) == 2

    def test_delivery_without_its_webhook_is_skipped(self, merchant, snapshot):
        with Emulator(sessions=0) as other:
            other.webhooks.load({**snapshot, "endpoints": snapshot["endpoints"][1:]})
            assert (len(other.webhooks.endpoints), other.webhooks.deliveries) == (1, ())

    @pytest.mark.parametrize(
        "broken",
        [
            {},
            {"endpoints": []},
            {"endpoints": 1, "deliveries": []},
            {"endpoints": [{}], "deliveries": []},
            {"endpoints": [None], "deliveries": []},
            {"endpoints": [], "deliveries": [{"id": 1}]},
            {
                "endpoints": [{"id": "w", "url": "https://evil.example/", "secrets": ["s"], "events": None}],
                "deliveries": [],
            },
            {"endpoints": [{"id": "w", "url": "http://127.0.0.1/", "secrets": ["s"], "mode": "x"}], "deliveries": []},
            [],
        ],
        ids=str,
    )
    def test_invalid_snapshot_changes_nothing(self, emulator, snapshot, broken):
        with pytest.raises(ValueError):
            emulator.webhooks.load(broken)
        assert len(emulator.webhooks.endpoints) == 2
        assert len(emulator.webhooks.deliveries) == 3
