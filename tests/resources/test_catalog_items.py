"""The product catalog: the requests that are made, and the answers that are returned."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from truemed_async import UNSET, RequestOptions
from truemed_async.errors import (
    ConflictError,
    DecodeError,
    InvalidArgumentError,
    TruncatedResponseError,
)
from truemed_async.models import (
    CatalogEligibility,
    CatalogItem,
    CatalogItemCreation,
)

ITEM = {"sku": "A-1", "name": "Sauna", "eligibility": "eligible_with_lmn", "brand_new": 7}
FULL: dict[str, Any] = {
    "name": "Sauna",
    "description": "Warm.",
    "image_urls": ["https://shop.example/1.png", URL("http://shop.example/2.png")],
    "url": URL("https://shop.example/sauna"),
    "gtin": "00012345600012",
    "metadata": "shelf 7",
    "product_id": "p-1",
}
ON_THE_WIRE = {
    **FULL,
    "image_urls": ["https://shop.example/1.png", "http://shop.example/2.png"],
    "url": "https://shop.example/sauna",
}


# --- create and update --------------------------------------------------------------------------------------------


async def test_create_sends_urls_as_text_and_returns_the_item(client, server):
    server.respond({"object": ITEM, "note": 1}, 201)
    created_item = await client.catalog_items.create("A-1", **FULL)
    assert isinstance(created_item, CatalogItemCreation)
    assert created_item.item is not None
    assert created_item.item.eligibility is CatalogEligibility.ELIGIBLE_WITH_LMN
    assert created_item.extra["note"] == 1
    assert server.only.body == {"sku": "A-1", **ON_THE_WIRE}


async def test_create_needs_a_sku_and_a_name_and_sends_no_more(client, server):
    await client.catalog_items.create("A-1", name="Sauna", gtin=UNSET)
    assert server.only.body == {"sku": "A-1", "name": "Sauna"}
    assert "idempotency_key" not in server.only.body


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"gtin": None}, {"gtin": None}),
        ({"description": ""}, {"description": ""}),
        ({"metadata": ""}, {"metadata": ""}),
        ({"image_urls": []}, {"image_urls": []}),
        ({"image_urls": ("https://a.example/x",)}, {"image_urls": ["https://a.example/x"]}),
        ({"name": "B", "url": UNSET}, {"name": "B"}),
        ({"name": "B", "description": "Warm."}, {"name": "B", "description": "Warm."}),
    ],
)
async def test_omitted_fields_are_not_sent(client, server, changes, sent):
    await client.catalog_items.update("A-1", **changes)
    assert server.only.body == {"sku": "A-1", **sent}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "name must be a string"),
    ({"name": ""}, "name must not be empty"),
    ({"name": "\ud800"}, "name contains a lone surrogate"),
    ({"description": 7}, "description must be a string"),
    ({"image_urls": "https://a.example/canary"}, "image_urls must be a collection"),
    ({"image_urls": (each for each in ["https://a.example"])}, "image_urls must be a collection"),
    ({"image_urls": None}, "image_urls must be a collection"),
    ({"image_urls": ["https://a.example", "canary"]}, r"image_urls\[1\] must be an absolute http or https URL"),
    ({"url": "ftp://a.example/canary"}, "url must be an absolute http or https URL"),
    ({"url": "https://canary:x@a.example"}, "url must not contain a user"),
    ({"gtin": 12345600012}, "gtin must be a string"),
    ({"gtin": ""}, "gtin must not be empty"),
    ({"metadata": {"a": "canary"}}, "metadata must be a string"),
    ({"product_id": ""}, "product_id must not be empty"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=range(len(REFUSED)))
async def test_bad_field_is_rejected_before_anything_is_sent(client, server, fields, message):
    for call in (client.catalog_items.create, client.catalog_items.update):
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            await call("A-1", **{"name": "Sauna", **fields})
        assert "canary" not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("sku", ["", None, 7, b"A-1", "\ud800"])
async def test_bad_sku_is_rejected_before_anything_is_sent(client, server, sku):
    for calling in (
        lambda: client.catalog_items.create(sku, name="Sauna"),
        lambda: client.catalog_items.update(sku, name="Sauna"),
        lambda: client.catalog_items.get(sku),
        lambda: client.catalog_items.checkout_method([sku]),
    ):
        with pytest.raises(InvalidArgumentError):
            await calling()
    assert server.requests == []


@pytest.mark.parametrize("sku", ["A/1", "a b", "é-1", "..", "x" * 500])
async def test_sku_is_any_text_for_it_stands_in_no_path(client, server, sku):
    server.respond({**ITEM, "sku": sku})
    assert (await client.catalog_items.get(sku)).sku == sku
    assert server.only.body == {"sku": sku}


async def test_update_without_fields_raises(client, server):
    with pytest.raises(InvalidArgumentError, match="nothing to change: set at least one of"):
        await client.catalog_items.update("A-1", name=UNSET)
    assert server.requests == []


async def test_sku_that_is_there_already_is_a_conflict_and_is_not_tried_again(client, server):
    """Truemed guide, "Managing Your Catalog": a duplicate SKU is answered with 409."""
    server.respond({"error": "WhateverItIsCalled", "message": "canary"}, 409)
    with pytest.raises(ConflictError) as caught:
        await client.catalog_items.create("A-1", name="Sauna")
    assert type(caught.value) is ConflictError
    assert (caught.value.code, caught.value.outcome, caught.value.attempts) == ("WhateverItIsCalled", "rejected", 1)
    assert caught.value.idempotency_key is None
    assert "canary" not in str(caught.value)


async def test_truncated_create_response_has_unknown_outcome(client, server):
    server.respond(b'{"object": {"sku": "A-')
    with pytest.raises(TruncatedResponseError) as caught:
        await client.catalog_items.create("A-1", name="Sauna")
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 1)


@pytest.mark.parametrize("body", [{}, {"sku": 7}])
async def test_update_gets_a_response_with_an_object(client, server, body):
    """Truemed API reference, "Update Catalog Item": an empty one."""
    server.respond(body, 200)
    assert (await client.catalog_items.update("A-1", name="Sauna")).extra == body


@pytest.mark.parametrize("body", [[], b"<html>", b"ok"])
async def test_html_response_to_an_update_raises(client, server, body):
    server.respond(body, 200)
    with pytest.raises(DecodeError) as caught:
        await client.catalog_items.update("A-1", name="Sauna")
    assert (caught.value.attempts, caught.value.outcome) == (1, "unknown")


# --- get and checkout method: POSTs that change nothing -----------------------------------------------------------


@pytest.mark.parametrize("body", [ITEM, {"object": ITEM}])
async def test_get_reads_an_item_by_itself_or_in_an_envelope(client, server, body):
    server.respond(body)
    found = await client.catalog_items.get("A-1")
    assert found == CatalogItem(sku="A-1", name="Sauna", eligibility=CatalogEligibility.ELIGIBLE_WITH_LMN)
    assert found.extra == {"brand_new": 7}


async def test_response_without_an_item_has_its_path(client, server):
    server.respond({"object": {"name": "canary"}})
    with pytest.raises(DecodeError) as caught:
        await client.catalog_items.get("A-1")
    assert caught.value.path == "object.sku"


@pytest.mark.parametrize("skus", [[], (), "A-1", b"A-1", None, 7, iter(["A-1"])])
async def test_checkout_method_needs_a_collection_of_skus(client, server, skus):
    with pytest.raises(InvalidArgumentError, match="skus must"):
        await client.catalog_items.checkout_method(skus)
    assert server.requests == []


async def test_get_many_gives_an_outcome_for_each_sku(client, server):
    def respond(request: Any) -> Any:
        return {"sku": request.body["sku"]}

    server.respond(respond)
    outcomes = [each async for each in client.catalog_items.get_many(["A/1", "", "B"], ordered=True)]
    assert [each.id for each in outcomes] == ["A/1", "", "B"]
    assert [each.ok for each in outcomes] == [True, False, True]
    assert outcomes[2].unwrap().sku == "B"
    assert isinstance(outcomes[1].error, InvalidArgumentError)
    with pytest.raises(InvalidArgumentError, match="concurrency"):
        client.catalog_items.get_many(["A"], concurrency=0)


# --- list and iter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [{"page": 0}, {"page_size": 0}, {"page": "1"}, {"page_size": True}, {"eligibility": ""}, {"eligibility": 1}],
)
async def test_bad_argument_of_list_or_iter_is_rejected_at_once(client, server, value):
    with pytest.raises(InvalidArgumentError):
        await client.catalog_items.list(**value)
    if "page" not in value:
        with pytest.raises(InvalidArgumentError):
            client.catalog_items.iter(**value)
    with pytest.raises(InvalidArgumentError, match="prefetch"):
        client.catalog_items.iter(prefetch=0)
    assert server.requests == []


def pages_of(rows: list[dict[str, Any]], key: str) -> Any:
    """Answer as a list at rest."""

    def respond(request: Any) -> Any:
        page, size = int(request.query["page"]), int(request.query["page_size"])
        pagination = {"count": len(rows), "current_page": page, "last_page": -(-len(rows) // size), "page_size": size}
        return {key: rows[(page - 1) * size : page * size], "pagination": pagination}

    return respond


async def test_iter_gives_every_item_once_and_without_a_word_about_missing_keys(client, server):
    """Warnings are errors here."""
    rows = [{"sku": f"S{number}"} for number in range(70)]
    server.respond(pages_of(rows, "data"))
    found = [each.sku async for each in client.catalog_items.iter(eligibility="eligible", page_size=20)]
    assert found == [row["sku"] for row in rows]
    assert {request.query["eligibility"] for request in server.requests} == {"eligible"}


async def test_get_many_and_iter_pass_their_options(client, server):
    options = RequestOptions(headers={"X-Trace": "t-1"})
    server.respond(ITEM).respond({"data": [], "pagination": None})
    assert [each.ok async for each in client.catalog_items.get_many(["A"], options=options)] == [True]
    assert [each async for each in client.catalog_items.iter(options=options)] == []
    assert [request.headers["x-trace"] for request in server.requests] == ["t-1"] * 2
