"""What the benchmarks say of a figure: that it is met, missed or undecided."""

import pytest

from tests.benchmarks.run import table
from tests.benchmarks.suite import Figure, Took, merge, ratio, time_in_turns


def figure(value: float, **others: object) -> Figure:
    return Figure(group="get", what="a / b", value=value, **others)


@pytest.mark.parametrize(
    ("value", "spread", "at_most", "verdict"),
    [
        (1.05, (1.04, 1.06), True, "met"),
        (1.20, (1.15, 1.24), True, "MISSED"),
        (1.05, (1.00, 1.08), True, "undecided"),
        (1.12, (1.09, 1.15), True, "undecided"),
        (1.10, (1.10, 1.10), True, "met"),
        (2.00, (1.80, 2.20), False, "met"),
        (0.90, (0.80, 0.95), False, "MISSED"),
        (1.30, (0.90, 1.40), False, "undecided"),
    ],
)
def test_verdict_depends_on_the_target_and_on_the_spread(
    value: float, spread: tuple[float, float], at_most: bool, verdict: str
) -> None:
    assert figure(value, target=1.10, spread=spread, at_most=at_most).verdict == verdict


def test_a_figure_without_a_target_has_no_verdict() -> None:
    assert figure(3.0, spread=(1.0, 9.0)).verdict == ""


def test_processes_are_merged_to_their_median_and_spread() -> None:
    processes = [[figure(value, target=2.0, other=value + 1)] for value in (1.2, 1.0, 1.7)]
    (merged,) = merge(processes)
    assert (merged.value, merged.spread, merged.other) == (1.2, (1.0, 1.7), 2.2)


def test_a_ratio_is_the_median_of_the_rounds_on_both_clocks() -> None:
    times = {
        "a": [Took(2.0, 9.0), Took(3.0, 3.0), Took(8.0, 2.0)],
        "b": [Took(1.0, 3.0), Took(1.0, 3.0), Took(2.0, 1.0)],
    }
    found = ratio(times, "a", "b", group="get", what="a / b", target=None)
    assert (found.value, found.other, found.clock) == (3.0, 2.0, "cpu")
    found = ratio(times, "a", "b", group="get", what="a / b", target=None, clock="elapsed")
    assert (found.value, found.other, found.clock) == (2.0, 3.0, "elapsed")


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def contender(name: str, units: int) -> int:
        order.append(name)
        return units

    times = time_in_turns({"a": lambda: contender("a", 1), "b": lambda: contender("b", 2)}, rounds=2)
    assert order == ["a", "b"] * 3
    assert [len(took) for took in times.values()] == [2, 2]


def test_the_table_shows_spread_target_and_verdict() -> None:
    figures = [
        figure(1.05, target=1.1, spread=(1.0, 1.08), clock="cpu", other=1.3),
        figure(1600.0, target=1500, spread=(1590.0, 1610.0), at_most=False, unit="/s"),
        figure(4.0, target=2, spread=(3.9, 4.1)),
    ]
    rows = table(figures, {"cores": "2", "cpu": "a processor", "python": "CPython 3.11"}).splitlines()[-3:]
    assert rows == [
        "| a / b | 1.05× CPU | 1.00 to 1.08 | ≤ 1.10× | undecided | 1.30× |",
        "| a / b | 1,600 /s | 1,590 to 1,610 | ≥ 1,500 /s | met |  |",
        "| a / b | 4.00× | 3.90 to 4.10 | ≤ 2.00× | **missed** |  |",
    ]
