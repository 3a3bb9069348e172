"""Rules for the whole suite: nothing depends on the caller's settings, and traffic stays on this machine."""

import ipaddress
import os
import sys
import zlib

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


# They run on the oldest Python only: they read files, or test algorithms, pages and servers.
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
    "sources/",
    "test_architecture.py",
    "test_contract.py",
    "test_workflows.py",
    "webhooks/test_django_stores.py",
    "webhooks/test_kills.py",
    "webhooks/test_redis.py",
)

# They run on every Python: versions differ in loops, cancellation, threads, forks, signals, contexts, tracebacks,
# annotations, classes, imports, compression, TLS, and in how a process starts and ends.
DIFFERENT_ON_EVERY_PYTHON = (
    "cli/test_environments.py",
    "cli/test_processes.py",
    "cli/test_startup.py",
    "cli/test_terminal.py",
    "core/test_attempt_log.py",
    "core/test_bulk.py",
    "core/test_content_encoding.py",
    "core/test_fork.py",
    "core/test_pipeline.py",
    "core/test_shared_limiter.py",
    "core/test_stream.py",
    "core/test_time_limit.py",
    "emulator/test_lifecycle.py",
    "emulator/test_plugin.py",
    "emulator/test_timekeeper.py",
    "integration/test_borrowed_sessions.py",
    "integration/test_connection_errors.py",
    "integration/test_lifecycle.py",
    "models/test_compile_oracle.py",
    "models/test_models.py",
    "models/test_reading.py",
    "models/test_unstructure_oracle.py",
    "resources/bulk/",
    "security/test_canaries.py",
    "security/test_tls.py",
    "sync/",
    "test_",
    "testing/",
    "webhooks/test_exactly_once.py",
    "webhooks/test_inbox.py",
    "webhooks/test_receiver.py",
    "webhooks/test_servers.py",
    "webhooks/test_stores.py",
)

# Of the other tests, every second one, by a hash of its name, runs on the newest Python, and every eighth one on those
# between. `nox -s tests -- -m ""` runs all on every Python.
NEWEST, BETWEEN = 2, 8


def pytest_collection_modifyitems(items):
    """Mark what runs a sample by default, for `nox -s long`, and what does not run on every Python.

    Tests with a time limit of their own take longest. They run first: at the end, the other workers would wait for one.
    """
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    for item in items:
        module = vars(item.module)
        name = item.nodeid.removeprefix("tests/")
        number = 0 if name.startswith(DIFFERENT_ON_EVERY_PYTHON) else zlib.crc32(name.encode())
        if "scale" in item.fixturenames or "LONG" in module or module.get("scale") is scales.scale:
            item.add_marker("scaled")
            number = number % NEWEST or NEWEST  # what only a version between breaks needs no storms to be found
        if name.startswith(SAME_ON_EVERY_PYTHON) or number % NEWEST:
            item.add_marker("one_python")
        elif number % BETWEEN:
            item.add_marker("two_pythons")
