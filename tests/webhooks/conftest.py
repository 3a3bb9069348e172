"""Fixtures of the webhook tests."""

import pytest

from truemed_async.webhooks import MemoryDedupStore, SQLiteDedupStore


class Clock:
    """A clock that advances only when told to."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request, tmp_path):
    """Return a factory of each kind of store."""

    def make(**options):
        if request.param == "memory":
            return MemoryDedupStore(**options)
        return SQLiteDedupStore(tmp_path / "webhooks.db", **options)

    return make
