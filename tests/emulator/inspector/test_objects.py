"""Pages of objects: data, actions, the pages that ask before an action, and the timeline."""

import pytest

from tests.emulator.inspector.conftest import INSPECTOR, NOWHERE, words
from tests.support.factories import CREATE, REFUND, make_authorized, make_captured, order, session_path
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import history
from truemed_async.emulator.inspector import timeline
from truemed_async.emulator.inspector.kinds import DESTRUCTIVE, KINDS
from truemed_async.emulator.store import InvalidTransitionError


@pytest.fixture
def read(emulator):
    """Return the timeline of a payment session."""

    def read(id):
        context = emulator._app._context
        return timeline.read_timeline(context, KINDS[0], emulator.state.payment_sessions.get(id))

    return read


class TestData:
    def test_payment_session_is_readable(self, emulator, look):
        id = make_captured(
            emulator,
            total_amount=119_98,
            order_items=[{"name": "Standing mat", "price": 59_99, "quantity": 2, "sku": "SB-1"}],
            metadata='{"cart": "c-17"}',
        )
        emulator.state.catalog_items.add(sku="SB-1")
        emulator.state.payment_sessions.refund(id, 20_00)
        page = look(f"payments/{id}")
        assert page.heading == id
        text = words(page)
        for part in ("$119.98", "captured", "Partially Refunded", "Standing mat", "$59.99", "c-17", "customer_request"):
            assert part in text
        assert f"{INSPECTOR}/catalog/SB-1" in page.links
        assert f"{INSPECTOR}/transactions?q={id}" in page.links
        assert "9998 cents" in [attributes.get("title") for attributes in page.all("span")]  # refundable
        assert '"metadata": "{\\"cart\\"' in page.text

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
    def test_each_kind_has_pages(self, emulator, look, kind):
        fields = {
            "payments": {},
            "tokens": {},
            "token-requests": {},
            "qualification": {"status": "approved"},
            "catalog": {"name": "Mat"},
            "transactions": {"type": "charge", "amount": 5},
            "payouts": {"amount": 5, "arrival_date": emulator.clock.now().date()},
        }[kind.slug]
        id = emulator.state.stores[kind.resource].add(**fields)
        page = look(f"{kind.slug}/{id}")
        assert (page.heading, page.links[page.links.index(kind.path)]) == (id, kind.path)
        assert "added" in page.text

    @pytest.mark.parametrize(("kind", "hosted"), [("payments", True), ("qualification", True), ("tokens", False)])
    def test_object_links_to_the_page_of_its_customer(self, emulator, look, kind, hosted):
        resource = {each.slug: each.resource for each in KINDS}[kind]
        id = emulator.state.stores[resource].add()
        assert (f"/_emulator/hosted/{resource}/{id}" in look(f"{kind}/{id}").links) is hosted

    def test_payout_links_to_its_transactions(self, emulator, look):
        make_captured(emulator)
        payout = emulator.state.payouts.pay_out()
        (link,) = [each for each in look(f"payouts/{payout}").links if "transactions?" in each]
        assert look(link).text.count(payout) == 2

    def test_huge_object_is_under_the_limit(self, emulator, look):
        items = [{"name": "&" * 10_000, "price": 1, "quantity": 1} for _ in range(100)]
        id = make_captured(emulator, order_items=items, metadata="<" * 100_000, customer_name="'" * 10_000)
        page = look(f"payments/{id}")
        assert "more" in words(page)
        assert "bytes in total" in page.text


class TestTransitionPages:
    @pytest.mark.parametrize("name", ["refund", "lose_dispute"])
    def test_destructive_transition_asks_first(self, emulator, look, name):
        id = make_captured(emulator)
        page = look(f"payments/{id}/{name}")
        assert DESTRUCTIVE[name] in page.text
        assert page.chosen["transition"] == name
        assert page.all("form")[0]["action"] == f"{INSPECTOR}/do/apply"
        assert [attributes.get("class") for attributes in page.all("button")] == ["danger"]
        assert f"{INSPECTOR}/payments/{id}" in page.links

    def test_refund_form_has_what_is_left(self, emulator, shopper, look):
        id = make_captured(emulator)
        emulator.state.payment_sessions.refund(id, 25_50)
        (amount,) = [
            attributes for attributes in look(f"payments/{id}/refund").all("input") if attributes["name"] == "amount"
        ]
        assert (amount["value"], amount["max"], amount["min"], amount["step"]) == ("74.50", "74.50", "0.01", "0.01")
        done = shopper.submit(f"{INSPECTOR}/payments/{id}/refund", amount="4.50")
        assert done.onward == f"{INSPECTOR}/payments/{id}"
        session = emulator.state.payment_sessions.get(id)
        assert (session.refundable, session.refunds[-1].reason) == (70_00, "customer_request")

    def test_refund_of_too_much_shows_the_form_again(self, emulator, shopper):
        id = make_captured(emulator)
        failed = shopper.submit(f"{INSPECTOR}/payments/{id}/refund", amount="100.01")
        assert (failed.status, failed.page.alert) == (409, True)
        assert "amount must be between $0.01 and $100.00, not $100.01" in failed.page.text
        assert failed.page.chosen["amount"] == "100.01"

    def test_transition_that_is_not_possible_has_no_button(self, emulator, look):
        id = emulator.state.payment_sessions.add()
        page = look(f"payments/{id}/refund")
        assert "This is not possible: it is pending, not captured." in page.text
        assert page.all("button") == []

    def test_refund_of_nothing_is_not_possible(self, emulator, look):
        id = make_captured(emulator)
        emulator.state.payment_sessions.refund(id)
        assert "nothing is left to refund" in look(f"payments/{id}/refund").text

    def test_capture_form_has_the_hold(self, emulator, look):
        page = look(f"payments/{make_authorized(emulator)}/capture")
        assert page.chosen["amount"] == "100.00"
        assert "danger" not in [attributes.get("class") for attributes in page.all("button")]

    def test_choices_are_selects(self, emulator, look, shopper):
        token = emulator.state.payment_tokens.add()
        page = look(f"tokens/{token}/fail_next_charge")
        assert "CardExpired" in page.words["option"]
        assert "selected" in next(attributes for attributes in page.all("option") if attributes)
        sku = emulator.state.catalog_items.add()
        page = look(f"catalog/{sku}/review")
        assert page.heading == "Review this catalog item"
        done = shopper.submit(f"{INSPECTOR}/catalog/{sku}/review", eligibility="eligible")
        assert done.status == 303
        assert emulator.state.catalog_items.get(sku).eligibility == "eligible"

    @pytest.mark.parametrize("name", ["explode", "open_link", "get"])
    def test_unknown_transition_is_404(self, emulator, look, name):
        id = emulator.state.qualification_sessions.add()
        assert look(f"qualification/{id}/{name}", status=404).heading == "Not found"

    def test_transition_of_a_whole_store_is_404(self, emulator, look):
        make_captured(emulator)
        payout = emulator.state.payouts.pay_out()
        look(f"payouts/{payout}/pay_out", status=404)

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
    def test_every_destructive_transition_exists(self, emulator, kind):
        known = {name for each in KINDS for name in emulator.state.stores[each.resource].actions()}
        assert DESTRUCTIVE.keys() <= known


class TestTimeline:
    def test_requests_transitions_and_deliveries_are_in_order(self, emulator, api, merchant, read):
        emulator.webhooks.register(merchant.url)
        id = api.post(CREATE, order()).json["id"]
        api.read(session_path(id))
        emulator.clock.advance(60)
        emulator.state.payment_sessions.submit(id)
        emulator.clock.advance(60)
        emulator.state.payment_sessions.approve(id)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        emulator.clock.advance(60)
        api.post(REFUND, {"payment_id": id, "amount": 100, "idempotency_key": "r", "reason": "customer_request"})
        found = read(id)
        assert found.omitted == 0
        entries = [(entry.kind, entry.text, entry.badge) for entry in found.entries if entry.kind != "attempt"]
        assert entries == [
            ("request", f"POST {CREATE}", "200"),
            ("change", "added", "pending"),
            ("request", f"GET {session_path(id)}", "200"),
            ("change", "submit", "pending → processing"),
            ("delivery", "Webhook payment_session.updated", "delivered"),
            ("change", "approve", "processing → captured"),
            ("delivery", "Webhook payment_session.updated", "delivered"),
            ("request", f"POST {REFUND}", "200"),
            ("change", "refund", "captured"),
        ]
        attempts = [entry for entry in found.entries if entry.kind == "attempt"]
        assert [(entry.badge, entry.tone) for entry in attempts] == [("204", "good")] * 2
        assert [entry.moment for entry in found.entries] == sorted(entry.moment for entry in found.entries)

    def test_entries_lead_to_their_pages(self, emulator, api, merchant, read, look):
        emulator.webhooks.register(merchant.url)
        id = api.post(CREATE, order()).json["id"]
        emulator.state.payment_sessions.submit(id)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        (delivery,) = emulator.webhooks.deliveries
        hrefs = {entry.kind: entry.href for entry in read(id).entries}
        assert hrefs["request"] == f"{INSPECTOR}/requests/1"
        assert hrefs["delivery"] == f"{INSPECTOR}/webhooks/{delivery.id}"
        assert hrefs["attempt"] == f"{INSPECTOR}/webhooks/{delivery.id}#attempt-1"
        page = look(f"payments/{id}")
        for href in hrefs.values():
            assert not href or href in page.links
            assert not href or look(href.partition("#")[0]).heading

    def test_transition_of_a_request_names_it(self, emulator, api, read):
        id = api.post(CREATE, order()).json["id"]
        api.post(f"{session_path(id)}/cancel", {})
        cancel = read(id).entries[-1]
        assert (cancel.text, cancel.detail, cancel.href) == ("cancel", "by request 2", f"{INSPECTOR}/requests/2")

    def test_transition_outside_of_requests_names_none(self, emulator, api, read, shopper):
        id = api.post(CREATE, order()).json["id"]
        shopper.post(f"{INSPECTOR}/do/apply", {"resource": "payment_sessions", "id": id, "transition": "submit"})
        assert (read(id).entries[-1].text, read(id).entries[-1].href) == ("submit", "")

    def test_only_requests_about_the_object_are_listed(self, emulator, api, read, monkeypatch):
        now = emulator.clock.now()
        monkeypatch.setattr(type(emulator.clock), "now", lambda clock: now)  # all in one millisecond
        id = api.post(CREATE, order()).json["id"]
        other = api.post(CREATE, order(idempotency_key="order-2")).json["id"]
        api.read(session_path(other))
        api.read("/payments/v1/payment_sessions")
        api.read(f"/payments/v1/payment_sessions?search={id}&page=1")
        api.post(CREATE, order())  # repeats the first response
        entries = [entry for entry in read(id).entries if entry.kind == "request"]
        assert [entry.text for entry in entries] == [
            f"POST {CREATE}", "GET /payments/v1/payment_sessions", f"POST {CREATE}",
        ]  # fmt: skip
        assert [entry.href for entry in entries] == [f"{INSPECTOR}/requests/{number}" for number in (1, 5, 6)]

    def test_request_that_changed_the_object_is_found_however_long_ago(self, emulator, api, read, look, monkeypatch):
        monkeypatch.setattr(timeline, "MAX_SEARCHED_REQUESTS", 2)
        id = api.post(CREATE, order()).json["id"]
        api.read(session_path(id))
        assert "newest" not in words(look(f"payments/{id}"))
        api.list()
        api.list()
        lines = [entry.text for entry in read(id).entries if entry.kind == "request"]
        assert lines == [f"POST {CREATE}"]
        assert "of the others those of the newest 2 requests" in words(look(f"payments/{id}"))
        emulator.requests.clear()
        assert [entry.kind for entry in read(id).entries] == ["change"]

    def test_seeded_object_has_its_creation(self, emulator, read):
        id = make_captured(emulator)
        emulator._app._context.history.clear()
        (entry,) = read(id).entries
        assert (entry.text, entry.moment) == ("created", emulator.state.payment_sessions.get(id).created_at)

    def test_object_without_creation_time_has_an_empty_timeline(self, emulator, look):
        emulator.state.qualification_sessions.add(qualification_session_id="qs_1", created_at=None)
        emulator._app._context.history.clear()
        assert "Timeline" in look("qualification/qs_1").text

    def test_waiting_delivery_tells_the_next_attempt(self, emulator, read):
        emulator.webhooks.register(NOWHERE)
        emulator.webhooks.faults.add("delay", seconds=7300)
        id = emulator.state.payment_sessions.add()
        emulator.state.payment_sessions.submit(id)
        (delivery,) = [entry for entry in read(id).entries if entry.kind == "delivery"]
        assert (delivery.badge, delivery.detail) == ("waiting", "next attempt in 2 hours")

    def test_long_timeline_shows_the_newest(self, emulator, look, read):
        id = emulator.state.payment_sessions.add()
        emulator.state.payment_sessions.submit(id)
        emulator.state.payment_sessions.approve(id)
        for _ in range(30):
            emulator.state.payment_sessions.open_dispute(id)
            emulator.state.payment_sessions.close_dispute(id)
        assert read(id).omitted == 63 - timeline.MAX_ENTRIES
        assert "23 earlier entries are not shown" in words(look(f"payments/{id}"))


class TestHistory:
    def test_history_is_bounded(self, emulator, monkeypatch):
        monkeypatch.setattr(history, "MAX_CHANGES", 3)
        recorded, sessions = emulator._app._context.history, emulator.state.payment_sessions
        first = sessions.add()
        sessions.submit(first)
        second = sessions.add()
        sessions.submit(second)
        assert [change.name for change in recorded.of_object("payment_sessions", first)] == ["submit"]
        sessions.reject(second)
        assert recorded.of_object("payment_sessions", first) == ()
        assert [change.after for change in recorded.of_object("payment_sessions", second)] == [
            "pending",
            "processing",
            "rejected",
        ]

    def test_refused_transition_is_not_in_the_history(self, emulator):
        id = emulator.state.payment_sessions.add()
        with pytest.raises(InvalidTransitionError):
            emulator.state.payment_sessions.approve(id)
        assert len(emulator._app._context.history.of_object("payment_sessions", id)) == 1

    def test_reset_clears_the_history(self, emulator, press):
        id = emulator.state.payment_sessions.add()
        press("reset")
        assert emulator._app._context.history.of_object("payment_sessions", id) == ()
