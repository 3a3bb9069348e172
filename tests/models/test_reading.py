"""What the models read beyond what is published, and what they do with values of another type."""

import copy
import itertools
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from truemed_async.models import (
    CatalogItem,
    Page,
    Pagination,
    PaymentSession,
    QualificationSession,
    QualificationStatus,
    Transaction,
)
from truemed_async.models._compile import StructureError
from truemed_async.models._reading import TolerantPage, UnreadableRow, lenient_structurer, structurer

ROW = {"qualification_session_id": "qs_1", "status": "approved"}
POSITION = {"count": 61, "current_page": 2, "last_page": 3, "page_size": 30}
SPELLINGS = {
    "count": ["count", "total", "total_count", "totalCount", "total-count", "total_items", "total_results"],
    "current_page": ["current_page", "currentPage", "page", "pageNumber"],
    "last_page": ["last_page", "lastPage", "pages", "total_pages", "totalPages", "page_count", "num_pages"],
    "page_size": ["page_size", "pageSize", "per_page", "perPage"],
}


def read_page(data: Any, rows: int = 0) -> Page[QualificationSession]:
    return structurer(Page[QualificationSession], "qualification_sessions")(
        {"qualification_sessions": [ROW] * rows, "pagination": data}
    )


def lenient(kind: Any, data: Any, items: str | None = None) -> Any:
    return lenient_structurer(kind, items)(data)


# --- pages --------------------------------------------------------------------------------------------------------


@given(st.tuples(*(st.sampled_from(names) for names in SPELLINGS.values())), st.booleans(), st.booleans())
def test_pagination_in_any_spelling_is_understood(names, as_text, with_last_page):
    sent = {name: str(value) if as_text else value for name, value in zip(names, POSITION.values(), strict=True)}
    if not with_last_page:
        del sent[names[2]]
    page = read_page(sent)
    assert page.pagination == Pagination(**POSITION)
    assert (page.extra, page.mismatches) == ({}, ())


@pytest.mark.parametrize(
    "sent",
    [
        [],
        7,
        "1",
        {},
        {"current_page": 1, "page_size": 30},
        {**POSITION, "count": None},
        {**POSITION, "count": "many"},
        {**POSITION, "count": "-1"},
        {**POSITION, "count": "1" * 16},
        {**POSITION, "count": "٣"},
        {**POSITION, "count": True},
        {**POSITION, "count": 61.0},
        {"page": 0, "per_page": 30, "total": 61},
        {"page": 2, "per_page": 0, "total": 61},
        {"page": 2, "per_page": 30, "total": 61, "total_items": 62},
        {"limit": 30, "offset": 30, "total": 61},
    ],
)
def test_pagination_of_uncertain_meaning_is_none_and_kept_in_extra(sent):
    page = read_page(sent)
    assert page.pagination is None
    assert page.extra == {"pagination": sent}
    assert page.mismatches == ("pagination",)
    assert page.to_dict()["pagination"] is None


def test_total_of_something_else_is_not_the_number_of_rows():
    """With 30 rows on page 2 there are more than 3: this total counts pages, for example."""
    sent = {"page": 2, "per_page": 30, "total": 3}
    assert read_page(sent, rows=30).pagination is None
    assert read_page({**sent, "total": 60}, rows=30).pagination == Pagination(
        count=60, current_page=2, last_page=2, page_size=30
    )
    assert read_page({**sent, "total": 3}, rows=0).pagination is not None, "a page beyond the end has no rows"


def test_other_members_of_pagination_are_kept():
    page = read_page({"page": 2, "per_page": 30, "total": 61, "next": "/x"})
    assert page.pagination.extra == {"next": "/x"}


@pytest.mark.parametrize("name", ["data", "results", "items"])
def test_rows_under_another_usual_name_are_found(name):
    page = structurer(Page[QualificationSession], "qualification_sessions")({name: [ROW], "next": 1})
    assert [row.qualification_session_id for row in page] == ["qs_1"]
    assert page.extra == {"next": 1}


def test_mismatch_in_rows_under_another_name_says_where():
    with pytest.raises(StructureError) as caught:
        structurer(Page[QualificationSession], "qualification_sessions")({"data": [ROW, {**ROW, "fee": "30.00"}]})
    assert caught.value.path == "data[1].fee"


# --- lenient ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fee", "30.00"),
        ("fee", True),
        ("eligible_amount", {"dollars": 3}),
        ("created_at", "yesterday"),
        ("expires_at", 1777636800),
        ("email", ["ada@example.com"]),
        ("source", 1.5),
        ("source", False),
    ],
)
def test_lenient_reads_mismatching_optional_member_as_none(field, value):
    data = {**ROW, field: value, "new": 1}
    with pytest.raises(StructureError):
        structurer(QualificationSession)(data)
    session = lenient(QualificationSession, data)
    assert getattr(session, field) is None
    assert session.extra == {field: value, "new": 1}
    assert session.mismatches == (field,)
    assert (session.qualification_session_id, session.status) == ("qs_1", "approved")
    assert session.to_dict()[field] is None


@pytest.mark.parametrize(
    "data",
    [
        {"status": "approved"},
        {"qualification_session_id": "qs_1"},
        {**ROW, "status": 1},
        {**ROW, "status": None},
        {**ROW, "qualification_session_id": None},
        {**ROW, "qualification_session_id": 1.5},
        {**ROW, "qualification_session_id": True},
        [],
        None,
    ],
)
def test_lenient_still_requires_ids_and_statuses(data):
    with pytest.raises(StructureError):
        lenient(QualificationSession, data)


def test_lenient_reads_integer_instead_of_text_as_its_digits():
    session = lenient(QualificationSession, {**ROW, "qualification_session_id": 17, "user_id": 18})
    assert (session.qualification_session_id, session.user_id) == ("17", "18")
    assert session.extra == {"qualification_session_id": 17, "user_id": 18}
    assert session.mismatches == ("qualification_session_id", "user_id")


@pytest.mark.parametrize("value", [2000.0, "2000", "20.00", 19.99, True])
def test_money_of_another_type_is_never_converted(value):
    """2000.0 and "20.00" may be cents or dollars: nothing says which."""
    data = {"id": "p", "status": "captured", "total_amount": value}
    with pytest.raises(StructureError):
        structurer(PaymentSession)(data)
    session = lenient(PaymentSession, data)
    assert session.total_amount is None
    assert session.extra == {"total_amount": value}


def test_lenient_names_the_path_of_a_nested_mismatch():
    rows = [{"id": "p", "status": "captured", "order_items": [{"price": 1}, {"price": "1", "amount_details": 7}]}]
    page = lenient(Page[PaymentSession], {"payment_sessions": rows, "pagination": None}, "payment_sessions")
    assert page.mismatches == ("items[0].order_items[1].price", "items[0].order_items[1].amount_details")
    assert [item.price for item in page[0].order_items] == [1, None]


def test_lenient_reads_list_of_another_type_as_none():
    session = lenient(PaymentSession, {"id": "p", "status": "captured", "order_items": {"a": 1}})
    assert (session.order_items, session.mismatches) == (None, ("order_items",))


def test_lenient_reads_the_forms_of_a_catalog_item():
    item = lenient(CatalogItem, {"object": {"sku": 7, "eligibility_status": "eligible", "image_urls": "x"}})
    assert (item.sku, item.eligibility, item.image_urls) == ("7", "eligible", ())
    assert item.mismatches == ("sku", "image_urls")


def test_mismatches_survive_copies():
    session = lenient(QualificationSession, {**ROW, "fee": "30.00", "new": 1})
    for twin in (
        copy.copy(session),
        copy.deepcopy(session),
        pickle.loads(pickle.dumps(session)),
        attrs.evolve(session, source="x"),
    ):
        assert twin.mismatches == ("fee",)
        assert twin.extra == {"fee": "30.00", "new": 1}


def test_matching_values_have_no_mismatches():
    assert lenient(QualificationSession, ROW) == structurer(QualificationSession)(ROW)
    assert lenient(QualificationSession, ROW).mismatches == ()


@given(
    name=st.sampled_from([field.name for field in attrs.fields(PaymentSession) if field.name != "extra"]),
    value=st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers()),
)
def test_lenient_reads_what_strict_reads_and_otherwise_loses_no_value(name, value):
    data = {"id": "p", "status": "captured", name: value}
    try:
        strict = structurer(PaymentSession)(data)
    except StructureError:
        strict = None
    try:
        session = lenient(PaymentSession, data)
    except StructureError:
        assert strict is None
        assert name == "status"
        return
    if strict is None:
        assert (session.mismatches, session.extra) == ((name,), {name: value})
    else:
        assert session == strict
        assert session.mismatches == ()


# --- row by row ---------------------------------------------------------------------------------------------------


def read_tolerant(*rows: Any, is_lenient: bool = False) -> Any:
    kind = TolerantPage[QualificationSession]
    make = lenient_structurer if is_lenient else structurer
    return make(kind, "qualification_sessions")({"qualification_sessions": list(rows)})


def test_tolerant_page_has_a_stand_in_for_each_unreadable_row():
    bad = {**ROW, "fee": "30.00", "created_at": "2026-01-02T03:04:05Z"}
    page = read_tolerant(ROW, bad, 7, {"status": 7})
    assert [isinstance(row, UnreadableRow) for row in page] == [False, True, True, True]
    _, one, two, three = page
    assert (one.data.value, one.mismatches, one.created_at.isoformat()) == (bad, ("fee",), "2026-01-02T03:04:05+00:00")
    assert (two.data.value, two.model, two.mismatches, two.created_at) == (7, None, (), None)
    assert three.mismatches == ("qualification_session_id", "status")
    assert three.model.qualification_session_id is None
    assert "30.00" not in repr(page)


def test_tolerant_page_of_a_lenient_client_rejects_only_what_lenient_rejects():
    page = read_tolerant({**ROW, "fee": "30.00"}, {**ROW, "status": 7}, is_lenient=True)
    assert page[0].mismatches == ("fee",)
    assert isinstance(page[1], UnreadableRow)


def test_unreadable_row_of_a_broken_envelope_has_no_model():
    page = structurer(TolerantPage[CatalogItem], "data")({"data": [{"object": 7}]})
    assert (page[0].model, page[0].data.value) == (None, {"object": 7})


def test_known_status_is_the_same_in_every_case_of_letters():
    for status, turned in itertools.product(QualificationStatus, (str.upper, str.title)):
        assert QualificationStatus(turned(status.value)) is status


def test_transaction_with_an_integer_payout_is_joined_by_its_digits():
    assert lenient(Transaction, {"type": "charge", "payout_id": 7}).payout_id == "7"
