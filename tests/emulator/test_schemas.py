"""The kinds of values: what fits, and what is said about what does not."""

from datetime import date

import pytest

from truemed_async.emulator.kinds import (
    Anything,
    Choice,
    Day,
    Flag,
    Integer,
    Many,
    Members,
    Month,
    Nullable,
    Text,
    Unfit,
)

PERSON = Members({"name": Text(shortest=1)}, {"age": Nullable(Integer(0)), "tags": Many(Text())})


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        (Text(), "", True),
        (Text(), 1, False),
        (Text(shortest=2), "a", False),
        (Choice(("a", "b")), "b", True),
        (Choice(("a", "b")), ["a"], False),
        (Integer(), -5, True),
        (Integer(), True, False),
        (Integer(), 5.0, False),
        (Integer(), 2**53, False),
        (Integer(1, 3), 4, False),
        (Flag(), False, True),
        (Flag(), 0, False),
        (Day(), "2026-02-28", True),
        (Day(), "2026-02-29", False),
        (Day(), "20260228", False),
        (Day(), date(2026, 2, 28), True),
        (Day(), 20260228, False),
        (Month(), "2026-12", True),
        (Month(), "2026-00", False),
        (Month(), 2026, False),
        (Anything(), object, True),
        (Nullable(Text()), None, True),
        (Nullable(Text()), "a", True),
        (Nullable(Text()), 1, False),
        (Many(Text()), [1], True),
        (Many(Text()), "a", False),
        (Members(), {}, True),
        (Members(), [], False),
    ],
)
def test_fits(kind, value, fits):
    assert kind.fits(value) is fits


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        (5, "the body", "the body must be a JSON object"),
        ({}, "name", "name is required"),
        ({"name": ""}, "name", "name must be a string that is not empty"),
        ({"name": "a", "age": -1}, "age", "age must be an integer from 0"),
        ({"name": "a", "age": "x"}, "age", "age must be an integer from 0"),
        ({"name": "a", "tags": 1}, "tags", "tags must be a list"),
        ({"name": "a", "tags": ["x", 1]}, "tags[1]", "tags[1] must be a string"),
    ],
)
def test_says_what_does_not_fit(value, path, message):
    with pytest.raises(Unfit) as caught:
        PERSON.check(value, "")
    assert (caught.value.path, str(caught.value)) == (path, message)
    assert caught.value.missing is ("required" in message)


def test_says_where_in_an_object_in_an_object():
    with pytest.raises(Unfit, match=r"^who\[0\]\.name is required$"):
        Many(PERSON).check([{}], "who")


@pytest.mark.parametrize("value", [{"name": "a"}, {"name": "a", "age": None, "tags": [], "more": object}])
def test_lets_pass_what_fits(value):
    PERSON.check(value, "")


def test_says_what_it_must_be():
    kinds = [Integer(), Nullable(Integer()), Choice(("a", "b")), Month(), Anything(), Flag()]
    assert [kind.words for kind in kinds] == [
        "an integer",
        "an integer, or null",
        "one of a, b",
        "a month, YYYY-MM",
        "JSON",
        "true or false",
    ]


def test_says_it_in_json_schema():
    assert PERSON.schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "age": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**53 - 1}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name"],
    }
