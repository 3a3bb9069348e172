"""Responses that are small on the wire and large in memory, generated block by block."""

import gzip
import zlib

import brotli

MIB = 1024 * 1024
BLOCK = bytes(MIB)


def compress_deflate(mib, wbits):
    """A flush makes the compressor forget, so that the second block can be repeated as it is."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    yield packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(mib - 1):
        yield again


def compress_gzip(mib):
    return compress_deflate(mib, 31)


def compress_zlib(mib):
    return compress_deflate(mib, 15)


def compress_raw_deflate(mib):
    return compress_deflate(mib, -15)


def compress_brotli(mib):
    packer = brotli.Compressor(quality=1)
    for _ in range(mib):
        yield packer.process(BLOCK) + packer.flush()


def compress_twice(mib):
    """Compressed twice: what is unpacked once is still small."""
    outer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for piece in compress_gzip(mib):
        yield outer.compress(piece)
    yield outer.flush()


def repeat_gzip_member(mib):
    """As many complete gzip streams one after another; each is valid by itself."""
    yield from [gzip.compress(BLOCK)] * mib


def repeat_empty_gzip_members(mib):
    """Streams of nothing: no limit on bytes stops them."""
    nothing = gzip.compress(b"") * 1000
    yield from [nothing] * mib


def compress_zstandard(mib):
    """Written by hand, because a compressor may be missing: blocks that repeat one byte 128 Ki times."""
    repeated = (((128 * 1024) << 3) | (1 << 1)).to_bytes(3, "little") + b"\0"
    yield b"\x28\xb5\x2f\xfd\x00\x58"  # magic, no content size, a window of 2 MiB
    yield from [repeated * 8] * mib


BOMBS = {
    "gzip": ("gzip", compress_gzip),
    "x-gzip": ("x-gzip", compress_gzip),
    "deflate": ("deflate", compress_zlib),
    "raw deflate": ("deflate", compress_raw_deflate),
    "br": ("br", compress_brotli),
    "gzip in gzip": ("gzip, gzip", compress_twice),
    "many gzip members": ("gzip", repeat_gzip_member),
    "empty gzip members": ("gzip", repeat_empty_gzip_members),
    "zstd": ("zstd", compress_zstandard),
    "none": ("identity", lambda mib: (BLOCK for _ in range(mib))),
}

CLIENT = """
import asyncio, json, sys, time
from truemed_async import AsyncTruemed, RetryPolicy, Timeouts, errors

def memory(which):  # of this process image alone: ru_maxrss would count the one that it was forked from
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(which + ":")) / 1024

async def main(url, names):
    options = {"retry": RetryPolicy(max_attempts=1), "timeout": Timeouts(attempt=40, total=40)}
    async with AsyncTruemed("canary-key-0123456789", base_url=url, **options) as client:
        for _ in range(3):
            await client.qualification_sessions.get("normal")
        for name in names:
            with open("/proc/self/clear_refs", "w") as peak:
                peak.write("5")
            before, started, body = memory("VmRSS"), time.monotonic(), None
            try:
                await client.qualification_sessions.get(name)
                became = "a value"
            except errors.CallError as error:
                became, body = type(error).__name__, getattr(error, "body", None)
            seconds = time.monotonic() - started
            size = None if body is None else len(body)
            print(json.dumps([became, memory("VmHWM") - before, seconds, size]), flush=True)
            del body

asyncio.run(main(sys.argv[1], sys.argv[2:]))
"""
