"""The state as JSON, and back."""

import json

import pytest

from tests.support.factories import CREATE, assert_refused, make_authorized, make_captured, order, session_path
from truemed_async.emulator import Emulator

TOKENS = "/api/v1/payment_tokens"


@pytest.fixture
def snapshot(emulator, api):
    """Something of everything, through JSON text."""
    state = emulator.state
    api.post(CREATE, order(tokenize=True, amount_details={"total_discounts": 0}))
    state.payment_sessions.refund(make_captured(emulator), 1, item_details=[{"sku": "A"}])
    state.payout = state.payouts.pay_out()
    make_authorized(emulator)
    token = state.payment_tokens.add(payment_methods=[{"exp_month": 1, "exp_year": 2030}], skus=("A",))
    state.payment_tokens.fail_next_charge(token, "CardExpired")
    api.post(CREATE, order(payment_token=token, idempotency_key="renewal"))
    api.post(f"{TOKENS}/{token}/update", {"update_card_info": True, "idempotency_key": "k"})
    state.catalog_items.review(state.catalog_items.add(image_urls=["i"]), "eligible")
    id = state.qualification_sessions.add(eligible_amount=12.5)
    api.update(id, {"idempotency_key": "k", "user_id": "u"})
    emulator.clock.advance(3600)
    return json.loads(json.dumps(state.dump()))


def test_loaded_state_dumps_the_same(emulator, snapshot):
    with Emulator(sessions=3) as other:
        other.state.load(snapshot)
        assert other.state.dump() == snapshot
        for name, store in emulator.state.stores.items():
            assert store.rows
            assert other.state.stores[name].rows == store.rows
        assert abs(other.clock.ahead - 3600) < 1


def test_loaded_state_keeps_keys_failures_and_holds(emulator, api, snapshot):
    """Keys are answered as before, holds end as before."""
    first = api.post(CREATE, order(tokenize=True, amount_details={"total_discounts": 0}))
    (token,) = [row.id for row in emulator.state.payment_tokens.rows]
    failed = api.post(CREATE, order(payment_token=token, idempotency_key="renewal"))
    emulator.state.payment_sessions.add()
    emulator.state.load(snapshot)
    assert emulator.state.payment_sessions.count == 4
    assert api.post(CREATE, order(tokenize=True, amount_details={"total_discounts": 0})).content == first.content
    assert_refused(failed, "CardExpired", 422)
    assert api.post(CREATE, order(payment_token=token, idempotency_key="renewal")).content == failed.content
    (hold,) = [row.id for row in emulator.state.payment_sessions.rows if row.status == "authorized"]
    assert api.post(session_path(hold, "capture"), {"total_amount": 100_00}).status == 200


@pytest.mark.parametrize("change", [{"version": 2}, {"payouts": [{}]}, {"idempotency": None}, {"clock": {}}], ids=str)
def test_unreadable_state_changes_nothing(emulator, snapshot, change):
    before = emulator.state.dump()
    with pytest.raises(ValueError, match="saved state"):
        emulator.state.load({**snapshot, **change})
    assert emulator.state.dump() == before


def test_other_version_is_refused_with_the_supported_one(emulator):
    with pytest.raises(ValueError, match="version 1"):
        emulator.state.load({})


def test_listing_with_replica_lag_catches_up(emulator, api, snapshot):
    """What is loaded is there at once; what comes after it lags."""
    emulator.faults.add("replica_lag", n=2)
    emulator.state.qualification_sessions.add()
    emulator.state.load(snapshot)
    assert len(api.ids()) == 1
    emulator.state.qualification_sessions.add()
    emulator.state.qualification_sessions.add()
    assert len(api.ids()) == 1
    emulator.state.qualification_sessions.add()
    assert len(api.ids()) == 2


def test_loading_a_state_notifies_no_listener(emulator, snapshot):
    transitions = []
    emulator.state.on_transition.append(transitions.append)
    emulator.state.load(snapshot)
    assert transitions == []
