"""The mirror: equal to the server after a sweep, and after an incremental run but for what the documentation says."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module

import attrs
import pytest

from tests.support.both_clients import QUICK
from tests.support.paths import ROOT
from tests.support.processes import environment_without_coverage
from tests.support.scale import scale
from truemed_async import AsyncTruemed, Truemed
from truemed_async.emulator import Emulator
from truemed_async.emulator.store import InvalidTransitionError
from truemed_async.errors import CallError, InvalidArgumentError
from truemed_async.exports import mirror
from truemed_async.exports.mirror import _SessionTable

SECRET = "sixteen bytes or more"
START = datetime(2024, 1, 1, tzinfo=UTC)
FINAL = ("approved", "rejected")


def rows_of(path):
    """Return the rows of the table by id, without the mirror's own columns."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM qualification_sessions")]
    return {
        row["qualification_session_id"]: {name: value for name, value in row.items() if not name.startswith("_")}
        for row in rows
    }


async def truth_of(client):
    return {row.qualification_session_id: row.to_dict() async for row in client.qualification_sessions.iter()}


class TestRuns:
    async def test_first_run_reads_everything(self, client, tmp_path):
        result = await mirror(client.qualification_sessions, tmp_path / "x.db")

        assert rows_of(tmp_path / "x.db") == await truth_of(client)
        assert (result.rows, result.added, result.changed, result.removed) == (120, 120, 0, 0)
        assert (result.failed, result.unseen, result.sweep) == (0, 0, True)
        assert result.last_sweep is not None

    async def test_second_run_adds_nothing(self, client, tmp_path):
        await mirror(client.qualification_sessions, tmp_path / "x.db")

        result = await mirror(client.qualification_sessions, tmp_path / "x.db", sweep=True)

        assert (result.rows, result.added, result.changed, result.removed) == (120, 0, 0, 0)

    async def test_incremental_run_reads_new_and_unfinished_sessions(self, tmp_path):
        async with Emulator(sessions=0) as emulator, AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            sessions = emulator.state.qualification_sessions
            for day in range(300):
                sessions.add(created_at=START + timedelta(days=day), status="approved")
            pending = [sessions.add(created_at=START, status="pending") for _ in range(2)]
            await mirror(client.qualification_sessions, tmp_path / "x.db")
            sessions.start_review(pending[0])
            sessions.remove(pending[1])
            new = sessions.add(created_at=START + timedelta(days=400))
            emulator.requests.clear()

            result = await mirror(client.qualification_sessions, tmp_path / "x.db")

            assert rows_of(tmp_path / "x.db") == await truth_of(client)
            assert (result.rows, result.added, result.changed, result.removed, result.sweep) == (302, 1, 1, 1, False)
            assert result.unseen == 299  # the newest final one was read again
            assert new in rows_of(tmp_path / "x.db")
            assert result.requests <= 4

    async def test_run_with_many_unfinished_sessions_becomes_a_sweep(self, emulator, client, tmp_path):
        for session in emulator.state.qualification_sessions.rows:
            emulator.state.qualification_sessions.remove(session.id)
        for day in range(50):
            emulator.state.qualification_sessions.add(created_at=START + timedelta(days=day), status="pending")
        await mirror(client.qualification_sessions, tmp_path / "x.db")

        assert (await mirror(client.qualification_sessions, tmp_path / "x.db")).sweep

    async def test_empty_listing_is_an_empty_table(self, tmp_path):
        async with Emulator(sessions=0) as emulator, AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            result = await mirror(client.qualification_sessions, tmp_path / "x.db")

        assert (result.rows, rows_of(tmp_path / "x.db")) == (0, {})

    async def test_synchronous_client_has_the_same_result(self, emulator, client, tmp_path):
        store = emulator.state.qualification_sessions
        for session in store.rows:
            if session.status in {"pending", "processing"}:
                store.remove(session.id)
        store.add(created_at=store.rows[-1].created_at)
        await mirror(client.qualification_sessions, tmp_path / "x.db")

        def run():
            with Truemed(emulator.api_key, base_url=emulator.url) as sync_client:
                return [mirror(sync_client.qualification_sessions, tmp_path / "y.db") for _ in range(2)]

        first, second = await asyncio.to_thread(run)

        assert (first.added, second.added, second.sweep) == (len(store.rows), 0, False)
        assert rows_of(tmp_path / "y.db") == rows_of(tmp_path / "x.db")

    async def test_progress_counts_rows(self, client, tmp_path):
        seen = []
        await mirror(client.qualification_sessions, tmp_path / "x.db", on_progress=seen.append)
        assert (seen[-1].read, seen[-1].rows) == (120, 120)

    async def test_session_that_cannot_be_read_again_is_counted_and_kept(self, tmp_path):
        async with (
            Emulator(sessions=0) as emulator,
            AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as client,
        ):
            for day in range(300):
                emulator.state.qualification_sessions.add(created_at=START + timedelta(days=day), status="approved")
            pending = emulator.state.qualification_sessions.add(created_at=START)
            await mirror(client.qualification_sessions, tmp_path / "x.db")
            emulator.state.qualification_sessions.start_review(pending)
            fault = emulator.faults.add("status", code=500, route="qualification_sessions.get")

            result = await mirror(client.qualification_sessions, tmp_path / "x.db")

            assert (result.failed, result.changed) == (1, 0)
            assert rows_of(tmp_path / "x.db")[pending]["status"] == "pending"
            fault.remove()
            assert (await mirror(client.qualification_sessions, tmp_path / "x.db")).changed == 1


class TestFiles:
    async def test_only_the_owner_can_read_the_files(self, client, tmp_path):
        with closing(sqlite3.connect(tmp_path / "x.db")):
            pass
        seen = set()

        def look(_):
            seen.update(path.name for path in tmp_path.iterdir())
            assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}

        await mirror(client.qualification_sessions, tmp_path / "x.db", on_progress=look)
        assert seen >= {"x.db", "x.db-wal"}

    @pytest.mark.parametrize("pii", ["drop", "hash"])
    async def test_personal_data_is_not_in_the_file(self, client, tmp_path, pii):
        path = tmp_path / "x.db"
        await mirror(client.qualification_sessions, path, pii=pii, secret=SECRET if pii == "hash" else None)

        written = path.read_bytes()
        for session in [row async for row in client.qualification_sessions.iter()]:
            for value in (session.email, session.user_name, session.user_id, session.user_business_id):
                assert value is None or value.encode() not in written
        (row, *_) = rows_of(path).values()
        assert ("email" in row) is (pii == "hash")

    async def test_link_is_followed(self, client, tmp_path):
        (tmp_path / "link.db").symlink_to(tmp_path / "x.db")
        await mirror(client.qualification_sessions, tmp_path / "link.db")
        assert len(rows_of(tmp_path / "x.db")) == 120

    async def test_file_with_other_options_is_refused(self, emulator, client, tmp_path):
        await mirror(client.qualification_sessions, tmp_path / "x.db")
        emulator.requests.clear()
        with pytest.raises(InvalidArgumentError, match="made with another server, pii, secret or version"):
            await mirror(client.qualification_sessions, tmp_path / "x.db", pii="drop")
        assert not emulator.requests

    async def test_file_of_something_else_is_refused_and_kept(self, client, tmp_path):
        (tmp_path / "text.db").write_text("not a database, " * 100)
        with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
            connection.execute("CREATE TABLE mine (a)")
        for name, message in (("text", "is not a SQLite database"), ("other", "a database of something else")):
            with pytest.raises(InvalidArgumentError, match=message):
                await mirror(client.qualification_sessions, tmp_path / f"{name}.db")
        assert (tmp_path / "text.db").read_text().startswith("not a database")

    async def test_unwritable_path_is_refused(self, client, tmp_path):
        with pytest.raises(InvalidArgumentError, match="cannot be written: No such file or directory"):
            await mirror(client.qualification_sessions, tmp_path / "missing" / "x.db")
        with pytest.raises(InvalidArgumentError, match="is not a regular file"):
            await mirror(client.qualification_sessions, "/dev/fd/1")

    async def test_locked_file_raises_the_error_of_sqlite(self, client, tmp_path, monkeypatch):
        monkeypatch.setattr(import_module("truemed_async.exports.mirror"), "LOCK_TIMEOUT", 0.01)
        await mirror(client.qualification_sessions, tmp_path / "x.db")
        with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await mirror(client.qualification_sessions, tmp_path / "x.db")

    async def test_run_stops_when_another_has_begun(self, client, tmp_path):
        async def second_run():
            return await mirror(client.qualification_sessions, tmp_path / "x.db")

        tasks = []

        def begin_another(progress):
            if not tasks:
                with closing(sqlite3.connect(tmp_path / "x.db")) as other, other:
                    other.execute("UPDATE truemed_mirror SET run = run + 1")
                tasks.append(None)

        with pytest.raises(InvalidArgumentError, match="another run has begun"):
            await mirror(client.qualification_sessions, tmp_path / "x.db", page_size=20, on_progress=begin_another)
        assert (await second_run()).rows == 120

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"sweep": 1}, "sweep must be True or False"),
            ({"pii": "mask"}, "pii must be"),
            ({"pii": "hash", "secret": "short"}, "at least 16 bytes"),
            ({"page_size": 0}, "page_size"),
            ({"look_back": 5}, "look_back"),
        ],
    )
    async def test_invalid_option_is_refused_before_a_file_is_created(self, client, tmp_path, options, message):
        with pytest.raises(InvalidArgumentError, match=message):
            await mirror(client.qualification_sessions, tmp_path / "x.db", **options)
        assert not list(tmp_path.iterdir())

    async def test_other_listings_are_refused(self, client, tmp_path):
        for other in (client.payment_sessions, client):
            with pytest.raises(InvalidArgumentError, match=r"sessions must be client\.qualification_sessions"):
                await mirror(other, tmp_path / "x.db")


# --- random histories -----------------------------------------------------------------------------------------------


class KilledError(Exception):
    """Ends a run between two commits."""


@attrs.define
class History:
    """Changes of the server, and runs of which some fail or are killed; ``violations`` are differences without excuse."""

    draw: random.Random
    emulator: Emulator
    client: AsyncTruemed
    path: object
    violations: list = attrs.field(factory=list)
    runs: int = 0
    kills: int = 0
    days: int = 0

    async def change(self):
        """Insert, move, annotate and delete sessions."""
        store = self.emulator.state.qualification_sessions
        for _ in range(self.draw.randrange(12)):
            self.days += 1
            store.add(
                created_at=START + timedelta(days=self.days),
                status=self.draw.choice(["pending", "processing", "approved", "approved", "approved", "rejected"]),
            )
        for session in self.draw.sample(store.rows, min(len(store.rows), self.draw.randrange(6))):
            action = self.draw.choice(["start_review", "approve", "reject", "remove", "annotate"])
            if action == "annotate":
                if session.user_id is None:
                    await self.client.qualification_sessions.update(session.id, user_id=f"user-{self.draw.random()}")
            else:
                try:
                    getattr(store, action)(session.id)
                except InvalidTransitionError:
                    continue

    async def run(self):
        """Bring the mirror up to date, perhaps in vain, and compare."""
        before = rows_of(self.path) if self.path.exists() else {}
        pages = self.draw.choice([None, None, 1, 2, 3])

        def kill(_):
            nonlocal pages
            pages = None if pages is None else pages - 1
            if pages == 0:
                raise KilledError

        for name, options in (("status", {"code": 503}), ("reset_peer", {}), ("truncate_body", {"fraction": 0.5})):
            if self.draw.random() < 0.3:
                self.emulator.faults.add(name, probability=0.2, **options)
        try:
            result = await mirror(
                self.client.qualification_sessions,
                self.path,
                sweep=self.draw.random() < 0.2,
                page_size=20,
                on_progress=kill,
            )
        except (KilledError, CallError) as error:
            self.kills += isinstance(error, KilledError)
            return
        finally:
            self.emulator.faults.clear()
        self.runs += 1
        await self.compare(before, result)

    async def compare(self, before, result):
        mirrored, truth = rows_of(self.path), await truth_of(self.client)
        different = {id for id in mirrored.keys() | truth.keys() if mirrored.get(id) != truth.get(id)}
        final_before = {id for id, row in before.items() if row["status"] in FINAL}
        excused = set() if result.sweep else final_before
        unexcused = different - excused
        if len(unexcused) > result.failed or len(mirrored) != result.rows:
            self.violations.append((sorted(unexcused), result))


async def play(seed, path):
    draw = random.Random(seed)
    async with (
        Emulator(sessions=0) as emulator,
        AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as client,
    ):
        history = History(draw, emulator, client, path)
        for _ in range(draw.randrange(3, 7)):
            await history.change()
            await history.run()
        return history


async def test_mirror_of_random_histories_differs_only_by_what_it_cannot_see(tmp_path):
    histories = [await play(seed, tmp_path / f"{seed}.db") for seed in range(scale(25, 2_000))]

    assert [history.violations for history in histories if history.violations] == []
    assert sum(history.runs for history in histories) > len(histories)
    assert sum(history.kills for history in histories) > 0


async def test_mirror_that_gets_nothing_again_is_found_out(tmp_path, monkeypatch):
    """The control: without the second half of a run the comparison above fails."""
    monkeypatch.setattr(_SessionTable, "stale_ids", lambda *_, **__: [])

    histories = [await play(seed, tmp_path / f"{seed}.db") for seed in range(8)]

    assert any(history.violations for history in histories)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_process_leaves_a_table_that_the_next_run_completes(tmp_path):
    path = tmp_path / "x.db"
    with Emulator(sessions=300, max_page_size=20, latency=0.03) as emulator:
        settings = {"TRUEMED_BASE_URL": emulator.url, "TRUEMED_API_KEY": emulator.api_key, "PYTHONPATH": str(ROOT)}
        environment = environment_without_coverage() | settings
        argv = [sys.executable, "-m", "truemed_async", "sessions", "mirror", str(path)]
        for pages in range(1, scale(3, 12)):
            process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                limit = time.monotonic() + 120
                served = len(emulator.requests)
                while process.poll() is None and len(emulator.requests) < served + pages:
                    assert time.monotonic() < limit
                    time.sleep(0.001)
                process.send_signal(signal.SIGKILL)
                process.communicate(timeout=120)
            finally:
                process.kill()
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=True)
        assert "300 sessions" in done.stderr
        truth = {
            session.id: json.loads(json.dumps(session.serialize()))
            for session in emulator.state.qualification_sessions.rows
        }
    assert rows_of(path).keys() == truth.keys()
    assert {id: row["status"] for id, row in rows_of(path).items()} == {id: row["status"] for id, row in truth.items()}
