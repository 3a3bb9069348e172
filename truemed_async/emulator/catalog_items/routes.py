"""The routes about the catalog, and what goes over them.

Truemed's pages of the answers of create and detail, and of both sides of the checkout method, were not at hand: their
shapes are guesses; see docs/emulator.md.
"""

from typing import Final

from truemed_async.emulator.catalog_items import handlers
from truemed_async.emulator.catalog_items.model import ELIGIBILITIES
from truemed_async.emulator.pagination import DATETIME, page_schema
from truemed_async.emulator.routing import PAGE_PARAMS, Listing, Parameter, Route
from truemed_async.emulator.schema import Array, Enum, Nullable, Object, String

_CATALOG: Final = "/api/v1/product_catalog"
_SKU: Final = String(min_length=1)
_MAYBE: Final = Nullable(String())
_ITEM: Final = Object(
    {
        "sku": String(),
        "name": String(),
        "created_at": DATETIME,
        "description": _MAYBE,
        "eligibility": Nullable(Enum(ELIGIBILITIES)),
        "gtin": _MAYBE,
        "image_urls": Array(String()),
        "metadata": _MAYBE,
        "product_id": _MAYBE,
        "reviewed_at": DATETIME,
        "url": _MAYBE,
    }
)
_OBJECT: Final = Object({"object": _ITEM})

ROUTES: Final = (
    Route(
        name="catalog_items.list",
        method="GET",
        path=f"{_CATALOG}/items/list",
        handler=handlers.list_items,
        summary="List Catalog Items",
        query={**PAGE_PARAMS, "eligibility": Parameter(Enum(ELIGIBILITIES))},
        response=page_schema("data", _ITEM),
        listing=Listing("catalog_items", "data", "sku"),
    ),
    Route(
        name="catalog_items.checkout_method",
        method="POST",
        path=f"{_CATALOG}/truemed_checkout_method",
        handler=handlers.checkout_method,
        summary="Truemed Checkout Method",
        body=Object({"items": Array(Object({"sku": _SKU}))}),
        response=Object({"checkout_method": Enum(("truemed", "standard")), "eligible_items": Array(String())}),
    ),
    Route(
        name="catalog_items.create",
        method="POST",
        path=f"{_CATALOG}/items/create",
        handler=handlers.create_item,
        summary="Create Catalog Item",
        body=Object(
            {"sku": _SKU, "name": String()},
            {
                "description": String(),
                "gtin": _MAYBE,
                "image_urls": Array(String()),
                "metadata": _MAYBE,
                "product_id": _MAYBE,
                "url": String(),
                "idempotency_key": String(min_length=1),
            },
        ),
        response=_OBJECT,
        errors={409: ("Conflict",)},
    ),
    Route(
        name="catalog_items.update",
        method="POST",
        path=f"{_CATALOG}/items/update",
        handler=handlers.update_item,
        summary="Update Catalog Item",
        body=Object(
            {"sku": _SKU, "name": String(), "description": String(), "image_urls": Array(String()), "url": String()},
            {"gtin": _MAYBE, "metadata": _MAYBE, "product_id": _MAYBE},
        ),
        response=Object(),
        errors={404: ("NotFound",)},
    ),
    Route(
        name="catalog_items.get",
        method="POST",
        path=f"{_CATALOG}/items/detail",
        handler=handlers.get_item,
        summary="Get Catalog Item Details",
        body=Object({"sku": _SKU}),
        response=_OBJECT,
        errors={404: ("NotFound",)},
    ),
)
