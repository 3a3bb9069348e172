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


def test_adds_with_defaults(state):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    session = state.get(state.add())
    assert session.id.startswith("qs_")
    assert session.status == "pending"
    assert before <= session.created_at <= datetime.now(UTC)
    assert session.created_at.microsecond % 1000 == 0


def test_gets_and_removes(state):
    id = state.add(user_id="u")
    assert state.count == 1
    assert state.get(id).user_id == "u"
    assert id in state
    state.remove(id)
    assert id not in state
    assert state.count == 0
    for miss in (state.get, state.remove, state.approve):
        with pytest.raises(KeyError):
            miss(id)


def test_refuses_bad_sessions(state):
    state.add(qualification_session_id="qs_1")
    with pytest.raises(ValueError, match="exists"):
        state.add(qualification_session_id="qs_1")
    with pytest.raises(ValueError, match="timezone"):
        state.add(created_at=datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose
    with pytest.raises(TypeError, match="colour"):
        state.add(colour="blue")
    assert state.count == 1


def test_follows_the_life_of_a_session(state):
    """truemed-api.md 4.5: pending → processing → approved | rejected; the letter is valid for 12 months."""
    yes, no = state.add(), state.add()
    for id in (yes, no):
        state.start_review(id)
        assert state.get(id).status == "processing"
    state.approve(yes)
    state.reject(no)
    approved, rejected = state.get(yes), state.get(no)
    assert (approved.status, rejected.status) == ("approved", "rejected")
    assert approved.expires_at == twelve_months_after(approved.lmn_reviewed_at)
    assert rejected.lmn_reviewed_at is not None
    assert rejected.expires_at is None


@pytest.mark.parametrize(
    ("status", "allowed"),
    [("pending", {"start_review"}), ("processing", {"approve", "reject"}), ("approved", set()), ("rejected", set())],
)
def test_refuses_other_moves(state, status, allowed):
    """truemed-api.md 4.5: approved and rejected are terminal."""
    for move in {"start_review", "approve", "reject"} - allowed:
        id = state.add(status=status)
        with pytest.raises(InvalidTransitionError, match=status):
            getattr(state, move)(id)
        assert state.get(id).status == status


def test_twelve_months_after_a_leap_day():
    assert twelve_months_after(datetime(2028, 2, 29, 7, tzinfo=UTC)) == datetime(2029, 2, 28, 7, tzinfo=UTC)
    assert twelve_months_after(T0) == datetime(2027, 5, 1, tzinfo=UTC)


def test_keeps_the_order_through_any_changes():
    state = Emulator(sessions=30).state
    draw = random.Random(7)
    for _ in range(300):
        if draw.random() < 0.4 and state.count:
            state.remove(draw.choice(state.sessions).id)
        else:
            when = T0 + timedelta(seconds=draw.randrange(20)) if draw.random() < 0.9 else None
            state.add(created_at=when)
        oldest = datetime.min.replace(tzinfo=UTC)
        keys = [(session.created_at or oldest, session.id) for session in state.sessions]
        assert keys == sorted(keys, reverse=True)
        assert len(keys) == state.count


def test_shows_a_snapshot(state):
    state.add()
    before = state.sessions
    state.add()
    assert len(before) == 1
    assert len(state.sessions) == 2


def test_shows_no_content_in_its_repr(state):
    state.add(email="someone@example.com")
    assert repr(state) == "<State of 1 qualification sessions>"


def test_may_be_changed_from_many_threads_while_it_serves(emulator, api):
    """`with` runs the server in another thread than the test."""

    def work():
        for _ in range(50):
            id = emulator.state.add()
            emulator.state.start_review(id)
            emulator.state.approve(id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert api.list("?status=approved").status == 200
    for thread in threads:
        thread.join()
    assert api.list("?status=approved").json["pagination"]["count"] == 200
