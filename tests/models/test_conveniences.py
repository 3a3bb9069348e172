"""Models in the hands of users: pages as sequences, plain text for enums, JSON, pydantic and FastAPI."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pydantic
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from truemed_async import (
    AmountDetails,
    CatalogEligibility,
    CatalogItem,
    OrderItem,
    Page,
    Pagination,
    QualificationSession,
    QualificationStatus,
    json_default,
)

SESSION = QualificationSession(
    qualification_session_id="qs_1",
    status=QualificationStatus.APPROVED,
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    extra={"new": 1},
)


def test_page_is_indexed_like_a_sequence():
    page = Page(items=("a", "b", "c"))
    assert (page[0], page[-1], page[1:]) == ("a", "c", ("b", "c"))
    assert (len(page), list(page), list(reversed(page)), "b" in page) == (3, ["a", "b", "c"], ["c", "b", "a"], True)
    with pytest.raises(IndexError):
        page[3]
    with pytest.raises(TypeError):
        page["a"]


@pytest.mark.parametrize(("text", "final"), [("approved", True), ("pending", False), ("brand_new", False)])
def test_plain_text_in_a_constructor_becomes_the_enum(text, final):
    session = QualificationSession(qualification_session_id="qs_1", status=text)
    assert isinstance(session.status, QualificationStatus)
    assert (session.status, session.status.is_final) == (text, final)


def test_optional_enum_in_a_constructor_may_be_none_or_text():
    assert CatalogItem(sku="A").eligibility is None
    assert CatalogItem(sku="A", eligibility="eligible").eligibility is CatalogEligibility.ELIGIBLE


def test_enum_member_in_a_constructor_stays_itself():
    assert SESSION.status is QualificationStatus.APPROVED


def test_json_dumps_writes_models_dates_and_times_inside_other_data():
    data = {"session": SESSION, "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, tzinfo=UTC), "page": Page(items=())}
    written = json.loads(json.dumps(data, default=json_default))
    assert written["session"] == SESSION.to_dict()
    assert (written["day"], written["at"]) == ("2026-01-02", "2026-01-02T00:00:00Z")
    assert written["page"]["items"] == []


def test_json_default_rejects_other_types_as_json_does():
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        json.dumps({1}, default=json_default)


def test_fastapi_returns_a_session_and_a_list_of_them():
    app = FastAPI()

    @app.get("/session")
    async def session() -> QualificationSession:
        return SESSION

    @app.get("/sessions")
    async def sessions() -> list[QualificationSession]:
        return [SESSION]

    client = TestClient(app)
    assert client.get("/session").json() == SESSION.to_dict()
    assert client.get("/sessions").json() == [SESSION.to_dict()]
    schemas = client.get("/openapi.json").json()
    assert "QualificationSession" in json.dumps(schemas)


def test_pydantic_field_takes_instances_only():
    class Order(pydantic.BaseModel):
        session: QualificationSession

    order = Order(session=SESSION)
    assert order.session is SESSION
    assert json.loads(order.model_dump_json())["session"] == SESSION.to_dict()
    with pytest.raises(pydantic.ValidationError):
        Order(session={"qualification_session_id": "qs_1"})


def test_order_items_are_validated_as_before():
    item = OrderItem(name="Mat", price=1999, quantity=1, amount_details=AmountDetails(total_discounts=5))
    assert json.loads(json.dumps(item, default=json_default))["price"] == 1999


PERSONAL = QualificationSession(
    qualification_session_id="qs_<1>",
    status=QualificationStatus.APPROVED,
    created_at=datetime(2027, 1, 1, tzinfo=UTC),
    email="ada@example.com",
    user_id="user-42",
    user_name="Ada",
    extra={"note": "private"},
)


def test_notebook_shows_a_model_as_table_with_personal_data_masked():
    html = PERSONAL._repr_html_()

    assert "<tr><td>qualification_session_id</td><td>qs_&lt;1&gt;</td></tr>" in html
    assert "<tr><td>status</td><td>approved</td></tr>" in html
    assert "<tr><td>created_at</td><td>2027-01-01 00:00:00+00:00</td></tr>" in html
    assert "<tr><td>email</td><td>***</td></tr>" in html
    assert "<tr><td>fee</td><td></td></tr>" in html
    assert not any(secret in html for secret in ("ada@", "user-42", "Ada", "private"))


def test_notebook_shows_a_page_as_table_of_the_columns_with_values():
    pagination = Pagination(count=1234, current_page=1, last_page=7, page_size=200)

    html = Page(items=(PERSONAL,) * 200, pagination=pagination)._repr_html_()

    assert html.count("<tr>") == 1 + 100
    assert "<th>status</th><th>created_at</th><th>email</th>" in html
    assert html.endswith("<p>200 of 1,234 rows</p>")
    assert not any(secret in html for secret in ("ada@", "user-42", "Ada", "private"))


def test_notebook_shows_nested_models_as_repr_does():
    item = OrderItem(name="Mat", price=1999, quantity=1, amount_details=AmountDetails(total_discounts=5))

    html = item._repr_html_()

    assert f"<td>{item.amount_details!r}</td>" in html


def test_notebook_shows_a_page_without_models():
    assert Page(items=())._repr_html_() == "<table><tr></tr></table><p>0 rows</p>"
