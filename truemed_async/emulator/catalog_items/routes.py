"""The routes about the catalog, and what goes over them.

Truemed's pages of the answers of create and detail, and of both sides of the checkout method, were not at hand: their
shapes are guesses; see docs/emulator.md.
"""

from typing import Final

from truemed_async.emulator.catalog_items import handlers
from truemed_async.emulator.catalog_items.model import ELIGIBILITIES
from truemed_async.emulator.kinds import Choice, Many, Members, Nullable, Text
from truemed_async.emulator.listing import MOMENT, PAGING, listing
from truemed_async.emulator.route import Listing, Parameter, Route

_CATALOG: Final = "/api/v1/product_catalog"
_SKU: Final = Text(shortest=1)
_MAYBE: Final = Nullable(Text())
_ITEM: Final = Members(
    {
        "sku": Text(),
        "name": Text(),
        "created_at": MOMENT,
        "description": _MAYBE,
        "eligibility": Nullable(Choice(ELIGIBILITIES)),
        "gtin": _MAYBE,
        "image_urls": Many(Text()),
        "metadata": _MAYBE,
        "product_id": _MAYBE,
        "reviewed_at": MOMENT,
        "url": _MAYBE,
    }
)
_OBJECT: Final = Members({"object": _ITEM})

ROUTES: Final = (
    Route(
        name="catalog_items.list",
        method="GET",
        path=f"{_CATALOG}/items/list",
        handler=handlers.list_items,
        summary="List Catalog Items",
        query={**PAGING, "eligibility": Parameter(Choice(ELIGIBILITIES))},
        answer=listing("data", _ITEM),
        listing=Listing("catalog_items", "data", "sku"),
    ),
    Route(
        name="catalog_items.checkout_method",
        method="POST",
        path=f"{_CATALOG}/truemed_checkout_method",
        handler=handlers.checkout_method,
        summary="Truemed Checkout Method",
        body=Members({"items": Many(Members({"sku": _SKU}))}),
        answer=Members({"checkout_method": Choice(("truemed", "standard")), "eligible_items": Many(Text())}),
    ),
    Route(
        name="catalog_items.create",
        method="POST",
        path=f"{_CATALOG}/items/create",
        handler=handlers.create_item,
        summary="Create Catalog Item",
        body=Members(
            {"sku": _SKU, "name": Text()},
            {
                "description": Text(),
                "gtin": _MAYBE,
                "image_urls": Many(Text()),
                "metadata": _MAYBE,
                "product_id": _MAYBE,
                "url": Text(),
                "idempotency_key": Text(shortest=1),
            },
        ),
        answer=_OBJECT,
        errors={409: ("Conflict",)},
    ),
    Route(
        name="catalog_items.update",
        method="POST",
        path=f"{_CATALOG}/items/update",
        handler=handlers.update_item,
        summary="Update Catalog Item",
        body=Members(
            {"sku": _SKU, "name": Text(), "description": Text(), "image_urls": Many(Text()), "url": Text()},
            {"gtin": _MAYBE, "metadata": _MAYBE, "product_id": _MAYBE},
        ),
        answer=Members(),
        errors={404: ("NotFound",)},
    ),
    Route(
        name="catalog_items.get",
        method="POST",
        path=f"{_CATALOG}/items/detail",
        handler=handlers.get_item,
        summary="Get Catalog Item Details",
        body=Members({"sku": _SKU}),
        answer=_OBJECT,
        errors={404: ("NotFound",)},
    ),
)
