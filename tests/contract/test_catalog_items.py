"""What Truemed publishes about the product catalog, a fact a test.

Pages: references "List Catalog Items" (LIST), "Truemed Checkout Method" (METHOD), "Create Catalog Item" (CREATE),
"Update Catalog Item" (UPDATE), "Get Catalog Item Details" (DETAIL), "Product Catalog Item Eligibility Updated" (EVENT);
guides "Product Catalog: Overview" and "Managing Your Catalog" (GUIDE). What is not published is told by the docstrings of
the library, and its tests are elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.scripted_transport import answering
from truemed_async import Idempotency, endpoints
from truemed_async.errors import APIError, BadRequestError, ConflictError, NotFoundError, ServerError
from truemed_async.models import CatalogEligibility

ITEM: dict[str, Any] = {
    "sku": "A-1",
    "name": "Sauna",
    "created_at": "2024-06-13T16:03:07.473Z",
    "description": "Warm.",
    "eligibility": "eligible_with_lmn",
    "gtin": "00012345600012",
    "image_urls": ["https://shop.example/1.png"],
    "metadata": "internal category: wellness",
    "product_id": "p-1",
    "reviewed_at": "2024-06-14T09:30:00Z",
    "url": "https://shop.example/sauna",
}
FULL = {name: ITEM[name] for name in ("description", "image_urls", "name", "url")}


async def got(**fields: Any) -> Any:
    client, _ = answering({**ITEM, **fields})
    return await client.catalog_items.get("A-1")


# --- where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        (endpoints.LIST_CATALOG_ITEMS, "GET /api/v1/product_catalog/items/list"),
        (endpoints.CREATE_CATALOG_ITEM, "POST /api/v1/product_catalog/items/create"),
        (endpoints.UPDATE_CATALOG_ITEM, "POST /api/v1/product_catalog/items/update"),
        (endpoints.GET_CATALOG_ITEM, "POST /api/v1/product_catalog/items/detail"),
    ],
    ids=["LIST", "CREATE", "UPDATE", "DETAIL"],
)
def test_an_endpoint_is_where_its_page_says(endpoint, line):
    """LIST, CREATE, UPDATE, DETAIL: verb and path."""
    assert f"{endpoint.method} {endpoint.path}" == line


def test_the_checkout_method_is_a_post():
    """METHOD: POST; its path is known from third parties only."""
    assert endpoints.CHECKOUT_METHOD.method == "POST"


@pytest.mark.parametrize("name", ["CREATE_CATALOG_ITEM", "UPDATE_CATALOG_ITEM"])
def test_no_page_gives_a_write_an_idempotency_key(name):
    """CREATE, UPDATE: no such field, so no repeat is known to be harmless."""
    assert getattr(endpoints, name).idempotency is Idempotency.UNKEYED


@pytest.mark.parametrize("name", ["GET_CATALOG_ITEM", "CHECKOUT_METHOD"])
def test_a_post_that_only_reads_may_be_repeated(name):
    """DETAIL, METHOD: they tell something and change nothing."""
    assert getattr(endpoints, name).idempotency is Idempotency.SAFE


# --- the item -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["sku", "name", "description", "gtin", "metadata", "product_id", "url"])
async def test_a_text_of_an_item_is_a_string(field):
    """LIST: the example."""
    assert getattr(await got(), field) == ITEM[field]


@pytest.mark.parametrize(
    ("field", "moment"),
    [
        ("created_at", datetime(2024, 6, 13, 16, 3, 7, 473000, tzinfo=UTC)),
        ("reviewed_at", datetime(2024, 6, 14, 9, 30, tzinfo=UTC)),
    ],
)
async def test_a_moment_of_an_item_is_iso_8601(field, moment):
    """LIST: the example."""
    assert getattr(await got(), field) == moment


async def test_pictures_are_a_list_of_addresses():
    """LIST: image_urls is an array of strings."""
    assert (await got()).image_urls == ("https://shop.example/1.png",)


async def test_metadata_is_free_text():
    """LIST: the example's metadata is a sentence and not JSON."""
    assert (await got()).metadata == "internal category: wellness"


async def test_a_gtin_may_be_null():
    """UPDATE: "string or null"."""
    assert (await got(gtin=None)).gtin is None


async def test_an_item_with_three_fields_is_one():
    """EVENT: sku, name and created_at are the only fields of the minimal sample."""
    client, _ = answering({name: ITEM[name] for name in ("sku", "name", "created_at")})
    assert (await client.catalog_items.get("A-1")).eligibility is None


@pytest.mark.parametrize(
    ("value", "eligible", "letter", "ineligible"),
    [
        ("eligible", True, False, False),
        ("eligible_with_lmn", True, True, False),
        ("ineligible", False, False, True),
    ],
)
async def test_an_eligibility_is_one_of_three(value, eligible, letter, ineligible):
    """GUIDE, newest: eligible, eligible_with_lmn, ineligible."""
    found = (await got(eligibility=value)).eligibility
    assert (found.is_known, found.is_eligible, found.requires_lmn, found.is_ineligible) == (
        True, eligible, letter, ineligible,
    )  # fmt: skip


async def test_an_eligibility_is_null_until_the_review():
    """GUIDE, newest: null while the item awaits review."""
    found = await got(eligibility=None, reviewed_at=None)
    assert (found.eligibility, found.is_reviewed) == (None, False)


@pytest.mark.parametrize(
    ("older", "newer"),
    [("not_eligible", "ineligible"), ("hsa_fsa_eligible", "eligible")],
    ids=["EVENT, older", "GUIDE, older"],
)
def test_an_older_spelling_means_what_the_newer_one_does(older, newer):
    """An older page of EVENT and an older table of GUIDE."""
    one, other = CatalogEligibility(older), CatalogEligibility(newer)
    assert (one.is_eligible, one.is_ineligible) == (other.is_eligible, other.is_ineligible)
    assert one.is_known


def test_pending_was_a_value_once():
    """GUIDE, older: the table has "pending"."""
    assert CatalogEligibility("pending").is_pending


async def test_an_older_guide_calls_the_field_eligibility_status():
    """GUIDE, older: eligibility_status; newer: eligibility."""
    older = {name: value for name, value in ITEM.items() if name != "eligibility"}
    client, _ = answering({**older, "eligibility_status": "eligible"})
    assert (await client.catalog_items.get("A-1")).eligibility is CatalogEligibility.ELIGIBLE


# --- LIST ---------------------------------------------------------------------------------------------------------


async def test_the_rows_stand_under_data():
    """LIST: the example's array is "data", unlike that of any other list."""
    client, _ = answering({"data": [ITEM], "pagination": None})
    assert [each.sku for each in await client.catalog_items.list()] == ["A-1"]


async def test_the_pagination_has_four_numbers():
    """LIST: the example's count, current_page, last_page and page_size."""
    said = {"count": 1, "current_page": 1, "last_page": 1, "page_size": 30}
    client, _ = answering({"data": [ITEM], "pagination": said})
    page = await client.catalog_items.list()
    assert page.pagination is not None
    assert page.pagination.to_dict() == said


async def test_the_list_sends_no_body():
    """LIST: the sample's empty JSON body on a GET is an artefact of its generator."""
    client, wire = answering({"data": [], "pagination": None})
    await client.catalog_items.list()
    assert wire.only.body is None


# --- CREATE and UPDATE --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["sku", "name", "description", "gtin", "image_urls"])
async def test_an_item_is_created_from_the_fields_of_the_example(field):
    """GUIDE: the example of create."""
    client, wire = answering({})
    given = {name: ITEM[name] for name in ("name", "description", "gtin", "image_urls")}
    await client.catalog_items.create("A-1", **given)
    assert wire.body[field] == ITEM[field]


async def test_a_duplicate_sku_is_a_conflict():
    """GUIDE: "409 Conflict"."""
    client, wire = answering((409, {"error": "Conflict", "message": "m"}))
    with pytest.raises(ConflictError):
        await client.catalog_items.create("A-1", name="Sauna")
    assert len(wire.sent) == 1


@pytest.mark.parametrize("field", ["description", "image_urls", "name", "sku", "url"])
async def test_an_update_has_five_required_fields(field):
    """UPDATE: description, image_urls, name, sku and url are Required."""
    client, wire = answering({})
    await client.catalog_items.update("A-1", **FULL)
    assert wire.body.keys() == {"description", "image_urls", "name", "sku", "url"}
    assert wire.body[field] == ITEM[field]


async def test_an_update_takes_a_null_gtin():
    """UPDATE: gtin is optional, "string or null"."""
    client, wire = answering({})
    await client.catalog_items.update("A-1", **FULL, gtin=None)
    assert wire.body["gtin"] is None


async def test_an_update_takes_metadata():
    """UPDATE: metadata is optional."""
    client, wire = answering({})
    await client.catalog_items.update("A-1", **FULL, metadata="text")
    assert wire.body["metadata"] == "text"


async def test_an_update_of_three_fields_can_be_sent():
    """GUIDE: the example sends sku, name and description, against UPDATE; both must be possible."""
    client, wire = answering({})
    await client.catalog_items.update("A-1", name="Sauna", description="Warm.")
    assert wire.body == {"sku": "A-1", "name": "Sauna", "description": "Warm."}


async def test_an_update_is_answered_with_an_empty_object():
    """UPDATE: 200, {}."""
    client, _ = answering({})
    assert (await client.catalog_items.update("A-1", **FULL)).to_dict() == {}


# --- DETAIL and METHOD --------------------------------------------------------------------------------------------


async def test_details_are_asked_for_by_sku():
    """DETAIL: the body is {sku}."""
    client, wire = answering(ITEM)
    await client.catalog_items.get("A-1")
    assert wire.body == {"sku": "A-1"}


async def test_the_checkout_method_looks_at_skus_alone():
    """METHOD: at item types, "not prices, discounts or charges"."""
    client, wire = answering({})
    await client.catalog_items.checkout_method(["A-1"])
    assert "A-1" in str(wire.body)
    assert not {"price", "quantity", "amount"} & {name for item in wire.body["items"] for name in item}


ERRORS = [(400, BadRequestError), (404, NotFoundError), (405, APIError), (500, ServerError), (501, ServerError)]


@pytest.mark.parametrize(("status", "kind"), ERRORS)
async def test_the_errors_of_the_table_are_told_apart(status, kind):
    """Every page: "Errors: 400, 404, 405, 500, 501"."""
    client, _ = answering((status, {"error": "X", "message": "m"}))
    for calling in (
        lambda: client.catalog_items.list(),
        lambda: client.catalog_items.get("A-1"),
        lambda: client.catalog_items.create("A-1", name="Sauna"),
        lambda: client.catalog_items.update("A-1", name="Sauna"),
        lambda: client.catalog_items.checkout_method(["A-1"]),
    ):
        with pytest.raises(APIError) as caught:
            await calling()
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.code, caught.value.message) == (status, "X", "m")
