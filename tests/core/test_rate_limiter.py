"""A whole client slows down when the server says that it is too fast."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count, pairwise

import pytest

from truemed_async._core.rate_limiter import AdaptiveRateLimiter

START = 1000.0


def refuse(pacer: AdaptiveRateLimiter, now: float, *, retry_after: float | None = None) -> None:
    """Note the refusal of a request that was sent under the present generation."""
    pacer.on_rate_limited(now, generation=pacer.generation, retry_after=retry_after)


def serve(pacer: AdaptiveRateLimiter, rate: float, since: float, until: float) -> None:
    """Note ``rate`` successes a second."""
    count = round(rate * (until - since))
    for number in range(count + 1):
        pacer.on_success(since + (until - since) * number / count)


def paced(rate: float) -> AdaptiveRateLimiter:
    """Return a pacer that measured ``rate`` successes a second and was then refused once."""
    pacer = AdaptiveRateLimiter()
    serve(pacer, rate, START - 2, START)
    refuse(pacer, START)
    return pacer


def rate_of(pacer: AdaptiveRateLimiter, now: float) -> float:
    """Return the rate that the pacer allows, from the distance of two turns."""
    first = pacer.reserve(now)
    return 1 / (pacer.reserve(now) - first)


def test_no_limit_before_the_first_429():
    pacer = AdaptiveRateLimiter()
    for number in range(1000):
        assert pacer.reserve(START + number / 1000) == 0.0
        pacer.on_success(START + number / 1000)


def test_429_cuts_the_rate_to_70_percent():
    assert rate_of(paced(100), START) == pytest.approx(70, rel=0.05)


def test_client_that_was_refused_before_anything_succeeded_starts_at_ten_a_second():
    pacer = AdaptiveRateLimiter()
    refuse(pacer, START)
    assert rate_of(pacer, START) == pytest.approx(10)


@pytest.mark.parametrize("now", [0.0, 0.05, 0.19, 5.0])
def test_first_refusal_counts_even_if_the_clock_has_only_just_started(now):
    pacer = AdaptiveRateLimiter()
    refuse(pacer, now)
    assert rate_of(pacer, now) == pytest.approx(10)


def test_turns_are_handed_out_one_after_another():
    pacer = paced(100)
    waits = [pacer.reserve(START) for _ in range(10)]
    steps = [later - earlier for earlier, later in pairwise(waits)]
    assert waits[0] > 0
    assert steps == pytest.approx([1 / 70] * 9, rel=0.05)


def test_unused_rate_does_not_accumulate():
    pacer = paced(100)
    assert pacer.reserve(START + 5) == 0.0
    assert pacer.reserve(START + 5) > 0.0


@pytest.mark.parametrize(("cuts", "doubling"), [(1, 0.25), (2, 2.0)])
def test_rate_doubles_quickly_then_slowly_after_a_second_cut(cuts, doubling):
    pacer = paced(100)
    now = START
    for _ in range(cuts - 1):
        refuse(pacer, START)
    before = rate_of(pacer, START)
    while now < START + doubling:
        now += pacer.reserve(now)
        pacer.on_success(now)
    assert rate_of(pacer, now) == pytest.approx(2 * before, rel=0.15)


def test_rate_grows_to_at_most_twice_the_served_rate():
    pacer = paced(10)
    serve(pacer, 10, START, START + 30)
    assert rate_of(pacer, START + 30) < 30  # unbounded, it would be above 800


def test_refusals_of_requests_sent_before_the_cut_do_not_cut_again():
    pacer = AdaptiveRateLimiter()
    serve(pacer, 100, START - 2, START)
    generation = pacer.generation
    for _ in range(50):
        pacer.on_rate_limited(START, generation=generation, retry_after=None)
    assert rate_of(pacer, START) == pytest.approx(70, rel=0.05)
    refuse(pacer, START)
    assert rate_of(pacer, START) == pytest.approx(49, rel=0.05)


def test_rate_cut_voids_reserved_turns():
    pacer = paced(100)
    generation = pacer.generation
    for _ in range(100):
        pacer.reserve(START)
    refuse(pacer, START)
    assert pacer.generation != generation
    assert pacer.reserve(START) == pytest.approx(1 / 49, rel=0.05)


def test_rate_never_falls_below_one_request_in_two_seconds():
    pacer = paced(100)
    for number in range(1, 100):
        refuse(pacer, START + number / 10)
    assert rate_of(pacer, START + 10) == pytest.approx(0.5)


# --- the gate -----------------------------------------------------------------------------------------------------


def test_no_request_starts_before_the_gate_and_then_they_are_spread():
    pacer = paced(100)
    refuse(pacer, START, retry_after=7.0)
    waits = [pacer.reserve(START + 1) for _ in range(100)]
    assert min(waits) == pytest.approx(6.0)
    assert max(waits) > 7.0
    assert len(set(waits)) == 100


def test_retry_after_is_obeyed_without_a_rate_cut():
    pacer = AdaptiveRateLimiter()
    generation = pacer.generation
    refuse(pacer, START)
    pacer.on_rate_limited(START + 0.01, generation=generation, retry_after=7.0)
    assert pacer.reserve(START + 0.01) == pytest.approx(7.0)


def test_turn_before_retry_after_is_void_without_a_rate_cut():
    pacer = AdaptiveRateLimiter()
    before = pacer.generation
    refuse(pacer, START)
    generation = pacer.generation
    assert pacer.reserve(START) < 7.0  # a caller waits for it
    pacer.on_rate_limited(START + 0.01, generation=before, retry_after=7.0)
    assert pacer.generation != generation


def test_shorter_retry_after_does_not_replace_a_longer_one():
    pacer = AdaptiveRateLimiter()
    refuse(pacer, START, retry_after=7.0)
    refuse(pacer, START + 1, retry_after=1.0)
    assert pacer.reserve(START + 1) == pytest.approx(6.0)


# --- forgetting ---------------------------------------------------------------------------------------------------


def test_limit_is_removed_after_a_minute_without_429():
    pacer = paced(1)
    pacer.reserve(START + 60)
    assert pacer.reserve(START + 60) > 0.0  # not yet
    pacer = paced(1)
    assert pacer.reserve(START + 60.1) == 0.0
    assert [pacer.reserve(START + 60.2) for _ in range(100)] == [0.0] * 100


def test_removed_limit_does_not_delay_requests():
    pacer = paced(1)
    for _ in range(5):
        refuse(pacer, START)
    for _ in range(200):  # turns handed out far into the future
        pacer.reserve(START)
    assert [pacer.reserve(START + 61) for _ in range(3)] == [0.0] * 3


def test_hostile_retry_after_does_not_close_the_client_for_more_than_a_minute():
    pacer = paced(1)
    refuse(pacer, START, retry_after=9_999_999_999.0)
    assert pacer.reserve(START + 30) == pytest.approx(30.0)
    assert pacer.reserve(START + 61) == 0.0


# --- a storm ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [10, 50, 100])
def test_storm_keeps_the_server_busy_with_few_429(slots):
    """1,000 requests, ``slots`` at a time, of 20 ms each, against a server that takes 200 a second and bursts of 20."""
    pacer, numbers, refused, served = AdaptiveRateLimiter(), count(), 0, 0
    tokens, filled, waiting = 20.0, START, 1000 - slots
    events: list[tuple[float, int, str, int]] = []

    def take_turn(now: float) -> None:
        heappush(events, (now + pacer.reserve(now), next(numbers), "turn", pacer.generation))

    for _ in range(slots):
        take_turn(START)
    now = START
    while events:
        now, _, event, generation = heappop(events)
        if event == "turn" and generation != pacer.generation:
            take_turn(now)
        elif event == "turn":
            tokens, filled = min(20.0, tokens + (now - filled) * 200), now
            heappush(events, (now + 0.02, next(numbers), "served" if tokens >= 1 else "refused", generation))
            tokens -= tokens >= 1
        elif event == "served":
            served += 1
            pacer.on_success(now)
            if waiting:
                waiting -= 1
                take_turn(now)
        else:
            refused += 1
            pacer.on_rate_limited(now, generation=generation, retry_after=None)
            take_turn(now)
    assert served == 1000
    assert 0 < refused <= 0.15 * (served + refused)
    assert now - START < 2 * 1000 / 200


def test_limiter_may_delay_from_a_refusal_until_the_limit_is_removed():
    pacer = AdaptiveRateLimiter()
    assert not pacer.may_delay
    refuse(pacer, START)
    assert pacer.may_delay
    pacer.reserve(START + 59)
    assert pacer.may_delay
    pacer.reserve(START + 61)
    assert not pacer.may_delay


def test_limiter_may_delay_with_a_rate_or_a_gate():
    assert AdaptiveRateLimiter(5).may_delay
    pacer = AdaptiveRateLimiter()
    pacer.on_rate_limited(START, generation=-1, retry_after=2)  # outdated: there is a gate, but no rate
    assert pacer.may_delay
