"""Access from other machines: the address to bind, and the accepted values of the Host header."""

from __future__ import annotations

import http.client
import socket

import pytest

from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Emulator

LIST = "/api/v1/qualification_sessions"


def status_for(emulator, host, *, address="127.0.0.1"):
    connection = http.client.HTTPConnection(address, emulator.port, timeout=TIMEOUT)
    try:
        connection.request("GET", LIST, headers={"Host": host, "x-truemed-api-key": emulator.api_key})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ((), "emulator:8080", 421),
        (("emulator:8080",), "emulator:8080", 200),
        (("emulator:8080",), "EMULATOR:8080", 200),
        (("emulator:8080",), "emulator:8081", 421),
        (("emulator:8080",), "emulator", 421),
        (("emulator",), "emulator:8081", 200),
        (("Emulator",), "emulator", 200),
        (("emulator",), "emulator:x", 421),
        (("emulator",), "evil.example", 421),
        (("localhost:9000",), "localhost:9000", 200),
    ],
)
def test_allowed_hosts_are_accepted_as_host_header(allowed, host, status):
    """As behind a forwarded port, or with the name of a container."""
    with Emulator(sessions=0, allowed_hosts=allowed) as emulator:
        assert status_for(emulator, host) == status
        assert status_for(emulator, f"127.0.0.1:{emulator.port}") == 200


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")]
)
def test_url_of_a_host_is_reachable_on_this_machine(host, url):
    with Emulator(sessions=0, host=host) as emulator:
        assert emulator.url == f"http://{url}:{emulator.port}"
        assert status_for(emulator, f"{url}:{emulator.port}") == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_url_of_an_ipv6_host_is_bracketed(host):
    try:
        with Emulator(sessions=0, host=host) as emulator:
            assert emulator.url == f"http://[::1]:{emulator.port}"
            assert status_for(emulator, f"[::1]:{emulator.port}", address="::1") == 200
    except OSError:
        pytest.skip("this machine has no IPv6 address")


def test_host_of_another_machine_cannot_be_bound():
    with pytest.raises(OSError, match="assign"), Emulator(sessions=0, host="192.0.2.1"):
        pass
