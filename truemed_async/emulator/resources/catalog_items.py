"""The product catalog: items, their review, and the five endpoints about them.

Truemed does not document the responses of create and detail, nor both sides of the checkout method: their shapes are
assumptions; see docs/emulator.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import attrs

from truemed_async.emulator.entity import Entity, EventSpec, field, optional, required
from truemed_async.emulator.request import ApiError
from truemed_async.emulator.routing import PAGE_PARAMS, QueryParameter, Routes, RowSource, page_schema
from truemed_async.emulator.schema import Array, DateTime, Enum, Nullable, Object, String
from truemed_async.emulator.store import Store, Transition, transition

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

Eligibility = Literal["eligible", "eligible_with_lmn", "ineligible"]
ELIGIBILITIES: Final[tuple[Eligibility, ...]] = ("eligible", "eligible_with_lmn", "ineligible")
# A product that may be paid for with HSA/FSA money without a Letter of Medical Necessity.
PRE_APPROVED: Final[Eligibility] = "eligible"

_SKU: Final = String(min_length=1)


@attrs.frozen(kw_only=True)
class EmulatedCatalogItem(Entity):
    """One item; ``eligibility`` and ``reviewed_at`` are None until it is reviewed. Datetimes are aware, in UTC."""

    event: ClassVar[EventSpec | None] = EventSpec(
        "product_catalog_item_eligibility_updated", "product_catalog.item.eligibility_updated"
    )

    sku: str = field(String(), create=required(_SKU), update=required(_SKU))
    name: str = field(String(), create=required(), update=required(), column=True, default="Example item")
    created_at: datetime = field(Nullable(DateTime()), column=True)
    # Nullable in responses, but an update has to set it.
    description: str | None = field(
        Nullable(String()), create=optional(String()), update=required(String()), default=None
    )
    eligibility: str | None = field(Nullable(Enum(ELIGIBILITIES)), default=None)
    gtin: str | None = field(Nullable(String()), create=optional(), update=optional(), default=None)
    image_urls: tuple[str, ...] = field(
        Array(String()), create=optional(), update=required(), default=(), converter=tuple
    )
    metadata: str | None = field(Nullable(String()), create=optional(), update=optional(), default=None)
    product_id: str | None = field(Nullable(String()), create=optional(), update=optional(), default=None)
    reviewed_at: datetime | None = field(Nullable(DateTime()), column=True, default=None)
    url: str | None = field(Nullable(String()), create=optional(String()), update=required(String()), default=None)

    @property
    def id(self) -> str:
        """The SKU, under the name that all rows share."""
        return self.sku

    @property
    def status(self) -> str:
        """The eligibility, and ``pending`` until there is one."""
        return self.eligibility or "pending"

    def event_payload(self, transition: Transition) -> Mapping[str, Any] | None:
        """Return the whole item, after each review."""
        return {"object": self.serialize()} if transition.name == "review" else None


class CatalogItemStore(Store[EmulatedCatalogItem]):
    """Items and their life: ``pending`` → ``eligible`` | ``eligible_with_lmn`` | ``ineligible``; it may change later."""

    name: ClassVar[str] = "catalog_items"
    entity = EmulatedCatalogItem
    id_field: ClassVar[str] = "sku"
    prefix: ClassVar[str] = "sku-"

    @transition(params=Object({"eligibility": Enum(ELIGIBILITIES)}))
    def review(self, item: EmulatedCatalogItem, now: datetime, eligibility: Eligibility) -> EmulatedCatalogItem:
        """Let the review decide on the eligibility, for the first time or again; ValueError if it is unknown."""
        if eligibility not in ELIGIBILITIES:
            raise ValueError(f"eligibility must be one of {', '.join(ELIGIBILITIES)}")
        return attrs.evolve(item, eligibility=eligibility, reviewed_at=now)


@attrs.frozen
class _Filters:
    eligibility: str

    def match(self, item: EmulatedCatalogItem) -> bool:
        return item.eligibility == self.eligibility


ROUTES: Final = Routes()

_CATALOG: Final = "/api/v1/product_catalog"
_ITEM: Final = EmulatedCatalogItem.response_schema()
_NOT_FOUND: Final = MappingProxyType({404: ("NotFound",)})


@ROUTES.route(
    "GET",
    f"{_CATALOG}/items/list",
    "catalog_items.list",
    query={**PAGE_PARAMS, "eligibility": QueryParameter(Enum(ELIGIBILITIES))},
    response=page_schema("data", _ITEM),
    listing=RowSource("catalog_items", "data", "sku"),
)
def list_items(state: State, request: ReceivedRequest) -> object:
    """List Catalog Items."""
    eligibility: str | None = request.query["eligibility"]
    filters = None if eligibility is None else _Filters(eligibility)
    return state.paginate(state.catalog_items, request, "data", filters)


@ROUTES.route(
    "POST",
    f"{_CATALOG}/truemed_checkout_method",
    "catalog_items.checkout_method",
    body=Object({"items": Array(Object({"sku": _SKU}))}),
    response=Object({"checkout_method": Enum(("truemed", "standard")), "eligible_items": Array(String())}),
)
def checkout_method(state: State, request: ReceivedRequest) -> object:
    """Truemed Checkout Method."""
    skus: Iterable[str] = (item["sku"] for item in request.body["items"])
    catalog = state.catalog_items
    eligible = [sku for sku in skus if sku in catalog and catalog.get(sku).status.startswith("eligible")]
    return {"checkout_method": "truemed" if eligible else "standard", "eligible_items": eligible}


@ROUTES.route(
    "POST",
    f"{_CATALOG}/items/create",
    "catalog_items.create",
    body=EmulatedCatalogItem.request_schema("create", idempotency_key=optional(String(min_length=1))),
    response=Object({"object": _ITEM}),
    errors={409: ("Conflict",)},
)
def create_item(state: State, request: ReceivedRequest) -> object:
    """Create Catalog Item."""

    def create() -> Mapping[str, object]:
        if request.body["sku"] in state.catalog_items:
            raise ApiError(409, "Conflict", "there is an item with this sku")
        sku = state.catalog_items.add(**EmulatedCatalogItem.from_request("create", request.body))
        return {"object": state.catalog_items.get(sku).serialize()}

    return state.idempotency.run_once("catalog_items.create", "", request.body, create)


@ROUTES.route(
    "POST",
    f"{_CATALOG}/items/update",
    "catalog_items.update",
    body=EmulatedCatalogItem.request_schema("update"),
    response=Object(),
    errors=_NOT_FOUND,
)
def update_item(state: State, request: ReceivedRequest) -> object:
    """Update Catalog Item."""
    item = _get_existing(state, request)
    state.catalog_items.change(item.sku, **EmulatedCatalogItem.from_request("update", request.body))
    return {}


@ROUTES.route(
    "POST",
    f"{_CATALOG}/items/detail",
    "catalog_items.get",
    body=Object({"sku": _SKU}),
    response=Object({"object": _ITEM}),
    errors=_NOT_FOUND,
)
def get_item(state: State, request: ReceivedRequest) -> object:
    """Get Catalog Item Details."""
    return {"object": _get_existing(state, request).serialize()}


def _get_existing(state: State, request: ReceivedRequest) -> EmulatedCatalogItem:
    try:
        return state.catalog_items.get(request.body["sku"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such item") from None
