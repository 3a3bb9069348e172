"""Long runs: a fixed-seed sample in the ordinary suite, the whole with TRUEMED_LONG=1 (the `long` session)."""

import os

import pytest

from truemed_async.webhooks import MemoryDedupStore, SQLiteDedupStore


@pytest.fixture
def amount():
    """Choose between the sample and the whole."""
    return lambda sample, whole: whole if os.environ.get("TRUEMED_LONG") else sample


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request, tmp_path):
    """Make stores of each kind."""

    def make(**options):
        if request.param == "memory":
            return MemoryDedupStore(**options)
        return SQLiteDedupStore(tmp_path / "webhooks.db", **options)

    return make
