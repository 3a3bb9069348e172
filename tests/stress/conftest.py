"""Long runs: a fixed-seed sample in the ordinary suite, the whole with TRUEMED_LONG=1 (the `long` session)."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def open_files():
    """Count this process's open files."""
    return lambda: len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def resident():
    """Measure this process's memory, in MiB."""
    page = os.sysconf("SC_PAGE_SIZE")
    return lambda: int(Path("/proc/self/statm").read_text().split()[1]) * page / 2**20
