"""The data that an emulator starts with."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from truemed_async.emulator import Emulator
from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.seeds import ANCHOR, seed_examples, seed_sessions


def digest(sessions, seed):
    text = json.dumps([attrs.astuple(session) for session in seed_sessions(sessions, seed)], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def test_seed_is_the_same_everywhere():
    """Other tests and the documentation rest on these sessions: a change of them is a change of the product."""
    assert digest(1000, 0) == "3d2c8383355a4524a42d20bee732e72b70a0a5e434fc9f13b681b6a1748b3e3f"
    assert digest(50, 7) == "66afdf2c912b363cc0e5c1f60730d0686dd1097fd1ac23b79ae27d3bb8e440f1"


def test_differs_with_the_seed():
    assert digest(50, 0) != digest(50, 1)


@pytest.fixture(scope="module")
def sessions():
    return list(seed_sessions(5000, 0))


def test_spreads_the_statuses(sessions):
    counts = Counter(session.status for session in sessions)
    shares = {status: round(100 * count / len(sessions)) for status, count in counts.items()}
    expected = {"approved": 62, "rejected": 13, "pending": 17, "processing": 8}
    assert shares.keys() == expected.keys()
    assert all(abs(shares[status] - share) <= 2 for status, share in expected.items())


def test_seed_has_times_that_make_sense(sessions):
    for session in sessions:
        assert ANCHOR - timedelta(days=90) <= session.created_at < ANCHOR
        moments = [session.created_at, session.lmn_reviewed_at, session.stripe_invoice_paid_at]
        known = [moment for moment in moments if moment is not None]
        assert known == sorted(known)
        assert known[-1] <= ANCHOR
        assert all(moment.microsecond % 1000 == 0 for moment in known)
        if session.status == "approved":
            assert session.expires_at == twelve_months_after(session.lmn_reviewed_at)
        else:
            assert session.expires_at is None


def test_seed_has_exact_ties(sessions):
    times = Counter(session.created_at for session in sessions)
    assert sum(count - 1 for count in times.values()) >= len(sessions) // 40
    assert len({session.created_at for session in seed_sessions(2, 0)}) == 1


def test_seed_has_nothing_of_a_review_that_was_not(sessions):
    for session in sessions:
        if session.status == "pending":
            assert (session.email, session.user_name, session.lmn_reviewed_at, session.fee) == (None, None, None, None)
        if session.status == "processing":
            assert session.email is not None
            assert session.lmn_reviewed_at is None


def test_seed_has_people_who_do_not_exist(sessions):
    assert all(session.email.endswith(("@example.com", "@example.org")) for session in sessions if session.email)
    assert any(session.user_name is None for session in sessions if session.status == "approved")
    assert any(session.user_name and not session.user_name.isascii() for session in seed_sessions(1000, 0))


def test_seed_has_every_field_set_and_unset(sessions):
    stored_later = {"metadata", "success_url", "failure_url"}
    for field in attrs.fields(type(sessions[0])):
        values = [getattr(session, field.name) for session in sessions]
        if field.name in stored_later:
            assert set(values) == {None}
        else:
            assert any(value is not None for value in values)
            always = field.name in {"qualification_session_id", "status", "created_at", "session_type"}
            assert (None in values) is not always


def test_seed_has_unique_ids(sessions):
    assert len({session.id for session in sessions}) == len(sessions)


def test_fills_the_emulator():
    state = Emulator(sessions=50, seed=7).state
    assert sorted(session.id for session in state.qualification_sessions.rows) == sorted(
        session.id for session in seed_sessions(50, 7)
    )


class TestExamples:
    """The objects with fixed ids, see docs/emulator.md."""

    def test_examples_are_the_first_of_the_numbers(self):
        state = Emulator(sessions=50, payment_sessions=10, payment_tokens=5, catalog_items=5, examples=True).state
        assert state.qualification_sessions.get("qs_abc123").status == "approved"
        assert state.qualification_sessions.get("qs_def456").status == "processing"
        assert state.payment_sessions.get("5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11").status == "captured"
        assert state.payment_sessions.get("7c1e4b60-2d95-4a3b-8b1c-5e6f70819203").status == "authorized"
        assert state.payment_tokens.get("pt_abc123").status == "active"
        assert state.provision_requests.get("ptr_abc123").payment_token == "pt_abc123"
        assert state.catalog_items.get("SB-1").status == "eligible_with_lmn"
        counted = (state.qualification_sessions, state.payment_sessions, state.payment_tokens, state.catalog_items)
        assert [store.count for store in counted] == [50, 10, 5, 5]

    def test_example_payout_is_the_sum_of_its_transactions(self):
        state = Emulator(sessions=0, payment_sessions=2, examples=True).state
        (payout,) = state.payouts.rows
        assert payout.amount == sum(row.amount for row in state.transactions.rows if row.payout_id == payout.id)

    def test_numbers_of_zero_leave_out_the_examples(self):
        assert repr(Emulator(sessions=0, examples=True).state) == "<State of nothing>"

    def test_emulator_by_default_has_no_examples(self):
        assert "qs_abc123" not in Emulator().state.qualification_sessions

    @pytest.mark.parametrize("day", [(2026, 11, 29), (2028, 2, 29), (2029, 1, 1), (2029, 3, 30)])
    def test_example_letters_are_valid_on_any_day(self, day):
        now = datetime(*day, 13, tzinfo=UTC)
        sessions = {row.id: row for row in seed_examples(now)["qualification_sessions"]}
        assert sessions["qs_abc123"].expires_at > now + timedelta(days=300)
        assert now < sessions["qs_ghi789"].expires_at < now + timedelta(days=60)
        assert sessions["qs_ghi789"].expires_at == twelve_months_after(sessions["qs_ghi789"].lmn_reviewed_at)

    def test_example_hold_can_be_captured(self):
        state = Emulator(sessions=0, payment_sessions=2, examples=True).state
        assert state.payment_sessions.capture("7c1e4b60-2d95-4a3b-8b1c-5e6f70819203").status == "captured"
