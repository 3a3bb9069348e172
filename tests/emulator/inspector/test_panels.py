"""The inspector: what each panel shows, that it stays light, and that it shows no secret."""

import json
import re

import pytest

from tests.support.browser import Shopper
from tests.support.factories import CREATE, held, order, paid
from truemed_async.emulator import Emulator

INSPECTOR = "/_emulator/inspector"
PANELS = ("payments", "tokens", "qualification", "catalog", "requests", "webhooks", "faults")
HOSTILE = "\"'><script>alert(1)</script>"
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def shopper(emulator):
    return Shopper(emulator)


def buttons(page):
    return [given["value"] for given in page.all("button") if given.get("name") in ("transition", "eligibility")]


def test_root_shows_payments(shopper):
    def settled(path):
        """The page without what is new each time: the nonce and the time."""
        return re.sub(r'nonce="[^"]*"|\d\d:\d\d:\d\d', "", shopper.get(path).text)

    view = shopper.get("/")
    assert (view.status, view.page.heading) == (200, "Payments")
    assert settled("/") == settled(f"{INSPECTOR}/payments")


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_links_to_the_others(emulator, shopper, panel):
    view = shopper.get(f"{INSPECTOR}/{panel}")
    assert view.page.heading == panel.capitalize()
    assert [link for link in view.page.links if link.startswith(INSPECTOR)] == [
        f"{INSPECTOR}/{each}" for each in PANELS
    ]
    assert [given["href"] for given in view.page.all("a") if "aria-current" in given] == [f"{INSPECTOR}/{panel}"]
    assert emulator.api_key in view.text
    assert shopper.framing(view) == "'none'"
    assert "connect-src 'self'" in view.headers["Content-Security-Policy"]


class TestRows:
    def test_payment_rows_have_buttons_of_their_status(self, emulator, shopper):
        emulator.state.payment_sessions.add()
        assert buttons(shopper.get("/").page) == ["submit", "cancel"]
        emulator.state.payment_sessions.submit(emulator.state.payment_sessions.rows[0].id)
        assert buttons(shopper.get("/").page) == ["approve", "reject"]

    def test_payment_rows_show_amounts(self, emulator, shopper):
        held(emulator)
        assert buttons(shopper.get("/").page) == ["capture", "void", "expire_hold", "reauthorize"]
        emulator.state.reset()
        paid(emulator)
        assert buttons(shopper.get("/").page) == ["refund", "open_dispute", "close_dispute", "lose_dispute"]

    def test_token_rows_are_shown(self, emulator, shopper):
        emulator.state.payment_tokens.add()
        emulator.state.provision_requests.create()
        assert buttons(shopper.get(f"{INSPECTOR}/tokens").page) == [
            "fail_next_charge",
            "expire_lmn",
            "resolve_failure",
            "delete",
            "submit",
        ]

    def test_qualification_rows_are_shown(self, emulator, shopper):
        emulator.state.qualification_sessions.add(user_id="user-1")
        emulator.state.qualification_sessions.add(status="processing")
        emulator.state.qualification_sessions.add(status="a new one")
        view = shopper.get(f"{INSPECTOR}/qualification").page
        assert buttons(view) == ["approve", "reject", "start_review"]
        assert "user-1" in view.text

    def test_catalog_rows_are_shown(self, emulator, shopper):
        emulator.state.catalog_items.add(name="Mat")
        view = shopper.get(f"{INSPECTOR}/catalog").page
        assert buttons(view) == ["eligible", "eligible_with_lmn", "ineligible"]
        assert "Mat" in view.text

    def test_empty_table_shows_a_note(self, shopper):
        assert "None yet." in shopper.get("/").page.text

    def test_newest_rows_are_shown(self, emulator, shopper):
        ids = [emulator.state.payment_sessions.add() for _ in range(30)]
        text = shopper.get("/").page.text
        visible = [id for id in ids if id in text]
        assert visible == ids[-len(visible) :]
        assert 10 <= len(visible) < 30
        assert f"Showing the newest {len(visible)}." in text
        assert "Payment sessions: 30" in text


class TestRequests:
    def test_requests_show_both_bodies(self, shopper, api):
        api.send("POST", f"{CREATE}?a=b", order())
        text = shopper.get(f"{INSPECTOR}/requests").page.text
        assert f"POST {CREATE}" in text
        assert "Query: a=b" in text
        assert '"total_amount": 60000' in text
        assert '"redirect_url": ' in text

    def test_requests_never_show_the_key(self, emulator, shopper, api):
        api.send("GET", "/nowhere", headers={"x-truemed-api-key": emulator.api_key, "Authorization": "Bearer s3cret"})
        view = shopper.get(f"{INSPECTOR}/requests").page
        assert "x-truemed-api-key: REDACTED" in view.text
        assert "Authorization: REDACTED" in view.text
        assert "s3cret" not in view.text
        # Once, where it is offered to be copied.
        assert view.text.count(emulator.api_key) == 1

    def test_only_newest_response_bodies_are_stored(self, emulator, api):
        for _ in range(202):
            api.get("qs_none")
        kept = [bool(request.response_body) for request in emulator.requests]
        assert kept == [False] * 2 + [True] * 200
        assert json.loads(emulator.requests[-1].response_body)["error"] == "NotFound"
        emulator.requests.clear()
        api.get("qs_none")
        assert [bool(request.response_body) for request in emulator.requests] == [True]

    def test_show_a_missing_response(self, emulator, shopper, api):
        emulator.faults.add("empty_response")
        with pytest.raises(ConnectionError):
            api.list()
        text = shopper.get(f"{INSPECTOR}/requests").page.text
        assert "no response" in text
        assert "(no body stored)" in text

    def test_bodies_other_than_json_are_shown(self, shopper, api):
        api.send("POST", CREATE, b"\xff no json")
        assert "\N{REPLACEMENT CHARACTER} no json" in shopper.get(f"{INSPECTOR}/requests").page.text


class TestDeliveries:
    @pytest.fixture
    def read_panel(self, emulator, shopper):
        def read_panel():
            assert emulator.webhooks.wait_until_idle(10)
            return shopper.get(f"{INSPECTOR}/webhooks").page.text

        return read_panel

    def test_deliveries_show_attempts(self, emulator, read_panel):
        emulator.webhooks.register(NOWHERE, secret="s3cret-of-mine")
        emulator.webhooks.faults.add("double_header")
        id = emulator.state.qualification_sessions.add(status="processing")
        emulator.state.qualification_sessions.approve(id)
        text = read_panel()
        assert f"qualification_session_complete: {id} waiting, next attempt in 0 min " in text
        assert "ClientConnectorError in" in text
        assert "with double_header" in text
        assert "x-truemed-signature: t=" in text
        assert '"status": "approved"' in text
        assert "double_header (1 hits)" in text

    def test_unsigned_delivery_masks_the_secret(self, emulator, read_panel):
        emulator.webhooks.register(NOWHERE, secret="s3cret-of-mine", mode="unsigned")
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        text = read_panel()
        assert "x-truemed-api-key: ***" in text
        assert text.count("s3cret-of-mine") == 1  # in the table of webhooks, where it is copied from

    def test_waiting_delivery_shows_remaining_time(self, emulator, read_panel):
        emulator.webhooks.register(NOWHERE)
        emulator.webhooks.faults.add("delay", seconds=2 * 3600 + 30 * 60 + 10)
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        text = read_panel()
        assert "next attempt in 2 h 30 min" in text
        assert "No attempt yet." in text

    def test_empty_list_shows_a_note(self, read_panel):
        text = read_panel()
        assert "No webhooks registered: nothing is delivered." in text
        assert "None yet." in text


def test_active_faults_are_shown(emulator, shopper):
    assert "No active faults." in shopper.get(f"{INSPECTOR}/faults").page.text
    emulator.faults.add("latency")
    view = shopper.get(f"{INSPECTOR}/faults").page
    assert "latency, 0 hits" in view.text
    assert "Active: 1" in view.text


class TestUpdates:
    @pytest.mark.parametrize("panel", PANELS)
    def test_version_changes_only_with_the_state(self, shopper, panel):
        whole, news = (shopper.get(f"{INSPECTOR}/{panel}{query}") for query in ("", "?update"))
        assert "<html" not in news.text
        assert news.text.strip() in whole.text
        assert news.headers["Cache-Control"] == "no-cache"

    def test_unchanged_panel_is_304(self, emulator, shopper):
        address = f"{INSPECTOR}/payments?update"
        tag = shopper.get(address).headers["ETag"]
        unchanged = shopper.get(address, If_None_Match=tag)
        assert (unchanged.status, unchanged.text, unchanged.headers["ETag"]) == (304, "", tag)
        id = emulator.state.payment_sessions.add()
        changed = shopper.get(address, If_None_Match=tag)
        assert (changed.status, id in changed.text) == (200, True)
        assert changed.headers["ETag"] != tag


class TestPageSize:
    """The shopper's page refuses one of 50 kB, here with the heaviest there can be."""

    @pytest.mark.parametrize("panel", PANELS)
    def test_page_with_a_thousand_rows_is_under_limit(self, panel):
        seeded = {"sessions": 1000, "payment_sessions": 1000, "payment_tokens": 1000, "catalog_items": 1000}
        with Emulator(**seeded) as emulator:
            for number in range(100):
                emulator.webhooks.register(f"{NOWHERE}{number}?{'q' * 3000}")
                emulator.faults.add("latency", seconds=0)
                emulator.webhooks.faults.add("delay")
            view = Shopper(emulator).get(f"{INSPECTOR}/{panel}").page
            rows = len(view.all("tr"))
            assert rows == 0 or rows > 5

    @pytest.mark.parametrize(
        "content", [b'{"a": "' + b'"' * 900_000, json.dumps({"a": ["<&\U0001f9ea"] * 30_000}).encode()]
    )
    def test_page_with_huge_requests_is_under_limit(self, emulator, shopper, api, content):
        for _ in range(30):
            api.send(
                "POST", f"{CREATE}?{'q' * 5000}", content, {"x-truemed-api-key": "&" * 5000, "X-Other": "&" * 5000}
            )
        view = shopper.get(f"{INSPECTOR}/requests").page
        assert view.all("details")
        assert f"({len(content):,} bytes in total)" in view.text

    def test_page_with_huge_deliveries_is_under_limit(self, emulator, shopper):
        items = [{"name": "&" * 10_000, "price": 1, "quantity": 1} for _ in range(50)]
        emulator.webhooks.register(NOWHERE, secret="&" * 10_000)
        for _ in range(30):
            paid(emulator, order_items=items, metadata="<" * 100_000)
        assert emulator.webhooks.wait_until_idle(30)
        view = shopper.get(f"{INSPECTOR}/webhooks").page
        assert "Deliveries: 60" in view.text
        assert "ClientConnectorError" in view.text

    def test_page_without_space_for_rows_shows_none(self, emulator, shopper):
        """The whole of an id stands in its buttons."""
        emulator.state.catalog_items.add(sku="S" * 100_000, name="N" * 100_000)
        view = shopper.get(f"{INSPECTOR}/catalog").page
        assert "Catalog items: 1" in view.text
        assert "Showing the newest 0." in view.text


@pytest.mark.parametrize("panel", PANELS)
def test_values_are_escaped(emulator, shopper, api, panel):
    emulator.state.payment_sessions.add(id=HOSTILE, kind=HOSTILE)
    emulator.state.payment_tokens.add(payment_token=HOSTILE, failure=HOSTILE)
    emulator.state.provision_requests.add(provision_token_request_id=HOSTILE, payment_token=HOSTILE)
    emulator.state.qualification_sessions.add(
        qualification_session_id=HOSTILE, user_id=HOSTILE, source=HOSTILE, status=HOSTILE
    )
    emulator.state.catalog_items.add(sku=HOSTILE, name=HOSTILE)
    emulator.webhooks.register(f"{NOWHERE}?{HOSTILE}", secret=HOSTILE)
    paid(emulator, metadata=HOSTILE)
    api.send("POST", f"{CREATE}?{HOSTILE}", order(customer_name=HOSTILE), {"X-Other": HOSTILE})
    assert emulator.webhooks.wait_until_idle(10)
    page = shopper.get(f"{INSPECTOR}/{panel}").page
    assert len(page.scripts) == 1
    assert panel == "faults" or "<script>alert(1)</script>" in page.text


@pytest.mark.parametrize("path", [f"{INSPECTOR}/", f"{INSPECTOR}/nothing", f"{INSPECTOR}/payments/x"])
def test_unknown_panel_is_404(shopper, path):
    answer = shopper.get(path)
    assert (answer.status, json.loads(answer.text)["error"]) == (404, "NotFound")


def test_inspector_requests_are_not_logged(emulator, shopper):
    shopper.get("/")
    shopper.post(f"{INSPECTOR}/do/reset")
    assert emulator.requests.count() == 0


def test_foreign_host_is_421(shopper):
    assert shopper.get("/", Host="evil.example").status == 421
