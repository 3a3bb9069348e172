"""Catalog items: how they are read, and what an eligibility means however it is spelled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from truemed_async.models import CatalogEligibility, CatalogItem, CatalogItemCreation, CheckoutMethod, Page
from truemed_async.models._compile import StructureError
from truemed_async.models._reading import structurer

MEANINGS = ("is_eligible", "requires_lmn", "is_ineligible", "is_pending")
# Truemed guide, "Managing Your Catalog", which newest lists eligible, eligible_with_lmn and ineligible; older tables of
# the guide and of the event have pending, not_eligible and hsa_fsa_eligible; the others were seen in exports.
BY_SPELLING = {
    "eligible": {"is_eligible"},
    "hsa_fsa_eligible": {"is_eligible"},
    "pre_approved": {"is_eligible"},
    "eligible_with_lmn": {"is_eligible", "requires_lmn"},
    "approved_with_lmn": {"is_eligible", "requires_lmn"},
    "ineligible": {"is_ineligible"},
    "not_eligible": {"is_ineligible"},
    "pending": {"is_pending"},
}


def item(data: Any) -> CatalogItem:
    return structurer(CatalogItem)(data)


def meanings(spelling: str) -> set[str]:
    value = CatalogEligibility(spelling)
    return {name for name in MEANINGS if getattr(value, name)}


# --- eligibility --------------------------------------------------------------------------------------------------


def test_every_spelling_is_listed():
    assert set(BY_SPELLING) == set(CatalogEligibility)


@pytest.mark.parametrize("write", [str, str.upper, str.title, lambda text: text.replace("_", " ").title(), lambda text: text.replace("_", "-")], ids=["as it is", "upper", "title", "blanks", "hyphens"])  # fmt: skip
@pytest.mark.parametrize("spelling", BY_SPELLING)
def test_spelling_is_normalized(spelling, write):
    assert meanings(write(spelling)) == BY_SPELLING[spelling]


@pytest.mark.parametrize(
    "spelling",
    ["", " ", "brand_new", "eligible_maybe", "not eligible at all", "ineligible_with_lmn", "no", "true", "reeligible"],
)
def test_properties_of_an_unknown_value_are_false(spelling):
    value = CatalogEligibility(spelling)
    assert (str(value), value.is_known) == (spelling, False)
    assert meanings(spelling) == set()


@given(st.text())
def test_no_value_is_both_eligible_and_not(spelling):
    found = meanings(spelling)
    assert len(found & {"is_eligible", "is_ineligible", "is_pending"}) <= 1
    assert "requires_lmn" not in found or "is_eligible" in found


# --- the item -----------------------------------------------------------------------------------------------------


def test_item_needs_nothing_but_its_sku():
    found = item({"sku": "A-1"})
    assert found == CatalogItem(sku="A-1")
    assert (found.image_urls, found.eligibility, found.is_reviewed) == ((), None, False)


@pytest.mark.parametrize(
    ("eligibility", "is_reviewed"), [(None, False), ("pending", False), ("eligible", True), ("ineligible", True)]
)
def test_item_is_reviewed_once_it_has_an_eligibility_other_than_pending(eligibility, is_reviewed):
    """Truemed guide, "Managing Your Catalog": null while the item awaits its review."""
    assert item({"sku": "A-1", "eligibility": eligibility}).is_reviewed == is_reviewed


def test_item_may_come_in_an_envelope():
    assert item({"object": {"sku": "A-1"}}) == item({"sku": "A-1"})
    assert item({"sku": "A-1", "object": "mine"}).extra == {"object": "mine"}


def test_no_envelope_is_opened_twice():
    with pytest.raises(StructureError) as caught:
        item({"object": {"object": {"sku": "A-1"}}})
    assert caught.value.path == "object.sku"


def test_older_name_of_the_eligibility_is_read_where_the_newer_is_missing():
    """Truemed guide, "Managing Your Catalog": older versions call it eligibility_status."""
    assert item({"sku": "A-1", "eligibility_status": "not_eligible"}).eligibility == "not_eligible"
    both = item({"sku": "A-1", "eligibility_status": "not_eligible", "eligibility": None})
    assert both.eligibility is None
    assert both.extra == {"eligibility_status": "not_eligible"}


def test_pictures_that_are_null_are_none():
    assert item({"sku": "A-1", "image_urls": None}).image_urls == ()
    assert item({"object": {"sku": "A-1", "image_urls": ["https://a.example/1.png"]}}).image_urls == (
        "https://a.example/1.png",
    )


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([], ""),
        (None, ""),
        ({}, "sku"),
        ({"sku": None}, "sku"),
        ({"object": None}, "object"),
        ({"object": [1]}, "object"),
        ({"object": {"sku": 1}}, "object.sku"),
        ({"sku": "A", "image_urls": "x"}, "image_urls"),
        ({"sku": "A", "image_urls": ["x", None]}, "image_urls[1]"),
        ({"sku": "A", "eligibility": True}, "eligibility"),
        ({"sku": "A", "eligibility_status": 1}, "eligibility"),
        ({"sku": "A", "metadata": {"a": 1}}, "metadata"),
    ],
)
def test_invalid_item_error_has_its_path(data, path):
    with pytest.raises(StructureError) as caught:
        item(data)
    assert caught.value.path == path


def test_items_of_a_page_are_read_the_same_way():
    page: Page[CatalogItem] = structurer(Page[CatalogItem], "data")(
        {"data": [{"sku": "A", "eligibility_status": "eligible"}, {"object": {"sku": "B"}}]}
    )
    assert [(each.sku, each.eligibility) for each in page] == [("A", "eligible"), ("B", None)]


# --- answers of which no page shows the fields --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "sku"),
    [({}, None), ({"sku": "A"}, "A"), ({"object": {"sku": "A"}}, "A"), ({"object": {}}, None), ({"id": 1}, None)],
)
def test_creation_gives_the_item_where_there_is_one(body, sku):
    creation: CatalogItemCreation = structurer(CatalogItemCreation)(body)
    assert (None if creation.item is None else creation.item.sku) == sku
    assert creation.extra == body
    assert creation.to_dict() == body


@pytest.mark.parametrize(
    ("body", "method", "offers"),
    [
        ({}, None, None),
        ({"checkout_method": "truemed", "eligible_items": []}, "truemed", True),
        ({"checkout_method": "Truemed"}, "Truemed", True),
        ({"checkout_method": "standard"}, "standard", False),
        ({"checkout_method": None}, None, None),
        ({"checkout_method": True}, None, None),
    ],
)
def test_checkout_method_is_read_where_it_is_and_never_guessed_further(body, method, offers):
    found: CheckoutMethod = structurer(CheckoutMethod)(body)
    assert (found.checkout_method, found.is_truemed) == (method, offers)
    assert found.extra == body
