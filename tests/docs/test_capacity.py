"""The page on capacity is what the program computes."""

import math

import pytest

from tests.benchmarks.capacity import (
    PAGE,
    PICTURE,
    Costs,
    Need,
    compute_tables,
    draw,
    find_end,
    format_bytes,
    format_hours,
)


def test_page_has_the_computed_tables():
    assert compute_tables(Costs()) in PAGE.read_text(encoding="utf-8"), "run nox -s capacity"


def test_picture_is_the_drawn_one():
    assert PICTURE.read_text(encoding="utf-8") == draw(Costs()), "run nox -s capacity"


def test_listing_needs_a_request_for_each_page_and_the_overlap():
    need = Need(1_000_000, Costs())
    assert need.list_requests == 11_400
    assert need.hours(36_000) == 1
    assert Need(1_000_000, Costs(rate=20)).hours(36_000) == 0.5


def test_channels_grow_when_a_day_does_not_suffice():
    costs = Costs(rate=1, page_overlap=1, page_size=1)
    assert [Need(size, costs).channels for size in (1, 86_400, 86_401)] == [1, 1, 2]


def test_processes_grow_with_the_peak():
    costs = Costs(events_per_session=1, peak=1, load=0.5)
    month = 30 * 86_400
    assert [Need(month * rate, costs).processes(0.1) for rate in (1, 5, 6)] == [1, 1, 2]


def test_end_is_the_last_size_that_fits():
    assert find_end(lambda need: need.sessions <= 60_000, Costs()) == 50_000
    assert find_end(lambda need: False, Costs()) == 0
    assert math.isinf(find_end(lambda need: True, Costs()))


@pytest.mark.parametrize(("value", "text"), [(10, "10 B"), (2048, "2 KiB"), (3 * 2**30, "3 GiB"), (2**41, "2 TiB")])
def test_bytes_have_a_fitting_unit(value, text):
    assert format_bytes(value) == text


@pytest.mark.parametrize(("hours", "text"), [(1 / 3600, "1 s"), (0.5, "30 min"), (5, "5 h"), (72, "3 days")])
def test_hours_have_a_fitting_unit(hours, text):
    assert format_hours(hours) == text
