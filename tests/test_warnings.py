"""Warnings of the package: their category, and the line that they are reported at."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import truemed_async
from truemed_async import TruemedWarning
from truemed_async._warnings import warn

PACKAGE = Path(truemed_async.__file__).parent


def call_from_inside(depth: int) -> None:
    """Call ``warn`` below ``depth`` frames whose code seems to lie in the package."""
    source = f"def inner(depth):\n    warn('be careful') if depth == 1 else inner(depth - 1)\ninner({depth})"
    exec(compile(source, str(PACKAGE / "_core" / "any.py"), "exec"), {"warn": warn})


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_warning_is_reported_at_the_callers_line_at_any_depth(depth):
    with pytest.warns(TruemedWarning, match="^be careful$") as caught:
        call_from_inside(depth)
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)]


def test_warning_can_be_filtered_by_its_category():
    assert issubclass(TruemedWarning, RuntimeWarning)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", TruemedWarning)
        call_from_inside(1)
    assert caught == []
