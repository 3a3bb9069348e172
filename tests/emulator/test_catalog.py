"""The endpoints about the catalog: docs/truemed-api.md 2.4, C1 to C5."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.factories import assert_refused
from tests.support.waiting import TIMEOUT

CATALOG = "/api/v1/product_catalog"
T0 = datetime(2026, 5, 1, tzinfo=UTC)

# The shape of the guide's example of create.
ITEM = {
    "sku": "SAUNA-1",
    "name": "Infrared sauna",
    "description": "A two-person infrared sauna",
    "gtin": "00012345600012",
    "image_urls": ["https://shop.example/sauna.png"],
}
UPDATE = {
    "sku": "SAUNA-1",
    "name": "Sauna",
    "description": "d",
    "image_urls": ["https://shop.example/2.png"],
    "url": "https://shop.example/sauna",
}
FIELDS = {
    "sku", "name", "created_at", "description", "eligibility", "gtin", "image_urls", "metadata", "product_id",
    "reviewed_at", "url",
}  # fmt: skip


def create(api, **changes):
    return api.post(f"{CATALOG}/items/create", {**ITEM, **changes})


def detail(api, sku="SAUNA-1"):
    return api.post(f"{CATALOG}/items/detail", {"sku": sku})


def list_skus(api, query=""):
    return [row["sku"] for row in api.read(f"{CATALOG}/items/list{query}").json["data"]]


def test_created_item_awaits_its_review(emulator, api):
    """docs/truemed-api.md 2.4 C3: classification is asynchronous; the answer is that of a third party but for its status."""
    response = create(api, metadata="m", product_id="p", url="https://shop.example/sauna")
    assert response.status == 200
    item = response.json["object"]
    assert item.keys() == FIELDS
    assert (item["eligibility"], item["reviewed_at"]) == (None, None)
    assert {name: item[name] for name in ITEM} == ITEM
    assert (item["metadata"], item["product_id"], item["url"]) == ("m", "p", "https://shop.example/sauna")
    assert detail(api).json == response.json
    assert emulator.state.catalog_items.get("SAUNA-1").status == "pending"


def test_create_with_an_existing_sku_responds_409(api):
    """docs/truemed-api.md 2.4 C3: duplicate SKU → 409 Conflict; the error code is assumed."""
    create(api)
    assert_refused(create(api, name="Other"), "Conflict", 409)
    assert detail(api).json["object"]["name"] == "Infrared sauna"


def test_update_changes_the_members_and_not_the_eligibility(emulator, api):
    """docs/truemed-api.md 2.4 C4: 200 `{}`; not categorized again at once."""
    create(api)
    emulator.state.catalog_items.review("SAUNA-1", "eligible")
    response = api.post(f"{CATALOG}/items/update", {**UPDATE, "gtin": None})
    assert (response.status, response.json) == (200, {})
    item = detail(api).json["object"]
    assert {name: item[name] for name in UPDATE} == UPDATE
    assert (item["gtin"], item["eligibility"]) == (None, "eligible")
    assert api.post(f"{CATALOG}/items/update", {**UPDATE, "name": "Third"}).status == 200


@pytest.mark.parametrize("eligibility", ["eligible", "eligible_with_lmn", "ineligible"])
def test_item_shows_its_last_review(emulator, api, eligibility):
    """docs/truemed-api.md 2.4: the three values, null = awaiting review; 4.6: it may change later."""
    emulator.state.catalog_items.add(sku="SAUNA-1")
    emulator.state.catalog_items.review("SAUNA-1", "ineligible")
    emulator.state.catalog_items.review("SAUNA-1", eligibility)
    item = detail(api).json["object"]
    assert item["eligibility"] == eligibility
    assert item["reviewed_at"] >= item["created_at"]
    with pytest.raises(ValueError, match="eligible, eligible_with_lmn, ineligible"):
        emulator.state.catalog_items.review("SAUNA-1", "not_eligible")
    with pytest.raises(KeyError):
        emulator.state.catalog_items.review("nothing", "eligible")


def test_list_has_its_rows_under_data(emulator, api):
    """docs/truemed-api.md 2.4 C1: `{data, pagination}`; the order is our choice."""
    for day in range(3):
        emulator.state.catalog_items.add(sku=f"{day}", created_at=T0 + timedelta(days=day))
    assert list_skus(api) == ["2", "1", "0"]
    response = api.read(f"{CATALOG}/items/list?page_size=1").json
    assert response["data"] == [detail(api, "2").json["object"]]
    assert response["pagination"] == {"count": 3, "current_page": 1, "last_page": 3, "page_size": 1}


def test_list_accepts_an_empty_json_body(emulator):
    """docs/truemed-api.md 1.3: the generated sample sends one on this GET."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
    headers = {"x-truemed-api-key": emulator.api_key, "Content-Type": "application/json"}
    connection.request("GET", f"{CATALOG}/items/list", b"{}", headers)
    assert connection.getresponse().status == 200
    connection.close()


def test_list_filters_by_eligibility(emulator, api):
    """docs/truemed-api.md 2.4 C1: a filter that starts with `eligi`: `eligibility` is assumed."""
    for eligibility in ("eligible", "ineligible", None):
        emulator.state.catalog_items.add(sku=f"{eligibility}", eligibility=eligibility)
    assert list_skus(api, "?eligibility=ineligible") == ["ineligible"]


@pytest.mark.parametrize(
    ("skus", "method", "eligible"),
    [(["A", "B"], "truemed", ["A", "B"]), (["C", "A"], "truemed", ["A"]), (["C", "D", "E"], "standard", []),
     ([], "standard", [])],
)  # fmt: skip
def test_checkout_method_is_truemed_if_an_item_is_eligible(emulator, api, skus, method, eligible):
    """docs/truemed-api.md 2.4 C2: looks at item types only. Both shapes are those of a third party."""
    for sku, eligibility in {"A": "eligible", "B": "eligible_with_lmn", "C": "ineligible", "D": None}.items():
        emulator.state.catalog_items.add(sku=sku, eligibility=eligibility)
    response = api.post(f"{CATALOG}/truemed_checkout_method", {"items": [{"sku": sku} for sku in skus]})
    assert (response.status, response.json) == (200, {"checkout_method": method, "eligible_items": eligible})
