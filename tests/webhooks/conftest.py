"""Fixtures of the webhook tests."""

import pytest

from tests.support.clock import FakeClock
from truemed_async.webhooks import MemoryDedupStore, SQLiteDedupStore


@pytest.fixture
def clock():
    return FakeClock(1_000_000.0)


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request, tmp_path):
    """Return a factory of each kind of store."""

    def make(**options):
        if request.param == "memory":
            return MemoryDedupStore(**options)
        return SQLiteDedupStore(tmp_path / "webhooks.db", **options)

    return make
