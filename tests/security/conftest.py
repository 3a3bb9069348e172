"""Servers, clients and certificates of the security tests; the recording server and the fault matrix are the wire's."""

import contextlib
import ssl

import pytest
import trustme

from tests.support.recording_server import KEY, RecordingServer
from truemed_async import AsyncTruemed


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
            return await stack.enter_async_context(AsyncTruemed(KEY, base_url=server.url, **options))

        yield make


class Authority:
    """Signs certificates, and makes the contexts of both ends."""

    def __init__(self):
        self._ca = trustme.CA()

    def server(self, *names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        return context

    def client(self):
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context


@pytest.fixture(scope="session")
def authority():
    return Authority()
