"""Files and streams: follow links, keep files private to their owner, and write all of the data."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING, Any

from truemed_async._sensitive import Sensitive

if TYPE_CHECKING:
    from pathlib import Path

MAX_LINKS = 40  # as Linux

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})


def resolve_links(path: Path) -> Path | int:
    """Follow symbolic links, so that a file is replaced and not the link to it.

    Returns:
        The absolute path of the file, or the open descriptor that a link such as ``/dev/stdout`` stands for.

    Raises:
        OSError: A link cannot be read, or links form a loop.
    """
    descriptors = {os.path.realpath(directory) for directory in ("/dev/fd", "/proc/self/fd")}
    current = path.absolute()
    for _ in range(MAX_LINKS):
        if current.name.isdigit() and os.path.realpath(current.parent) in descriptors:
            return int(current.name)
        if not current.is_symlink():
            return current
        current = current.parent / current.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def open_owner_only(path: Path) -> io.FileIO:
    """Open a file unbuffered for reading and writing; only its owner can read it, also if it existed before.

    Raises:
        OSError: It cannot be opened, or is a link or no regular file.
    """
    return _open_restricted(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW)


def _open_restricted(path: Path, flags: int) -> io.FileIO:
    file = io.FileIO(path, "r+", opener=lambda name, _: os.open(name, flags, 0o600))
    try:
        _restrict_to_owner(file)
    except BaseException:
        file.close()
        raise
    return file


def _restrict_to_owner(file: io.FileIO) -> None:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError(None, "it is not a regular file")
    # A file from before may be open to others; a umask such as 0o777 keeps even the owner from a new one.
    if os.name != "nt" and stat.S_IMODE(status.st_mode) != 0o600:
        try:
            os.fchmod(file.fileno(), 0o600)
        except PermissionError:
            if status.st_uid != os.geteuid():  # its owner is refused only by a file system without modes
                raise


def create_owner_only(path: Path) -> io.FileIO:
    """Create a file that only its owner can read, in place of whatever has its name."""
    path.unlink(missing_ok=True)
    return _open_restricted(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def sync_to_disk(file: io.FileIO) -> None:
    """Wait until the content is on the disk, where the file system supports it."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def lock_exclusively(file: io.FileIO) -> bool:
    """Lock a file against other processes and return whether that succeeded; also where locks are unsupported."""
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # Windows, which refuses to replace or remove an open file
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED | {errno.ENOLCK}:
            raise
    return True


def write_all(stream: Any, data: Sensitive[bytes]) -> None:
    """Write all bytes to a binary stream, however few it takes at a time.

    Raw streams, such as those of ``python -u``, may take fewer bytes than they are given, and non-blocking ones none at
    all while their reader is slow.

    Raises:
        OSError: The stream takes no more.
    """
    rest = memoryview(data.value)
    while rest:
        try:
            written = stream.write(rest.tobytes())
        except BlockingIOError as error:  # a buffered stream: its buffer is full
            rest = rest[error.characters_written :]
            _wait_until_writable(stream)
            continue
        if written is None:
            if not isinstance(stream, io.RawIOBase):
                return  # a stream of another kind, which writes everything and does not count
            _wait_until_writable(stream)
        elif written == 0:
            raise OSError(errno.EIO, "the stream takes no more data")
        else:
            rest = rest[written:]


def flush_all(stream: Any) -> None:
    """Flush a stream, waiting for a slow reader."""
    while True:
        try:
            stream.flush()
        except BlockingIOError:
            _wait_until_writable(stream)
        else:
            return


def _wait_until_writable(stream: Any) -> None:
    import selectors  # noqa: PLC0415  # rarely needed

    with selectors.DefaultSelector() as selector:
        selector.register(stream.fileno(), selectors.EVENT_WRITE)
        selector.select()


class CompleteStream(io.RawIOBase):
    """Passes everything that is written to a binary stream, with :func:`write_all`."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        """Return ``True``."""
        return True

    def write(self, data: Any) -> int:
        """Write all of it."""
        write_all(self._stream, Sensitive(data))
        return len(data)
