"""Resumed exports: interrupted in the test, stopped at a page, or killed."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import stat
import sys
import zlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from truemed_async import AsyncTruemed, _files, export
from truemed_async.emulator import Emulator
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.consumer import run_uncancelled
from truemed_async.exports.journal import Journal

FORMATS = ("csv", "jsonl", "parquet")
EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS)
SECRET = "a secret of tests"


ITER_OPTIONS = ("status", "user_id", "expires_at", "search", "since", "page_size")


def export_sessions(client, to, **options):
    """Export qualification sessions; filters and ``page_size`` go to ``iter``."""
    of_iter = {name: options.pop(name) for name in ITER_OPTIONS if name in options}
    return export(client.qualification_sessions.iter(**of_iter, look_back=timedelta(0)), to, **options)


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
@pytest.mark.parametrize("options", [{}, {"pii": "hash", "secret": SECRET}, {"columns": ["status", "email"]}])
async def test_resumed_file_equals_that_of_uninterrupted_run(client, tmp_path, format, options):
    path = tmp_path / f"x.{format}"
    *_, rows_before = await stopped(client, path, **options)
    assert not path.exists()

    done = await export_sessions(client, path, resume=True, page_size=20, **options)

    assert path.read_bytes() == await whole(client, path, **options)
    assert (done.rows, done.resumed) == (120, rows_before)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"whole-x.{format}", f"x.{format}"]


@EVERY_FORMAT
async def test_resume_repeatedly_with_other_page_sizes_completes(client, tmp_path, format):
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
async def test_torn_files_are_read_again(client, tmp_path, format, torn):
    """As a killed process or a power cut leaves it."""
    path = tmp_path / f"x.{format}"
    *_, before, rows_before = await stopped(client, path)
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
    assert done.resumed == {"row": rows_before, "everything": 0}.get(torn, before)


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"7\n", b"{}\n", b'{"end":1,"checksum":1,"digests":"zz","tally":{}}\n'])
async def test_invalid_journal_line_ends_journal(client, tmp_path, line):
    path = tmp_path / "x.csv"
    *_, rows_before = await stopped(client, path)
    with journal_of(path).open("ab") as journal:
        journal.write(line)

    done = await export_sessions(client, path, resume=True)

    assert path.read_bytes() == await whole(client, path)
    assert done.resumed == rows_before


async def test_resume_with_empty_journal_starts_over(client, tmp_path):
    path = tmp_path / "x.csv"
    partial_of(path).write_text("what was there before")
    journal_of(path).write_bytes(b"")

    await export_sessions(client, path, resume=True, page_size=20)

    assert path.read_bytes() == await whole(client, path)


@EVERY_FORMAT
async def test_resume_after_kill_between_rename_and_cleanup_starts_over(client, tmp_path, format):
    path = tmp_path / f"x.{format}"
    await stopped(client, path)
    partial_of(path).replace(path)

    done = await export_sessions(client, path, resume=True, columns=["status"])

    assert done.resumed == 0
    assert path.read_bytes() == await whole(client, path, columns=["status"])


async def test_resume_after_kill_during_parquet_conversion_completes(client, tmp_path):
    path = tmp_path / "x.parquet"
    await stopped(client, path, rows=120)
    converting = tmp_path / "x.parquet.partial.converting"
    converting.write_bytes(b"half of it" * 1_000_000)

    done = await export_sessions(client, path, resume=True)

    assert done.resumed == 120
    assert path.read_bytes() == await whole(client, path)
    assert not converting.exists()


async def test_resume_without_unfinished_file_starts_over(client, tmp_path, rows_of):
    done = await export_sessions(client, tmp_path / "x.csv", resume=True)

    assert (done.rows, done.resumed, len(rows_of(tmp_path / "x.csv"))) == (120, 0, 120)


async def test_export_without_resume_drops_unfinished_file(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path, columns=["status"])

    done = await export_sessions(client, path)

    assert (done.rows, done.resumed) == (120, 0)
    assert path.read_bytes() == await whole(client, path)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
async def test_unfinished_file_is_readable_in_its_format(client, tmp_path, format, rows_of):
    path = tmp_path / f"x.{format}"
    *_, rows_before = await stopped(client, path)

    copy = path.with_name(f"copy.{format}")
    copy.write_bytes(partial_of(path).read_bytes())

    assert len(rows_of(copy)) == rows_before


async def test_unfinished_parquet_is_arrow_stream(client, tmp_path):
    import pyarrow as pa

    path = tmp_path / "x.parquet"
    *_, rows_before = await stopped(client, path)

    assert pa.ipc.open_stream(partial_of(path).read_bytes()).read_all().num_rows == rows_before


@EVERY_FORMAT
async def test_resume_with_changed_listing_writes_each_row_once(emulator, client, tmp_path, format, rows_of, yesterday):
    """New ones stand where the resumed run wrote, those that are gone stay, and nothing comes twice."""
    path = tmp_path / f"x.{format}"
    *_, rows_before = await stopped(client, path)
    before = [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]
    for gone in (before[3], before[100]):
        emulator.state.qualification_sessions.remove(gone)
    emulator.state.qualification_sessions.add(
        qualification_session_id="newest", created_at=datetime(2026, 11, 2, tzinfo=UTC)
    )
    emulator.state.qualification_sessions.add(qualification_session_id="oldest", created_at=yesterday(1))

    done = await export_sessions(client, path, resume=True, page_size=20)

    ids = [row["qualification_session_id"] for row in rows_of(path)]
    assert ids == [*before[:rows_before], "newest", *before[rows_before:100], *before[101:], "oldest"]
    assert (done.rows, done.resumed) == (121, rows_before)


async def test_resume_keeps_rows_as_read(emulator, client, tmp_path, rows_of):
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


async def test_resumed_result_covers_whole_file(client, tmp_path):
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
        ({"pii": "keep", "secret": None}, "pii, secret"),
        ({"secret": "another secret of tests"}, "secret"),
    ],
)
async def test_resume_with_different_options_is_rejected(client, tmp_path, changed, named):
    path = tmp_path / "x.csv"
    options = {
        "status": "pending", "columns": ["status", "email"], "format": "csv", "pii": "hash", "secret": SECRET
    }  # fmt: skip
    await stopped(client, path, rows=0, **options)
    before = [partial_of(path).read_bytes(), journal_of(path).read_bytes()]

    with pytest.raises(InvalidArgumentError, match=f"was begun with different {named}: "):
        await export_sessions(client, path, resume=True, **(options | changed))

    assert [partial_of(path).read_bytes(), journal_of(path).read_bytes()] == before
    await export_sessions(client, path, resume=True, **options)


async def test_resume_with_all_columns_named_is_rejected(client, tmp_path):
    """By default JSONL holds unknown fields too."""
    path = tmp_path / "x.jsonl"
    await stopped(client, path)
    first = orjson.loads(journal_of(path).read_bytes().splitlines()[0])

    with pytest.raises(InvalidArgumentError, match="columns"):
        await export_sessions(client, path, resume=True, columns=first["columns"][:-1])


async def test_resume_with_other_server_is_rejected(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path)

    async with Emulator(sessions=1) as other, AsyncTruemed(other.api_key, base_url=other.url) as stranger:
        with pytest.raises(InvalidArgumentError, match="server"):
            await export_sessions(stranger, path, resume=True)


async def test_resume_with_equivalent_options_is_accepted(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path, rows=0, since=date(2026, 8, 5), expires_at=date(2027, 9, 1))

    await export_sessions(
        client, path, resume=True, since=datetime(2026, 8, 5, tzinfo=UTC), expires_at="2027-09-01", format="csv"
    )


async def test_journal_holds_no_personal_data(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path, rows=0, search="ada@example.com", user_id="user-42", pii="hash", secret=SECRET)

    written = journal_of(path).read_text(encoding="utf-8")

    assert not [each for each in ("ada@", "example.com", "user-42", SECRET, SECRET.encode().hex()) if each in written]
    other = tmp_path / "y.csv"
    await stopped(client, other, rows=0, search="ada@example.com", user_id="user-42", pii="hash", secret=SECRET)
    first, second = (orjson.loads(journal_of(each).read_bytes().splitlines()[0]) for each in (path, other))
    assert first["filters"] != second["filters"]  # salted


async def test_resume_without_journal_is_rejected(client, tmp_path):
    path = tmp_path / "x.csv"
    await stopped(client, path)
    journal_of(path).unlink()

    with pytest.raises(InvalidArgumentError, match="journal is missing"):
        await export_sessions(client, path, resume=True)
    assert partial_of(path).exists()
    assert not journal_of(path).exists()


# --- two at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resume", [False, True])
async def test_locked_journal_is_rejected(client, tmp_path, resume):
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


async def test_concurrent_exports_to_one_file_let_one_complete(client, tmp_path):
    path = tmp_path / "x.csv"
    results = await asyncio.gather(
        export_sessions(client, path, page_size=20), export_sessions(client, path, page_size=20), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in results) == ["ExportResult", "InvalidArgumentError"]
    assert path.read_bytes() == await whole(client, path)


def test_journal_removed_before_lock_is_rejected(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "journal"
    lock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda file, how: (lock(file, how), path.unlink()))

    with pytest.raises(InvalidArgumentError, match="another export"):
        Journal(path)


def test_journal_replaced_before_lock_is_rejected(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    path, other = tmp_path / "journal", tmp_path / "other"
    lock = fcntl.flock
    other.touch()
    monkeypatch.setattr(fcntl, "flock", lambda file, how: (lock(file, how), other.replace(path)))

    with pytest.raises(InvalidArgumentError, match="another export"):
        Journal(path)


async def test_export_without_fcntl_completes(client, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)

    await export_sessions(client, tmp_path / "x.csv")

    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


# --- files --------------------------------------------------------------------------------------------------------


async def test_unwritable_destinations_are_rejected(client, tmp_path):
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
async def test_files_are_readable_by_owner_only(client, tmp_path):
    path = tmp_path / "x.parquet"
    await stopped(client, path)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()]
    await export_sessions(client, path, resume=True)

    assert [*modes, stat.S_IMODE(path.stat().st_mode)] == [0o600] * 3


@EVERY_FORMAT
async def test_full_disk_leaves_resumable_file(client, tmp_path, format, monkeypatch):
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
        patched.setattr(_files.io, "FileIO", Small)
        with pytest.raises(OSError, match="No space left"):
            await export_sessions(client, path, page_size=20)
    assert not path.exists()

    done = await export_sessions(client, path, resume=True, page_size=20)

    assert 0 < done.resumed < 120
    assert path.read_bytes() == await whole(client, path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the names of open files, as Linux tells them")
@EVERY_FORMAT
async def test_rows_are_synced_before_rename(client, tmp_path, format, monkeypatch):
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda number: (done.append(Path(f"/proc/self/fd/{number}").resolve().name), sync(number))
    )
    monkeypatch.setattr(Path, "replace", lambda path, to: (done.append(path.name), replace(path, to)))

    await export_sessions(client, tmp_path / f"x.{format}")

    whole = "x.parquet.partial.converting" if format == "parquet" else f"x.{format}.partial"
    assert done[-2:] == [whole, whole]


async def test_canceled_export_can_be_resumed(client, tmp_path):
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


async def test_run_uncanceled_when_canceled_waits_for_thread():
    import threading

    entered, leave, left = threading.Event(), threading.Event(), []

    def work():
        entered.set()
        leave.wait(30)
        left.append(True)

    task = asyncio.create_task(run_uncancelled(work))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    await asyncio.sleep(0)
    leave.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == [True]


def test_path_may_be_string(tmp_path):
    async def main():
        async with Emulator(sessions=3) as emulator, AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            return await export_sessions(client, str(tmp_path / "x.csv"))

    assert asyncio.run(main()).rows == 3
    assert Path(tmp_path, "x.csv").exists()


# --- format versions ----------------------------------------------------------------------------------------------


def write_unfinished_file_of_0_1_0(path, server, sessions, version=1):
    """Write what version 0.1.0 leaves of ``status=approved`` after the given sessions."""
    salt = "00" * 16
    filters = hashlib.scrypt(b'{"status":"approved"}', salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()
    manifest = {
        "version": version, "server": server, "rows": "QualificationSession", "format": "csv",
        "columns": ["qualification_session_id", "status"], "personal": "keep", "filters": filters, "secret": None,
        "salt": salt,
    }  # fmt: skip
    head = b"qualification_session_id,status\r\n"
    rows = "".join(f"{each.qualification_session_id},{each.status}\r\n" for each in sessions).encode()
    digests = [hashlib.blake2b(each.qualification_session_id.encode(), digest_size=16).hexdigest() for each in sessions]
    lines = [
        manifest,
        {
            "end": len(head), "checksum": zlib.crc32(head), "digests": "",
            "tally": {"rows": 0, "statuses": {}, "earliest": None, "latest": None},
        },
        {
            "end": len(head + rows), "checksum": zlib.crc32(rows), "digests": "".join(digests),
            "tally": {
                "rows": len(sessions), "statuses": {"approved": len(sessions)},
                "earliest": "2026-01-01T00:00:00+00:00", "latest": "2026-01-02T00:00:00+00:00",
            },
        },
    ]  # fmt: skip
    partial_of(path).write_bytes(head + rows)
    journal_of(path).write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))


async def test_unfinished_file_of_0_1_0_is_resumed(client, tmp_path):
    path = tmp_path / "x.csv"
    options = {"status": "approved", "columns": ["qualification_session_id", "status"]}
    first, second, *_ = [each async for each in client.qualification_sessions.iter(status="approved")]
    write_unfinished_file_of_0_1_0(path, client.base_url, [first, second])

    result = await export_sessions(client, path, resume=True, **options)

    assert result.resumed == 2
    assert path.read_bytes() == await whole(client, path, **options)


@pytest.mark.parametrize("version", [2, None])
async def test_unfinished_file_of_other_format_version_is_rejected(client, tmp_path, version):
    path = tmp_path / "x.csv"
    write_unfinished_file_of_0_1_0(path, client.base_url, [], version)
    before = journal_of(path).read_bytes()

    with pytest.raises(InvalidArgumentError, match=f"its format version is {version}, this one resumes version 1"):
        await export_sessions(client, path, resume=True, columns=["status"])

    assert journal_of(path).read_bytes() == before
