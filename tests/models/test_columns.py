"""A page that is read by column has the rows that are read one by one, and they are written as the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, strategies as st

from tests.exports.test_pages_oracle import ANYTHING, NUMBERS, SECRET, SELECTIONS, Anything, Kind
from tests.models.test_compile_oracle import samples
from truemed_async._sensitive import MASK
from truemed_async.exports.columns import ROW_TYPES, select_columns
from truemed_async.exports.formats import make_encoding
from truemed_async.exports.journal import RowCounts
from truemed_async.models import CatalogItem, Page
from truemed_async.models._columns import ColumnarRows, make_column_reader, select, types_of, values_of
from truemed_async.models._reading import ColumnarPage, TolerantPage, UnreadableRow, has_unreadable, structurer

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["", '"', ",", "a,b", "\n", "\r\n", "=1+1", " a ", "\0", "},{", '"}\n{"']
)
UTC_TIMES = st.sampled_from(
    ["2026-10-01T12:00:00Z", "2026-10-01T12:00:00.000Z", "2026-10-01T12:00:00.120+00:00", "1999-12-31T23:59:59.999999Z"]
)
OTHER_TIMES = st.sampled_from(
    ["2026-10-01t12:00:00z", "2026-10-01", "2026-10-01T12:00:00", "2026-10-01T12:00:00+02:00"]
)
AMOUNTS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
WRONG = st.sampled_from([7, 1.5, "no", True, [], {}, [1], {"at": 7}])
PARTS = st.fixed_dictionaries({}, optional={"at": st.none() | UTC_TIMES | OTHER_TIMES, "kind": st.none() | TEXTS})
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": TEXTS,
    "kind": st.sampled_from(["a", "b", "A", "new"]),
    "at": st.none() | UTC_TIMES,
    "other": st.none() | TEXTS,
    "day": st.none() | st.dates().map(str),
    "flag": st.none() | st.booleans(),
    "number": st.none() | NUMBERS,
    "amount": st.none() | AMOUNTS,
    "part": st.none() | PARTS,
    "parts": st.lists(PARTS, max_size=2),
    "names": st.none() | st.lists(TEXTS, max_size=2),
    "object": st.none() | st.dictionaries(TEXTS, st.none() | NUMBERS | TEXTS, max_size=2),
    "extra": st.none() | TEXTS,
    "undocumented": st.none() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=1),
}
REQUIRED = ["id", "kind", "parts"]


def pages_with(names: Sequence[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return pages whose rows all have these keys in this order."""
    values = st.tuples(*(FIELDS[name] for name in names))
    return st.lists(values.map(lambda row: dict(zip(names, row, strict=True))), min_size=1, max_size=4)


UNIFORM_PAGES = (
    st.sets(st.sampled_from([name for name in FIELDS if name not in REQUIRED]))
    .flatmap(lambda names: st.permutations([*REQUIRED, *sorted(names)]))
    .flatmap(pages_with)
)
ANY_PAGES = st.lists(
    st.fixed_dictionaries(
        {}, optional={name: values | st.none() | OTHER_TIMES | WRONG for name, values in FIELDS.items()}
    )
    | UNIFORM_PAGES.map(lambda page: page[0])
    | WRONG,
    max_size=4,
)


def read_by_column(rows: Any) -> Any:
    page: Any = ColumnarPage
    return structurer(page[Anything], "rows")({"rows": orjson.loads(orjson.dumps(rows))}).items


def read_one_by_one(rows: Any) -> Any:
    page: Any = TolerantPage
    return structurer(page[Anything], "rows")({"rows": orjson.loads(orjson.dumps(rows))}).items


def content_of(row: Any) -> Any:
    """Return everything that a row has; ``==`` of models ignores undocumented fields."""
    if isinstance(row, UnreadableRow):
        return row.data.value, row.mismatches
    return type(row), row, dict(row.extra), [type(getattr(row, name)) for name in attrs.fields_dict(type(row))]


@given(UNIFORM_PAGES)
def test_page_of_uniform_rows_is_read_by_column(rows):
    read = read_by_column(rows)

    assert isinstance(read, ColumnarRows)
    assert [*map(content_of, read)] == [*map(content_of, read_one_by_one(rows))]
    assert (len(read), types_of(read), has_unreadable(read)) == (len(rows), {Anything}, False)


@given(ANY_PAGES)
def test_any_page_has_rows_that_are_read_one_by_one(rows):
    assert [*map(content_of, read_by_column(rows))] == [*map(content_of, read_one_by_one(rows))]


@given(SELECTIONS, UNIFORM_PAGES)
def test_page_that_is_read_by_column_is_written_as_its_rows(columns, rows):
    for format in ("csv", "jsonl", "parquet"):
        encode = make_encoding(format, columns).encode
        assert encode(read_by_column(rows)).value == encode(read_one_by_one(rows)).value, format


@given(UNIFORM_PAGES, st.data())
def test_slices_and_selections_are_those_of_rows(rows, data):
    read, expected = read_by_column(rows), read_one_by_one(rows)
    start = data.draw(st.integers(0, len(rows)))
    flags = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    at = data.draw(st.integers(-len(rows), len(rows) - 1))

    assert content_of(read[at]) == content_of(expected[at])
    assert [*map(content_of, read[start:])] == [*map(content_of, expected[start:])]
    chosen = select(read, flags)
    assert isinstance(chosen, ColumnarRows)
    assert [*map(content_of, chosen)] == [*map(content_of, select(expected, flags))]
    if chosen:
        encode = make_encoding("jsonl", select_columns(ANYTHING)).encode
        assert encode(chosen).value == encode(select(expected, flags)).value


@given(UNIFORM_PAGES)
def test_values_and_counts_are_those_of_rows(rows):
    read, expected = read_by_column(rows), read_one_by_one(rows)
    counts, expected_counts = RowCounts(), RowCounts()
    counts.add(ANYTHING, read)
    expected_counts.add(ANYTHING, expected)

    assert counts == expected_counts
    assert ANYTHING.ids_of(read) == ANYTHING.ids_of(expected)
    assert values_of(read, "at") == values_of(expected, lambda row: row.at)
    assert values_of(read, lambda row: row.day) == values_of(expected, "day")


@pytest.mark.parametrize(("endpoint", "body"), [each for each in samples() if each.values[0].items])
@pytest.mark.parametrize("pii", ["keep", "drop", "hash"])
def test_sample_that_is_read_by_column_is_written_as_its_rows(endpoint, body, pii):
    model = next(iter(endpoint.result.__args__))
    kinds: list[Any] = [ColumnarPage, TolerantPage]
    pages = [structurer(kind[model], endpoint.items)(orjson.loads(orjson.dumps(body))).items for kind in kinds]
    columns = select_columns(ROW_TYPES[model], pii=pii, secret=SECRET if pii == "hash" else None)

    for rows in zip(*pages, strict=True):
        assert content_of(rows[0]) == content_of(rows[1])
    for format in ("csv", "jsonl", "parquet") if pages[0] else ():
        encode = make_encoding(format, columns).encode
        assert encode(pages[0]).value == encode(pages[1]).value, format


ALL_PERSONAL = attrs.evolve(ANYTHING, extra_pii=frozenset(ANYTHING.types))
ROW = {"id": "1", "kind": "a", "parts": [], "at": "2026-10-01T12:00:00Z"}


def test_index_beyond_end_is_refused():
    with pytest.raises(IndexError):
        read_by_column([ROW])[1]


def test_rows_are_masked_in_repr():
    rows = read_by_column([ROW])

    assert isinstance(rows, ColumnarRows)
    assert repr(rows) == MASK


def test_time_outside_utc_is_read_row_by_row():
    rows = read_by_column([ROW | {"at": "2026-10-01T12:00:00+02:00"}])

    assert rows == (Anything(id="1", kind=Kind.A, at=datetime(2026, 10, 1, 10, tzinfo=UTC)),)


@pytest.mark.parametrize("name", ["id", "kind"])
def test_page_without_required_field_is_read_row_by_row(name):
    (row,) = read_by_column([{key: value for key, value in ROW.items() if key != name}])

    assert isinstance(row, UnreadableRow)


@pytest.mark.parametrize("page", [Page, TolerantPage])
def test_other_pages_are_read_row_by_row(page):
    assert isinstance(structurer(page[Anything], "rows")({"rows": [ROW]}).items, tuple)


def test_model_with_reader_of_its_own_is_read_row_by_row():
    assert make_column_reader(CatalogItem)([{"sku": "1"}]) is None


def test_rows_of_model_without_columns_to_write_are_kept():
    encode = make_encoding("jsonl", select_columns(ALL_PERSONAL, pii="drop")).encode

    assert encode([Anything(id="1", kind=Kind.A)] * 2).value == b"{}\n{}\n"
