"""Whole pages are encoded as their rows are one by one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, strategies as st

from tests.models.test_compile_oracle import samples
from truemed_async._sensitive import Sensitive, mask
from truemed_async.exports import RowType
from truemed_async.exports.arrow import ArrowEncoder
from truemed_async.exports.columns import ROW_TYPES, ColumnSelection, select_columns
from truemed_async.exports.formats import encode_csv, make_encoding
from truemed_async.exports.journal import RowCounts
from truemed_async.models import Model, OpenEnum, QualificationSession, QualificationStatus
from truemed_async.models._reading import structurer

SECRET = Sensitive(b"sixteen bytes or more")


class OtherDatetime(datetime):
    """As tools that freeze the time replace it."""


class Kind(OpenEnum):
    A = "a"


@attrs.frozen(kw_only=True)
class Part(Model):
    at: datetime | None = None
    kind: Kind | None = None


@attrs.frozen(kw_only=True)
class Anything(Model):
    """A field of each type that a model may have."""

    id: str
    kind: Kind
    other: Kind | None = None
    at: datetime | None = None
    day: date | None = None
    flag: bool | None = None
    number: int | None = None
    amount: float | None = None
    part: Part | None = attrs.field(default=None, repr=mask)
    parts: tuple[Part, ...] = ()
    names: tuple[str, ...] | None = None
    object: dict[str, Any] | None = None


ANYTHING = RowType[Anything](model=Anything, id="id", status="kind", created_at="at")
ZONES = st.sampled_from(
    [None, UTC, *map(timezone, (timedelta(0), timedelta(hours=-7, minutes=-30), timedelta(seconds=19 * 60 + 32)))]
)
MOMENTS = st.datetimes(timezones=ZONES) | st.builds(
    lambda moment: OtherDatetime.combine(moment.date(), moment.timetz()), st.datetimes(timezones=ZONES)
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", '"', ",", "\n", "\r", "=1+1", " a ", "\0"]
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
PARTS = st.builds(Part, at=st.none() | MOMENTS, kind=st.none() | TEXTS.map(Kind))
MODELS = st.builds(
    Anything,
    id=TEXTS,
    kind=st.sampled_from(["a", "A", "new"]).map(Kind),
    other=st.none() | TEXTS.map(Kind),
    at=st.none() | MOMENTS,
    day=st.none() | st.dates(),
    flag=st.none() | st.booleans(),
    number=st.none() | NUMBERS,
    amount=st.none() | FLOATS,
    part=st.none() | PARTS,
    parts=st.lists(PARTS, max_size=2).map(tuple),
    names=st.none() | st.lists(TEXTS, max_size=2).map(tuple),
    object=st.none() | st.dictionaries(TEXTS, JSON, max_size=2),
    extra=st.dictionaries(TEXTS | st.just("id"), JSON, max_size=2),
)
SELECTIONS = st.sampled_from(
    [
        select_columns(ANYTHING),
        select_columns(ANYTHING, ["at"]),
        select_columns(ANYTHING, ["parts", "id", "flag", "day"]),
        select_columns(ANYTHING, pii="drop"),
        select_columns(ANYTHING, ["id", "part", "at"], "hash", SECRET),
    ]
)


def encode_lines_slowly(columns: ColumnSelection[Any], models: list[Any]) -> bytes:
    return b"".join(orjson.dumps(columns.to_row(model)) + b"\n" for model in models)


def encode_csv_slowly(columns: ColumnSelection[Any], models: list[Any]) -> bytes:
    return encode_csv([row[name] for name in columns.types] for row in map(columns.to_row, models)).value


def check(columns: ColumnSelection[Any], models: list[Any]) -> None:
    assert make_encoding("jsonl", columns).encode(models).value == encode_lines_slowly(columns, models)
    assert make_encoding("csv", columns).encode(models).value == encode_csv_slowly(columns, models)


@given(SELECTIONS, st.lists(MODELS, min_size=1, max_size=4))
def test_page_is_encoded_as_its_rows_one_by_one(columns, models):
    check(columns, models)


@pytest.mark.parametrize(("endpoint", "body"), [each for each in samples() if each.values[0].items])
@pytest.mark.parametrize("pii", ["keep", "drop", "hash"])
def test_page_of_each_listing_is_encoded_as_its_rows_one_by_one(endpoint, body, pii):
    page = structurer(endpoint.result, endpoint.items)(body)
    for model in page.items:
        check(select_columns(ROW_TYPES[type(model)], pii=pii, secret=SECRET if pii == "hash" else None), [model] * 2)


def test_row_of_a_derived_class_is_written_with_its_own_fields():
    @attrs.frozen(kw_only=True)
    class Derived(QualificationSession):
        more: int = 1

    models = [Derived(qualification_session_id="qs_1", status=QualificationStatus.PENDING)]
    columns = select_columns(ROW_TYPES[QualificationSession])
    check(columns, models)
    assert orjson.loads(make_encoding("jsonl", columns).encode(models).value)["more"] == 1


@given(SELECTIONS, st.lists(MODELS, max_size=4))
def test_record_batch_holds_the_values_of_the_rows(columns, models):
    def value(model: Anything, name: str) -> Any:
        found = getattr(model, name)
        if name in columns.hashed:
            return columns.to_row(model)[name]
        if name in ("part", "parts", "names", "object"):
            return None if found is None else orjson.dumps(model.to_dict()[name]).decode()
        return found.astimezone(UTC) if isinstance(found, datetime) and found.tzinfo else found

    def as_read_back(model: Anything, name: str) -> Any:
        found = value(model, name)
        return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found

    in_range = [model for model in models if model.at is None or 1700 < model.at.year < 9000]
    batch = ArrowEncoder(columns).encode(in_range)
    assert batch.to_pylist() == [{name: as_read_back(model, name) for name in columns.types} for model in in_range]


@given(st.lists(st.lists(MODELS, max_size=4), max_size=3))
def test_counts_of_pages_are_those_of_their_rows(pages):
    # Times without a zone cannot be compared with others; those of another class are not written to the journal.
    pages = [[row for row in page if row.at is None or (row.at.tzinfo and type(row.at) is datetime)] for page in pages]
    counts = RowCounts()
    for page in pages:
        counts.add(ANYTHING, page)
    rows = [row for page in pages for row in page]
    times = [row.at for row in rows if row.at is not None]
    assert counts == RowCounts(
        rows=len(rows),
        statuses=Counter(str(row.kind) for row in rows),
        earliest=min(times, default=None),
        latest=max(times, default=None),
    )
    assert RowCounts.from_dict(orjson.loads(orjson.dumps(counts.to_dict()))).rows == len(rows)
