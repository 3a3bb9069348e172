"""Decode the body of a response: the encodings that aiohttp offers to the server, up to a size.

aiohttp decodes by itself, but rejects zeros after a gzip stream, which some servers and proxies pad it with and which
other decoders accept, and it does not know ``x-gzip``.
"""

import zlib

from aiohttp.compression_utils import BrotliDecompressor, ZSTDDecompressor

MAX_STREAMS = 256
"""How many streams may follow each other in one body. Each costs a copy of the rest, also if it is empty."""
STEP = 64 * 1024
"""Bytes that Brotli and Zstandard decode at once. They may return twice as many."""


def decode_content(body: bytes, encoding: str, max_size: int) -> bytes:
    """Return the decoded bytes, or slightly more than ``max_size`` of them; those that there are if the body ends early.

    A body in an encoding that was not offered is returned as it is.

    Raises:
        ValueError: The body is not valid in this encoding.
    """
    try:
        match encoding:
            case "gzip" | "x-gzip":
                return _inflate(body, 16 + zlib.MAX_WBITS, max_size)
            case "deflate":  # by its standard with a header of zlib, but also seen without one
                has_header = body[:1] != b"" and body[0] & 0x0F == zlib.DEFLATED
                return _inflate(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS, max_size)
            case "br":
                return _decompress(BrotliDecompressor(), body, max_size)
            case "zstd":
                return _decompress(ZSTDDecompressor(), body, max_size)
            case _:
                return body
    except Exception as error:  # noqa: BLE001  # each library has a class of its own, and two of them are optional
        reason = type(error).__name__
    raise ValueError(f"{encoding}: {reason}")


def _inflate(body: bytes, wbits: int, max_size: int) -> bytes:
    """Decode the streams that follow each other in a body, and skip zeros after each."""
    pieces: list[bytes] = []
    size = 0
    while body and size < max_size:
        if len(pieces) == MAX_STREAMS:
            raise ValueError("too many streams")
        decompressor = zlib.decompressobj(wbits)
        pieces.append(decompressor.decompress(body, max_size - size))
        size += len(pieces[-1])
        body = decompressor.unused_data.lstrip(b"\0")
    return b"".join(pieces)


def _decompress(decoder: BrotliDecompressor | ZSTDDecompressor, body: bytes, max_size: int) -> bytes:
    pieces = [decoder.decompress_sync(body, STEP)]
    size = len(pieces[0])
    while size < max_size and decoder.data_available:
        pieces.append(decoder.decompress_sync(b"", STEP))
        size += len(pieces[-1])
    return b"".join(pieces)
