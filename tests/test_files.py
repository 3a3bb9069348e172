"""Files and streams: all bytes are written, links are followed, files are private to their owner."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from tests.support.streams import ShortStream
from truemed_async import _files
from truemed_async._files import CompleteStream, create_owner_only, flush_all, open_owner_only, write_all
from truemed_async._sensitive import Sensitive

DATA = bytes(range(256)) * 4096  # more than a pipe holds

posix = pytest.mark.skipif(os.name == "nt", reason="descriptors and modes of POSIX")


class TestWriteAll:
    def test_raw_stream_with_short_writes_receives_all_bytes(self):
        stream = ShortStream(7)

        write_all(stream, Sensitive(b"x" * 100))

        assert stream.data == b"x" * 100

    def test_stream_that_returns_none_receives_data_once(self):
        class Stream:
            def __init__(self):
                self.data = b""

            def write(self, data):
                self.data += data

        stream = Stream()
        write_all(stream, Sensitive(DATA))

        assert stream.data == DATA

    def test_stream_that_takes_nothing_is_an_error(self):
        class Full(ShortStream):
            def write(self, data):
                return 0

        with pytest.raises(OSError, match="takes no more data"):
            write_all(Full(7), Sensitive(b"x"))

    @posix
    @pytest.mark.parametrize("buffering", [0, 4096])
    def test_non_blocking_pipe_with_slow_reader_receives_all_bytes(self, buffering):
        read, write = os.pipe()
        os.set_blocking(write, False)
        received = []

        def drain():
            threading.Event().wait(0.2)  # until the pipe is full
            with os.fdopen(read, "rb", buffering=0) as reader:
                while data := reader.read(8192):
                    received.append(data)

        thread = threading.Thread(target=drain)
        with os.fdopen(write, "wb", buffering=buffering) as stream:
            thread.start()
            write_all(stream, Sensitive(DATA))
            flush_all(stream)
        thread.join(30)

        assert b"".join(received) == DATA

    @posix
    def test_flush_of_full_non_blocking_pipe_waits_for_reader(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        with os.fdopen(write, "wb", buffering=100) as stream, os.fdopen(read, "rb", buffering=0) as reader:
            with pytest.raises(BlockingIOError):
                while True:
                    os.write(write, bytes(4096))
            stream.write(b"last")
            drain = threading.Timer(0.1, reader.read, [2**20])
            drain.start()

            flush_all(stream)
            drain.join(30)

            assert reader.read(100).endswith(b"last")

    def test_complete_stream_reports_full_length(self):
        stream = ShortStream(7)

        assert CompleteStream(stream).write(b"x" * 100) == 100
        assert stream.data == b"x" * 100
        assert CompleteStream(stream).writable()


@posix
class TestLinks:
    def test_chain_of_links_resolves_to_file(self, tmp_path):
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to(tmp_path / "c")

        assert _files.resolve_links(tmp_path / "a") == tmp_path / "c"

    def test_loop_of_links_is_an_error(self, tmp_path):
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")

        with pytest.raises(OSError, match="symbolic links"):
            _files.resolve_links(tmp_path / "a")

    def test_relative_path_becomes_absolute(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        assert _files.resolve_links(Path("x")) == tmp_path / "x"

    @pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
    def test_descriptor_path_resolves_to_descriptor(self, tmp_path):
        (tmp_path / "out").symlink_to("/dev/fd/7")

        assert _files.resolve_links(tmp_path / "out") == 7


@posix
class TestOwnerOnly:
    def test_existing_file_loses_permissions_of_others(self, tmp_path):
        path = tmp_path / "x"
        path.write_text("content")
        path.chmod(0o644)

        with _files.open_owner_only(path) as file:
            assert file.read() == b"content"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_link_is_not_followed(self, tmp_path):
        (tmp_path / "target").touch()
        (tmp_path / "link").symlink_to("target")

        with pytest.raises(OSError, match="symbolic links"):
            _files.open_owner_only(tmp_path / "link")

    def test_named_pipe_is_refused(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")

        with pytest.raises(FileExistsError, match="not a regular file"):
            _files.open_owner_only(tmp_path / "pipe")

    @pytest.mark.parametrize("owner", ["self", "other"])
    def test_failing_chmod_is_an_error_unless_owned(self, tmp_path, monkeypatch, owner):
        path = tmp_path / "x"
        path.touch(0o644)
        path.chmod(0o644)

        def refuse(*_):
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "fchmod", refuse)
        if owner == "self":
            _files.open_owner_only(path).close()
        else:
            monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
            with pytest.raises(PermissionError):
                _files.open_owner_only(path)

    def test_created_file_replaces_link_and_not_its_target(self, tmp_path):
        target, link = tmp_path / "target", tmp_path / "link"
        target.write_text("content")
        link.symlink_to(target)

        with _files.create_owner_only(link) as file:
            file.write(b"new")

        assert target.read_text() == "content"
        assert not link.is_symlink()
        assert stat.S_IMODE(link.stat().st_mode) == 0o600


@posix
class TestUnsupportedOperations:
    @pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
    def test_lock_without_support_is_granted(self, tmp_path, monkeypatch, number):
        import fcntl

        monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(number, "unsupported")))

        with (tmp_path / "x").open("wb", buffering=0) as file:
            assert _files.lock_exclusively(file)

    def test_other_error_of_lock_is_raised(self, tmp_path, monkeypatch):
        import fcntl

        monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))

        with (tmp_path / "x").open("wb", buffering=0) as file, pytest.raises(OSError, match="broken"):
            _files.lock_exclusively(file)

    def test_second_lock_is_refused(self, tmp_path):
        with (tmp_path / "x").open("wb", buffering=0) as first, (tmp_path / "x").open("wb", buffering=0) as second:
            assert _files.lock_exclusively(first)
            assert not _files.lock_exclusively(second)

    def test_lock_without_fcntl_is_granted(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "fcntl", None)

        with (tmp_path / "x").open("wb", buffering=0) as file:
            assert _files.lock_exclusively(file)

    @pytest.mark.parametrize(("number", "is_raised"), [(errno.EINVAL, False), (errno.EIO, True)])
    def test_sync_without_support_is_ignored(self, tmp_path, monkeypatch, number, is_raised):
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(number, "refused")))

        with (tmp_path / "x").open("wb", buffering=0) as file:
            if is_raised:
                with pytest.raises(OSError, match="refused"):
                    _files.sync_to_disk(file)
            else:
                _files.sync_to_disk(file)


@posix
@pytest.mark.parametrize("open_file", [create_owner_only, open_owner_only])
def test_new_file_under_any_umask_is_readable_by_its_owner(tmp_path, open_file):
    previous = os.umask(0o777)
    try:
        open_file(tmp_path / "x").close()
    finally:
        os.umask(previous)

    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
