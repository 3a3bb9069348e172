"""Responses of excessive size, read by a client that counts the bytes and does not keep them."""

import gzip
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.support.waiting import TIMEOUT, wait_until
from truemed_async.emulator import Emulator
from truemed_async.emulator.faults import decompression_bomb


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add()


def decoded(encoding, content):
    for name in reversed(encoding.split(", ")):
        if name == "gzip":
            content = gzip.decompress(content)
        elif name == "deflate":
            content = zlib.decompress(content)
        elif name == "br":
            content = pytest.importorskip("brotli").decompress(content)
    return content


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "br", "gzip, gzip", "gzip, gzip, gzip"])
@pytest.mark.parametrize("size", [2**10, 3 * 2**20 + 7])
def test_bomb(emulator, raw, id, encoding, size):
    emulator.faults.add("bomb", encoding=encoding, size=size)
    received = raw.update(id)
    assert received.status == 200
    assert received.header("Content-Encoding") == ([] if encoding == "identity" else [encoding])
    assert received.chunks[-1] == b""
    sent = b"".join(received.chunks)
    plain = decoded(encoding, sent)
    assert len(plain) == size
    assert plain == b'{"x_text":"' + b"a" * (size - 13) + b'"}'
    assert emulator.state.qualification_sessions.get(id).user_id == "u"
    if encoding != "identity" and size > 2**20:
        assert len(sent) < size / 500


def test_bomb_is_small_on_the_wire(emulator, raw, id):
    emulator.faults.add("bomb", encoding="gzip", size=2**29)
    received = raw.get(id)
    assert 400_000 < len(received.content) < 800_000
    size, stream = 0, zlib.decompressobj(16 + zlib.MAX_WBITS)
    for piece in received.chunks:
        data = stream.decompress(piece, 2**20)
        while data:
            size += len(data)
            data = stream.decompress(stream.unconsumed_tail, 2**20)
    assert stream.eof
    assert size == 2**29


def test_bomb_is_generated_in_constant_memory():
    """Memory of a process that makes one of 512 MiB, packed twice."""
    resource = pytest.importorskip("resource")
    assert resource
    code = (
        "import resource; from truemed_async.emulator.faults.decompression_bomb import encode, pad\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "size = sum(map(len, encode(pad(b'[\"', 2**29, b'\"]'), 'gzip, gzip')))\n"
        "print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    root = Path(decompression_bomb.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=root
    )
    size, memory = map(int, done.stdout.split())
    assert size < 60_000
    # Kilobytes here, bytes on macOS.
    assert memory // (1024 if sys.platform == "darwin" else 1) < 8 * 1024


def test_bomb_waits_for_slow_reader(emulator, raw, id):
    """What a socket takes is all that is made: the rest is not held in the meantime."""
    emulator.faults.add("bomb", encoding="identity", size=2**32)
    line = raw.connect()
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.send("GET", f"/api/v1/qualification_session/{id}")
    assert line.sock.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    line.sock.close()
    wait_until(lambda: emulator.requests[-1].status is None)


def test_emulator_stops_without_a_reader():
    with Emulator(sessions=0) as emulator:
        emulator.faults.add("bomb", encoding="identity", size=2**32)
        line = socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT)
        line.sendall(f"GET /nowhere HTTP/1.1\r\nHost: localhost:{emulator.port}\r\n\r\n".encode())
        assert line.recv(100)
    with line:
        try:
            while line.recv(2**20):
                pass
        except ConnectionResetError:
            pass  # either end is one


def test_bomb_needs_brotli_for_br(emulator, monkeypatch):
    monkeypatch.setitem(sys.modules, "brotli", None)
    with pytest.raises(ValueError, match="bomb: encoding br needs the package brotli"):
        emulator.faults.add("bomb", encoding="br")


def test_oversize_error_body(emulator, raw, id):
    emulator.faults.add("oversize_error_body", size=5 * 2**20, code=502)
    received = raw.update(id)
    assert received.status == 502
    plain = b"".join(received.chunks)
    assert len(plain) == 5 * 2**20
    assert plain.startswith(b'{"error":"ServerError","message":"aaaa')
    assert plain.endswith(b'aaaa"}')
    assert emulator.state.qualification_sessions.get(id).user_id is None
