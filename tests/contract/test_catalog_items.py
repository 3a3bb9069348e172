"""What Truemed publishes about the product catalog: one test per fact.

Pages: references "List Catalog Items" (LIST), "Truemed Checkout Method" (METHOD), "Create Catalog Item" (CREATE),
"Update Catalog Item" (UPDATE), "Get Catalog Item Details" (DETAIL), "Product Catalog Item Eligibility Updated" (EVENT);
guides "Product Catalog: Overview" and "Managing Your Catalog" (GUIDE). Undocumented behavior is described in
docs/truemed-api.md 8 and tested elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fake_transport import answering
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


async def get_item(**fields: Any) -> Any:
    client, _ = answering({**ITEM, **fields})
    return await client.catalog_items.get("A-1")


# --- the item -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["sku", "name", "description", "gtin", "metadata", "product_id", "url"])
async def test_text_of_an_item_is_a_string(field):
    """LIST: the example."""
    assert getattr(await get_item(), field) == ITEM[field]


@pytest.mark.parametrize(
    ("field", "moment"),
    [
        ("created_at", datetime(2024, 6, 13, 16, 3, 7, 473000, tzinfo=UTC)),
        ("reviewed_at", datetime(2024, 6, 14, 9, 30, tzinfo=UTC)),
    ],
)
async def test_moment_of_an_item_is_iso_8601(field, moment):
    """LIST: the example."""
    assert getattr(await get_item(), field) == moment


async def test_pictures_are_a_list_of_addresses():
    """LIST: image_urls is an array of strings."""
    assert (await get_item()).image_urls == ("https://shop.example/1.png",)


async def test_metadata_is_free_text():
    """LIST: the example's metadata is a sentence and not JSON."""
    assert (await get_item()).metadata == "internal category: wellness"


async def test_gtin_may_be_null():
    """UPDATE: "string or null"."""
    assert (await get_item(gtin=None)).gtin is None


async def test_item_with_three_fields_is_one():
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
async def test_eligibility_is_one_of_three(value, eligible, letter, ineligible):
    """GUIDE, newest: eligible, eligible_with_lmn, ineligible."""
    found = (await get_item(eligibility=value)).eligibility
    assert (found.is_known, found.is_eligible, found.requires_lmn, found.is_ineligible) == (
        True, eligible, letter, ineligible,
    )  # fmt: skip


async def test_eligibility_is_null_until_the_review():
    """GUIDE, newest: null while the item awaits review."""
    found = await get_item(eligibility=None, reviewed_at=None)
    assert (found.eligibility, found.is_reviewed) == (None, False)


@pytest.mark.parametrize(
    ("older", "newer"),
    [("not_eligible", "ineligible"), ("hsa_fsa_eligible", "eligible")],
    ids=["EVENT, older", "GUIDE, older"],
)
def test_older_spellings_have_the_same_meaning(older, newer):
    """An older page of EVENT and an older table of GUIDE."""
    one, other = CatalogEligibility(older), CatalogEligibility(newer)
    assert (one.is_eligible, one.is_ineligible) == (other.is_eligible, other.is_ineligible)
    assert one.is_known


def test_pending_was_a_value_once():
    """GUIDE, older: the table has "pending"."""
    assert CatalogEligibility("pending").is_pending


async def test_older_guide_calls_the_field_eligibility_status():
    """GUIDE, older: eligibility_status; newer: eligibility."""
    older = {name: value for name, value in ITEM.items() if name != "eligibility"}
    client, _ = answering({**older, "eligibility_status": "eligible"})
    assert (await client.catalog_items.get("A-1")).eligibility is CatalogEligibility.ELIGIBLE
