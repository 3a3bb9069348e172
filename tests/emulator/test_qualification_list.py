"""GET /api/v1/qualification_sessions: one test per fact of Truemed's page "List Qualification Sessions"."""

from datetime import UTC, datetime, timedelta

import pytest

T0 = datetime(2026, 5, 1, tzinfo=UTC)


def fill(emulator, count, **fields):
    """Add qs_000 (oldest) to qs_<count-1> (newest)."""
    for index in range(count):
        emulator.state.qualification_sessions.add(
            **{"qualification_session_id": f"qs_{index:03}", "created_at": T0 + timedelta(hours=index), **fields}
        )


def test_list_is_sorted_by_created_at_newest_first(emulator, api):
    """Truemed, "List Qualification Sessions": "sorted by their `created_at` date". The direction is our choice."""
    for day in (2, 1, 3):
        emulator.state.qualification_sessions.add(
            qualification_session_id=f"qs_{day}", created_at=T0 + timedelta(days=day)
        )
    assert api.ids() == ["qs_3", "qs_2", "qs_1"]


def test_list_orders_equal_times_by_id_and_null_last(emulator, api):
    """Our choice: equal `created_at` is ordered by descending id, and a null one comes last."""
    for id in ("qs_b", "qs_c", "qs_a"):
        emulator.state.qualification_sessions.add(qualification_session_id=id, created_at=T0)
    emulator.state.qualification_sessions.add(qualification_session_id="qs_z", created_at=None)
    assert api.ids() == ["qs_c", "qs_b", "qs_a", "qs_z"]


def test_list_has_whole_sessions(emulator, api):
    """Truemed, "List Qualification Sessions": "An array of qualification_session objects"."""
    fill(emulator, 1)
    assert api.list().json["qualification_sessions"] == [api.get("qs_000").json]


@pytest.mark.parametrize("status", ["pending", "processing", "approved", "rejected"])
def test_list_filters_by_one_status(emulator, api, status):
    """Truemed, "List Qualification Sessions": "only return sessions with the given status"."""
    for each in ("pending", "processing", "approved", "rejected"):
        emulator.state.qualification_sessions.add(qualification_session_id=f"qs_{each}", status=each)
    response = api.list(f"?status={status}").json
    assert [row["qualification_session_id"] for row in response["qualification_sessions"]] == [f"qs_{status}"]
    assert response["pagination"]["count"] == 1


def test_list_filters_by_the_whole_user_id(emulator, api):
    """Truemed, "List Qualification Sessions": "An optional user_id to search for." That it is whole is our choice."""
    for user_id in ("user-1", "user-12", "USER-1", None):
        emulator.state.qualification_sessions.add(qualification_session_id=f"qs_{user_id}", user_id=user_id)
    assert api.ids("?user_id=user-1") == ["qs_user-1"]


def test_list_filters_by_the_utc_date_of_expiry(emulator, api):
    """Truemed, "List Qualification Sessions": "Filter by expiration date (YYYY-MM-DD format)"."""
    for id, expires_at in {
        "before": datetime(2027, 4, 30, 23, 59, 59, 999_000, UTC),
        "first": datetime(2027, 5, 1, tzinfo=UTC),
        "last": datetime(2027, 5, 1, 23, 59, 59, 999_000, UTC),
        "after": datetime(2027, 5, 2, tzinfo=UTC),
        "never": None,
    }.items():
        emulator.state.qualification_sessions.add(qualification_session_id=id, expires_at=expires_at, created_at=T0)
    assert sorted(api.ids("?expires_at=2027-05-01")) == ["first", "last"]


@pytest.mark.parametrize("field", ["user_name", "email", "user_business_id", "utm", "external_user_id"])
def test_search_covers_five_fields(emulator, api, field):
    """Truemed, "List Qualification Sessions": "Search across user name, email, user_business_id, utm, and external_user_id"."""
    emulator.state.qualification_sessions.add(qualification_session_id="other")
    emulator.state.qualification_sessions.add(qualification_session_id="this", **{field: "the Néedle it is"})
    assert api.ids("?search=n%C3%89EDLE") == ["this"]


def test_search_covers_no_other_field(emulator, api):
    """Truemed, "List Qualification Sessions": the five fields are named; the others are not searched."""
    emulator.state.qualification_sessions.add(
        user_id="needle", source="needle", metadata='"needle"', skus_param="needle"
    )
    assert api.ids("?search=needle") == []


def test_empty_search_finds_all(emulator, api):
    """Our choice: an empty search does not narrow."""
    fill(emulator, 2)
    assert api.ids("?search=") == ["qs_001", "qs_000"]


def test_list_combines_filters(emulator, api):
    """Truemed, "List Qualification Sessions": each filter is optional; together they narrow further."""
    emulator.state.qualification_sessions.add(qualification_session_id="both", status="approved", user_id="u", utm="x")
    emulator.state.qualification_sessions.add(qualification_session_id="one", status="approved", user_id="v", utm="x")
    assert api.ids("?status=approved&user_id=u&search=X") == ["both"]


def test_list_ignores_unknown_parameters(emulator, api):
    """Assumed: unknown parameters are undocumented."""
    fill(emulator, 1)
    assert api.ids("?color=blue") == ["qs_000"]


def test_filtered_pages_follow_what_changes(emulator, api):
    """Kept listings end with every change of the state."""
    fill(emulator, 3, status="pending")
    assert api.ids("?status=pending&page_size=2") == ["qs_002", "qs_001"]
    assert api.ids("?status=pending&page_size=2&page=2") == ["qs_000"]
    emulator.state.qualification_sessions.start_review("qs_002")
    assert api.ids("?status=pending&page_size=2") == ["qs_001", "qs_000"]
    emulator.state.qualification_sessions.remove("qs_001")
    assert api.ids("?status=pending") == ["qs_000"]
    emulator.state.qualification_sessions.add(qualification_session_id="qs_new")
    assert api.ids("?status=pending") == ["qs_new", "qs_000"]


def test_list_keeps_a_bounded_number_of_listings(emulator, api):
    """A reader with ever new filters costs no ever growing memory."""
    for number in range(40):
        assert api.ids(f"?user_id={number}") == []
    assert len(emulator.state.qualification_sessions.table._listings) <= 32


def test_rows_are_listed_as_they_are_now(emulator, api):
    """Serialized rows are cached, but never shown after the row has changed, was replaced, or is gone."""
    sessions = emulator.state.qualification_sessions
    fill(emulator, 3, status="pending")
    assert [row["status"] for row in api.list().json["qualification_sessions"]] == ["pending"] * 3
    sessions.start_review("qs_001")
    sessions.change("qs_002", source="email")
    assert [(row["status"], row["source"]) for row in api.list().json["qualification_sessions"]] == [
        ("pending", "email"),
        ("processing", None),
        ("pending", None),
    ]
    sessions.remove("qs_001")
    sessions.add(qualification_session_id="qs_001", created_at=T0, status="rejected")
    sessions.load([row for row in sessions.rows if row.id != "qs_000"])
    rows = [(row["qualification_session_id"], row["status"]) for row in api.list().json["qualification_sessions"]]
    assert rows == [("qs_002", "pending"), ("qs_001", "rejected")]


def test_listed_row_equals_the_row_itself(emulator, api):
    fill(emulator, 1, status="approved", expires_at=T0, eligible_amount=1.5, user_name="Zoë “Z” 😀")
    (row,) = api.list().json["qualification_sessions"]
    assert row == emulator.state.qualification_sessions.get("qs_000").serialize()


def test_list_keeps_a_bounded_number_of_serialized_rows(emulator, api, monkeypatch):
    monkeypatch.setattr("truemed_async.emulator.store.MAX_CACHED_ROWS", 10)
    fill(emulator, 25)
    for page in range(1, 6):
        assert len(api.ids(f"?page_size=5&page={page}")) == 5
        assert len(emulator.state.qualification_sessions.table._serialized) <= 10
