"""Rules for the whole suite: nothing depends on the caller's settings, and traffic stays on this machine."""

import ipaddress
import os
import sys

from hypothesis import HealthCheck, settings

from tests.support import scale as scales
from tests.support.machine import reset_inherited_state

reset_inherited_state()

pytest_plugins = [
    "truemed_async.emulator.pytest_plugin",
    "truemed_async.testing.pytest_plugin",
    "tests.support.fixtures",
    "tests.support.databases",
]

settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def _only_loopback(event, args):
    """Reject every connection to another machine."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise AssertionError(f"a test tried to connect to {host}")


sys.addaudithook(_only_loopback)


# Their results do not depend on the version of Python: they read files, or test algorithms, pages and servers.
SAME_ON_EVERY_PYTHON = (
    "benchmarks/",
    "cli/test_catalog.py",
    "cli/test_charts.py",
    "cli/test_completion.py",
    "cli/test_invoices.py",
    "cli/test_letters.py",
    "cli/test_listing.py",
    "cli/test_payments.py",
    "cli/test_reconciliations.py",
    "cli/test_summary.py",
    "cli/test_tables.py",
    "cli/test_tokens.py",
    "contract/",
    "core/pagination/",
    "docs/",
    "emulator/inspector/",
    "emulator/pages/",
    "emulator/test_catalog.py",
    "emulator/test_dialect.py",
    "emulator/test_facts.py",
    "emulator/test_openapi.py",
    "emulator/test_payment",
    "emulator/test_qualification",
    "emulator/test_reconciliations.py",
    "emulator/test_token",
    "frameworks/test_celery.py",
    "rate_limits/",
    "security/test_rules.py",
    "security/test_threat_model.py",
    "webhooks/test_django_stores.py",
    "webhooks/test_kills.py",
    "webhooks/test_redis.py",
    "sources/",
)


def pytest_collection_modifyitems(items):
    """Mark what runs a sample by default, for `nox -s long`, and what runs on one Python only."""
    for item in items:
        module = vars(item.module)
        if "scale" in item.fixturenames or "LONG" in module or module.get("scale") is scales.scale:
            item.add_marker("scaled")
        if item.nodeid.removeprefix("tests/").startswith(SAME_ON_EVERY_PYTHON):
            item.add_marker("same_on_every_python")
