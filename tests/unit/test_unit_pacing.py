"""A whole client slows down when the server says that it is too fast."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

import pytest

from truemed_async._core.pacing import Pacer

START = 1000.0


def paced(rate: float, *, now: float = START) -> Pacer:
    """Return a pacer that measured ``rate`` successes a second and was then refused once, at ``now``."""
    pacer = Pacer()
    count = round(rate * 2)
    for number in range(count + 1):
        pacer.succeeded(now - 2 + 2 * number / count)
    pacer.refused(now, took=0.1, retry_after=None)
    return pacer


def rate_of(pacer: Pacer, now: float) -> float:
    """Return the rate that the pacer allows, from the distance of two places."""
    first = pacer.reserve(now)
    return 1 / (pacer.reserve(now) - first)


def test_until_the_first_refusal_there_is_no_limit():
    pacer = Pacer()
    for number in range(1000):
        assert pacer.reserve(START + number / 1000) == 0.0
        pacer.succeeded(START + number / 1000)


def test_a_refusal_cuts_the_rate_to_seven_tenths_of_what_succeeded():
    assert rate_of(paced(100), START) == pytest.approx(70, rel=0.05)


def test_places_are_handed_out_one_after_another():
    pacer = paced(100)
    waits = [pacer.reserve(START) for _ in range(10)]
    steps = [later - earlier for earlier, later in zip(waits, waits[1:], strict=False)]
    assert steps == pytest.approx([1 / 70] * 9, rel=0.05)


def test_a_place_in_the_past_is_not_saved_up():
    pacer = paced(100)
    pacer.reserve(START)
    assert pacer.reserve(START + 5) == 0.0
    assert pacer.reserve(START + 5) > 0.0


def test_each_success_lets_the_rate_grow_by_two_thousandths():
    pacer = paced(100)
    before = rate_of(pacer, START)
    for _ in range(100):
        pacer.succeeded(START)
    assert rate_of(pacer, START) == pytest.approx(before * 1.002**100, rel=0.001)


def test_refusals_of_requests_sent_before_the_cut_do_not_cut_again():
    pacer = paced(100)
    before = rate_of(pacer, START)
    for _ in range(50):
        pacer.refused(START + 0.15, took=0.1, retry_after=None)
    assert rate_of(pacer, START + 0.15) == pytest.approx(before)
    pacer.refused(START + 0.21, took=0.1, retry_after=None)
    assert rate_of(pacer, START + 0.21) < before


def test_the_rate_never_falls_below_one_request_in_two_seconds():
    pacer = paced(100)
    for number in range(1, 100):
        pacer.refused(START + number, took=0.1, retry_after=None)
    assert rate_of(pacer, START + 99) == pytest.approx(0.5)


def test_a_client_that_was_refused_before_anything_succeeded_starts_at_the_floor():
    pacer = Pacer()
    pacer.refused(START, took=0.1, retry_after=None)
    assert rate_of(pacer, START) == pytest.approx(0.5)


@pytest.mark.parametrize("now", [0.0, 0.05, 0.19])
def test_the_first_refusal_counts_even_if_the_clock_has_only_just_started(now):
    pacer = Pacer()
    pacer.refused(now, took=0.1, retry_after=None)
    assert pacer.reserve(now) == 0.0
    assert pacer.reserve(now) == pytest.approx(2.0)


# --- the gate -----------------------------------------------------------------------------------------------------


def test_no_request_starts_before_the_gate_and_then_they_are_spread():
    pacer = paced(100)
    pacer.refused(START, took=0.1, retry_after=7.0)
    waits = [pacer.reserve(START + 1) for _ in range(100)]
    assert min(waits) == pytest.approx(6.0)
    assert max(waits) > 7.0
    assert len(set(waits)) == 100


def test_the_gate_is_obeyed_even_where_the_rate_is_not_cut():
    pacer = paced(100)
    pacer.refused(START + 0.01, took=0.1, retry_after=7.0)
    assert pacer.reserve(START + 0.02) == pytest.approx(6.99)


def test_a_nearer_gate_does_not_replace_a_farther_one():
    pacer = Pacer()
    pacer.refused(START, took=0.1, retry_after=7.0)
    pacer.refused(START + 1, took=0.1, retry_after=1.0)
    assert pacer.reserve(START + 1) == pytest.approx(6.0)


# --- forgetting ---------------------------------------------------------------------------------------------------


def test_after_a_minute_without_a_refusal_there_is_no_limit_any_more():
    pacer = paced(1)
    pacer.reserve(START + 60)
    assert pacer.reserve(START + 60) > 0.0  # not yet
    pacer = paced(1)
    assert pacer.reserve(START + 60.1) == 0.0
    assert [pacer.reserve(START + 60.2) for _ in range(100)] == [0.0] * 100


def test_what_is_forgotten_keeps_nobody_waiting():
    pacer = paced(1)
    for _ in range(200):  # places handed out far into the future
        pacer.reserve(START)
    assert [pacer.reserve(START + 61) for _ in range(3)] == [0.0] * 3


def test_the_gate_outlives_the_limit():
    pacer = paced(1)
    pacer.refused(START, took=0.1, retry_after=100.0)
    assert pacer.reserve(START + 61) == pytest.approx(39.0)
    assert pacer.reserve(START + 62) == pytest.approx(38.0)
    assert pacer.reserve(START + 101) == 0.0


# --- a storm ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [10, 50, 100])
def test_in_a_storm_few_requests_are_refused_and_all_are_served(slots):
    """1,000 requests, ``slots`` at a time, of 20 ms each, against a server that takes 200 a second and bursts of 20."""
    pacer, numbers, refused, served = Pacer(), count(), 0, 0
    tokens, filled, waiting = 20.0, START, 1000 - slots
    events = [(START + pacer.reserve(START), next(numbers), "send") for _ in range(slots)]
    now = START
    while events:
        now, _, event = heappop(events)
        if event == "send":
            tokens, filled = min(20.0, tokens + (now - filled) * 200), now
            heappush(events, (now + 0.02, next(numbers), "served" if tokens >= 1 else "refused"))
            tokens -= tokens >= 1
            continue
        if event == "served":
            served += 1
            pacer.succeeded(now)
            if not waiting:
                continue
            waiting -= 1
        else:
            refused += 1
            pacer.refused(now, took=0.02, retry_after=None)
        heappush(events, (now + pacer.reserve(now), next(numbers), "send"))
    assert served == 1000
    assert 0 < refused <= 0.15 * (served + refused)
    assert now - START < 25
