"""The state behind the API: moves, order, views."""

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from truemed_async.emulator import Emulator, InvalidTransitionError
from truemed_async.emulator.clock import twelve_months_after

T0 = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def state():
    return Emulator(sessions=0).state


def test_add_without_fields_uses_defaults(state):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    session = state.qualification_sessions.get(state.qualification_sessions.add())
    assert session.id.startswith("qs_")
    assert session.status == "pending"
    assert before <= session.created_at <= datetime.now(UTC)
    assert session.created_at.microsecond % 1000 == 0


def test_removed_session_is_unknown(state):
    id = state.qualification_sessions.add(user_id="u")
    assert state.qualification_sessions.count == 1
    assert state.qualification_sessions.get(id).user_id == "u"
    assert id in state.qualification_sessions
    state.qualification_sessions.remove(id)
    assert id not in state.qualification_sessions
    assert state.qualification_sessions.count == 0
    for miss in (
        state.qualification_sessions.get,
        state.qualification_sessions.remove,
        state.qualification_sessions.approve,
    ):
        with pytest.raises(KeyError):
            miss(id)


def test_state_rejects_bad_sessions(state):
    state.qualification_sessions.add(qualification_session_id="qs_1")
    with pytest.raises(ValueError, match="exists"):
        state.qualification_sessions.add(qualification_session_id="qs_1")
    with pytest.raises(ValueError, match="timezone"):
        state.qualification_sessions.add(created_at=datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose
    with pytest.raises(TypeError, match="color"):
        state.qualification_sessions.add(color="blue")
    assert state.qualification_sessions.count == 1


def test_session_goes_from_pending_to_its_decision(state):
    """docs/truemed-api.md 4.5: pending → processing → approved | rejected; the letter is valid for 12 months."""
    yes, no = state.qualification_sessions.add(), state.qualification_sessions.add()
    for id in (yes, no):
        state.qualification_sessions.start_review(id)
        assert state.qualification_sessions.get(id).status == "processing"
    state.qualification_sessions.approve(yes)
    state.qualification_sessions.reject(no)
    approved, rejected = state.qualification_sessions.get(yes), state.qualification_sessions.get(no)
    assert (approved.status, rejected.status) == ("approved", "rejected")
    assert approved.expires_at == twelve_months_after(approved.lmn_reviewed_at)
    assert rejected.lmn_reviewed_at is not None
    assert rejected.expires_at is None


@pytest.mark.parametrize(
    ("status", "allowed"),
    [("pending", {"start_review"}), ("processing", {"approve", "reject"}), ("approved", set()), ("rejected", set())],
)
def test_state_rejects_other_transitions(state, status, allowed):
    """docs/truemed-api.md 4.5: approved and rejected are terminal."""
    for move in {"start_review", "approve", "reject"} - allowed:
        id = state.qualification_sessions.add(status=status)
        with pytest.raises(InvalidTransitionError, match=status):
            getattr(state.qualification_sessions, move)(id)
        assert state.qualification_sessions.get(id).status == status


def test_twelve_months_after_a_leap_day():
    assert twelve_months_after(datetime(2028, 2, 29, 7, tzinfo=UTC)) == datetime(2029, 2, 28, 7, tzinfo=UTC)
    assert twelve_months_after(T0) == datetime(2027, 5, 1, tzinfo=UTC)


def test_state_keeps_the_order_through_any_changes():
    state = Emulator(sessions=30).state
    draw = random.Random(7)
    for _ in range(300):
        if draw.random() < 0.4 and state.qualification_sessions.count:
            state.qualification_sessions.remove(draw.choice(state.qualification_sessions.rows).id)
        else:
            when = T0 + timedelta(seconds=draw.randrange(20)) if draw.random() < 0.9 else None
            state.qualification_sessions.add(created_at=when)
        oldest = datetime.min.replace(tzinfo=UTC)
        keys = [(session.created_at or oldest, session.id) for session in state.qualification_sessions.rows]
        assert keys == sorted(keys, reverse=True)
        assert len(keys) == state.qualification_sessions.count


def test_state_shows_a_snapshot(state):
    state.qualification_sessions.add()
    before = state.qualification_sessions.rows
    state.qualification_sessions.add()
    assert len(before) == 1
    assert len(state.qualification_sessions.rows) == 2


def test_state_shows_no_content_in_its_repr(state):
    state.qualification_sessions.add(email="someone@example.com")
    assert repr(state) == "<State of 1 qualification sessions>"


def test_state_may_be_changed_from_many_threads_while_it_serves(emulator, api):
    """`with` runs the server in another thread than the test."""

    def work():
        for _ in range(50):
            id = emulator.state.qualification_sessions.add()
            emulator.state.qualification_sessions.start_review(id)
            emulator.state.qualification_sessions.approve(id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert api.list("?status=approved").status == 200
    for thread in threads:
        thread.join()
    assert api.list("?status=approved").json["pagination"]["count"] == 200
