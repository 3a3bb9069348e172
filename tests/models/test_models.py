"""The objects: what Truemed's pages promise of every field, and what no answer may turn them into."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from types import NoneType
from typing import Any, Generic, TypeVar

import attrs
import orjson
import pytest
from attrs.exceptions import FrozenInstanceError
from cattrs.errors import StructureHandlerNotFoundError
from hypothesis import given, settings, strategies as st

from tests.support.fake_transport import fixtures
from tests.support.scale import scale
from truemed_async.endpoints import ENDPOINTS
from truemed_async.models import (
    CatalogItem,
    Model,
    OpenEnum,
    Page,
    Pagination,
    QualificationSession,
    QualificationSessionUpdate,
    QualificationStatus,
)
from truemed_async.models._compile import StructureError
from truemed_async.models._converter import converter
from truemed_async.models._reading import structurer

# Truemed API reference, "Get Qualification Session Details", Response: each field and its published type.
PAGE = {
    "qualification_session_id": "string",
    "status": "enum",
    "charge_group_created_at": "datetime or null",
    "created_at": "datetime or null",
    "customer_status": "string or null",
    "eligible_amount": "double or null",
    "email": "string or null",
    "expires_at": "datetime or null",
    "fee": "double or null",
    "lmn_reviewed_at": "datetime or null",
    "session_type": "string or null",
    "skus_param": "string or null",
    "source": "string or null",
    "stripe_invoice_id": "string or null",
    "stripe_invoice_number": "string or null",
    "stripe_invoice_paid_at": "datetime or null",
    "user_business_id": "string or null",
    "user_id": "string or null",
    "user_name": "string or null",
}
NULLABLE = [name for name, kind in PAGE.items() if kind.endswith("or null")]
REQUIRED = [name for name in PAGE if name not in NULLABLE]
MINIMAL = {"qualification_session_id": "qs_abc123", "status": "pending"}

GOOD: dict[str, list[tuple[Any, Any]]] = {
    "string": [("x", "x"), ("", ""), ("\U0001f9ea\u202e\x00", "\U0001f9ea\u202e\x00")],
    "enum": [("approved", "approved"), ("brand_new", "brand_new")],
    "datetime": [
        ("2024-06-13T16:03:07.473Z", datetime(2024, 6, 13, 16, 3, 7, 473000, tzinfo=UTC)),
        ("2024-01-15T09:30:00Z", datetime(2024, 1, 15, 9, 30, tzinfo=UTC)),
        ("2024-01-15T09:30:00", datetime(2024, 1, 15, 9, 30, tzinfo=UTC)),
        ("2024-01-15T09:30:00+02:00", datetime(2024, 1, 15, 7, 30, tzinfo=UTC)),
    ],
    "double": [(12.5, 12.5), (0, 0.0), (-3, -3.0), (1e308, 1e308)],
}
SECRET_NUMBER = 987654321
WRONG: dict[str, list[Any]] = {
    "string": [SECRET_NUMBER, 1.9, True, False, [], ["canary"], {}, {"canary": "canary"}],
    "enum": [SECRET_NUMBER, 1.9, True, [], ["canary"], {"canary": "canary"}],
    "datetime": [
        SECRET_NUMBER, 1.9, True, [], {}, "", "canary", "2024-13-01T00:00:00Z", "2024-01-15T25:00:00Z", "now",
    ],
    "double": ["canary", "12.50", "", True, False, [], {}, [1.5]],
}  # fmt: skip


def session(**fields: Any) -> QualificationSession:
    return structurer(QualificationSession)({**MINIMAL, **fields})


def mismatch(kind: Any, data: Any, items: str | None = None) -> StructureError:
    with pytest.raises(StructureError) as caught:
        structurer(kind, items)(data)
    return caught.value


def by_type(table: Mapping[str, list[Any]], fields: Mapping[str, str] = PAGE) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}-{number}")
        for name, kind in fields.items()
        for number, value in enumerate(table[kind.removesuffix(" or null")])
    ]


def test_model_has_exactly_the_fields_of_the_page():
    """Truemed API reference, "Get Qualification Session Details": 19 fields, and none that only an update stores."""
    assert len(PAGE) == 19
    assert [field.name for field in attrs.fields(QualificationSession) if field.name != "extra"] == list(PAGE)


@pytest.mark.parametrize(("name", "value"), by_type(GOOD))
def test_value_of_the_published_type_arrives_as_it_is(name, value):
    """Truemed API reference, "Get Qualification Session Details"; dates as on Truemed's pages."""
    sent, expected = value
    found = getattr(session(**{name: sent}), name)
    assert found == expected
    assert isinstance(found, type(expected))


@pytest.mark.parametrize("name", NULLABLE)
def test_field_published_as_or_null_may_be_null(name):
    """Truemed API reference, "Get Qualification Session Details": "or null" on all but two fields."""
    assert getattr(session(**{name: None}), name) is None


@pytest.mark.parametrize("name", NULLABLE)
def test_field_published_as_or_null_may_be_absent(name):
    """Older versions of "Get Qualification Session Details" had fewer fields."""
    assert name not in MINIMAL
    assert getattr(session(), name) is None


@pytest.mark.parametrize("name", REQUIRED)
def test_required_field_must_not_be_null(name):
    found = mismatch(QualificationSession, {**MINIMAL, name: None})
    assert (found.path, found.expected) == (name, "a string")


@pytest.mark.parametrize("name", REQUIRED)
def test_required_field_must_not_be_absent(name):
    data = {key: value for key, value in MINIMAL.items() if key != name}
    found = mismatch(QualificationSession, data)
    assert found.path == name
    assert "missing" in found.expected


@pytest.mark.parametrize(("name", "value"), by_type(WRONG))
def test_value_of_another_type_is_rejected_with_its_path_and_without_the_value(name, value):
    found = mismatch(QualificationSession, {**MINIMAL, name: value})
    assert found.path == name
    text = f"{found} {found!r} {found.args} {vars(found)}"
    assert "canary" not in text
    assert str(SECRET_NUMBER) not in text


@pytest.mark.parametrize(("name", "value"), by_type({**WRONG, "integer": [1.0, 1.9, "30", True, None, [], {}]}, dict.fromkeys(["count", "current_page", "last_page", "page_size"], "integer")))  # fmt: skip
def test_pagination_takes_integers_and_nothing_that_looks_like_one(name, value):
    """Truemed API reference, list pages: count, current_page, last_page and page_size are integers."""
    good = {"count": 1, "current_page": 1, "last_page": 1, "page_size": 30}
    assert mismatch(Pagination, {**good, name: value}).path == name


@pytest.mark.parametrize("data", [None, [], "x", 1, True, [MINIMAL]])
def test_object_must_be_an_object(data):
    found = mismatch(QualificationSession, data)
    assert (found.path, found.expected) == ("", "an object")


@pytest.mark.parametrize(("endpoint", "sample"), [pytest.param(e, s, id=f"{e}: {s['about']}") for e, s in fixtures()])
def test_every_sample_of_truemeds_pages_decodes_and_writes_itself_back(endpoint, sample):
    """Each sample names its page."""
    if not 200 <= sample["response"]["status"] < 300:
        assert set(sample["response"]["body"]) - {"redirect_url"} == {"error", "message"}
        return
    (found,) = [each for each in ENDPOINTS if each.name == endpoint]
    body = sample["response"]["body"]
    if found.result is NoneType:
        return
    value: Any = structurer(found.result, found.items)(body)
    if found.items:
        for row, sample in zip(value, body[found.items], strict=True):
            assert {name for name, each in row.to_dict().items() if each is not None} <= set(sample)
        assert [
            select_sample_fields(row.to_dict(), sample) for row, sample in zip(value, body[found.items], strict=True)
        ] == [at_noon(row) for row in body[found.items]]
    else:
        if found.result is CatalogItem:
            body = body.get("object", body)
        assert select_sample_fields(value.to_dict(), body) == at_noon(body)


def select_sample_fields(written: Any, sample: Any) -> Any:
    """Return what was written without the fields that the sample does not have."""
    if isinstance(written, dict) and isinstance(sample, dict):
        return {name: select_sample_fields(written[name], each) for name, each in sample.items()}
    if isinstance(written, list) and isinstance(sample, list):
        return [select_sample_fields(*pair) for pair in zip(written, sample, strict=True)]
    return written


def at_noon(row: dict[str, Any]) -> dict[str, Any]:
    """Return a sample with its times as this library writes them: six digits, or none, of a second."""
    return {
        name: value.replace(".473Z", ".473000Z") if name.endswith(("_at", "_on")) and value else value
        for name, value in row.items()
    }


# --- open enums ---------------------------------------------------------------------------------------------------


def test_statuses_are_those_of_the_page():
    """Truemed API reference, "Get Qualification Session Details", status: one of four."""
    assert [status.value for status in QualificationStatus] == ["pending", "processing", "approved", "rejected"]


@pytest.mark.parametrize("status", list(QualificationStatus))
def test_known_status_is_the_member_itself(status):
    assert session(status=status.value).status is status
    assert status.is_known


@pytest.mark.parametrize(
    ("status", "final"),
    [("pending", False), ("processing", False), ("approved", True), ("rejected", True), ("brand_new", False)],
)
def test_approved_and_rejected_are_final_and_nothing_else_is(status, final):
    """Truemed guide, "Update a Qualification Session": "a terminal status (approved or rejected)"."""
    assert session(status=status).status.is_final is final


@pytest.mark.parametrize("text", ["brand_new", "", "Approve", "APPROVED_", " approved", "\U0001f9ea", "a" * 65536])
def test_unknown_status_survives_everything(text):
    status = session(status=text).status
    assert isinstance(status, QualificationStatus)
    assert not status.is_known
    assert status == text == status.value == status.name == str(status)
    assert status == QualificationStatus(text)
    assert hash(status) == hash(text)
    assert {status: 1}[text] == 1  # type: ignore[index]
    assert status not in list(QualificationStatus)
    for twin in (copy.copy(status), copy.deepcopy(status), pickle.loads(pickle.dumps(status))):
        assert twin == status
        assert type(twin) is QualificationStatus
        assert not twin.is_known
    written = session(status=text).to_dict()
    assert type(written["status"]) is str
    assert structurer(QualificationSession)(json.loads(json.dumps(written))).status == status


@pytest.mark.parametrize("text", ["Approved", "APPROVED", "aPPROVED"])
def test_known_status_in_another_case_is_the_known_one(text):
    assert session(status=text).status is QualificationStatus.APPROVED


def test_unknown_status_leaves_the_enum_as_it_was():
    session(status="brand_new")
    assert len(QualificationStatus) == 4
    assert "brand_new" not in QualificationStatus.__members__
    assert repr(session(status="brand_new").status) == "<QualificationStatus.brand_new: 'brand_new'>"


@pytest.mark.parametrize("value", [None, 1, True, 1.5, b"approved", ["approved"]])
def test_open_enum_holds_strings_only(value):
    with pytest.raises(ValueError, match="QualificationStatus"):
        QualificationStatus(value)


# --- unknown fields -----------------------------------------------------------------------------------------------


def test_unknown_fields_survive_but_are_in_neither_repr_nor_equality_nor_hash():
    extra = {"canary": {"deep": [1, None, "x"]}, "other": 1.5}
    found = session(**extra)
    assert dict(found.extra) == extra
    assert found == session()
    assert hash(found) == hash(session())
    assert "canary" not in repr(found)
    assert found.to_dict()["canary"] == extra["canary"]
    assert structurer(QualificationSession)(found.to_dict()).extra == extra


@pytest.mark.parametrize("name", ["extra", "self", "data", "v0", "known", "__class__"])
def test_unknown_field_of_an_awkward_name_is_only_an_unknown_field(name):
    found = session(**{name: "x"})
    assert dict(found.extra) == {name: "x"}
    assert found.to_dict()[name] == "x"


def test_field_that_is_known_cannot_be_overwritten_by_an_extra_one():
    found = QualificationSession(qualification_session_id="qs_1", status=QualificationStatus.PENDING, extra={"fee": 1})
    assert found.to_dict()["fee"] is None


def test_objects_without_unknown_fields_do_not_share_one_extra():
    one, two = session(), session()
    assert one.extra == {}
    assert one.extra is not two.extra


# --- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("", 0), (".4", 400000), (".473", 473000), (".473158", 473158), (".473158999", 473158)],
)
def test_seconds_may_have_any_number_of_digits(text, microsecond):
    """Truemed writes ISO 8601 UTC with optional milliseconds."""
    found = session(created_at=f"2024-06-13T16:03:07{text}Z").created_at
    assert found == datetime(2024, 6, 13, 16, 3, 7, microsecond, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2024-01-15T09:30:00", "2024-01-15T09:30:00Z", "2024-01-15T11:30:00+02:00"])
def test_every_time_is_aware_and_a_naive_one_is_utc(text):
    found = session(expires_at=text).expires_at
    assert found is not None
    assert found.utcoffset() is not None
    assert found == datetime(2024, 1, 15, 9, 30, tzinfo=UTC)


def test_times_are_written_as_truemed_writes_them():
    found = session(created_at="2024-01-15T09:30:00", expires_at="2024-01-15T09:30:00.5+02:00").to_dict()
    assert found["created_at"] == "2024-01-15T09:30:00Z"
    assert found["expires_at"] == "2024-01-15T09:30:00.500000+02:00"


# --- what an object is --------------------------------------------------------------------------------------------


def test_objects_are_immutable_and_have_no_dict():
    found = session()
    for name in ("status", "extra", "brand_new"):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(found, name, "x")
    with pytest.raises(FrozenInstanceError):
        del found.status
    assert not hasattr(found, "__dict__")
    assert type(found) is QualificationSession


def test_fields_are_given_by_name_only():
    with pytest.raises(TypeError):
        QualificationSession("qs_1", QualificationStatus.PENDING)  # type: ignore[misc]


def test_objects_can_be_copied_pickled_and_put_into_sets():
    found = session(email="jane@example.com", fee=1, surprise="x", created_at="2024-01-15T09:30:00Z")
    for twin in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found)), attrs.evolve(found)):
        assert twin == found
        assert twin.extra == found.extra
        assert {twin, found} == {found}
    assert attrs.evolve(found, fee=2.0) != found


def test_repr_masks_only_the_customer():
    found = session(email="canary@example.com", user_name="Canary Bird", user_id="canary-1", source="email_receipt")
    assert "anary" not in repr(found)
    assert repr(found).count("***") == 3
    assert "source='email_receipt'" in repr(found)
    assert "anary" not in repr(Page(items=(found,)))


def test_repr_shows_that_a_personal_field_is_absent():
    assert "email=None" in repr(session())
    assert "***" not in repr(session())


def test_update_has_an_id_and_a_status_and_remembers_its_key():
    """Truemed guide, "Update a Qualification Session": a 200 echoes qualification_session_id and status."""
    found = structurer(QualificationSessionUpdate)({"qualification_session_id": "qs_abc123", "status": "approved"})
    assert found == QualificationSessionUpdate(
        qualification_session_id="qs_abc123", status=QualificationStatus.APPROVED, idempotency_key=""
    )


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=11, minutes=30))])
MOMENTS = st.datetimes(timezones=ZONES).map(datetime.isoformat)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "enum": st.sampled_from(["pending", "processing", "approved", "rejected"]) | TEXT,
    "datetime": MOMENTS,
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def _strategy(kind: str) -> st.SearchStrategy[Any]:
    base = BY_TYPE[kind.removesuffix(" or null")]
    return st.none() | base if kind.endswith("or null") else base


SESSIONS = st.builds(
    lambda extra, known: {**extra, **known},
    st.dictionaries(TEXT.filter(lambda name: name not in PAGE), JSON, max_size=2),
    st.fixed_dictionaries(
        {name: _strategy(PAGE[name]) for name in REQUIRED},
        optional={name: _strategy(PAGE[name]) for name in NULLABLE},
    ),
)


@settings(max_examples=scale(150, 500))
@given(SESSIONS)
def test_serialized_session_parses_to_an_equal_object(data):
    found = structurer(QualificationSession)(data)
    written = found.to_dict()
    again = structurer(QualificationSession)(json.loads(json.dumps(written)))
    assert again == found
    assert again.extra == found.extra == {name: value for name, value in data.items() if name not in PAGE}
    assert orjson.loads(orjson.dumps(written)) == written


# --- pages --------------------------------------------------------------------------------------------------------


def page(rows: list[Any], pagination: Any = None) -> Page[QualificationSession]:
    return structurer(Page[QualificationSession], "qualification_sessions")(
        {"qualification_sessions": rows, "pagination": pagination}
    )


def test_page_is_iterated_and_counted():
    found = page([MINIMAL, {**MINIMAL, "status": "approved"}], {"count": 2, "current_page": 1, "last_page": 1, "page_size": 30})  # fmt: skip
    assert [each.status for each in found] == ["pending", "approved"]
    assert len(found) == 2
    assert found.items == tuple(found)
    assert found.pagination == Pagination(count=2, current_page=1, last_page=1, page_size=30)
    assert found == page([MINIMAL, {**MINIMAL, "status": "approved"}], attrs.asdict(found.pagination))


@pytest.mark.parametrize("body", [{"qualification_sessions": [], "pagination": None}, {"qualification_sessions": []}])
def test_pagination_may_be_null_or_absent(body):
    """Truemed API reference, "List Qualification Sessions": pagination is "object or null"."""
    found = structurer(Page[QualificationSession], "qualification_sessions")(body)
    assert found.pagination is None
    assert len(found) == 0


def test_unknown_fields_of_a_page_survive():
    found = structurer(Page[QualificationSession], "qualification_sessions")(
        {"qualification_sessions": [], "items": ["x"], "next": 1}
    )
    assert found.items == ()
    assert found.extra == {"items": ["x"], "next": 1}


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        ([], "", "an object"),
        ({}, "qualification_sessions", "missing"),
        ({"sessions": []}, "qualification_sessions", "missing"),
        ({"items": [], "data": []}, "qualification_sessions", "missing"),
        ({"data": {}}, "qualification_sessions", "missing"),
        ({"qualification_sessions": None}, "qualification_sessions", "a list"),
        ({"qualification_sessions": {}}, "qualification_sessions", "a list"),
        ({"qualification_sessions": [MINIMAL, None]}, "qualification_sessions[1]", "an object"),
        (
            {"qualification_sessions": [MINIMAL] * 3 + [{**MINIMAL, "created_at": "canary"}]},
            "qualification_sessions[3].created_at",
            "an ISO 8601",
        ),
        ({"qualification_sessions": [{"status": "approved"}]}, "qualification_sessions[0].qualification_session_id", "missing"),
    ],
)  # fmt: skip
def test_path_names_the_place_from_the_outside_in(body, path, expected):
    found = mismatch(Page[QualificationSession], body, "qualification_sessions")
    assert found.path == path
    assert expected in found.expected
    assert "canary" not in str(found)


# --- models of one's own ------------------------------------------------------------------------------------------

T = TypeVar("T")


class Color(OpenEnum):
    RED = "red"


@attrs.frozen(kw_only=True)
class Line(Model):
    sku: str
    quantity: int = 1


@attrs.frozen(kw_only=True)
class Box(Model, Generic[T]):
    content: T
    more: list[T]
    sealed: bool = False


@attrs.frozen(kw_only=True)
class Order(Model):
    lines: tuple[Line, ...]
    box: Box[Line]
    first: Line | None = None
    grid: list[list[int]] | None = None
    colors: list[Color] | None = None
    labels: dict[str, Any] | None = None
    things: Mapping[str, Any] | None = None
    anything: Any = None
    day: date | None = None
    days: list[date] | None = None
    moments: tuple[datetime, ...] | None = None
    weights: list[float] | None = None
    names: list[str] | None = None
    flags: list[bool] | None = None
    bare: list | None = None  # type: ignore[type-arg]


@attrs.frozen(kw_only=True)
class BiggerOrder(Order):
    gift: bool = False


@attrs.frozen(kw_only=True)
class WithFactory(Model):
    names: list[str] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Empty(Model):
    pass


ORDER = {
    "lines": [{"sku": "a"}, {"sku": "b", "quantity": 2, "note": "x"}],
    "box": {"content": {"sku": "c"}, "more": []},
    "first": {"sku": "d"},
    "grid": [[1, 2], []],
    "colors": ["red", "mauve"],
    "labels": {"a": [1, {"b": None}]},
    "things": {},
    "anything": [1, "x", None],
    "day": "2024-01-15",
    "days": ["2024-01-15", "2024-02-29"],
    "moments": ["2024-01-15T09:30:00Z"],
    "weights": [1, 1.5],
    "names": ["x"],
    "flags": [True],
    "bare": [1, "x"],
}


def test_model_defined_by_the_user_is_read_and_written_through_every_shape():
    found = structurer(Order)(ORDER)
    assert found.lines == (Line(sku="a"), Line(sku="b", quantity=2))
    assert found.lines[1].extra == {"note": "x"}
    assert found.box == Box(content=Line(sku="c"), more=[])
    assert found.first == Line(sku="d")
    assert found.grid == [[1, 2], []]
    assert found.colors == [Color.RED, Color("mauve")]
    assert found.day == date(2024, 1, 15)
    assert found.days == [date(2024, 1, 15), date(2024, 2, 29)]
    assert found.moments == (datetime(2024, 1, 15, 9, 30, tzinfo=UTC),)
    assert found.weights == [1.0, 1.5]
    assert [type(weight) for weight in found.weights or ()] == [float, float]
    assert (found.names, found.flags, found.bare) == (["x"], [True], [1, "x"])
    written = found.to_dict()
    assert {name: written[name] for name in ORDER if name not in ("lines", "box", "first")} == {
        name: value for name, value in ORDER.items() if name not in ("lines", "box", "first")
    }
    assert written["lines"][1] == {"sku": "b", "quantity": 2, "note": "x"}
    assert structurer(Order)(json.loads(json.dumps(written))) == found


def test_model_inherits_the_fields_of_its_base():
    found = structurer(BiggerOrder)({**ORDER, "gift": True})
    assert type(found) is BiggerOrder
    assert found.gift
    assert found.lines[0] == Line(sku="a")


@pytest.mark.parametrize(
    ("change", "path", "expected"),
    [
        ({"lines": [{"sku": "a"}, {"sku": "b", "quantity": "canary"}]}, "lines[1].quantity", "an integer"),
        ({"lines": {"sku": "a"}}, "lines", "a list"),
        ({"box": {"content": {"sku": 1}, "more": []}}, "box.content.sku", "a string"),
        ({"box": {"content": {"sku": "c"}, "more": [{"sku": "x"}, {}]}}, "box.more[1].sku", "missing"),
        ({"box": {"content": {"sku": "c"}, "more": [], "sealed": "false"}}, "box.sealed", "true or false"),
        ({"box": {"content": {"sku": "c"}, "more": [], "sealed": 0}}, "box.sealed", "true or false"),
        ({"first": []}, "first", "an object"),
        ({"grid": [[1], [1, 1.9]]}, "grid[1][1]", "an integer"),
        ({"grid": [[1], 2]}, "grid[1]", "a list"),
        ({"colors": ["red", 1]}, "colors[1]", "a string"),
        ({"labels": []}, "labels", "an object"),
        ({"things": "canary"}, "things", "an object"),
        ({"day": "canary"}, "day", "a date"),
        ({"day": "2024-02-30"}, "day", "a date"),
        ({"day": 20240115}, "day", "a date"),
        ({"days": ["2024-01-15", "canary"]}, "days[1]", "a date"),
        ({"days": [20240115]}, "days[0]", "a date"),
        ({"moments": ["2024-01-15T09:30:00Z", "canary"]}, "moments[1]", "an ISO 8601"),
        ({"weights": [1, "1.5"]}, "weights[1]", "a number"),
        ({"weights": [True]}, "weights[0]", "a number"),
        ({"names": [None]}, "names[0]", "a string"),
        ({"flags": ["false"]}, "flags[0]", "true or false"),
        ({"bare": {}}, "bare", "a list"),
    ],
)
def test_model_defined_by_the_user_is_checked_as_strictly(change, path, expected):
    found = mismatch(Order, {**ORDER, **change})
    assert found.path == path
    assert expected in found.expected
    assert "canary" not in f"{found} {found.args} {vars(found)}"


def test_generic_without_its_parameter_takes_anything():
    assert structurer(Box)({"content": 1, "more": ["x"]}) == Box(content=1, more=["x"])


def test_top_level_list_of_objects_is_read():
    assert structurer(list[Line])([{"sku": "a"}]) == [Line(sku="a")]
    assert mismatch(list[Line], [{"sku": "a"}, {"sku": None}]).path == "[1].sku"
    assert mismatch(list[Line], {}).path == ""


def test_default_factory_is_called_for_each_object():
    one, two = structurer(WithFactory)({}), structurer(WithFactory)({})
    assert one.names == two.names == []
    assert one.names is not two.names
    assert structurer(WithFactory)({"names": ["x"]}).names == ["x"]


def test_model_without_fields_keeps_everything_as_extra():
    found = structurer(Empty)({"a": 1})
    assert type(found) is Empty
    assert found.extra == {"a": 1}
    assert found.to_dict() == {"a": 1}


def test_naive_time_defined_by_the_user_is_written_as_utc():
    assert converter.unstructure(datetime(2024, 1, 15, 9, 30)) == "2024-01-15T09:30:00Z"  # noqa: DTZ001 - naive on purpose


@attrs.frozen(kw_only=True)
class Either(Model):
    value: str | int


def test_field_of_two_types_is_rejected_when_the_model_is_first_used():
    """Which of them a value has would be ambiguous."""
    with pytest.raises(StructureHandlerNotFoundError):
        structurer(Either)


def test_model_is_compiled_once():
    assert structurer(QualificationSession) is structurer(QualificationSession)


@pytest.mark.parametrize("text", ["2026-01-02t03:04:05z", "2026-01-02T03:04:05z", "2026-01-02t03:04:05.5+00:00"])
def test_times_may_be_written_in_lower_case(text):
    """RFC 3339, section 5.6: "T" and "Z" may alternatively be lower case."""
    data = {"qualification_session_id": "qs_1", "status": "approved", "created_at": text}
    session = structurer(QualificationSession)(data)
    assert session.created_at is not None
    assert session.created_at.replace(microsecond=0) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
