"""Nothing is missed and nothing comes twice: property tests against a list that changes while it is read.

``TRUEMED_LONG=1`` runs them to the numbers in which they are promised: 20,000 with insertions, 20,000 with deletions,
10,000 with answers from the past.
"""

from __future__ import annotations

import asyncio
import random
import warnings
from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings, strategies as st

from tests.support.changing_list import (
    SORT_ORDER,
    UNORDERED,
    Row,
    Server,
    at_once,
    backward,
    by_the_first_total,
    forward,
    read,
    with_all_ids,
)
from tests.support.scale import LONG, scale
from truemed_async._core.pagination import SortOrder
from truemed_async.errors import PaginationDriftError


def examples(long: int, short: int) -> settings:
    return settings(
        max_examples=scale(short, long),
        deadline=None,
        derandomize=not LONG,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


@attrs.frozen
class Scenario:
    """A list, what happens to it while it is read, and how it is read."""

    keys: list[int]
    page_size: int
    clamp: int
    descends: bool
    prefetch: int
    changes: list[tuple[int, str, int]]
    delays: list[int]
    stale: list[int]

    def server(self, **options: Any) -> Server:
        options = {
            "clamp": self.clamp,
            "descends": self.descends,
            "delays": self.delays,
            "stale": self.stale,
            **options,
        }
        server = Server(**options).fill(self.keys)
        for number, what, where in self.changes:
            server.changes.setdefault(number, []).append(partial(_change, number, what, where))
        return server


def _change(number: int, what: str, where: int, server: Server) -> None:
    match what:
        case "front":
            server.insert_in_front(1 + where % 12)
        case "front one":
            server.insert_in_front()
        case "insert":
            server.insert(where % 60)
        case "burst":
            for _ in range(1 + where % 15):
                server.insert(where % 60)
        case "delete":
            server.delete(where)
        case "delete first":
            for _ in range(1 + where % 12):
                server.delete(0)
        case "filter":
            server.changes.setdefault(number + 1 + where % 5, []).append(server.lose(where))


INSERTIONS = ("front", "insert", "burst")
DELETIONS = ("delete", "delete first", "filter")

# Few distinct keys make ties, many make none; some lists are long enough for the edges that no window straddles:
# 420 rows at a page size of 7.
SMALL = st.lists(st.integers(0, 60), max_size=60)
TIED = st.lists(st.integers(0, 3), max_size=60)
LARGE = st.builds(
    lambda size, kinds, seed: [random.Random(seed).randrange(kinds) for _ in range(size)],
    st.integers(60, 440),
    st.sampled_from([1, 40, 100_000]),
    st.integers(0, 1000),
)


def scenarios(*kinds: str, stale: bool = False, clamps: tuple[int, ...] = (7, 8, 1000)) -> st.SearchStrategy[Scenario]:
    keys = SMALL | TIED | LARGE
    change = st.tuples(st.integers(0, 12) | st.integers(0, 90), st.sampled_from(kinds), st.integers(0, 500))
    return st.builds(
        Scenario,
        keys=keys,
        page_size=st.integers(7, 10),
        clamp=st.sampled_from(clamps),
        descends=st.booleans(),
        prefetch=st.sampled_from([1, 4, 8]),
        changes=st.lists(change, max_size=25),
        delays=st.lists(st.integers(0, 6), min_size=1, max_size=12),
        stale=st.lists(st.integers(0, 4) | st.integers(0, 200), min_size=1, max_size=9) if stale else st.just([0]),
    )


def check(runner: asyncio.Runner, scenario: Scenario, sorting: SortOrder[Row] = SORT_ORDER, **options: Any) -> None:
    server = scenario.server(**options)
    at_first = server.ids
    with warnings.catch_warnings():
        if server.pagination:
            warnings.filterwarnings(
                "ignore", r"listing: the server gives [78] rows a page instead of \d+: more", RuntimeWarning
            )
        found = runner.run(read(server, scenario.page_size, scenario.prefetch, sorting))
    assert len(found) == len(set(found))
    assert set(at_first) - server.removed <= set(found)


orders = pytest.mark.parametrize("sorting", [SORT_ORDER, UNORDERED], ids=["newest first", "unordered"])


@orders
@examples(20_000, 100)
@given(scenario=scenarios(*INSERTIONS))
def test_listing_is_complete_while_rows_are_added(runner, scenario, sorting):
    check(runner, scenario, sorting)


@orders
@examples(20_000, 200)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS))
def test_listing_is_complete_while_rows_are_added_and_removed(runner, scenario, sorting):
    check(runner, scenario, sorting)


@orders
@examples(10_000, 100)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS, stale=True))
def test_listing_is_complete_with_lagging_replicas(runner, scenario, sorting):
    check(runner, scenario, sorting)


@examples(5_000, 50)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS, stale=True, clamps=(1000,)))
def test_listing_without_total_count_is_complete_or_warns(runner, scenario):
    """Or a warning is given: a very short list that grows at the wrong moments looks like pages that are very small."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check(runner, scenario, pagination=False, periodic=False)
        except AssertionError:
            if not any("cannot overlap" in str(warning.message) for warning in caught):
                raise


@examples(5_000, 50)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS), clamp=st.integers(7, 9), at=st.integers(1, 20))
def test_listing_is_complete_when_the_largest_page_shrinks(runner, scenario, clamp, at):
    def shrink(server: Server) -> None:
        server.clamp = min(server.clamp, clamp)

    scenario = attrs.evolve(scenario, page_size=10)
    server = scenario.server()
    server.changes.setdefault(at, []).append(shrink)
    at_first = server.ids
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = runner.run(read(server, scenario.page_size, scenario.prefetch))
    assert len(found) == len(set(found))
    assert set(at_first) - server.removed <= set(found)


@examples(5_000, 50)
@given(scenario=scenarios(*INSERTIONS), size=st.integers(1, 6))
def test_pages_that_cannot_overlap_miss_nothing_while_rows_are_only_added(runner, scenario, size):
    server = scenario.server(clamp=size)
    at_first = server.ids
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "listing: .*cannot overlap", RuntimeWarning)
        found = runner.run(read(server, scenario.page_size, scenario.prefetch))
    assert len(found) == len(set(found))
    assert set(at_first) <= set(found)


# --- unstable order of equal keys ---------------------------------------------------------------------------------


@examples(10_000, 100)
@given(
    scenario=scenarios("front", clamps=(1000,)),
    seed=st.integers(0, 10_000),
)
def test_equal_rows_that_change_places_are_all_read_or_an_error(runner, scenario, seed):
    server = attrs.evolve(scenario, changes=[]).server(shuffled=random.Random(seed))
    try:
        found = runner.run(read(server, scenario.page_size, scenario.prefetch))
    except PaginationDriftError as error:
        assert "change places" in str(error)
    else:
        assert sorted(found) == sorted(server.ids)


@examples(10_000, 100)
@given(scenario=scenarios(*INSERTIONS, *DELETIONS, clamps=(1000,)), where=st.integers(0, 500), at=st.integers(1, 10))
def test_rows_that_come_and_go_in_equal_numbers_are_no_error(runner, scenario, where, at):
    """The total stays as it is, and equal rows move: what an unstable order looks like."""
    changes = [(at, "front one", 0), (at, "delete", where)]
    check(runner, attrs.evolve(scenario, changes=changes, keys=[key % 3 for key in scenario.keys]))


# --- the tests see what they are meant to see ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "kinds"),
    [
        (forward, DELETIONS),
        (by_the_first_total, INSERTIONS),
        (backward, INSERTIONS),
        (at_once, INSERTIONS),
        (with_all_ids, DELETIONS),
    ],
)
def test_bad_readers_are_caught(runner, reader, kinds):
    def misses(scenario: Scenario) -> bool:
        server = scenario.server(clamp=1000, descends=True, stale=[0])
        at_first = server.ids
        found = runner.run(reader(server, scenario.page_size))
        return not set(at_first) - server.removed <= set(found)

    find(
        scenarios(*kinds),
        misses,
        settings=settings(examples(2_000, 2_000), phases=[Phase.generate]),
        random=random.Random(0),
    )
