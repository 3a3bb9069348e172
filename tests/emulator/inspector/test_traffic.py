"""Requests and webhook deliveries: lists, filters, and the page of each."""

import json

import pytest

from tests.emulator.inspector.conftest import INSPECTOR, NOWHERE, words
from tests.support.factories import CREATE, make_captured, order
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Dialect
from truemed_async.emulator.webhooks.model import DeliveryAttempt


class TestRequests:
    def test_requests_are_listed_with_status_route_and_duration(self, emulator, api, look):
        api.post(CREATE, order())
        api.get("qs_none")
        page = look("requests")
        text = words(page)
        assert "1–2 of 2 requests" in text
        assert f"POST {CREATE}" in text
        assert "payment_sessions.create" in text
        assert "404" in text
        assert " ms" in text
        assert emulator.requests[0].seconds > 0

    def test_only_failures_are_listed(self, api, look, emulator):
        api.post(CREATE, order())
        api.get("qs_none")
        emulator.faults.add("empty_response", times=1)
        with pytest.raises(ConnectionError):
            api.list()
        page = look("requests?failures=1")
        assert "1–2 of 2 requests" in page.text
        assert "no response" in page.text
        assert CREATE not in page.text
        assert "checked" in next(attributes for attributes in page.all("input") if attributes["name"] == "failures")

    @pytest.mark.parametrize("search", ["qs_none", "QUALIFICATION_SESSIONS.GET", "GET+/api"])
    def test_search_finds_path_and_route(self, api, look, search):
        api.post(CREATE, order())
        api.get("qs_none")
        assert "1–1 of 1 requests" in look(f"requests?q={search}").text

    def test_search_finds_a_text_in_the_body(self, api, look):
        api.post(CREATE, order(customer_name="Robin"))
        api.get("qs_none")
        assert "1–1 of 1 requests" in look("requests?q=robin").text

    def test_pages_of_requests(self, api, look):
        for number in range(30):
            api.get(f"qs_{number}")
        assert "qs_4" in look("requests?page=2").text
        assert "26–30 of 30 requests" in look("requests?page=2").text
        assert f"{INSPECTOR}/requests/1" in look("requests?sort=oldest").links

    def test_request_shows_both_bodies(self, api, look):
        id = api.send("POST", f"{CREATE}?a=b", order()).json["id"]
        page = look("requests/1")
        text = words(page)
        assert page.heading == f"POST {CREATE}"
        assert "a=b" in text
        assert '"total_amount": 60000' in text
        assert '"redirect_url": ' in text
        assert "API key right" in text
        assert f"{INSPECTOR}/payments/{id}" in page.links  # what it changed

    def test_request_never_shows_a_key(self, emulator, api, look):
        api.send(
            "POST",
            f"/nowhere?key={emulator.api_key}",
            {"key": emulator.api_key},
            headers={"x-truemed-api-key": emulator.api_key, "Authorization": "Bearer s3cret"},
        )
        for path in ("requests/1", "requests"):
            view = look(path)
            assert "s3cret" not in view.text
            assert emulator.api_key not in view.text
        assert "x-truemed-api-key: REDACTED" in look("requests/1").text
        assert '"key": "REDACTED"' in look("requests/1").text

    def test_missing_response_is_shown(self, emulator, api, look):
        emulator.faults.add("empty_response")
        with pytest.raises(ConnectionError):
            api.list()
        text = look("requests/1").text
        assert "no response" in text
        assert "(no body stored)" in text
        assert "(no body)" in text

    @pytest.mark.parametrize("number", ["0", "2", "x", "-1", "9" * 40, "%C2%B2"])
    def test_unknown_request_is_404(self, api, look, number):
        api.get("qs_none")
        assert look(f"requests/{number}", status=404).heading == "Not found"

    def test_request_keeps_its_page_after_others_are_cleared(self, emulator, api, look):
        api.get("qs_1")
        emulator.requests.clear()
        api.get("qs_2")
        look("requests/1", status=404)
        assert "qs_2" in look("requests/2").heading

    def test_request_that_is_not_http_is_listed(self, look, raw):
        line = raw.connect()
        line.sock.sendall(b"nonsense\r\n\r\n")
        assert b"400 Bad Request" in line.receive().content
        assert "400" in look("requests").text
        assert look("requests/1").text

    @pytest.mark.parametrize(
        "content", [b'{"a": "' + b'"' * 900_000, json.dumps({"a": ["<&\U0001f9ea"] * 30_000}).encode()]
    )
    def test_huge_requests_are_under_the_limit(self, api, look, content):
        for _ in range(25):
            api.send(
                "POST", f"{CREATE}?{'q' * 5000}", content, {"x-truemed-api-key": "&" * 5000, "X-Other": "&" * 5000}
            )
        look("requests")
        assert f"({len(content):,} bytes in total)" in look("requests/1").text


class TestDeliveries:
    @pytest.fixture
    def approve(self, emulator):
        """Make a delivery about a qualification session; return both ids."""

        def approve():
            id = emulator.state.qualification_sessions.add(status="processing")
            emulator.state.qualification_sessions.approve(id)
            assert emulator.webhooks.wait_until_idle(TIMEOUT)
            return id, emulator.webhooks.deliveries[0].id

        return approve

    def test_deliveries_are_listed_by_the_name_in_the_payload(self, emulator, merchant, look, approve):
        emulator.webhooks.register(merchant.url)
        id, delivery = approve()
        page = look("webhooks")
        text = words(page)
        assert "qualification_status.updated" in text
        assert "qualification_session_complete" not in text
        assert "1–1 of 1 deliveries" in text
        assert f"{INSPECTOR}/webhooks/{delivery}" in page.links
        assert f"{INSPECTOR}/qualification/{id}" in page.links

    def test_name_follows_the_dialect_and_the_envelope(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE)
        emulator.dialect = Dialect(event_names="unknown", envelope="renamed")
        approve()
        name = json.loads(emulator.webhooks.deliveries[0].body)["type"]
        assert name in look("webhooks").text
        emulator.webhooks.clear()
        emulator.webhooks.unregister(emulator.webhooks.endpoints[0].id)
        emulator.webhooks.register(NOWHERE, mode="unsigned")
        approve()
        assert "qualification_session_complete" in look("webhooks").text

    def test_failures_are_filtered(self, emulator, merchant, look, approve):
        emulator.webhooks.register(merchant.url)
        approve()
        emulator.webhooks.deliveries[0].attempts.append(DeliveryAttempt(at=emulator.clock.now(), status=500))
        approve()
        assert "of 2 deliveries" in look("webhooks").text
        assert "1–1 of 1 deliveries" in look("webhooks?failures=1").text
        assert "1–2 of 2 deliveries" in look("webhooks?status=delivered").text
        assert "No deliveries match." in look("webhooks?status=abandoned").text
        id = emulator.webhooks.deliveries[0].resource_id
        assert "1–1 of 1 deliveries" in look(f"webhooks?q={id.upper()}").text

    def test_abandoned_delivery_is_a_failure(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE)
        emulator.webhooks.faults.add("delay", seconds=60)
        approve()
        emulator.webhooks.unregister(emulator.webhooks.endpoints[0].id)
        page = look("webhooks?failures=1")
        assert "abandoned" in page.text
        delivery = look(f"webhooks/{emulator.webhooks.deliveries[0].id}")
        assert "a webhook that was removed" in delivery.text
        assert delivery.all("button") == []

    def test_delivery_shows_attempts_with_the_response(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE, secret="s3cret-of-mine")
        emulator.webhooks.faults.add("double_header")
        id, delivery = approve()
        emulator.webhooks.deliveries[0].attempts.append(
            DeliveryAttempt(at=emulator.clock.now(), status=500, seconds=0.5, response_body=b'{"detail":"<later>"}')
        )
        page = look(f"webhooks/{delivery}")
        text = words(page)
        assert page.heading == "qualification_status.updated"
        assert "ClientConnectorError" in text
        assert "with double_header" in text
        assert "x-truemed-signature: t=" in text
        assert '"status": "approved"' in text
        assert '"detail": "<later>"' in text
        assert "500 ms" in text
        assert "(empty)" in text
        assert "next attempt in a moment" in text
        assert f"{INSPECTOR}/qualification/{id}" in page.links
        assert "s3cret-of-mine" not in text

    def test_only_the_newest_attempts_are_shown(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE)
        _, delivery = approve()
        attempt = DeliveryAttempt(at=emulator.clock.now(), status=500, response_body=b"&" * 1024)
        emulator.webhooks.deliveries[0].attempts.extend([attempt] * 20)
        page = look(f"webhooks/{delivery}")
        assert [attributes["id"] for attributes in page.all("section")] == [
            f"attempt-{number}" for number in range(12, 22)
        ]

    def test_waiting_delivery_without_attempts(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE)
        emulator.webhooks.faults.add("delay", seconds=2 * 3600 + 30 * 60 + 10)
        _, delivery = approve()
        assert "No attempt yet." in look(f"webhooks/{delivery}").text
        assert "next attempt in 2 hours" in words(look("webhooks"))

    def test_delivery_about_a_removed_object_has_no_link(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE)
        id, delivery = approve()
        emulator.state.qualification_sessions.remove(id)
        for path in ("webhooks", f"webhooks/{delivery}"):
            assert f"{INSPECTOR}/qualification/{id}" not in look(path).links

    def test_unsigned_delivery_masks_the_secret(self, emulator, look, approve):
        emulator.webhooks.register(NOWHERE, secret="s3cret-of-mine", mode="unsigned")
        _, delivery = approve()
        assert "x-truemed-api-key: ***" in look(f"webhooks/{delivery}").text
        assert "s3cret-of-mine" not in look(f"webhooks/{delivery}").text
        assert look("webhooks").text.count("s3cret-of-mine") == 1  # where it is copied from

    def test_response_body_is_recorded_and_shown(self, emulator, merchant, approve, look):
        merchant.plan = [b"HTTP/1.1 500 Error\r\nContent-Length: 5\r\n\r\nlater"]
        emulator.webhooks.register(merchant.url)
        _, delivery = approve()
        (attempt,) = emulator.webhooks.deliveries[0].attempts
        assert (attempt.status, attempt.response_body) == (500, b"later")
        assert "later" in look(f"webhooks/{delivery}").text
        assert "later" not in repr(attempt)

    def test_huge_deliveries_are_under_the_limit(self, emulator, look):
        items = [{"name": "&" * 10_000, "price": 1, "quantity": 1} for _ in range(50)]
        emulator.webhooks.register(NOWHERE, secret="&" * 10_000)
        for _ in range(13):
            make_captured(emulator, order_items=items, metadata="<" * 100_000)
        assert emulator.webhooks.wait_until_idle(30)
        assert "of 26 deliveries" in look("webhooks").text
        assert "bytes in total" in look(f"webhooks/{emulator.webhooks.deliveries[0].id}").text

    def test_many_webhooks_are_counted(self, emulator, look):
        for number in range(23):
            emulator.webhooks.register(f"{NOWHERE}{number}?{'q' * 3000}", events=["payment_session_complete"])
        page = look("webhooks")
        assert "23 registered" in page.text
        assert "and 3 more" in page.text

    def test_empty_list_shows_a_note(self, look):
        text = look("webhooks").text
        assert "No webhooks registered: nothing is delivered." in text
        assert "No deliveries yet." in text

    def test_removing_a_webhook_asks_first(self, emulator, look, shopper):
        endpoint = emulator.webhooks.register(NOWHERE)
        path = f"{INSPECTOR}/webhooks/{endpoint.id}/remove"
        assert NOWHERE in look(path).text
        assert shopper.submit(path).onward == f"{INSPECTOR}/webhooks"
        assert emulator.webhooks.endpoints == ()
        look(path, status=404)
