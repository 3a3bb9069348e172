"""`catalog`: what is sold."""

from __future__ import annotations

import pytest

WHOLE = (
    *("--name", "Mat", "--description", "Soft", "--url", "https://shop.example/mat", "--gtin", "0012"),
    *("--image-url", "https://shop.example/1.png", "--image-url", "https://shop.example/2.png"),
    *("--metadata", "none", "--product-id", "P"),
)


@pytest.fixture
def catalog(emulator):
    return emulator.state.catalog_items


def test_item_is_created_and_updated(truemed, catalog):
    (made,) = truemed("catalog", "create", "MAT", "--name", "M").rows
    assert made["object"]["sku"] == "MAT"
    assert truemed("catalog", "update", "MAT", *WHOLE).rows == [{}]

    item = catalog.get("MAT")
    assert (item.name, item.description, item.url, item.gtin) == ("Mat", "Soft", "https://shop.example/mat", "0012")
    assert item.image_urls == ("https://shop.example/1.png", "https://shop.example/2.png")
    assert (item.metadata, item.product_id) == ("none", "P")


def test_unset_options_are_not_sent(truemed, emulator):
    truemed("catalog", "create", "MAT", "--name", "M")

    assert emulator.requests[-1].body == b'{"sku":"MAT","name":"M"}'
    done = truemed("catalog", "update", "MAT")
    assert done.code == 2
    assert "nothing to change" in done.err


def test_existing_sku_exits_1(truemed, catalog):
    catalog.add(sku="MAT")

    done = truemed("catalog", "create", "MAT", *WHOLE)

    assert done.code == 1
    assert "409" in done.err


def test_get_prints_one_document_per_sku(truemed, catalog):
    catalog.add(sku="a/b c")

    done = truemed("catalog", "get", "nobody", "a/b c")

    assert done.code == 1
    assert [row["sku"] for row in done.rows] == ["a/b c"]


def test_list_filters_by_eligibility(truemed, terminal, catalog):
    for sku, eligibility in (("A", "eligible"), ("B", "ineligible")):
        catalog.add(sku=sku)
        catalog.review(sku, eligibility)

    assert [row["sku"] for row in truemed("catalog", "list", "--eligibility", "ineligible").rows] == ["B"]
    assert truemed("catalog", "list", "--format", "csv").out.startswith("sku,name,")
    person = truemed("catalog", "list", "--page-size", "1", out=terminal(), err=terminal())
    assert "ineligible" in person.out
    assert person.err == "page 1 of 2; 2 items in total\n"


def test_checkout_method_of_cart_is_shown(truemed, terminal, catalog):
    catalog.add(sku="A")
    catalog.review("A", "eligible")

    (row,) = truemed("catalog", "checkout-method", "A", "B").rows

    assert row["checkout_method"] == "truemed"


@pytest.mark.parametrize(
    ("route", "told"), [("create", "`truemed catalog get` with the SKU"), ("update", "run the same command again")]
)
def test_unknown_outcome_shows_recovery_hint(truemed, emulator, catalog, route, told):
    if route == "update":
        catalog.add(sku="MAT")
    with emulator.faults.add("applied_then_reset", route=f"catalog_items.{route}"):
        done = truemed("catalog", route, "MAT", *WHOLE)

    assert done.code == 1
    assert f"the outcome is unknown: {told}" in done.err
