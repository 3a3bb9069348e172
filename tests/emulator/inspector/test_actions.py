"""The buttons of the inspector."""

import json

import pytest

from tests.emulator.inspector.conftest import INSPECTOR, NOWHERE
from tests.support.factories import CREATE, make_authorized, make_captured, order
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Dialect

HOUR = 3600


class TestTransitions:
    def test_button_makes_transition(self, emulator, press):
        id = emulator.state.payment_sessions.add()
        for name in ("submit", "approve", "open_dispute", "close_dispute", "refund"):
            press("apply", back="payments", resource="payment_sessions", id=id, transition=name)
        session = emulator.state.payment_sessions.get(id)
        assert (session.status_summary, session.refund_amount) == ("Refunded", 100_00)

    def test_capture_button_captures_whole_hold(self, emulator, press):
        id = make_authorized(emulator)
        press("apply", resource="payment_sessions", id=id, transition="capture", amount="")
        assert emulator.state.payment_sessions.get(id).capture_amount == 100_00

    def test_amounts_are_dollars(self, emulator, press):
        id = make_authorized(emulator)
        press("apply", resource="payment_sessions", id=id, transition="capture", amount="95.50")
        press(
            "apply", resource="payment_sessions", id=id, transition="refund", amount="$20", reason="duplicate_payment"
        )
        session = emulator.state.payment_sessions.get(id)
        assert (session.capture_amount, session.refund_amount, session.refunds[0].reason) == (
            95_50,
            20_00,
            "duplicate_payment",
        )

    @pytest.mark.parametrize("amount", ["0", "100.01", "1000000"])
    def test_amount_beyond_the_limit_is_409(self, emulator, assert_refused, amount):
        id = make_captured(emulator)
        text = assert_refused("apply", resource="payment_sessions", id=id, transition="refund", amount=amount)
        assert "amount must be between $0.01 and $100.00, not $" in text
        assert emulator.state.payment_sessions.get(id).refunds == ()

    @pytest.mark.parametrize("resource", ["payment_tokens", "provision_requests", "qualification_sessions"])
    def test_buttons_exist_for_other_resources(self, emulator, press, resource):
        store = emulator.state.stores[resource]
        moves = {"payment_tokens": "expire_lmn", "provision_requests": "submit"}
        id = store.add()
        before = store.get(id)
        press("apply", resource=resource, id=id, transition=moves.get(resource, "start_review"))
        assert store.get(id) != before

    @pytest.mark.parametrize("eligibility", ["eligible", "eligible_with_lmn", "ineligible"])
    def test_review_button_sets_eligibility(self, emulator, press, eligibility):
        sku = emulator.state.catalog_items.add()
        press("apply", resource="catalog_items", id=sku, transition="review", eligibility=eligibility)
        assert emulator.state.catalog_items.get(sku).eligibility == eligibility

    @pytest.mark.parametrize(
        ("form", "says"),
        [
            ({"transition": "approve"}, "is pending, not processing"),
            ({"transition": "remove"}, "payment_sessions have submit, "),
            ({"transition": "_tell"}, "payment_sessions have submit, "),
            ({"transition": "capture", "amount": "x"}, "amount must be dollars"),
            ({"apply": "approve"}, "id must be"),
            ({"apply": "approve x"}, "no longer exists"),
            ({"transition": ""}, "transition must be a string that is not empty"),
            ({"resource": "transactions", "transition": "cancel"}, "resource must be one of"),
            ({"resource": "catalog_items", "transition": "review", "eligibility": "x"}, "eligibility must be one of"),
            ({"id": "x", "transition": "cancel"}, "no longer exists"),
            ({"id": "", "transition": "cancel"}, "id must be"),
            ({}, "transition is required"),
        ],
    )
    def test_invalid_transition_is_409(self, emulator, assert_refused, form, says):
        id = emulator.state.payment_sessions.add()
        before = emulator.state.dump()
        assert says in assert_refused("apply", **{"resource": "payment_sessions", "id": id, **form})
        assert {**emulator.state.dump(), "clock": 0} == {**before, "clock": 0}

    def test_second_click_is_409(self, emulator, press, assert_refused):
        id = emulator.state.payment_sessions.add()
        press("apply", resource="payment_sessions", id=id, transition="cancel")
        assert "is canceled, not pending" in assert_refused(
            "apply", resource="payment_sessions", id=id, transition="cancel"
        )


class TestClock:
    @pytest.mark.parametrize(
        ("amount", "unit", "seconds"), [("2", "60", 120), ("1.5", "3600", 1.5 * HOUR), ("0", "86400", 0)]
    )
    def test_advance_button_moves_clock(self, emulator, press, amount, unit, seconds):
        press("advance", amount=amount, unit=unit)
        assert emulator.clock.ahead == seconds

    @pytest.mark.parametrize("amount", ["-1", "nan", "inf", "1e300", "x", ""])
    def test_invalid_amount_is_409(self, emulator, assert_refused, amount):
        assert_refused("advance", amount=amount, unit="60")
        assert emulator.clock.ahead == 0

    def test_missing_amount_is_409(self, assert_refused):
        assert "no longer exists" in assert_refused("advance")


class TestWebhooks:
    @pytest.mark.parametrize(("secret", "mode"), [("", "signed"), ("mine", "unsigned")])
    def test_webhook_is_registered_and_removed(self, emulator, press, secret, mode):
        press("register", url=NOWHERE, mode=mode, secret=secret)
        (endpoint,) = emulator.webhooks.endpoints
        assert (endpoint.url, endpoint.mode, endpoint.events) == (NOWHERE, mode, None)
        assert endpoint.secrets == (secret,) if secret else len(endpoint.secrets[0]) > 20
        press("unregister", id=endpoint.id)
        assert emulator.webhooks.endpoints == ()

    @pytest.mark.parametrize(
        ("form", "says"),
        [
            ({"url": "https://evil.example/"}, "an http or https URL of this machine"),
            ({"mode": "x"}, "mode must be signed or unsigned"),
            ({"secret": "a\nb"}, "printable ASCII"),
        ],
    )
    def test_invalid_webhook_is_409(self, emulator, assert_refused, form, says):
        assert says in assert_refused("register", **{"url": NOWHERE, "mode": "signed", **form})
        assert emulator.webhooks.endpoints == ()

    def test_rotate_button_changes_secret(self, emulator, press):
        old = emulator.webhooks.register(NOWHERE)
        press("rotate", id=old.id)
        (endpoint,) = emulator.webhooks.endpoints
        assert endpoint.secrets[1:] == old.secrets
        assert endpoint.secrets[0] not in old.secrets

    def test_resend_button_sends_delivery_again(self, emulator, press):
        emulator.webhooks.register(NOWHERE)
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        (delivery,) = emulator.webhooks.deliveries
        press("resend", id=delivery.id)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert len(delivery.attempts) == 2

    @pytest.mark.parametrize("action", ["unregister", "rotate", "resend"])
    def test_unknown_id_is_409(self, assert_refused, action):
        assert "no longer exists" in assert_refused(action, id="x")


class TestFaults:
    def test_http_fault_is_added_and_removed(self, emulator, api, press):
        press("add-fault", side="api", name="maintenance_page", times="2")
        assert api.list().status == 503
        (fault,) = emulator.faults.active
        press("remove-fault", side="api", id="999")
        assert fault.active
        press("remove-fault", side="api", id=str(fault.id))
        assert api.list().status == 200

    def test_webhook_fault_is_added_and_removed(self, emulator, press):
        press("add-fault", side="webhooks", name="delay", times="3")
        (fault,) = emulator.webhooks.faults.active
        assert (fault.name, fault.scope.times) == ("delay", 3)
        press("remove-fault", side="webhooks", id=str(fault.id))
        assert emulator.webhooks.faults.active == ()

    def test_all_faults_are_removed(self, emulator, press):
        press("add-fault", side="webhooks", name="delay")
        press("add-fault", side="api", name="latency")
        press("clear-faults")
        assert (len(emulator.faults), len(emulator.webhooks.faults)) == (0, 0)

    @pytest.mark.parametrize("side", ["api", "webhooks", "x"])
    @pytest.mark.parametrize(
        "form", [{"name": "x", "times": "1"}, {"name": "delay", "times": "x"}, {"name": "hang", "times": "0"}, {}]
    )
    def test_unknown_fault_is_409(self, emulator, assert_refused, side, form):
        assert_refused("add-fault", side=side, **form)
        assert len(emulator.faults) == len(emulator.webhooks.faults.active) == 0

    def test_fault_without_end_on_connections_is_409(self, emulator, assert_refused):
        assert "would also block the request that removes it" in assert_refused(
            "add-fault", side="api", name="refuse_connection"
        )
        assert len(emulator.faults) == 0


class TestDialect:
    def test_fields_are_set_and_others_reset(self, emulator, press):
        press("set-dialect", times="no_zone", byte_order_mark="true", page_size_limit="50", key_refusal_status="403")
        press("set-dialect", times="no_zone", byte_order_mark="true", page_size_limit="50")
        assert emulator.dialect == Dialect(times="no_zone", byte_order_mark=True, page_size_limit=50)

    def test_unknown_value_is_409(self, emulator, assert_refused):
        assert "times must be one of z, " in assert_refused("set-dialect", times="x")
        assert emulator.dialect == Dialect()


def test_reset_keeps_webhooks_and_clock(emulator, api, press):
    created = api.post(CREATE, order())
    emulator.webhooks.register(NOWHERE)
    make_captured(emulator)
    emulator.state.qualification_sessions.add()
    emulator.faults.add("latency", seconds=0)
    emulator.webhooks.faults.add("delay")
    emulator.clock.advance(HOUR)
    press("reset", back="faults")
    assert repr(emulator.state) == "<State of nothing>"
    assert (len(emulator.faults), emulator.webhooks.faults.active, emulator.webhooks.deliveries) == (0, (), ())
    assert emulator.requests.count() == 0
    assert (len(emulator.webhooks.endpoints), emulator.clock.ahead) == (1, HOUR)
    # Its key was forgotten, too: the answer of before would lead to a session that is gone.
    again = api.post(CREATE, order())
    assert again.status == 200
    assert again.json["id"] != created.json["id"]


def test_unknown_action_is_404(shopper):
    response = shopper.post(f"{INSPECTOR}/do/explode")
    assert (response.status, json.loads(response.text)["error"]) == (404, "NotFound")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_get_of_action_is_405(shopper, method):
    response = shopper.send(method, f"{INSPECTOR}/do/reset")
    assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "/",
        "/_emulator/hosted/x",
        f"{INSPECTOR}.evil.example/",
        f"{INSPECTOR}/x\r\nSet-Cookie: a=b",
        f"{INSPECTOR}/\u00e9",
        f"{INSPECTOR}/..//evil.example\n",
        "",
        None,
    ],
)
def test_action_redirects_to_pages_of_the_inspector_only(shopper, back):
    done = shopper.post(f"{INSPECTOR}/do/reset", {} if back is None else {"back": back})
    assert done.onward == f"{INSPECTOR}/payments"
    assert done.headers["Set-Cookie"] is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_form_of_another_site_is_403(emulator, shopper, origin):
    emulator.state.payment_sessions.add()
    assert shopper.post(f"{INSPECTOR}/do/reset", Origin=origin).status == 403
    assert emulator.state.payment_sessions.count == 1
