"""Schemas: valid values, and the messages about invalid ones."""

from datetime import date

import pytest

from truemed_async.emulator.schema import (
    Array,
    Boolean,
    Date,
    DateTime,
    Enum,
    Integer,
    Month,
    Nullable,
    Number,
    Object,
    String,
    ValidationError,
)

PERSON = Object({"name": String(min_length=1)}, {"age": Nullable(Integer(0)), "tags": Array(String())})


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        (String(), "", True),
        (String(), 1, False),
        (String(min_length=2), "a", False),
        (Enum(("a", "b")), "b", True),
        (Enum(("a", "b")), ["a"], False),
        (Integer(), -5, True),
        (Integer(), True, False),
        (Integer(), 5.0, False),
        (Integer(), 2**53, False),
        (Integer(1, 3), 4, False),
        (Boolean(), False, True),
        (Boolean(), 0, False),
        (Date(), "2026-02-28", True),
        (Date(), "2026-02-29", False),
        (Date(), "20260228", False),
        (Date(), date(2026, 2, 28), True),
        (Date(), 20260228, False),
        (DateTime(), "2026-02-28T12:00:00.000Z", True),
        (DateTime(), 1, False),
        (Month(), "2026-12", True),
        (Month(), "2026-00", False),
        (Month(), 2026, False),
        (Number(), True, False),
        (Nullable(String()), None, True),
        (Nullable(String()), "a", True),
        (Nullable(String()), 1, False),
        (Array(String()), [1], True),
        (Array(String()), "a", False),
        (Object(), {}, True),
        (Object(), [], False),
    ],
)
def test_schema_accepts_valid_values_only(schema, value, valid):
    assert schema.is_valid(value) is valid


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
def test_validate_of_an_invalid_value_names_its_path(value, path, message):
    with pytest.raises(ValidationError) as caught:
        PERSON.validate(value, "")
    assert (caught.value.path, str(caught.value)) == (path, message)
    assert caught.value.missing is ("required" in message)


def test_validate_of_a_nested_object_names_the_whole_path():
    with pytest.raises(ValidationError, match=r"^who\[0\]\.name is required$"):
        Array(PERSON).validate([{}], "who")


@pytest.mark.parametrize("value", [{"name": "a"}, {"name": "a", "age": None, "tags": [], "more": object}])
def test_validate_accepts_a_valid_value(value):
    PERSON.validate(value, "")


def test_description_completes_must_be():
    schemas = [Integer(), Nullable(Integer()), Enum(("a", "b")), Month(), Number(), Boolean(), DateTime()]
    assert [schema.description for schema in schemas] == [
        "an integer",
        "an integer, or null",
        "one of a, b",
        "a month, YYYY-MM",
        "a number",
        "true or false",
        "a time, ISO 8601",
    ]


def test_json_schema_lists_properties_and_required():
    assert PERSON.json_schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "age": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**53 - 1}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name"],
    }
