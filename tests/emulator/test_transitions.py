"""Transitions: which are allowed, their notifications, and the clock."""

import threading
from datetime import timedelta

import pytest

from tests.support.factories import CREATE, make_authorized, make_captured, order, session_path
from truemed_async.emulator import Emulator, InvalidTransitionError, Transition
from truemed_async.emulator.clock import EmulatorClock

MOVES = {
    "submit": {"pending": "processing"},
    "cancel": {"pending": "canceled"},
    "approve": {"processing": "authorized"},
    "reject": {"processing": "rejected"},
    "expire_hold": {"authorized": "authorized"},
    "reauthorize": {"authorized": "authorized"},
    "capture": {"authorized": "captured"},
    "void": {"authorized": "authorization_voided"},
    "open_dispute": {"captured": "captured"},
    "close_dispute": {"captured": "captured"},
    "lose_dispute": {"captured": "captured"},
}
STATUSES = [
    "pending", "processing", "captured", "rejected", "canceled", "authorized", "authorization_voided",
    "authorization_expired",
]  # fmt: skip


@pytest.fixture
def recorded_transitions(emulator):
    """Every transition from now on."""
    recorded_transitions = []
    emulator.state.on_transition.append(recorded_transitions.append)
    return recorded_transitions


def payment_transitions(recorded_transitions):
    return [
        (move.name, move.before, move.after) for move in recorded_transitions if move.resource == "payment_sessions"
    ]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("move", MOVES)
def test_session_moves_as_the_state_machine_allows(emulator, recorded_transitions, move, status):
    """docs/truemed-api.md 4.1: the arrows, and no other."""
    sessions = emulator.state.payment_sessions
    id = sessions.add(status=status, kind="authorization", capture_amount=1 if status == "captured" else None)
    recorded_transitions.clear()
    if status in MOVES[move]:
        getattr(sessions, move)(id)
        assert payment_transitions(recorded_transitions) == [(move, status, MOVES[move][status])]
    else:
        with pytest.raises(InvalidTransitionError, match=status):
            getattr(sessions, move)(id)
        assert recorded_transitions == []
    assert sessions.get(id).status == MOVES[move].get(status, status)
    with pytest.raises(KeyError):
        getattr(sessions, move)("nobody")


@pytest.mark.parametrize("amount", [0, 100_01])
def test_refund_of_more_than_was_captured_is_rejected(emulator, amount):
    """docs/truemed-api.md 2.1 P7: ≤ what remains refundable."""
    id = make_captured(emulator)
    with pytest.raises(InvalidTransitionError, match="10000 cents"):
        emulator.state.payment_sessions.refund(id, amount)
    with pytest.raises(InvalidTransitionError, match="pending"):
        emulator.state.payment_sessions.refund(emulator.state.payment_sessions.add(), 1)


def test_listener_receives_each_transition_once(emulator, api, recorded_transitions):
    """docs/truemed-api.md 4.1: a webhook on each arrow; calls of the API move as methods do."""
    id = make_authorized(emulator)
    api.post(session_path(id, "capture"), {"total_amount": 100_00, "idempotency_key": "k"})
    api.post(session_path(id, "capture"), {"total_amount": 100_00, "idempotency_key": "k"})
    emulator.state.payment_sessions.refund(id, 1)
    assert payment_transitions(recorded_transitions) == [
        ("added", None, "pending"),
        ("submit", "pending", "processing"),
        ("approve", "processing", "authorized"),
        ("capture", "authorized", "captured"),
        ("refund", "captured", "captured"),
    ]
    assert [move.changed for move in recorded_transitions if move.id == id] == [True, True, True, True, False]
    last = recorded_transitions[-2]
    assert (last.row, last.at) == (emulator.state.payment_sessions.get(id), last.row.refunds[0].created_at)


def test_expired_hold_is_reported_by_the_capture_that_finds_it(emulator, recorded_transitions):
    """docs/truemed-api.md 4.1: capture() after hold expiry → authorization_expired."""
    id = make_authorized(emulator)
    recorded_transitions.clear()
    emulator.clock.advance(7 * 86400)
    assert recorded_transitions == []
    emulator.state.payment_sessions.capture(id)
    assert payment_transitions(recorded_transitions) == [("capture", "authorized", "authorization_expired")]


def origins(recorded_transitions):
    return [
        (move.name, dict(move.origin))
        for move in recorded_transitions
        if move.resource == "payment_tokens" and move.origin
    ]


def test_transition_of_a_token_has_its_origin(emulator, api, recorded_transitions):
    """docs/truemed-api.md 3.2, payment_token_updated: exactly one of three ids identifies the origin."""
    state = emulator.state
    session = api.post(CREATE, order(tokenize=True)).json["id"]
    state.payment_sessions.submit(session)
    state.payment_sessions.approve(session)
    token = state.payment_sessions.get(session).payment_token
    assert recorded_transitions[-1].after == "captured" or token in state.payment_tokens
    created = state.provision_requests.create()
    state.provision_requests.submit(created.id)
    updated = state.provision_requests.create(updates=token)
    state.payment_tokens.fail_next_charge(token)
    api.post(CREATE, order(payment_token=token, idempotency_key="renewal"))
    failed = state.payment_sessions.rows[0].id
    state.payment_tokens.resolve_failure(token)
    assert origins(recorded_transitions) == [
        ("provisioned", {"payment_session_id": session}),
        ("provisioned", {"provision_token_request_id": created.id}),
        ("update", {"provision_token_request_id": updated.id}),
        ("resolve_failure", {"failed_payment_session_id": failed}),
    ]
    # A repair that follows no charge has no origin, so no webhook is sent.
    state.payment_tokens.fail_next_charge(token)
    state.payment_tokens.resolve_failure(token)
    assert len(origins(recorded_transitions)) == 4
    row = state.payment_tokens.get(token)
    assert (row.customer_email, row.skus) == ("sam@example.com", ("SAUNA-1",))


def test_tokenizes_no_token(emulator, api, recorded_transitions):
    """docs/truemed-api.md 2.1 P1: tokenize provisions a token, payment_token charges one: together they make no second."""
    token = emulator.state.payment_tokens.add()
    api.post(CREATE, order(tokenize=True, payment_token=token))
    assert emulator.state.payment_tokens.count == 1
    assert [move.after for move in recorded_transitions if move.resource == "payment_sessions"] == [
        "pending",
        "processing",
        "captured",
    ]


def test_listener_receives_transitions_of_every_resource(emulator, recorded_transitions):
    """docs/truemed-api.md 4.5 and 4.6: qualification on approval, catalog on each change."""
    state = emulator.state
    id = state.qualification_sessions.add()
    state.qualification_sessions.start_review(id)
    state.qualification_sessions.approve(id)
    sku = state.catalog_items.add()
    state.catalog_items.review(sku, "eligible")
    state.catalog_items.review(sku, "ineligible")
    make_captured(emulator)
    state.payouts.pay_out()
    changes = [(move.resource, move.before, move.after) for move in recorded_transitions if move.changed]
    assert changes[:6] == [
        ("qualification_sessions", None, "pending"),
        ("qualification_sessions", "pending", "processing"),
        ("qualification_sessions", "processing", "approved"),
        ("catalog_items", None, "pending"),
        ("catalog_items", "pending", "eligible"),
        ("catalog_items", "eligible", "ineligible"),
    ]
    assert changes[-3:] == [("payouts", None, "paid_out"), *[("transactions", "pending", "paid_out")] * 2]


def test_repr_of_a_transition_hides_the_row(emulator, recorded_transitions):
    """What a row holds belongs in no log."""
    emulator.state.payment_sessions.add(customer_email="someone@example.com")
    assert isinstance(recorded_transitions[0], Transition)
    assert "someone" not in repr(recorded_transitions)


def test_listener_may_read_the_state(emulator, api):
    """Listeners are called after the transition, in its thread, under the lock."""
    seen = []

    def listener(move):
        seen.append((threading.current_thread().name, emulator.state.payment_sessions.get(move.id).status))
        emulator.state.on_transition.remove(listener)

    emulator.state.on_transition.append(listener)
    api.post(CREATE, order())
    api.post(CREATE, order(idempotency_key="other"))
    assert seen == [("truemed-emulator", "pending")]


@pytest.mark.parametrize("name", ["payment_sessions", "payment_tokens", "catalog_items", "transactions", "payouts"])
def test_store_shows_no_content_in_its_repr(emulator, name):
    assert repr(emulator.state.stores[name]) == f"<0 {name}>"
    assert repr(emulator.state) == "<State of nothing>"


# --- the clock ----------------------------------------------------------------------------------------------------


def test_clock_follows_the_clock_of_the_machine():
    clock = EmulatorClock()
    earlier = clock.now()
    assert timedelta(0) <= EmulatorClock().now() - earlier < timedelta(minutes=1)
    assert clock.now().microsecond % 1000 == 0
    assert repr(clock) == "<EmulatorClock 0 s ahead>"


def test_clock_may_go_ahead():
    clock = EmulatorClock(ahead=60)
    clock.advance(0.5)
    assert clock.ahead == 60.5
    before, now, after = EmulatorClock().now(), clock.now(), EmulatorClock().now()
    assert before <= now - timedelta(seconds=60.5) <= after


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_clock_does_not_go_back(seconds):
    with pytest.raises(ValueError, match="negative duration"):
        EmulatorClock().advance(seconds)


def test_no_two_stamps_are_the_same():
    clock = EmulatorClock()
    stamps = [clock.stamp() for _ in range(100)]
    assert stamps == sorted(set(stamps))


def test_every_time_is_read_from_the_clock(emulator, api):
    """`emulator.clock` is that of the state."""
    assert emulator.clock is emulator.state.clock
    emulator.clock.advance(400 * 86400)
    later = emulator.clock.now() - timedelta(minutes=1)
    sessions = emulator.state.payment_sessions
    id = make_captured(emulator)
    session = sessions.get(id)
    (refund,) = sessions.refund(id, 1).refunds
    approved = emulator.state.qualification_sessions.add()
    emulator.state.qualification_sessions.start_review(approved)
    emulator.state.qualification_sessions.approve(approved)
    assert later < session.created_at <= session.captured_on <= refund.created_at
    assert emulator.state.qualification_sessions.get(approved).lmn_reviewed_at > later
    assert api.read(session_path(id)).json["captured_on"] > later.isoformat()


@pytest.mark.parametrize("option", ["payment_sessions", "payment_tokens", "catalog_items"])
def test_negative_counts_are_rejected(option):
    with pytest.raises(ValueError, match="counts must be >= 0"):
        Emulator(**{option: -1})
