"""Each value of a dialect that a client can see without an effect is in the report, and the report can be loaded."""

from __future__ import annotations

import random

import pytest

from tests.support.scale import scale
from truemed_async.diagnostics import Check, FieldReport
from truemed_async.diagnostics._analysis import ASSUMED, NEVER_OBSERVED
from truemed_async.emulator import Dialect

# What is seen only with another field, and what is seen only if a request is limited (below).
TOGETHER = {"page_size_handling": {"page_size_limit": 50}}
LIMITED_ONLY = {"retry_after"}
AXES = Dialect.axes()
VALUES = [(axis, value) for axis in ASSUMED if axis not in LIMITED_ONLY for value in AXES[axis][1:]]
UNSTEADY = {"DNS", "clock", "latency"}


def test_each_field_of_a_dialect_is_observed_or_has_a_reason():
    assert ASSUMED.keys() | NEVER_OBSERVED.keys() == AXES.keys()
    assert not ASSUMED.keys() & NEVER_OBSERVED.keys()


def test_assumptions_are_the_defaults_of_a_dialect():
    assert {axis: AXES[axis][0] for axis in ASSUMED} == ASSUMED


@pytest.mark.parametrize(("axis", "value"), VALUES, ids=lambda value: str(value))
def test_value_of_dialect_is_named(examine_dialect, axis, value):
    report = examine_dialect(Dialect(**{**TOGETHER.get(axis, {}), axis: value}))
    assert report.dialect[axis] == value
    assert report.passed
    assert [check for check in report.checks if check.status == "differs"]
    others = {name: found for name, found in report.dialect.items() if name not in (axis, *TOGETHER.get(axis, ()))}
    assert others == {name: ASSUMED[name] for name in others}
    assert report.dialect.keys() | report.not_observed.keys() == AXES.keys()


def test_default_dialect_is_as_documented(examine_dialect):
    report = examine_dialect(Dialect())
    assert report.dialect == {name: ASSUMED[name] for name in report.dialect}
    assert {*ASSUMED} - {*report.dialect} == {"page_size_handling", *LIMITED_ONLY}
    assert not [check for check in report.checks if check.status in ("differs", "failed")]
    assert report.sentence.endswith("met a server on this machine: all as documented or assumed.")


@pytest.mark.parametrize(
    ("form", "expected"), [("seconds", "seconds"), ("date", "date"), ("none", "none"), ("ratelimit", "ratelimit")]
)
def test_limited_request_shows_when_to_retry(emulators, examine_dialect, form, expected):
    with emulators[0].faults.add("status", code=429, nth=5):
        report = examine_dialect(Dialect(retry_after=form))
    assert report.dialect["retry_after"] == expected
    assert report.passed


def behavior(report, *, with_fields: bool) -> tuple[list[Check], list[FieldReport], object, object]:
    """Return what does not depend on the machine."""
    checks = [check for check in report.checks if check.name not in UNSTEADY]
    return checks, [*report.fields] if with_fields else [], report.dialect, report.not_observed


def random_dialects(count: int, seed: int = 0) -> list[Dialect]:
    rng = random.Random(seed)
    return [Dialect(**{axis: rng.choice(values) for axis, values in AXES.items()}) for _ in range(count)]


ALONE = [Dialect(**{**TOGETHER.get(axis, {}), axis: value}) for axis, value in VALUES]


@pytest.mark.parametrize("dialect", [*random_dialects(scale(4, 300)), *scale(ALONE[::20], ALONE)], ids=lambda _: "")
def test_dialect_of_report_gives_the_same_report(examine_dialect, dialect):
    first = examine_dialect(dialect)
    second = examine_dialect(Dialect.from_dict(dict(first.dialect)), other=True)
    # With random ties, which of two rows is the last one of a page is left to chance.
    with_fields = dialect.ties == "stable"
    assert behavior(first, with_fields=with_fields) == behavior(second, with_fields=with_fields)


def effective(dialect: Dialect) -> dict[str, object]:
    """Return the values that a client can see: one field may hide the effect of another one."""
    seen = dialect.to_dict()
    if dialect.pagination == "null" and dialect.null_members == "absent":
        seen["pagination"] = "absent"
    if dialect.pagination == "partial" and dialect.pagination_names == "total_count":
        seen["pagination_names"] = "count"  # the same two names
    has_json_errors = dialect.error_body != "text" or dialect.key_refusal_body == "detail"
    if dialect.content_type == "application/problem+json" and not has_json_errors:
        seen["content_type"] = "application/json"
    return seen


@pytest.mark.parametrize("seed", range(1, scale(2, 40)))
def test_every_observed_value_is_that_of_the_dialect(examine_dialect, seed):
    wrong = [
        (axis, value, dialect)
        for dialect in random_dialects(8, seed)
        for axis, value in examine_dialect(dialect).dialect.items()
        if value != effective(dialect)[axis]
    ]
    assert wrong == []
