"""Rules for the whole suite: traffic stays on this machine, and property tests are reproducible in CI."""

import ipaddress
import os
import sys

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def _only_loopback(event, args):
    """Refuse a connection that would leave this machine, whoever makes it."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise AssertionError(f"a test tried to connect to {host}")


sys.addaudithook(_only_loopback)
