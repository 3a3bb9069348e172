"""How much of a long test runs: a sample in the default sessions, everything with TRUEMED_LONG=1 (`nox -s long`)."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

LONG = bool(os.environ.get("TRUEMED_LONG"))


def scale(sample: T, whole: T) -> T:
    """Return ``whole`` in a long run, and ``sample`` otherwise."""
    return whole if LONG else sample
