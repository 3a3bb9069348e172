"""Bodies in every encoding that is offered: whole, padded, in several streams, cut, broken, and too large."""

import gzip
import sys
import zlib

import brotli
import pytest
from hypothesis import given, strategies as st

from truemed_async._core.content_encoding import MAX_STREAMS, decode_content

BODY = b'{"qualification_session_id": "qs_1", "status": "approved"}' * 20


def deflate(body, wbits):
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(body) + packer.flush()


ZLIB = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", lambda body: deflate(body, 15)),
    "raw deflate": ("deflate", lambda body: deflate(body, -15)),
}
ENCODERS = ZLIB | {"br": ("br", brotli.compress), "identity": ("identity", bytes)}
zlib_encodings = pytest.mark.parametrize(("encoding", "encode"), ZLIB.values(), ids=ZLIB)
every_encoding = pytest.mark.parametrize(("encoding", "encode"), ENCODERS.values(), ids=ENCODERS)


@every_encoding
@given(body=st.binary(max_size=2000))
def test_decode_content_returns_what_was_encoded(encoding, encode, body):
    assert decode_content(encode(body), encoding, 10_000) == body


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br"])
def test_decode_content_of_empty_body_returns_nothing(encoding):
    assert decode_content(b"", encoding, 10) == b""


@zlib_encodings
@pytest.mark.parametrize("padding", [1, 7, 512, 100_000])
def test_decode_content_with_zeros_after_the_stream_skips_them(encoding, encode, padding):
    assert decode_content(encode(BODY) + bytes(padding), encoding, 10_000) == BODY


@zlib_encodings
@pytest.mark.parametrize("padding", [0, 3])
def test_decode_content_of_several_streams_joins_them(encoding, encode, padding):
    parts = (b"", BODY, b"", b"end")
    assert decode_content(b"".join(encode(part) + bytes(padding) for part in parts), encoding, 10_000) == BODY + b"end"


@zlib_encodings
def test_decode_content_with_junk_after_the_stream_is_rejected(encoding, encode):
    with pytest.raises(ValueError, match=rf"^{encoding}: error$"):
        decode_content(encode(BODY) + b"\x00\x07junk", encoding, 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br"])
def test_decode_content_of_broken_body_is_rejected_without_quoting_it(encoding):
    with pytest.raises(ValueError, match=rf"^{encoding}: error$") as caught:
        decode_content(b"\x87canary\xff", encoding, 10_000)
    assert caught.value.__context__ is None  # an exception of a library may hold the body


@pytest.mark.parametrize("name", sorted({*ENCODERS} - {"identity"}))
def test_decode_content_of_cut_body_returns_its_beginning(name):
    encoding, encode = ENCODERS[name]
    body = bytes(range(256)) * 40
    decoded = decode_content(encode(body)[:-6], encoding, 20_000)
    assert body.startswith(decoded)


@pytest.mark.parametrize("name", sorted({*ENCODERS} - {"identity"}))
@pytest.mark.parametrize("streams", [1, 3])
def test_decode_content_stops_soon_after_the_limit(name, streams):
    encoding, encode = ENCODERS[name]
    decoded = decode_content(encode(bytes(4_000_000)) * streams, encoding, 100_001)
    assert 100_000 < len(decoded) < 300_000


def test_decode_content_of_too_many_empty_streams_is_rejected():
    empty = gzip.compress(b"")
    assert decode_content(empty * MAX_STREAMS, "gzip", 10) == b""
    with pytest.raises(ValueError, match="gzip: ValueError"):
        decode_content(empty * (MAX_STREAMS + 1), "gzip", 10)


def test_decode_content_of_zstandard_needs_its_library():
    """One block of three bytes, written by hand: Python 3.14, or ``backports.zstd``, is needed to decode it."""
    body = b"\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00abc"
    try:
        decoded = decode_content(body, "zstd", 100)
    except ValueError as error:
        assert str(error) == "zstd: RuntimeError"  # which of the two depends on the installation
        assert sys.version_info < (3, 14)
    else:
        assert decoded == b"abc"
