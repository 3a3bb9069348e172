"""Destinations of exports: links, devices, pipes, unusual names, existing files, values that do not fit."""

from __future__ import annotations

import io
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from tests.support.streams import ShortStream
from truemed_async import Model, Stream, export
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports import RowType

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, descriptors and modes of POSIX")
EVERY_FORMAT = pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])


def export_sessions(client, to, **options):
    return export(client.qualification_sessions.iter(), to, **options)


class TestLinks:
    @EVERY_FORMAT
    async def test_link_remains_and_its_target_is_replaced(self, client, tmp_path, format):
        real, link = tmp_path / "data" / f"real.{format}", tmp_path / f"link.{format}"
        real.parent.mkdir()
        real.write_text("old")
        link.symlink_to(real)

        await export_sessions(client, link)
        await export_sessions(client, tmp_path / f"plain.{format}")

        assert link.is_symlink()
        assert real.read_bytes() == (tmp_path / f"plain.{format}").read_bytes()
        assert [each.name for each in real.parent.iterdir()] == [real.name]

    async def test_dangling_link_creates_its_target(self, client, tmp_path):
        (tmp_path / "link.csv").symlink_to("missing.csv")

        await export_sessions(client, tmp_path / "link.csv")

        assert (tmp_path / "missing.csv").stat().st_size > 0

    async def test_loop_of_links_is_refused(self, client, tmp_path):
        (tmp_path / "x.csv").symlink_to("x.csv")

        with pytest.raises(InvalidArgumentError, match=r"x\.csv cannot be written: .*symbolic links"):
            await export_sessions(client, tmp_path / "x.csv")

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
    @EVERY_FORMAT
    async def test_link_to_descriptor_writes_to_it(self, client, tmp_path, format):
        """As ``/dev/stdout`` does."""
        with (tmp_path / "rows").open("wb", buffering=0) as rows:
            rows.write(b"before")
            (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{rows.fileno()}")
            await export_sessions(client, tmp_path / "stdout", format=format)
            rows.write(b"after")
        await export_sessions(client, tmp_path / f"plain.{format}")

        assert (tmp_path / "stdout").is_symlink()
        plain = (tmp_path / f"plain.{format}").read_bytes()
        assert (tmp_path / "rows").read_bytes() == b"before" + plain + b"after"

    async def test_closed_descriptor_is_refused(self, client, tmp_path):
        (tmp_path / "stdout").symlink_to("/dev/fd/987654")

        with pytest.raises(InvalidArgumentError, match="cannot be written: Bad file descriptor"):
            await export_sessions(client, tmp_path / "stdout")


class TestDevicesAndPipes:
    async def test_device_is_written(self, client):
        result = await export_sessions(client, "/dev/null")

        assert result.rows == 120

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    @EVERY_FORMAT
    async def test_full_device_is_an_error(self, client, format):
        with pytest.raises(OSError, match="No space left"):
            await export_sessions(client, "/dev/full", format=format)

    async def test_named_pipe_receives_jsonl(self, client, tmp_path):
        pipe, received = tmp_path / "pipe", []
        os.mkfifo(pipe)
        thread = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
        thread.start()

        await export_sessions(client, pipe)
        thread.join(30)

        assert len(received[0].splitlines()) == 120

    async def test_resume_of_device_is_refused(self, client):
        with pytest.raises(InvalidArgumentError, match="a stream cannot be resumed"):
            await export_sessions(client, "/dev/null", resume=True)

    async def test_socket_is_refused(self, client, tmp_path, monkeypatch):
        import socket

        monkeypatch.chdir(tmp_path)  # the address of a socket has at most 108 bytes
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("x.csv")
            with pytest.raises(InvalidArgumentError, match="it is not a regular file"):
                await export_sessions(client, tmp_path / "x.csv")


class TestNames:
    @pytest.mark.parametrize("name", ["", ".", "..", "/", "x/", "./", "a/..", "x.csv/", "x\0.csv"])
    async def test_path_without_file_name_is_refused(self, client, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)

        with pytest.raises(InvalidArgumentError, match="is not the name of a file"):
            await export_sessions(client, name, format="csv")
        assert not list(tmp_path.iterdir())

    async def test_too_long_name_is_refused(self, client, tmp_path):
        with pytest.raises(InvalidArgumentError, match="File name too long"):
            await export_sessions(client, tmp_path / ("x" * 250 + ".csv"))

    async def test_name_that_is_not_utf_8_is_written(self, client, tmp_path):
        name = os.fsencode(tmp_path) + b"/\xff.csv"

        await export_sessions(client, os.fsdecode(name))

        assert os.listdir(os.fsencode(tmp_path)) == [b"\xff.csv"]  # noqa: PTH208  # bytes

    async def test_path_object_of_bytes_is_written(self, client, tmp_path):
        class BytesPath:
            def __fspath__(self):
                return os.fsencode(tmp_path / "x.csv")

        await export_sessions(client, BytesPath())

        assert (tmp_path / "x.csv").exists()

    async def test_relative_path_and_later_chdir_writes_to_first_directory(self, client, tmp_path, monkeypatch):
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path)

        await export_sessions(client, "x.csv", on_progress=lambda _: os.chdir(tmp_path / "other"))

        assert (tmp_path / "x.csv").exists()
        assert not list((tmp_path / "other").iterdir())


class TestExistingFiles:
    @pytest.mark.parametrize("suffix", [".partial", ".partial.journal", ".partial.converting"])
    async def test_existing_file_with_our_name_becomes_private(self, client, tmp_path, suffix):
        existing = tmp_path / f"x.parquet{suffix}"
        existing.write_text("content")
        existing.chmod(0o644)
        modes = []

        await export_sessions(
            client,
            tmp_path / "x.parquet",
            on_progress=lambda _: modes.extend(stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()),
        )

        assert set(modes) <= ({0o600} if suffix != ".partial.converting" else {0o600, 0o644})
        assert stat.S_IMODE((tmp_path / "x.parquet").stat().st_mode) == 0o600

    @pytest.mark.parametrize("suffix", [".partial", ".partial.converting"])
    async def test_existing_link_with_our_name_is_replaced(self, client, tmp_path, suffix):
        target = tmp_path / "target"
        target.write_text("content")
        (tmp_path / f"x.parquet{suffix}").symlink_to(target)

        await export_sessions(client, tmp_path / "x.parquet")

        assert target.read_text() == "content"

    async def test_existing_link_with_name_of_journal_is_refused(self, client, tmp_path):
        target = tmp_path / "target"
        target.write_text("content")
        (tmp_path / "x.csv.partial.journal").symlink_to(target)

        with pytest.raises(InvalidArgumentError, match="symbolic links"):
            await export_sessions(client, tmp_path / "x.csv")
        assert target.read_text() == "content"


# --- streams and values -------------------------------------------------------------------------------------------


@EVERY_FORMAT
async def test_raw_stream_receives_all_bytes(client, tmp_path, format):
    stream = ShortStream(1000)

    await export_sessions(client, stream, format=format)
    await export_sessions(client, tmp_path / f"x.{format}")

    assert stream.data == (tmp_path / f"x.{format}").read_bytes()


async def test_bom_begins_csv(client, tmp_path):
    await export_sessions(client, tmp_path / "plain.csv")
    await export_sessions(client, tmp_path / "excel.csv", bom=True)

    assert (tmp_path / "excel.csv").read_bytes() == b"\xef\xbb\xbf" + (tmp_path / "plain.csv").read_bytes()


@pytest.mark.parametrize("first", [False, True])
async def test_resume_with_other_bom_is_refused(client, tmp_path, first):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export_sessions(client, tmp_path / "x.csv", bom=first, on_progress=stop)
    with pytest.raises(InvalidArgumentError, match="begun with different bom"):
        await export_sessions(client, tmp_path / "x.csv", bom=not first, resume=True)
    await export_sessions(client, tmp_path / "x.csv", bom=first, resume=True)


async def test_bom_of_other_format_is_refused(client, tmp_path):
    with pytest.raises(InvalidArgumentError, match="bom requires format 'csv'"):
        await export_sessions(client, tmp_path / "x.jsonl", bom=True)


@attrs.frozen(kw_only=True)
class Payment(Model):
    id: str
    amount: int


async def one_payment(amount):
    yield [Payment(id="1", amount=amount)]


@pytest.mark.parametrize("amount", [2**63, 2**64 - 1])
async def test_parquet_with_integer_over_64_bits_is_refused(amount):
    row_type = RowType(model=Payment, id="id", status=None, created_at=None)

    for format in ("csv", "jsonl"):
        out = io.BytesIO()
        await export(Stream(one_payment(amount)), out, format=format, row_type=row_type)
        assert str(amount).encode() in out.getvalue()
    with pytest.raises(InvalidArgumentError, match="cannot hold a value of amount: export to CSV or JSONL"):
        await export(Stream(one_payment(amount)), io.BytesIO(), format="parquet", row_type=row_type)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("9999-12-31T23:59:59-08:00", "9999-12-31T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00+08:00", "0001-01-01T00:00:00+00:00"),
        ("2024-01-01T00:00:00+08:00", "2023-12-31T16:00:00+00:00"),
    ],
)
def test_to_utc_at_ends_of_calendar_is_clamped(moment, expected):
    from truemed_async.exports.columns import to_utc

    assert to_utc(datetime.fromisoformat(moment)).isoformat() == expected
    assert to_utc(datetime.fromisoformat(moment)).tzinfo is UTC
