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


def test_an_item_is_added_and_changed(truemed, catalog):
    (made,) = truemed("catalog", "create", "MAT", "--name", "M").rows
    assert made["object"]["sku"] == "MAT"
    assert truemed("catalog", "update", "MAT", *WHOLE).rows == [{}]

    item = catalog.get("MAT")
    assert (item.name, item.description, item.url, item.gtin) == ("Mat", "Soft", "https://shop.example/mat", "0012")
    assert item.image_urls == ("https://shop.example/1.png", "https://shop.example/2.png")
    assert (item.metadata, item.product_id) == ("none", "P")


def test_what_is_not_given_is_not_sent(truemed, emulator):
    truemed("catalog", "create", "MAT", "--name", "M")

    assert emulator.requests[-1].body == b'{"sku":"MAT","name":"M"}'
    done = truemed("catalog", "update", "MAT")
    assert done.code == 2
    assert "nothing to change" in done.err


def test_a_sku_that_is_taken_is_told(truemed, catalog):
    catalog.add(sku="MAT")

    done = truemed("catalog", "create", "MAT", *WHOLE)

    assert done.code == 1
    assert "409" in done.err


def test_get_gives_one_document_a_sku(truemed, catalog):
    catalog.add(sku="a/b c")

    done = truemed("catalog", "get", "nobody", "a/b c")

    assert done.code == 1
    assert [row["sku"] for row in done.rows] == ["a/b c"]


def test_list_is_narrowed_by_eligibility(truemed, terminal, catalog):
    for sku, eligibility in (("A", "eligible"), ("B", "ineligible")):
        catalog.add(sku=sku)
        catalog.review(sku, eligibility)

    assert [row["sku"] for row in truemed("catalog", "list", "--eligibility", "ineligible").rows] == ["B"]
    assert truemed("catalog", "list", "--format", "csv").out.startswith("sku,name,")
    person = truemed("catalog", "list", "--page-size", "1", out=terminal(), err=terminal())
    assert "ineligible" in person.out
    assert person.err == "page 1 of 2; 2 items in all\n"


def test_the_checkout_method_of_a_cart(truemed, terminal, catalog):
    catalog.add(sku="A")
    catalog.review("A", "eligible")

    (row,) = truemed("catalog", "checkout-method", "A", "B").rows

    assert row["checkout_method"] == "truemed"


@pytest.mark.parametrize(
    ("route", "told"), [("create", "`truemed catalog get` with the SKU"), ("update", "the same command settles it")]
)
def test_an_open_outcome_says_how_to_settle_it(truemed, emulator, catalog, route, told):
    if route == "update":
        catalog.add(sku="MAT")
    with emulator.faults.add("applied_then_reset", route=f"catalog_items.{route}"):
        done = truemed("catalog", route, "MAT", *WHOLE)

    assert done.code == 1
    assert f"it may have been done: {told}" in done.err
