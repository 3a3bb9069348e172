"""What a child does with a loop that it inherited; whole programs are in tests/sync."""

import os
import sys
from pathlib import Path

import pytest

from truemed_async._core.fork import abandon_inherited_loop


class Loop:
    """A loop of which nothing is known."""


class Uvloop:
    """A loop that names its descriptor as uvloop does."""

    def __init__(self, descriptor):
        self._get_backend_id = lambda: descriptor


def test_a_descriptor_is_pointed_elsewhere():
    ours, theirs = os.pipe()
    try:
        abandon_inherited_loop(Uvloop(ours))
        assert os.fstat(ours).st_rdev == Path(os.devnull).stat().st_rdev
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("loop", [Loop(), Uvloop(-1)], ids=["unknown", "closed"])
def test_a_loop_without_a_descriptor_is_merely_kept(loop):
    before = sys.getrefcount(loop)
    abandon_inherited_loop(loop)
    assert sys.getrefcount(loop) == before + 1
