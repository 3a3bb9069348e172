"""Answers of a size that no client should take in, made without ever being held."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import repeat
from typing import Any, Literal

import attrs
from aiohttp import web
from attrs.validators import and_, ge, lt

from truemed_async.emulator.faults.base import Exchange, Fault, RawResponse, chunk, head
from truemed_async.emulator.request import json_response

_BLOCK = b"a" * 2**20

Pieces = Iterable[bytes]
Encoding = Literal["identity", "gzip", "deflate", "br", "gzip, gzip", "gzip, gzip, gzip"]


def text(before: bytes, size: int, after: bytes) -> Iterator[bytes]:
    """Yield `size` bytes in all: as many "a" as it takes between the two."""
    whole, rest = divmod(max(0, size - len(before) - len(after)), len(_BLOCK))
    yield before
    yield from repeat(_BLOCK, whole)
    yield _BLOCK[:rest] + after


def _deflated(pieces: Pieces) -> Iterator[bytes]:
    """Compress piece by piece, a repeated one only once."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    last, compressed = b"", b""
    for piece in pieces:
        if piece is not last:
            # After a full flush nothing refers to what came before: the bytes stand for themselves wherever they are.
            last, compressed = piece, compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
        yield compressed
    yield compressor.flush(zlib.Z_FINISH)


def _gzip(pieces: Pieces) -> Iterator[bytes]:
    size = checksum = 0

    def counted() -> Iterator[bytes]:
        nonlocal size, checksum
        for piece in pieces:
            size, checksum = size + len(piece), zlib.crc32(piece, checksum)
            yield piece

    yield b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    yield from _deflated(counted())
    yield struct.pack("<II", checksum, size % 2**32)


def _deflate(pieces: Pieces) -> Iterator[bytes]:
    checksum = 1

    def counted() -> Iterator[bytes]:
        nonlocal checksum
        for piece in pieces:
            checksum = zlib.adler32(piece, checksum)
            yield piece

    yield b"\x78\xda"
    yield from _deflated(counted())
    yield struct.pack(">I", checksum)


def _br(pieces: Pieces) -> Iterator[bytes]:
    compressor: Any = import_module("brotli").Compressor(quality=1)
    for piece in pieces:
        yield compressor.process(piece) + compressor.flush()
    yield compressor.finish()


def encoded(pieces: Pieces, encoding: Encoding) -> Pieces:
    """Return the pieces in the encodings of a Content-Encoding, applied in its order."""
    encoders: dict[str, Callable[[Pieces], Pieces]] = {"gzip": _gzip, "deflate": _deflate, "br": _br}
    if encoding != "identity":
        for name in encoding.split(", "):
            pieces = encoders[name](pieces)
    return pieces


def _is_possible(_: object, __: object, encoding: Encoding) -> None:
    if encoding == "br":
        try:
            import_module("brotli")
        except ModuleNotFoundError:
            raise ValueError("the encoding br needs the package brotli") from None


@attrs.define(eq=False)
class Bomb(Fault):
    """A small answer, its effect applied, that is JSON of `size` bytes once decoded."""

    encoding: Encoding = attrs.field(default="gzip", validator=_is_possible)
    size: int = attrs.field(default=2**30, validator=ge(2**10))

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange, response
        fields = [] if self.encoding == "identity" else [f"Content-Encoding: {self.encoding}"]
        return _streamed(200, encoded(text(b'{"x_text":"', self.size, b'"}'), self.encoding), *fields)


@attrs.define(eq=False)
class OversizeErrorBody(Fault):
    """An error whose `message` makes its body `size` bytes; no effect."""

    size: int = attrs.field(default=2**26, validator=ge(2**10))
    code: int = attrs.field(default=500, validator=and_(ge(400), lt(600)))

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        del exchange
        return _streamed(self.code, text(b'{"error":"ServerError","message":"', self.size, b'"}'))


def _streamed(status: int, pieces: Pieces, *fields: str) -> RawResponse:
    start = head(json_response(status, None), *fields, "Transfer-Encoding: chunked")

    def chunked() -> Iterator[bytes]:
        yield start
        yield from map(chunk, pieces)
        yield b"0\r\n\r\n"

    # An empty piece is no chunk: nothing to write.
    return RawResponse(filter(None, chunked()), status=status, ending="keep")
