"""Webhooks, their deliveries and their faults over HTTP, for an emulator that runs on its own."""

import pytest

from tests.support.factories import assert_invalid, make_captured
from tests.support.waiting import TIMEOUT

ADMIN = "/_emulator"
WEBHOOKS, DELIVERIES, FAULTS = f"{ADMIN}/webhooks", f"{ADMIN}/deliveries", f"{ADMIN}/webhook_faults"


def happen(emulator):
    emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
    assert emulator.webhooks.wait_until_idle(TIMEOUT)


class TestWebhooks:
    def test_webhook_is_registered_listed_and_removed(self, emulator, api, merchant):
        webhook = api.post(WEBHOOKS, {"url": merchant.url})
        (endpoint,) = emulator.webhooks.endpoints
        described = {
            "id": endpoint.id,
            "url": merchant.url,
            "mode": "signed",
            "secrets": list(endpoint.secrets),
            "events": None,
        }
        assert (webhook.status, webhook.json) == (201, described)
        assert api.read(WEBHOOKS).json == {"webhooks": [described]}
        happen(emulator)
        assert merchant.requests[0].is_signed(webhook.json["secrets"][0])
        gone = api.send("DELETE", f"{WEBHOOKS}/{endpoint.id}")
        assert (gone.status, gone.content) == (204, b"")
        assert api.read(WEBHOOKS).json == {"webhooks": []}

    def test_webhook_is_removed_by_post_too(self, emulator, api, merchant):
        remaining, removed = (api.post(WEBHOOKS, {"url": merchant.url}).json["id"] for _ in range(2))
        assert api.post(f"{WEBHOOKS}/{removed}/unregister").status == 204
        assert [endpoint.id for endpoint in emulator.webhooks.endpoints] == [remaining]
        assert api.post(f"{WEBHOOKS}/{removed}/unregister").status == 404

    def test_register_accepts_all_options(self, api, merchant):
        body = {"url": merchant.url, "mode": "unsigned", "secret": "mine", "events": ["payment_token_updated"]}
        webhook = api.post(WEBHOOKS, body).json
        assert {**body, "secrets": ["mine"], "id": webhook["id"]} == {**webhook, "secret": "mine"}

    def test_delete_removes_all_webhooks(self, emulator, api, merchant):
        for _ in range(3):
            api.post(WEBHOOKS, {"url": merchant.url})
        assert api.send("DELETE", WEBHOOKS).status == 204
        assert emulator.webhooks.endpoints == ()

    @pytest.mark.parametrize(
        ("body", "remaining"), [(None, 2), ({}, 2), ({"overlap": True}, 2), ({"overlap": False}, 1)]
    )
    def test_rotate_returns_new_secret(self, api, merchant, body, remaining):
        webhook = api.post(WEBHOOKS, {"url": merchant.url}).json
        rotated = api.post(f"{WEBHOOKS}/{webhook['id']}/rotate", body)
        assert (rotated.status, len(rotated.json["secrets"])) == (200, remaining)
        assert rotated.json["secrets"][1:] == webhook["secrets"][: remaining - 1]
        assert rotated.json["secrets"][0] not in webhook["secrets"]

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"{", "the body must be JSON"),
            ([], "the body must be a JSON object"),
            ({}, "url is required"),
            ({"url": 1}, "url must be a string"),
            ({"url": "https://evil.example/"}, "URL of this machine"),
            ({"url": "http://127.0.0.1/", "mode": "x"}, "mode must be one of signed, unsigned"),
            ({"url": "http://127.0.0.1/", "secret": ""}, "secret must be a string that is not empty"),
            ({"url": "http://127.0.0.1/", "secret": "a\nb"}, "printable ASCII"),
            ({"url": "http://127.0.0.1/", "events": "payment_token_updated"}, "events must be a list"),
            ({"url": "http://127.0.0.1/", "events": ["x"]}, "events[0] must be one of"),
            ({"url": "http://127.0.0.1/", "event": "x"}, "the body has url, mode, secret, events: not event"),
        ],
    )
    def test_error_describes_the_problem(self, emulator, api, body, says):
        assert_invalid(api.post(WEBHOOKS, body), says)
        assert emulator.webhooks.endpoints == ()

    def test_invalid_rotation_is_400(self, api, merchant):
        webhook = api.post(WEBHOOKS, {"url": merchant.url}).json
        assert_invalid(api.post(f"{WEBHOOKS}/{webhook['id']}/rotate", {"overlap": 1}), "overlap must be true or false")

    @pytest.mark.parametrize(("method", "action"), [("DELETE", ""), ("POST", "/rotate")])
    def test_unknown_webhook_is_404(self, api, method, action):
        assert_invalid(api.send(method, f"{WEBHOOKS}/x{action}"), "there is none with this id", 404, "NotFound")


class TestDeliveries:
    def test_deliveries_are_listed_newest_first(self, emulator, api, merchant):
        endpoint = emulator.webhooks.register(merchant.url, mode="unsigned", secret="s3cret")
        merchant.plan = [500]
        id = make_captured(emulator)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        listing = api.read(DELIVERIES).json
        assert (listing["count"], listing["waiting"]) == (2, 0)
        newest, oldest = listing["deliveries"]
        assert (newest["state"], oldest["state"]) == ("delivered", "waiting")
        (attempt,) = oldest.pop("attempts")
        delivery = emulator.webhooks.deliveries[-1]
        assert oldest == {
            "id": delivery.id,
            "webhook": endpoint.id,
            "event": "payment_session_complete",
            "resource": "payment_sessions",
            "resource_id": id,
            "created_at": oldest["created_at"],
            "due": oldest["due"],
            "state": "waiting",
            "body": delivery.body.decode(),
        }
        assert oldest["created_at"] < oldest["due"]
        assert (attempt["status"], attempt["failure"], attempt["fault"]) == (500, None, None)
        assert ["x-truemed-api-key", "***"] in attempt["headers"]
        assert b"s3cret" not in api.read(DELIVERIES).content
        assert api.read(f"{DELIVERIES}/{delivery.id}").json == {**oldest, "attempts": [attempt]}

    def test_delivery_is_resent(self, emulator, api, merchant):
        emulator.webhooks.register(merchant.url)
        happen(emulator)
        (delivery,) = emulator.webhooks.deliveries
        again = api.post(f"{DELIVERIES}/{delivery.id}/resend")
        assert (again.status, again.json) == (202, {"id": delivery.id})
        assert len(merchant.wait(2)) == 2

    @pytest.mark.parametrize(("method", "action"), [("GET", ""), ("POST", "/resend")])
    def test_unknown_delivery_is_404(self, api, method, action):
        assert_invalid(api.send(method, f"{DELIVERIES}/x{action}"), "there is none with this id", 404, "NotFound")


class TestFaults:
    def test_fault_is_added_listed_and_removed(self, emulator, api, merchant):
        emulator.webhooks.register(merchant.url)
        added = api.post(FAULTS, {"name": "duplicate_delivery", "n": 2, "event": "qualification_session_complete"})
        described = {
            "id": 1,
            "name": "duplicate_delivery",
            "active": True,
            "hits": 0,
            "event": "qualification_session_complete",
            "n": 2,
        }
        assert (added.status, added.json) == (201, described)
        happen(emulator)
        assert len(merchant.requests) == 3
        listing = api.read(FAULTS).json
        assert listing == {"faults": [{**described, "hits": 1}], "names": list(emulator.webhooks.faults.names)}
        assert api.send("DELETE", f"{FAULTS}/1").status == 204
        assert api.read(FAULTS).json["faults"] == [{**described, "hits": 1, "active": False}]
        assert api.send("DELETE", f"{FAULTS}/1").status == 404

    def test_delete_removes_all_faults(self, emulator, api):
        for name in ("reorder", "delay"):
            api.post(FAULTS, {"name": name})
        assert api.send("DELETE", FAULTS).status == 204
        assert emulator.webhooks.faults.active == ()
        assert api.read(FAULTS).json["faults"] == []

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({}, "name must be a string"),
            ({"name": []}, "name must be a string"),
            ({"name": "x"}, "there is no webhook fault 'x'"),
            ({"name": "delay", "seconds": "60"}, "seconds must be a number"),
            ({"name": "delay", "self": 1}, "delay takes seconds: not self"),
            ({"name": "delay", "times": "1"}, "times must be a whole number"),
            ({"name": "delay", "event": ["x"]}, "delay: event must be text"),
        ],
    )
    def test_error_describes_the_problem(self, emulator, api, body, says):
        assert_invalid(api.post(FAULTS, body), says)
        assert emulator.webhooks.faults.active == ()


def test_admin_requests_are_not_logged(emulator, api):
    api.read(WEBHOOKS)
    assert emulator.requests.count() == 0
