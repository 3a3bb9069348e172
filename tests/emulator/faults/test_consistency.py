"""Well-formed responses that reject a write, or lists that change while they are read, as a socket sees them."""

from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def ids(emulator):
    """Ten sessions, newest first."""
    ids = [
        emulator.state.qualification_sessions.add(
            qualification_session_id=f"qs_{number}", created_at=START + timedelta(hours=number)
        )
        for number in range(10)
    ]
    return ids[::-1]


def list_ids(raw, query=""):
    return [row["qualification_session_id"] for row in raw.list(query).json["qualification_sessions"]]


def test_key_reuse_mismatch(emulator, raw, ids):
    emulator.faults.add("key_reuse_mismatch")
    received = raw.update(ids[0])
    assert (received.status, received.json["error"]) == (400, "ValidationError")
    assert "idempotency_key" in received.json["message"]
    assert emulator.state.qualification_sessions.get(ids[0]).user_id is None
    # The very words of the real thing.
    emulator.faults.clear()
    assert raw.update(ids[0], "one").status == 200
    assert raw.update(ids[0], "two").json == received.json


def test_conflict_409(emulator, raw, ids):
    emulator.faults.add("conflict_409")
    received = raw.update(ids[0])
    assert (received.status, received.json["error"]) == (409, "user_id_already_set")
    assert emulator.state.qualification_sessions.get(ids[0]).user_id is None


def test_declined_422(emulator, raw, ids):
    emulator.faults.add("declined_422", redirect_url="https://pay.example/1")
    received = raw.update(ids[0])
    assert (received.status, received.json["redirect_url"]) == (422, "https://pay.example/1")
    assert set(received.json) == {"error", "message", "redirect_url"}


@pytest.mark.parametrize("name", ["key_reuse_mismatch", "conflict_409", "declined_422"])
def test_write_faults_do_not_affect_reads(emulator, raw, ids, name):
    fault = emulator.faults.add(name)
    assert raw.get(ids[0]).status == 200
    assert fault.hits == 0


@pytest.mark.parametrize("query", ["", "?status=pending"])
def test_replica_lag(emulator, raw, ids, query):
    before = list_ids(raw, query)
    emulator.faults.add("replica_lag", n=2)
    new = emulator.state.qualification_sessions.add(created_at=START + timedelta(days=9))
    emulator.state.qualification_sessions.remove(ids[0])
    assert list_ids(raw, query) == before
    raw.update(ids[3], "someone")
    assert list_ids(raw, query) == [new, *before]
    emulator.state.qualification_sessions.start_review(ids[5])
    assert list_ids(raw, query) == [new, *before[1:]]
    assert list_ids(raw, "?user_id=someone") == []
    assert raw.get(ids[3]).json["user_id"] == "someone"
    emulator.state.qualification_sessions.start_review(ids[6])
    assert list_ids(raw, "?user_id=someone") == [ids[3]]


def test_removed_replica_lag_shows_current_rows(emulator, raw, ids):
    with emulator.faults.add("replica_lag", n=5):
        emulator.state.qualification_sessions.remove(ids[0])
        assert list_ids(raw) == ids
    assert list_ids(raw) == ids[1:]


@pytest.mark.parametrize("query", ["", "?status=pending"])
def test_unstable_ties(emulator, raw, ids, query):
    ties = {emulator.state.qualification_sessions.add(created_at=START + timedelta(days=1)) for _ in range(6)}
    emulator.state.qualification_sessions.add(qualification_session_id="qs_undated", created_at=None)
    stable = list_ids(raw, query)
    emulator.faults.add("unstable_ties")
    orders = {tuple(list_ids(raw, query)) for _ in range(10)}
    assert len(orders) > 5
    for order in orders:
        assert set(order[:6]) == ties
        assert list(order[6:]) == stable[6:] == [*ids, "qs_undated"]
    assert raw.list("?page_size=2&page=9").json["pagination"]["count"] == 17


def test_clamp_page_size(emulator, raw, ids):
    emulator.faults.add("clamp_page_size", n=3)
    received = raw.list("?page_size=100").json
    assert len(received["qualification_sessions"]) == 3
    assert received["pagination"] == {"count": 10, "current_page": 1, "last_page": 4, "page_size": 3}
    assert list_ids(raw, "?page=4&page_size=100") == ids[9:]


def test_insert_between_pages(emulator, raw, ids):
    """The end of one page is the beginning of the next."""
    emulator.faults.add("insert_between_pages", n=2)
    assert list_ids(raw, "?page_size=4") == ids[:4]
    assert list_ids(raw, "?page_size=4&page=2") == ids[2:6]
    assert emulator.state.qualification_sessions.count == 14
    assert list_ids(raw, "?page_size=4&page=99") == []
    assert emulator.state.qualification_sessions.count == 14


def test_insert_between_pages_matches_the_filter(emulator, raw, ids):
    emulator.state.qualification_sessions.start_review(ids[4])
    emulator.faults.add("insert_between_pages")
    assert list_ids(raw, "?status=processing") == [ids[4]]
    assert len(list_ids(raw, "?status=processing")) == 2


def test_insert_between_pages_handles_missing_created_at(emulator, raw):
    id = emulator.state.qualification_sessions.add(created_at=None)
    emulator.faults.add("insert_between_pages", times=1)
    assert list_ids(raw) == [id]
    assert len(list_ids(raw)) == 2


def test_delete_between_pages(emulator, raw, ids):
    """What was the beginning of the next page is never seen."""
    emulator.faults.add("delete_between_pages", n=2)
    assert list_ids(raw, "?page_size=4") == ids[:4]
    assert list_ids(raw, "?page_size=4&page=2") == ids[6:]
    assert emulator.state.qualification_sessions.count == 6


def test_delete_between_pages_changes_the_real_state_behind_a_replica(emulator, raw, ids):
    """What is listed may be gone already, and it is the real state that changes."""
    emulator.faults.add("replica_lag", n=100)
    emulator.faults.add("clamp_page_size", n=4)
    emulator.faults.add("delete_between_pages", n=3)
    emulator.state.qualification_sessions.remove(ids[0])
    assert list_ids(raw) == ids[:4]
    assert [session.id for session in emulator.state.qualification_sessions.rows] == ids[4:]


def test_rejected_list_changes_nothing(emulator, raw, ids):
    emulator.faults.add("delete_between_pages", n=3)
    assert raw.list("?page=0").status == 400
    assert raw.list("?page=0").status == 400
    assert emulator.state.qualification_sessions.count == 10


@pytest.mark.parametrize(
    "name", ["replica_lag", "unstable_ties", "clamp_page_size", "insert_between_pages", "delete_between_pages"]
)
def test_list_faults_do_not_affect_other_requests(emulator, raw, ids, name):
    fault = emulator.faults.add(name)
    assert raw.get(ids[0]).status == 200
    assert raw.send("GET", "/nowhere").status == 404
    assert (fault.hits, emulator.state.qualification_sessions.count) == (0, 10)
