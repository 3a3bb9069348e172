"""Summaries of listings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from truemed_async import summarize
from truemed_async.errors import InvalidArgumentError


def summarize_sessions(client, **options):
    return summarize(client.qualification_sessions.iter(look_back=timedelta(0), **options))


@pytest.fixture
def no_sessions(emulator):
    for session in emulator.state.qualification_sessions.rows:
        emulator.state.qualification_sessions.remove(session.qualification_session_id)


@pytest.fixture
def now(client, monkeypatch):
    moment = datetime(2026, 6, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(type(client.clock), "wall", lambda clock: moment.timestamp())
    return moment


async def test_sessions_are_counted_by_status_and_day(emulator, client, no_sessions, now):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    for status, moment in (
        ("approved", at),
        ("pending", at - timedelta(seconds=1)),
        ("approved", at + timedelta(hours=23)),
        ("brand_new", at),
        ("approved", None),
    ):
        emulator.state.qualification_sessions.add(status=status, created_at=moment)

    summary = await summarize_sessions(client)

    assert summary.rows == 5
    assert next(iter(summary.statuses.items())) == ("approved", 3)
    assert summary.statuses == {"approved": 3, "pending": 1, "brand_new": 1}
    assert list(summary.days) == [date(2026, 4, 30), date(2026, 5, 1)]
    assert summary.days[date(2026, 5, 1)] == {"approved": 2, "brand_new": 1}


@pytest.mark.parametrize(
    ("left", "within"),
    [
        (timedelta(0), [30, 60, 90]),
        (timedelta(days=30) - timedelta(seconds=1), [30, 60, 90]),
        (timedelta(days=30), [60, 90]),
        (timedelta(days=89, hours=23), [90]),
        (timedelta(days=90), []),
        (timedelta(seconds=-1), []),
        (None, []),
    ],
)
async def test_expiring_counts_approved_letters(emulator, client, no_sessions, now, left, within):
    expires = None if left is None else now + left
    emulator.state.qualification_sessions.add(
        status="approved", created_at=now - timedelta(days=300), expires_at=expires
    )
    emulator.state.qualification_sessions.add(
        status="rejected", created_at=now - timedelta(days=300), expires_at=expires
    )

    summary = await summarize_sessions(client)

    assert summary.as_of == now
    assert summary.expiring == {days: int(days in within) for days in (30, 60, 90)}


async def test_filters_and_since_select_rows(emulator, client, no_sessions, yesterday):
    emulator.state.qualification_sessions.add(user_id="u", status="approved", created_at=yesterday(3))
    emulator.state.qualification_sessions.add(user_id="u", status="approved", created_at=yesterday(1))
    emulator.state.qualification_sessions.add(user_id="v", status="approved", created_at=yesterday(4))

    summary = await summarize_sessions(client, user_id="u", since=date(2024, 1, 2))

    assert summary.days == {date(2024, 1, 3): {"approved": 1}}


async def test_summary_of_many_pages_counts_all_rows(client):
    summary = await summarize_sessions(client, page_size=20, prefetch=1)

    assert sum(summary.statuses.values()) == summary.rows == 120
    assert sum(sum(each.values()) for each in summary.days.values()) == 120
    assert list(summary.days) == sorted(summary.days)


async def test_to_dict_is_json_ready(emulator, client, no_sessions, now):
    emulator.state.qualification_sessions.add(status="approved", created_at=now, expires_at=now + timedelta(days=45))

    assert (await summarize_sessions(client)).to_dict() == {
        "as_of": "2026-06-01T12:00:00+00:00",
        "rows": 1,
        "statuses": {"approved": 1},
        "days": {"2026-06-01": {"approved": 1}},
        "expiring_within_days": {"30": 0, "60": 1, "90": 1},
    }


async def test_invalid_filter_is_rejected_before_any_request(emulator, client):
    with pytest.raises(InvalidArgumentError, match="status"):
        await summarize_sessions(client, status="")
    assert not emulator.requests
