"""Servers, clients and certificates of the security tests; the recording server and the fault matrix are the wire's."""

import ssl

import pytest
import trustme


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
