"""``truemed sessions mirror``: what it says, and its exit codes."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from truemed_async.emulator import Emulator


@pytest.fixture
def emulator(monkeypatch):
    with Emulator(sessions=300) as emulator:
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
        for session in emulator.state.qualification_sessions.rows[1:]:
            for action in {"pending": ("start_review", "approve"), "processing": ("approve",)}.get(session.status, ()):
                getattr(emulator.state.qualification_sessions, action)(session.id)
        yield emulator


def count(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM qualification_sessions").fetchone()[0]


def test_mirror_reports_what_it_did_and_what_it_cannot_see(truemed, emulator, tmp_path):
    path = str(tmp_path / "x.db")

    first, second = (truemed("sessions", "mirror", path) for _ in range(2))

    assert (first.code, first.out, count(path)) == (0, "", 300)
    assert first.err.startswith("300 sessions, 300 added, 0 changed, 0 removed, ")
    assert second.err.startswith("300 sessions, 0 added, 0 changed, 0 removed, 29")
    assert " last seen in the sweep of " in second.err


def test_mirror_with_sweep_sees_deletions(truemed, emulator, tmp_path):
    path = str(tmp_path / "x.db")
    truemed("sessions", "mirror", path)
    emulator.state.qualification_sessions.remove(emulator.state.qualification_sessions.rows[-1].id)

    done = truemed("sessions", "mirror", path, "--sweep")

    assert done.err.startswith("299 sessions, 0 added, 0 changed, 1 removed, ")


def test_mirror_that_cannot_read_a_session_again_exits_with_1(truemed, emulator, tmp_path):
    path = str(tmp_path / "x.db")
    store = emulator.state.qualification_sessions
    store.remove(store.rows[-1].id)
    store.add(created_at=store.rows[-1].created_at)
    truemed("sessions", "mirror", path)
    emulator.faults.add("status", code=403, route="qualification_sessions.get")

    done = truemed("sessions", "mirror", path)

    assert done.code == 1
    assert "1 not read, which the next run tries again" in done.err


def test_mirror_on_terminal_shows_progress(truemed, emulator, terminal, tmp_path):
    done = truemed("sessions", "mirror", str(tmp_path / "x.db"), err=terminal())

    assert "300" in done.err
    assert done.code == 0


def test_mirror_with_hashes_needs_the_secret(truemed, emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUEMED_EXPORT_SECRET", "sixteen bytes or more")

    done = truemed("sessions", "mirror", str(tmp_path / "x.db"), "--pii", "hash")
    other = truemed("sessions", "mirror", str(tmp_path / "x.db"), "--pii", "drop")

    assert (done.code, other.code) == (0, 2)
    assert "made with another server, pii, secret or version" in other.err
