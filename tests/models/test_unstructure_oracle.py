"""``to_dict`` returns what one lookup of a function for each value returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from tests.models.test_compile_oracle import samples
from truemed_async.models import Model
from truemed_async.models._converter import converter, iso
from truemed_async.models._reading import structurer


class OtherDatetime(datetime):
    """As tools that freeze the time replace it."""


def format_slowly(moment: datetime) -> str:
    text = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def unstructure_slowly(model: Model) -> dict[str, Any]:
    names = [field.name for field in attrs.fields(type(model)) if field.name != "extra"]
    known = {name: converter.unstructure(getattr(model, name)) for name in names}
    return known | {name: value for name, value in model.extra.items() if name not in known}


ZONES = st.sampled_from([None, UTC, timezone(timedelta(0)), timezone(timedelta(hours=-7, minutes=-30))])


@given(st.datetimes(timezones=ZONES))
def test_times_are_written_as_isoformat_writes_them(moment):
    assert iso(moment) == format_slowly(moment)


ENDS = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]


@pytest.mark.parametrize("moment", [*ENDS, datetime(2026, 1, 2, 3, 4, 5, 60_000, UTC)])
@pytest.mark.parametrize("kind", [datetime, OtherDatetime])
def test_times_at_the_ends_of_the_calendar_and_of_other_classes_are_written_alike(moment, kind):
    aware = kind(
        moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond, UTC
    )
    assert iso(aware) == format_slowly(aware)


@pytest.mark.parametrize(("endpoint", "body"), samples())
def test_models_are_unstructured_as_field_by_field(endpoint, body):
    built = structurer(endpoint.result, endpoint.items)(body)
    for model in built.items if endpoint.items else [built]:
        found = model.to_dict()
        assert found == unstructure_slowly(model)
        assert [type(value) for value in found.values()] == [
            type(value) for value in unstructure_slowly(model).values()
        ]


def test_fields_with_values_of_unusual_classes_are_unstructured_as_before():
    @attrs.frozen
    class Loose(Model):
        value: Any

    for value in (
        True,
        1.5,
        (datetime(2026, 1, 1, tzinfo=UTC),),
        {"a": OtherDatetime(2026, 1, 1, tzinfo=UTC)},
        Loose(1),
    ):
        assert Loose(value).to_dict() == {"value": converter.unstructure(value)}
