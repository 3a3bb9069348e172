"""An emulator that cannot start, or cannot accept connections, reports it instead of waiting for ever."""

from __future__ import annotations

import errno
import subprocess
import sys
import textwrap

import pytest

from truemed_async.emulator import Emulator


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_with_block_without_event_loop_raises(monkeypatch, error):
    """As under `pytest --disable-socket`, which forbids the sockets of an event loop."""

    def forbidden():
        raise error("sockets are forbidden")

    emulator = Emulator(sessions=0)
    with monkeypatch.context() as patch:
        patch.setattr("asyncio.events.new_event_loop", forbidden)
        patch.setattr("threading.excepthook", lambda _: None)
        with pytest.raises(error, match="sockets are forbidden"), emulator:
            pass
    with emulator:
        assert emulator.port


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_with_block_without_file_descriptors_raises():
    program = """
        import os, resource
        from truemed_async.emulator import Emulator

        emulator = Emulator(sessions=0)
        used = len(os.listdir("/proc/self/fd")) - 2
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        try:
            with emulator:
                pass
        except OSError as error:
            print(error.strerror)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "Too many open files\n"


def test_with_block_raises_the_error_of_stop(monkeypatch):
    emulator = Emulator(sessions=0)
    stop = emulator.stop

    async def broken():
        await stop()
        raise RuntimeError("broken")

    monkeypatch.setattr(emulator, "stop", broken)
    with pytest.raises(RuntimeError, match="broken"), emulator:
        pass


class Exhausted:
    """A socket that cannot accept for some time."""

    def __init__(self, real, failures):
        self._real = real
        self.failures = failures
        self.attempts = 0

    def __getattr__(self, name):
        return getattr(self._real, name)

    def accept(self):
        self.attempts += 1
        if self.attempts <= self.failures:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._real.accept()


def test_listener_without_file_descriptors_accepts_later(emulator, api):
    listener = emulator._listener
    listener._socket = exhausted = Exhausted(listener._socket, failures=2)
    assert api.list().status == 200
    # Two failures, one success, and one more look; not a busy loop.
    assert exhausted.attempts <= 5


def test_listener_with_another_socket_does_not_resume():
    with Emulator(sessions=0) as emulator:
        listener = emulator._listener
        listener._loop.call_soon_threadsafe(listener._resume_accepting, None)
        assert emulator.port
