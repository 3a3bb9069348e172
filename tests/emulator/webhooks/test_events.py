"""Which transitions cause webhooks with which payloads, one documented fact per test."""

import re
import uuid
from datetime import UTC, datetime

import pytest

from tests.support.factories import CREATE, make_authorized, make_captured, order, session_path
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Emulator

TOKENS = "/api/v1/payment_tokens"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ITEMS = [{"item_id": "i-1", "name": "Sauna", "price": 90_00, "quantity": 1, "sku": "S"}]


@pytest.fixture
def take_events(emulator, merchant):
    """The signed envelopes sent since the last call, without the ids of deliveries."""
    emulator.webhooks.register(merchant.url)

    def take_events():
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        requests, merchant.requests = merchant.requests, []
        for request in requests:
            assert set(request.json) == {"webhook_delivery_id", "event_type", "data"}
        return [(request.json["event_type"], request.data) for request in requests]

    return take_events


@pytest.fixture
def take_unsigned_bodies(emulator, merchant):
    """The unsigned bodies sent since the last call."""
    emulator.webhooks.register(merchant.url, mode="unsigned")

    def take_unsigned_bodies():
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        return [request.json for request in merchant.requests]

    return take_unsigned_bodies


class TestPaymentSessionComplete:
    """Webhook "Payment Session Complete": on every status change, once each."""

    def statuses(self, take_events):
        for type, _ in take_events:
            assert type == "payment_session.updated"
        return [data["status"] for _, data in take_events]

    def test_each_status_change_sends_event(self, emulator, take_events):
        make_captured(emulator)
        assert self.statuses(take_events()) == ["processing", "captured"]
        emulator.state.payment_sessions.void(make_authorized(emulator))
        assert self.statuses(take_events()) == ["processing", "authorized", "authorization_voided"]
        emulator.state.payment_sessions.capture(make_authorized(emulator))
        assert self.statuses(take_events())[-1] == "captured"

    @pytest.mark.parametrize(
        ("moves", "statuses"),
        [
            (["cancel"], ["canceled"]),
            (["submit", "reject"], ["processing", "rejected"]),
        ],
    )
    def test_void_and_cancel_send_event(self, emulator, take_events, moves, statuses):
        id = emulator.state.payment_sessions.add()
        for move in moves:
            getattr(emulator.state.payment_sessions, move)(id)
        assert self.statuses(take_events()) == statuses

    def test_capture_of_expired_hold_sends_event(self, emulator, take_events):
        id = make_authorized(emulator)
        emulator.state.payment_sessions.expire_hold(id)
        assert self.statuses(take_events()) == ["processing", "authorized"]
        emulator.state.payment_sessions.capture(id)
        assert self.statuses(take_events()) == ["authorization_expired"]

    def test_api_calls_send_events(self, api, emulator, take_events):
        id = make_authorized(emulator)
        take_events()
        api.post(session_path(id, "capture"), {"total_amount": 100_00, "idempotency_key": "k"})
        api.post(session_path(id, "capture"), {"total_amount": 100_00, "idempotency_key": "k"})  # no second capture
        assert self.statuses(take_events()) == ["captured"]

    def test_creation_refunds_and_disputes_send_no_event(self, api, emulator, take_events):
        """Refunds and disputes never change the status (Get Payment Status)."""
        api.post(CREATE, order())
        id = make_captured(emulator)
        take_events()
        emulator.state.payment_sessions.refund(id, 1)
        emulator.state.payment_sessions.open_dispute(id)
        emulator.state.payment_sessions.close_dispute(id)
        emulator.state.payment_sessions.reauthorize(make_authorized(emulator))
        emulator.state.payouts.pay_out()
        assert self.statuses(take_events()) == ["processing", "authorized"]

    def test_payload_has_documented_members(self, emulator, take_events):
        id = make_captured(emulator, metadata="order 7", order_items=ITEMS, total_amount=90_00)
        (_, processing), (_, captured) = take_events()
        assert MOMENT.fullmatch(captured["created_at"])
        assert captured == {
            "payment_session_id": id,
            "status": "captured",
            "created_at": captured["created_at"],
            "order_items": [{**ITEMS[0], "total_refundable": 90_00, "quantity_refundable": 1}],
            "capture_amount": 90_00,
            "metadata": "order 7",
        }
        assert processing == {**captured, "status": "processing", "order_items": ITEMS}

    @pytest.mark.parametrize("move", ["cancel", "submit"])
    def test_one_time_payment_has_capture_amount(self, emulator, take_events, move):
        getattr(emulator.state.payment_sessions, move)(emulator.state.payment_sessions.add(total_amount=70_00))
        assert take_events()[0][1]["capture_amount"] == 70_00

    def test_authorization_has_capture_amount_once_captured(self, emulator, take_events):
        id = make_authorized(emulator)
        assert ["capture_amount" in data for _, data in take_events()] == [False, False]
        emulator.state.payment_sessions.capture(id, 95_00)
        assert take_events()[0][1]["capture_amount"] == 95_00

    def test_payload_has_created_or_used_token(self, api, emulator, take_events):
        id = make_captured(emulator, tokenize=True)
        token = emulator.state.payment_sessions.get(id).payment_token
        assert [data.get("payment_token") for type, data in take_events() if type == "payment_session.updated"] == [
            None,
            token,
        ]
        api.post(CREATE, order(payment_token=token))
        renewal = take_events()
        assert self.statuses(renewal) == ["processing", "captured"]
        assert {data["payment_token"] for _, data in renewal} == {token}

    def test_unsigned_payment_payload_is_flat(self, emulator, take_unsigned_bodies):
        id = make_captured(emulator)
        assert [(body["payment_session_id"], body["status"]) for body in take_unsigned_bodies()] == [
            (id, "processing"),
            (id, "captured"),
        ]


class TestPaymentTokenUpdated:
    """Webhook "Payment Token Updated": exactly one of three ids identifies the origin."""

    def only(self, take_events):
        found = [data for type, data in take_events if type == "payment_token.updated"]
        for data in found:
            assert (
                len({"payment_session_id", "failed_payment_session_id", "provision_token_request_id"} & set(data)) == 1
            )
        return found

    def test_tokenizing_payment_sends_event(self, emulator, take_events):
        id = make_captured(emulator, tokenize=True, metadata="order 7")
        token = emulator.state.payment_sessions.get(id).payment_token
        (data,) = self.only(take_events())
        lmn = emulator.state.payment_tokens.get(token).lmn_expires_at
        assert data == {
            "payment_token": token,
            "payment_session_id": id,
            "lmn_expires_at": lmn.strftime("%Y-%m-%dT%H:%M:%S.") + f"{lmn.microsecond // 1000:03}Z",
            "metadata": "order 7",
        }

    def test_provision_request_sends_event(self, api, emulator, take_events):
        provision_id = api.post(f"{TOKENS}/create", {"metadata": "m"}).json["provision_token_request_id"]
        assert take_events() == []
        emulator.state.provision_requests.submit(provision_id)
        (data,) = self.only(take_events())
        assert (data["provision_token_request_id"], data["metadata"]) == (provision_id, "m")

    def test_update_with_customer_action_sends_event(self, api, emulator, take_events):
        token = emulator.state.payment_tokens.add()
        provision_id = api.post(f"{TOKENS}/{token}/update", {"update_card_info": True}).json[
            "provision_token_request_id"
        ]
        assert take_events() == []
        emulator.state.provision_requests.submit(provision_id)
        (data,) = self.only(take_events())
        assert data == {"payment_token": token, "provision_token_request_id": provision_id}

    def test_update_without_customer_action_sends_event(self, api, emulator, take_events):
        token = emulator.state.payment_tokens.add()
        provision_id = api.post(f"{TOKENS}/{token}/update", {}).json["provision_token_request_id"]
        assert self.only(take_events()) == [{"payment_token": token, "provision_token_request_id": provision_id}]

    def test_repaired_charge_sends_event(self, api, emulator, take_events):
        token = emulator.state.payment_tokens.add()
        emulator.state.payment_tokens.fail_next_charge(token)
        api.post(CREATE, order(payment_token=token))
        failed = emulator.state.payment_tokens.get(token).failed_payment_session_id
        assert take_events() == []
        emulator.state.payment_tokens.resolve_failure(token)
        assert self.only(take_events()) == [{"payment_token": token, "failed_payment_session_id": failed}]

    def test_token_without_origin_sends_no_event(self, api, emulator, take_events):
        token = emulator.state.payment_tokens.add()
        emulator.state.payment_tokens.fail_next_charge(token)
        emulator.state.payment_tokens.resolve_failure(token)
        emulator.state.payment_tokens.expire_lmn(token)
        api.post(f"{TOKENS}/{token}/delete")
        assert take_events() == []

    def test_rejected_review_sends_no_event(self, emulator, take_events):
        id = emulator.state.payment_sessions.add(tokenize=True)
        emulator.state.payment_sessions.submit(id)
        emulator.state.payment_sessions.reject(id)
        assert self.only(take_events()) == []

    def test_unsigned_token_payload_is_flat(self, emulator, take_unsigned_bodies):
        request = emulator.state.provision_requests.create()
        token = emulator.state.provision_requests.submit(request.id)
        (body,) = take_unsigned_bodies()
        assert (body["payment_token"], body["provision_token_request_id"]) == (token, request.id)


class TestQualificationSessionComplete:
    """Webhook "Qualification Session Complete": once per session, on `approved` or `rejected` only."""

    def test_final_status_sends_event(self, emulator, take_events):
        fields = {"email": "sam@example.com", "source": "email_receipt", "user_id": "u-1"}
        approved, rejected = (
            emulator.state.qualification_sessions.add(**fields),
            emulator.state.qualification_sessions.add(),
        )
        for id, move in ((approved, "approve"), (rejected, "reject")):
            emulator.state.qualification_sessions.start_review(id)
            getattr(emulator.state.qualification_sessions, move)(id)
        (type, data), (_, other) = take_events()
        assert type == "qualification_status.updated"
        assert MOMENT.fullmatch(data["expires_at"])
        assert data == {
            "qualification_session_id": approved,
            "status": "approved",
            "expires_at": data["expires_at"],
            **fields,
        }
        nothing = dict.fromkeys(("email", "expires_at", "source", "user_id"))
        assert other == {"qualification_session_id": rejected, "status": "rejected", **nothing}

    def test_added_or_updated_session_sends_no_event(self, api, emulator, take_events):
        emulator.state.qualification_sessions.add(status="approved")
        id = emulator.state.qualification_sessions.add()
        api.update(id, {"idempotency_key": "k", "user_id": "u"})
        emulator.state.qualification_sessions.start_review(id)
        assert take_events() == []

    def test_unsigned_qualification_payload_is_flat(self, emulator, take_unsigned_bodies):
        id = emulator.state.qualification_sessions.add(status="processing")
        emulator.state.qualification_sessions.reject(id)
        assert take_unsigned_bodies()[0]["qualification_session_id"] == id


class TestProductCatalogItemEligibilityUpdated:
    """Webhook "Product Catalog Item Eligibility Updated": enveloped even when unsigned."""

    def test_review_sends_event(self, api, emulator, take_events):
        api.post("/api/v1/product_catalog/items/create", {"sku": "S", "name": "Mat", "image_urls": ["https://x/1"]})
        assert take_events() == []
        emulator.state.catalog_items.review("S", "eligible")
        emulator.state.catalog_items.review("S", "ineligible")
        (type, first), (_, second) = take_events()
        assert type == "product_catalog.item.eligibility_updated"
        item = first["object"]
        assert MOMENT.fullmatch(item["reviewed_at"])
        row = api.post("/api/v1/product_catalog/items/detail", {"sku": "S"}).json["object"]
        assert second["object"] == row
        assert item == {**row, "eligibility": "eligible", "reviewed_at": item["reviewed_at"]}

    def test_unsigned_catalog_payload_has_envelope(self, emulator, take_unsigned_bodies):
        emulator.state.catalog_items.review(emulator.state.catalog_items.add(sku="S"), "eligible")
        (body,) = take_unsigned_bodies()
        assert set(body) == {"event_type", "timestamp", "data"}
        assert body["event_type"] == "product_catalog.item.eligibility_updated"
        assert abs(datetime.fromisoformat(body["timestamp"]) - datetime.now(UTC)).total_seconds() < 60
        assert body["data"]["object"]["sku"] == "S"

    def test_update_sends_no_event(self, api, emulator, take_events):
        emulator.state.catalog_items.add(sku="S")
        body = {"sku": "S", "name": "N", "description": "D", "image_urls": [], "url": "https://x"}
        assert api.post("/api/v1/product_catalog/items/update", body).status == 200
        assert take_events() == []


def test_delivery_id_depends_on_event_and_endpoint(emulator, merchant):
    """Guide "Webhooks": `webhook_delivery_id` is deterministic: what is sent again has the same."""
    for _ in range(2):
        emulator.webhooks.register(merchant.url)
    make_captured(emulator)
    assert emulator.webhooks.wait_until_idle(TIMEOUT)
    merchant.plan = [500]
    for delivery in emulator.webhooks.deliveries:
        emulator.webhooks.resend(delivery.id)
    assert emulator.webhooks.wait_until_idle(TIMEOUT)
    ids = [request.json["webhook_delivery_id"] for request in merchant.requests]
    assert len(ids) == 8
    assert sorted(ids[:4]) == sorted(ids[4:])
    assert len(set(ids)) == 4
    assert all(uuid.UUID(id.removeprefix("whd_")) for id in ids)


def test_delivery_id_differs_between_runs(emulator, merchant):
    """Two runs from one file must not look like one event: the merchant would take the second for a repetition."""
    emulator.webhooks.register(merchant.url)
    id = emulator.state.payment_sessions.add()
    saved, state = emulator.webhooks.dump(), emulator.state.dump()
    for _ in range(2):
        with Emulator(sessions=0) as other:
            other.webhooks.load(saved)
            other.state.load(state)
            other.state.payment_sessions.submit(id)
            assert other.webhooks.wait_until_idle(TIMEOUT)
    first, second = (request.json["webhook_delivery_id"] for request in merchant.requests)
    assert first != second
