"""Fixtures of more than one directory."""

import contextlib

import pytest

from tests.support import scale as scales
from tests.support.ports import reserve_port
from tests.support.recording_server import KEY, RecordingServer
from tests.support.timeouts import PATIENT
from truemed_async import AsyncTruemed


@pytest.fixture
def scale():
    """Choose between the sample and the whole: ``scale(100, 10_000)``."""
    return scales.scale


@pytest.fixture
def free_port():
    """Return a port of loopback on which nothing listens, unless the test does."""
    with reserve_port() as reservation:
        yield reservation.getsockname()[1]


@pytest.fixture
async def serve():
    """Start recording servers; they end with the test."""
    servers = []

    async def start(script, ssl=None):
        server = await RecordingServer(script).start(ssl)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def client_for():
    """Make clients of a server; they are closed with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(server, **options):
            options = {"timeout": PATIENT, **options}
            return await stack.enter_async_context(AsyncTruemed(KEY, base_url=server.url, **options))

        yield make
