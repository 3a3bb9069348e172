"""What a child does with a loop that it inherited; whole programs are in tests/sync."""

import os
import sys
from pathlib import Path

import pytest

from truemed_async import AsyncTruemed
from truemed_async._core.event_loop import abandon_inherited_loop
from truemed_async.errors import ConfigurationError


class Loop:
    """A loop of which nothing is known."""


class Uvloop:
    """A loop that names its descriptor as uvloop does."""

    def __init__(self, descriptor):
        self._get_backend_id = lambda: descriptor


def test_inherited_descriptor_is_redirected():
    ours, theirs = os.pipe()
    try:
        abandon_inherited_loop(Uvloop(ours))
        assert os.fstat(ours).st_rdev == Path(os.devnull).stat().st_rdev
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("loop", [Loop(), Uvloop(-1)], ids=["unknown", "closed"])
def test_loop_without_descriptor_is_kept(loop):
    before = sys.getrefcount(loop)
    abandon_inherited_loop(loop)
    assert sys.getrefcount(loop) == before + 1


async def collect(client, method):
    """Consume one of the methods that start tasks of their own."""
    sessions = client.qualification_sessions
    stream = sessions.iter() if method == "iter" else sessions.get_many(["qs_1"])
    return [each async for each in stream]


@pytest.mark.parametrize("method", ["get", "iter", "get_many"])
def test_call_without_an_asyncio_loop_says_what_to_do(method):
    """Under trio a coroutine runs, but not on an asyncio event loop."""
    client = AsyncTruemed("a-made-up-key")
    call = client.qualification_sessions.get("qs_1") if method == "get" else collect(client, method)
    with pytest.raises(
        ConfigurationError, match="no asyncio event loop is running: AsyncTruemed needs asyncio; under trio"
    ):
        call.send(None)


def test_client_can_be_closed_without_an_asyncio_loop():
    with pytest.raises(StopIteration):
        AsyncTruemed("a-made-up-key").aclose().send(None)
