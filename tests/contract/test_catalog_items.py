"""What Truemed publishes about the product catalog: one test per fact.

Pages: references "List Catalog Items" (LIST) and "Update Catalog Item" (UPDATE). What the guide says of eligibility is
tested in models/test_catalog_items.py; undocumented behavior is described in docs/truemed-api.md 8, and tested
elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fake_transport import make_client

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
    client, _ = make_client({**ITEM, **fields})
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
