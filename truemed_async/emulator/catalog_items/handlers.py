"""The endpoints about the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truemed_async.emulator.catalog_items.model import CatalogItem, Filters
from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.pagination import paginate
from truemed_async.emulator.request import ApiError, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

_SETTABLE = ("name", "description", "gtin", "image_urls", "metadata", "product_id", "url")


def list_items(state: State, request: Request) -> object:
    """GET /api/v1/product_catalog/items/list."""
    eligibility: str | None = request.query["eligibility"]
    filters = None if eligibility is None else Filters(eligibility)
    return paginate(state, state.catalog_items, request, "data", _shown, filters)


def create_item(state: State, request: Request) -> object:
    """POST /api/v1/product_catalog/items/create."""

    def create() -> Mapping[str, object]:
        if request.body["sku"] in state.catalog_items:
            raise ApiError(409, "Conflict", "there is an item with this sku")
        fields = {name: request.body[name] for name in _SETTABLE if name in request.body}
        sku = state.catalog_items.add(sku=request.body["sku"], **fields)
        return {"object": _shown(state.catalog_items.get(sku))}

    return state.replays.once("catalog_items.create", "", request.body, create)


def update_item(state: State, request: Request) -> object:
    """POST /api/v1/product_catalog/items/update."""
    item = _existing(state, request)
    changes = {name: request.body[name] for name in _SETTABLE if name in request.body}
    changes["image_urls"] = tuple(changes["image_urls"])
    state.catalog_items.change(item.sku, **changes)
    return {}


def get_item(state: State, request: Request) -> object:
    """POST /api/v1/product_catalog/items/detail."""
    return {"object": _shown(_existing(state, request))}


def checkout_method(state: State, request: Request) -> object:
    """POST /api/v1/product_catalog/truemed_checkout_method."""
    skus: list[str] = [item["sku"] for item in request.body["items"]]
    catalog = state.catalog_items
    eligible = [sku for sku in skus if sku in catalog and catalog.get(sku).status.startswith("eligible")]
    return {"checkout_method": "truemed" if eligible else "standard", "eligible_items": eligible}


def _existing(state: State, request: Request) -> CatalogItem:
    try:
        return state.catalog_items.get(request.body["sku"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such item") from None


def _shown(item: CatalogItem) -> dict[str, object]:
    return {
        "sku": item.sku,
        "name": item.name,
        "created_at": wire_datetime(item.created_at),
        "description": item.description,
        "eligibility": item.eligibility,
        "gtin": item.gtin,
        "image_urls": list(item.image_urls),
        "metadata": item.metadata,
        "product_id": item.product_id,
        "reviewed_at": wire_datetime(item.reviewed_at),
        "url": item.url,
    }
