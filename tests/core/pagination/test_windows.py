"""Which window is read next: arithmetic alone."""

from __future__ import annotations

from math import lcm

import pytest
from hypothesis import given, strategies as st

from truemed_async._core.pagination.windows import Window, Windows, window_around


def test_window_is_a_page_and_a_size():
    assert (Window(3, 10).start, Window(3, 10).end) == (20, 30)
    assert window_around(29, 10) == Window(3, 10)
    assert window_around(30, 10) == Window(4, 10)


def test_first_window_is_the_first_page():
    assert Windows(100).window_after(-1) == Window(1, 100)
    assert Windows(3).window_after(-1) == Window(1, 3)


@given(st.integers(0, 100_000), st.integers(7, 60))
def test_window_holds_the_last_row_and_reaches_furthest(index, largest):
    window = Windows(largest).window_after(index)
    assert 2 <= window.size <= largest
    reach = max((index // size + 1) * size for size in range(2, largest + 1))
    if reach == index + 1:
        assert window == Window((index + 1) // largest + 1, largest)
    else:
        assert window.start <= index
        assert window.end == reach > index + 1


@given(st.integers(0, 100_000), st.integers(7, 120))
def test_window_is_the_largest_of_those_that_reach_furthest(index, largest):
    """The simple way: to look at every size."""
    windows = [window_around(index, size) for size in range(2, largest + 1)]
    furthest = max(windows, key=lambda window: (window.end, window.size))
    expected = furthest if furthest.end > index + 1 else window_around(index + 1, largest)
    assert Windows(largest).window_after(index) == expected


@pytest.mark.parametrize(("largest", "edge"), [(7, 420), (8, 840), (9, 2520), (10, 2520)])
def test_no_window_overlaps_only_where_all_sizes_have_an_edge(largest, edge):
    assert edge == lcm(*range(2, largest + 1))
    edges = [index + 1 for index in range(2 * edge + 1) if Windows(largest).window_after(index).start > index]
    assert edges == [edge, 2 * edge]


def test_from_a_size_of_twenty_no_list_is_long_enough_for_an_edge():
    assert lcm(*range(2, 21)) == 232_792_560
    assert Windows(20).window_after(232_792_559) == Window(11_639_629, 20)


@pytest.mark.parametrize("windows", [Windows(6), Windows(100, adjustable=False)])
def test_pages_that_cannot_overlap_follow_each_other(windows):
    assert not windows.can_overlap
    assert windows.window_after(windows.max_size - 1) == Window(2, windows.max_size)
    assert windows.window_after(windows.max_size - 2) == Window(1, windows.max_size)


def requests(rows: int, largest: int) -> int:
    windows, index, number = Windows(largest), -1, 0
    while True:
        window = windows.window_after(index)
        number += 1
        if window.end > rows:
            return number
        index = window.end - 1


@pytest.mark.parametrize(
    ("largest", "at_most"), [(500, 1.06), (100, 1.15), (50, 1.22), (30, 1.31), (20, 1.4), (7, 1.8)]
)
def test_overlap_costs_at_most_the_documented_requests(largest, at_most):
    """The figures that the documentation gives."""
    rows = 1000 * largest
    assert requests(rows, largest) <= at_most * rows / largest
