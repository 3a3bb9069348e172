"""Exports that stop and go on: inside the test, stopped at a page, and what a killed process may leave behind."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import stat
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest

from truemed_async import AsyncTruemed, export_sessions
from truemed_async.emulator import Emulator
from truemed_async.errors import InvalidArgumentError
from truemed_async.exporting import files
from truemed_async.exporting.journal import Journal

FORMATS = ("csv", "jsonl", "parquet")
EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS)
SECRET = "a secret of tests"


class StoppedError(Exception):
    pass


def stop_after(rows):
    def report(progress):
        if progress.rows >= rows:
            raise StoppedError

    return report


async def stopped(client, path, rows=30, **options):
    """Export until so many rows are there; return how many there were after each portion."""
    seen = []

    def report(progress):
        seen.append(progress.rows)
        if progress.rows >= rows:
            raise StoppedError

    with pytest.raises(StoppedError):
        await export_sessions(client, path, page_size=20, on_progress=report, **options)
    return seen


def partial_of(path):
    return path.with_name(f"{path.name}.partial")


def journal_of(path):
    return path.with_name(f"{path.name}.partial.journal")


async def whole(client, path, **options):
    """The bytes of an uninterrupted export."""
    other = path.with_name(f"whole-{path.name}")
    await export_sessions(client, other, page_size=20, **options)
    return other.read_bytes()


@EVERY_FORMAT
@pytest.mark.parametrize("options", [{}, {"personal": "hash", "secret": SECRET}, {"columns": ["status", "email"]}])
async def test_at_rest_the_file_is_that_of_an_uninterrupted_run(client, tmp_path, format, options):
    path = tmp_path / f"x.{format}"
    *_, kept = await stopped(client, path, **options)
    assert not path.exists()

    done = await export_sessions(client, path, resume=True, page_size=20, **options)

    assert path.read_bytes() == await whole(client, path, **options)
    assert (done.rows, done.resumed) == (120, kept)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"whole-x.{format}", f"x.{format}"]


@EVERY_FORMAT
async def test_it_can_be_resumed_again_and_again_with_other_page_sizes(client, tmp_path, format):
    path = tmp_path / f"x.{format}"
    for number, rows in enumerate((20, 50, 51, 90)):
        with pytest.raises(StoppedError):
            await export_sessions(
                client, path, resume=number > 0, page_size=7 + 5 * number, on_progress=stop_after(rows)
            )

    await export_sessions(client, path, resume=True)

    assert path.read_bytes() == await whole(client, path)


@EVERY_FORMAT
@pytest.mark.parametrize("torn", ["row", "line", "journal", "both", "checksum", "everything"])
async def test_what_is_torn_is_read_again(client, tmp_path, format, torn):
    """As a killed process or a power cut leaves it."""
    path = tmp_path / f"x.{format}"
    *_, before, kept = await stopped(client, path)
    partial, journal = partial_of(path), journal_of(path)
    rows, lines = partial.read_bytes(), journal.read_bytes()
    if torn in ("row", "both"):
        partial.write_bytes(rows + rows[-30:-7])  # a portion that the journal does not know yet
    if torn == "line":
        partial.write_bytes(rows[:-50])  # less than the journal says: the disk had not got it
    if torn in ("journal", "both"):
        journal.write_bytes(lines[:-9])
    if torn == "checksum":
        partial.write_bytes(rows[:-50] + bytes(50))
    if torn == "everything":
        partial.write_bytes(b"")

    done = await export_sessions(client, path, resume=True, page_size=20)

    assert path.read_bytes() == await whole(client, path)
    assert done.resumed == {"row": kept, "everything": 0}.get(torn, before)


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"7\n", b"{}\n", b'{"end":1,"checksum":1,"digests":"zz","tally":{}}\n'])
async def test_a_line_that_is_not_one_of_ours_ends_the_journal(client, tmp_path, line):
    path = tmp_path / "x.csv"
    *_, kept = await stopped(client, path)
    with journal_of(path).open("ab") as journal:
        journal.write(line)

    done = await export_sessions(client, path, resume=True)

    assert path.read_bytes() == await whole(client, path)
    assert done.resumed == kept


async def test_killed_before_the_journal_was_begun(client, tmp_path):
    path = tmp_path / "x.csv"
    partial_of(path).write_text("what was there before")
    journal_of(path).write_bytes(b"")

    await export_sessions(client, path, resume=True, page_size=20)

    assert path.read_bytes() == await whole(client, path)


@EVERY_FORMAT
async def test_killed_when_the_file_had_its_name_already(client, tmp_path, format):
    path = tmp_path / f"x.{format}"
    await stopped(client, path)
    partial_of(path).replace(path)

    done = await export_sessions(client, path, resume=True, columns=["status"])

    assert done.resumed == 0
    assert path.read_bytes() == await whole(client, path, columns=["status"])


async def test_killed_while_the_parquet_was_being_made(client, tmp_path):
    path = tmp_path / "x.parquet"
    await stopped(client, path, rows=120)
    converting = tmp_path / "x.parquet.partial.converting"
    converting.write_bytes(b"half of it" * 1_000_000)

    done = await export_sessions(client, path, resume=True)

    assert done.resumed == 120
    assert path.read_bytes() == await whole(client, path)
    assert not converting.exists()


async def test_without_an_unfinished_file_it_begins_from_the_start(client, tmp_path, rows_of):
    done = await export_sessions(client, tmp_path / "x.csv", resume=True)

    assert (done.rows, done.resumed, len(rows_of(tmp_path / "x.csv"))) == (120, 0, 120)


async def test_not_to_resume_drops_what_is_there(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path, columns=["status"])

    done = await export_sessions(client, path)

    assert (done.rows, done.resumed) == (120, 0)
    assert path.read_bytes() == await whole(client, path)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
async def test_an_unfinished_file_is_of_the_same_format(client, tmp_path, format, rows_of):
    path = tmp_path / f"x.{format}"
    *_, kept = await stopped(client, path)

    copy = path.with_name(f"copy.{format}")
    copy.write_bytes(partial_of(path).read_bytes())

    assert len(rows_of(copy)) == kept


async def test_an_unfinished_parquet_is_an_arrow_stream(client, tmp_path):
    import pyarrow as pa

    path = tmp_path / "x.parquet"
    *_, kept = await stopped(client, path)

    assert pa.ipc.open_stream(partial_of(path).read_bytes()).read_all().num_rows == kept


@EVERY_FORMAT
async def test_sessions_come_and_go_meanwhile(emulator, client, tmp_path, format, rows_of, yesterday):
    """New ones stand where the resumed run wrote, those that are gone stay, and nothing comes twice."""
    path = tmp_path / f"x.{format}"
    *_, kept = await stopped(client, path)
    before = [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]
    for gone in (before[3], before[100]):
        emulator.state.qualification_sessions.remove(gone)
    emulator.state.qualification_sessions.add(
        qualification_session_id="newest", created_at=datetime(2026, 11, 2, tzinfo=UTC)
    )
    emulator.state.qualification_sessions.add(qualification_session_id="oldest", created_at=yesterday(1))

    done = await export_sessions(client, path, resume=True, page_size=20)

    ids = [row["qualification_session_id"] for row in rows_of(path)]
    assert ids == [*before[:kept], "newest", *before[kept:100], *before[101:], "oldest"]
    assert (done.rows, done.resumed) == (121, kept)


async def test_a_session_is_as_it_was_when_it_was_read(emulator, client, tmp_path, rows_of):
    changed = emulator.state.qualification_sessions.add(
        qualification_session_id="x", created_at=datetime(2026, 11, 2, tzinfo=UTC)
    )
    path = tmp_path / "x.jsonl"
    await stopped(client, path)
    emulator.state.qualification_sessions.remove(changed)
    emulator.state.qualification_sessions.add(
        qualification_session_id="x", created_at=datetime(2026, 11, 2, tzinfo=UTC), status="approved"
    )

    await export_sessions(client, path, resume=True)

    assert next(row for row in rows_of(path) if row["qualification_session_id"] == "x")["status"] == "pending"


async def test_the_summary_is_of_the_whole_file(client, tmp_path):
    path = tmp_path / "x.csv"
    straight = await export_sessions(client, tmp_path / "y.csv", page_size=20)
    await stopped(client, path, columns=["email"])

    resumed = await export_sessions(client, path, resume=True, columns=["email"])

    for name in ("rows", "statuses", "earliest", "latest"):
        assert getattr(resumed, name) == getattr(straight, name), name


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"status": "approved"}, "filters"),
        ({"status": None}, "filters"),
        ({"user_id": "other"}, "filters"),
        ({"since": date(2026, 8, 1)}, "filters"),
        ({"columns": ["status"]}, "columns"),
        ({"columns": None}, "columns"),
        ({"columns": ["email", "status"]}, "columns"),
        ({"format": "jsonl"}, "format"),
        ({"personal": "keep", "secret": None}, "personal, secret"),
        ({"secret": "another secret of tests"}, "secret"),
    ],
)
async def test_other_parameters_are_refused(client, tmp_path, changed, named):
    path = tmp_path / "x.csv"
    asked = {
        "status": "pending", "columns": ["status", "email"], "format": "csv", "personal": "hash", "secret": SECRET
    }  # fmt: skip
    await stopped(client, path, rows=0, **asked)
    before = [partial_of(path).read_bytes(), journal_of(path).read_bytes()]

    with pytest.raises(InvalidArgumentError, match=f"was begun with other {named}: "):
        await export_sessions(client, path, resume=True, **(asked | changed))

    assert [partial_of(path).read_bytes(), journal_of(path).read_bytes()] == before
    await export_sessions(client, path, resume=True, **asked)


async def test_columns_that_were_all_by_default_are_not_all_by_name(client, tmp_path):
    """By default JSONL holds unknown fields too."""
    path = tmp_path / "x.jsonl"
    await stopped(client, path)
    first = orjson.loads(journal_of(path).read_bytes().splitlines()[0])

    with pytest.raises(InvalidArgumentError, match="columns"):
        await export_sessions(client, path, resume=True, columns=first["columns"][:-1])


async def test_another_server_is_refused(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path)

    async with Emulator(sessions=1) as other, AsyncTruemed(other.api_key, base_url=other.url) as stranger:
        with pytest.raises(InvalidArgumentError, match="server"):
            await export_sessions(stranger, path, resume=True)


async def test_the_same_parameters_in_other_words_are_the_same(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path, rows=0, since=date(2026, 8, 5), expires_at=date(2027, 9, 1))

    await export_sessions(
        client, path, resume=True, since=datetime(2026, 8, 5, tzinfo=UTC), expires_at="2027-09-01", format="csv"
    )


async def test_the_journal_holds_nothing_personal(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path, rows=0, search="ada@example.com", user_id="user-42", personal="hash", secret=SECRET)

    written = journal_of(path).read_text(encoding="utf-8")

    assert not [each for each in ("ada@", "example.com", "user-42", SECRET, SECRET.encode().hex()) if each in written]
    other = tmp_path / "y.csv"
    await stopped(client, other, rows=0, search="ada@example.com", user_id="user-42", personal="hash", secret=SECRET)
    first, second = (orjson.loads(journal_of(each).read_bytes().splitlines()[0]) for each in (path, other))
    assert first["filters"] != second["filters"]  # salted


async def test_a_missing_journal_is_told(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path)
    journal_of(path).unlink()

    with pytest.raises(InvalidArgumentError, match="journal is missing"):
        await export_sessions(client, path, resume=True)
    assert partial_of(path).exists()
    assert not journal_of(path).exists()


# --- two at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resume", [False, True])
async def test_two_at_once_are_refused(client, tmp_path, resume):
    path = tmp_path / "x.csv"
    refused = []

    def report(progress):
        if progress.read == 0:
            journal = journal_of(path).read_bytes()
            with pytest.raises(InvalidArgumentError, match="another export") as caught:
                Journal(journal_of(path))
            assert journal_of(path).read_bytes() == journal
            refused.append(caught.value)

    await export_sessions(client, path, resume=resume, on_progress=report)

    assert len(refused) == 1
    assert path.read_bytes() == await whole(client, path)


async def test_the_second_of_two_leaves_the_first_alone(client, tmp_path):
    path = tmp_path / "x.csv"
    results = await asyncio.gather(
        export_sessions(client, path, page_size=20), export_sessions(client, path, page_size=20), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in results) == ["Exported", "InvalidArgumentError"]
    assert path.read_bytes() == await whole(client, path)


def test_a_journal_that_was_removed_before_it_was_locked_is_not_ours(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "journal"
    lock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda file, how: (lock(file, how), path.unlink()))

    with pytest.raises(InvalidArgumentError, match="another export"):
        Journal(path)


def test_a_journal_that_was_replaced_before_it_was_locked_is_not_ours(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    path, other = tmp_path / "journal", tmp_path / "other"
    lock = fcntl.flock
    other.touch()
    monkeypatch.setattr(fcntl, "flock", lambda file, how: (lock(file, how), other.replace(path)))

    with pytest.raises(InvalidArgumentError, match="another export"):
        Journal(path)


async def test_where_there_are_no_such_locks_it_exports_all_the_same(client, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)

    await export_sessions(client, tmp_path / "x.csv")

    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


# --- files --------------------------------------------------------------------------------------------------------


async def test_places_that_cannot_be_written(client, tmp_path):
    (tmp_path / "taken.csv.partial").mkdir()
    for place, why in (
        (tmp_path / "folder.csv", "it is not a regular file"),
        (tmp_path / "missing" / "x.csv", "No such file"),
        (tmp_path / "taken.csv", "Is a directory"),
    ):
        if place.stem == "folder":
            place.mkdir()
        with pytest.raises(InvalidArgumentError, match=f"{place.name} cannot be written: {why}"):
            await export_sessions(client, place)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
async def test_only_the_owner_can_read_what_is_written(client, tmp_path):
    path = tmp_path / "x.parquet"
    await stopped(client, path)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()]
    await export_sessions(client, path, resume=True)

    assert [*modes, stat.S_IMODE(path.stat().st_mode)] == [0o600] * 3


@EVERY_FORMAT
async def test_a_full_disk_leaves_what_can_be_resumed(client, tmp_path, format, monkeypatch):
    path = tmp_path / f"x.{format}"
    room = [30_000]

    class Small(io.FileIO):
        def write(self, data):
            size = min(len(data), room[0], 4096)
            if not size:
                raise OSError(errno.ENOSPC, "No space left on device")
            room[0] -= size
            return super().write(data[:size])

    with monkeypatch.context() as patched:
        patched.setattr(files.io, "FileIO", Small)
        with pytest.raises(OSError, match="No space left"):
            await export_sessions(client, path, page_size=20)
    assert not path.exists()

    done = await export_sessions(client, path, resume=True, page_size=20)

    assert 0 < done.resumed < 120
    assert path.read_bytes() == await whole(client, path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the names of open files, as Linux tells them")
@EVERY_FORMAT
async def test_the_rows_are_on_the_disk_before_the_name(client, tmp_path, format, monkeypatch):
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda number: (done.append(Path(f"/proc/self/fd/{number}").resolve().name), sync(number))
    )
    monkeypatch.setattr(Path, "replace", lambda path, to: (done.append(path.name), replace(path, to)))

    await export_sessions(client, tmp_path / f"x.{format}")

    whole = "x.parquet.partial.converting" if format == "parquet" else f"x.{format}.partial"
    assert done[-2:] == [whole, whole]


async def test_a_cancelled_export_can_be_resumed(client, tmp_path):
    path = tmp_path / "x.csv"
    begun = asyncio.Event()
    task = asyncio.create_task(
        export_sessions(client, path, page_size=20, on_progress=lambda progress: progress.rows and begun.set())
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await export_sessions(client, path, resume=True, page_size=20)

    assert path.read_bytes() == await whole(client, path)


async def test_a_cancellation_waits_for_the_thread():
    import threading

    entered, leave, left = threading.Event(), threading.Event(), []

    def work():
        entered.set()
        leave.wait(30)
        left.append(True)

    task = asyncio.create_task(files.in_thread(work))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    await asyncio.sleep(0)
    leave.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == [True]


def test_paths_may_be_strings(tmp_path):
    async def main():
        async with Emulator(sessions=3) as emulator, AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            return await export_sessions(client, str(tmp_path / "x.csv"))

    assert asyncio.run(main()).rows == 3
    assert Path(tmp_path, "x.csv").exists()
