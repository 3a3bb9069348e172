"""Responses too large for a client to read, generated without holding them in memory."""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import repeat
from typing import Annotated, Any, Literal

from truemed_async.emulator.faults.registry import Bound, fault
from truemed_async.emulator.faults.responses import ResponseBytes, encode_chunk, encode_head
from truemed_async.emulator.request import json_response

_BLOCK = b"a" * 2**20


def _validate_encoding(encoding: str) -> None:
    if encoding == "br":
        try:
            import_module("brotli")
        except ModuleNotFoundError:
            raise ValueError("br needs the package brotli") from None


Pieces = Iterable[bytes]
Size = Annotated[int, Bound(">=", 2**10)]
Encoding = Annotated[Literal["identity", "gzip", "deflate", "br", "gzip, gzip", "gzip, gzip, gzip"], _validate_encoding]


def pad(before: bytes, size: int, after: bytes) -> Iterator[bytes]:
    """Yield ``size`` bytes in total: ``before`` and ``after`` with as many "a" between them as needed."""
    whole, rest = divmod(max(0, size - len(before) - len(after)), len(_BLOCK))
    yield before
    yield from repeat(_BLOCK, whole)
    yield _BLOCK[:rest] + after


def _compress(pieces: Pieces) -> Iterator[bytes]:
    """Compress piece by piece, and a repeated piece only once."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    last, compressed = b"", b""
    for piece in pieces:
        if piece is not last:
            # After a full flush no back-reference crosses the piece, so its compressed bytes can be repeated.
            last, compressed = piece, compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
        yield compressed
    yield compressor.flush(zlib.Z_FINISH)


def _gzip(pieces: Pieces) -> Iterator[bytes]:
    size = checksum = 0

    def count_bytes() -> Iterator[bytes]:
        nonlocal size, checksum
        for piece in pieces:
            size, checksum = size + len(piece), zlib.crc32(piece, checksum)
            yield piece

    yield b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    yield from _compress(count_bytes())
    yield struct.pack("<II", checksum, size % 2**32)


def _deflate(pieces: Pieces) -> Iterator[bytes]:
    checksum = 1

    def count_bytes() -> Iterator[bytes]:
        nonlocal checksum
        for piece in pieces:
            checksum = zlib.adler32(piece, checksum)
            yield piece

    yield b"\x78\xda"
    yield from _compress(count_bytes())
    yield struct.pack(">I", checksum)


def _br(pieces: Pieces) -> Iterator[bytes]:
    compressor: Any = import_module("brotli").Compressor(quality=1)
    for piece in pieces:
        yield compressor.process(piece) + compressor.flush()
    yield compressor.finish()


def encode(pieces: Pieces, encoding: str) -> Pieces:
    """Apply the encodings of a Content-Encoding in their order."""
    encoders: dict[str, Callable[[Pieces], Pieces]] = {"gzip": _gzip, "deflate": _deflate, "br": _br}
    if encoding != "identity":
        for name in encoding.split(", "):
            pieces = encoders[name](pieces)
    return pieces


@fault("after")
def bomb(*, encoding: Encoding = "gzip", size: Size = 2**30) -> ResponseBytes:
    """A small response, its effect applied, is JSON of ``size`` bytes once the ``encoding`` is decoded.

    Happens with hostile servers: a client without a limit runs out of memory.
    """
    fields = [] if encoding == "identity" else [f"Content-Encoding: {encoding}"]
    return _stream(200, encode(pad(b'{"x_text":"', size, b'"}'), encoding), *fields)


@fault("before")
def oversize_error_body(
    *, size: Size = 2**26, code: Annotated[int, Bound(">=", 400), Bound("<", 600)] = 500
) -> ResponseBytes:
    """An error with status ``code`` has a ``message`` that makes its body ``size`` bytes; the request has no effect.

    Happens when an error repeats the data that caused it, or a server is hostile.
    """
    return _stream(code, pad(b'{"error":"ServerError","message":"', size, b'"}'))


def _stream(status: int, pieces: Pieces, *fields: str) -> ResponseBytes:
    start = encode_head(json_response(status, None), *fields, "Transfer-Encoding: chunked")

    def chunks() -> Iterator[bytes]:
        yield start
        yield from map(encode_chunk, pieces)
        yield b"0\r\n\r\n"

    # Empty pieces make no chunk, so there is nothing to write.
    return ResponseBytes(filter(None, chunks()), status=status, end="keep")
