"""Catalog items: create, get, list and update them, and ask whether to offer Truemed for a cart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from yarl import URL

from truemed_async._core.pagination import SortOrder, unordered
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
from truemed_async.endpoints import (
    CHECKOUT_METHOD,
    CREATE_CATALOG_ITEM,
    GET_CATALOG_ITEM,
    LIST_CATALOG_ITEMS,
    UPDATE_CATALOG_ITEM,
)
from truemed_async.models import (
    CatalogEligibility,
    CatalogItem,
    CatalogItemCreation,
    CatalogItemUpdate,
    CheckoutMethod,
    Page,
)
from truemed_async.options import UNSET, OnInvalid, RequestOptions, Unset
from truemed_async.resources._base import ClientProtocol, GettableResource, Resource
from truemed_async.resources._catalog_sync import CatalogChange, CatalogItemParams, sync_catalog, validate_catalog
from truemed_async.resources._fields import ITEM_FIELDS, ITEM_FILTERS, build_body, build_query, build_update

# Truemed does not document how this list is sorted.
SORT_ORDER = SortOrder[CatalogItem](id="sku", key=unordered)


class CatalogItems(GettableResource[CatalogItem]):
    """What you sell, and whether it may be paid for with HSA/FSA money. The id of an item is its SKU."""

    async def create(
        self,
        sku: str,
        *,
        name: str,
        description: str | Unset = UNSET,
        image_urls: Sequence[str | URL] | Unset = UNSET,
        url: str | URL | Unset = UNSET,
        gtin: str | Unset = UNSET,
        metadata: str | Unset = UNSET,
        product_id: str | Unset = UNSET,
        options: RequestOptions | None = None,
    ) -> CatalogItemCreation:
        """Add an item to the catalog. Truemed reviews it later and sends the result by webhook.

        The endpoint has no idempotency key, so the library never retries it once it may have been applied. If an
        error's ``outcome`` is ``"unknown"``, :meth:`get` by the SKU shows whether the item exists.

        Truemed's table of this request is not public. ``sku``, ``name``, ``description``, ``gtin`` and ``image_urls``
        are in Truemed's example; the others are assumed from the fields of an item. Truemed may require more of them
        than the two that this library requires.

        Args:
            sku: Your SKU, unique in your catalog.
            name: The product's name.
            description: The product's description.
            image_urls: The addresses of its pictures.
            url: The product's page.
            gtin: Its Global Trade Item Number.
            metadata: Your own text.
            product_id: Your id of the product that the SKU belongs to.

        Returns:
            The response, whose fields are undocumented; ``.item`` is the item if the response holds it.

        Raises:
            ConflictError: The catalog already has an item with this SKU.
            BadRequestError: Truemed rejected a field.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Create Catalog Item"; guide, "Managing Your Catalog".
        """
        item = build_body(
            ITEM_FIELDS,
            name=name,
            description=description,
            image_urls=image_urls,
            url=url,
            gtin=gtin,
            metadata=metadata,
            product_id=product_id,
        )
        return await self._request(
            CREATE_CATALOG_ITEM, body={"sku": scalars.validate_text("sku", sku), **item}, options=options
        )

    async def get(self, sku: str, *, options: RequestOptions | None = None) -> CatalogItem:
        """Return one item. The request is a POST without effects and is retried like a GET.

        Args:
            sku: The item's SKU.

        Raises:
            NotFoundError: The catalog of this API key has no such item.
            DecodeError: The response holds no item, neither itself nor under ``object``. Which of the two Truemed
                sends is undocumented.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Get Catalog Item Details".
        """
        return await self._request(GET_CATALOG_ITEM, body={"sku": scalars.validate_text("sku", sku)}, options=options)

    async def list(
        self,
        *,
        eligibility: CatalogEligibility | str | None = None,
        page: int | None = None,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> Page[CatalogItem]:
        """Return one page of the catalog, in an undocumented order. To read all of it, use :meth:`iter`.

        That this list takes ``page`` and ``page_size`` as others do is assumed from the ``pagination`` in its response.

        Args:
            eligibility: Only items of this eligibility. The name of the filter is assumed, because the public page is
                cut off after ``eligi``: check an item of the response before you rely on it.

        Raises:
            BadRequestError: Truemed rejected a filter.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Catalog Items".
        """
        filters = build_query(ITEM_FILTERS, eligibility=eligibility)
        return await self._list(LIST_CATALOG_ITEMS, filters, page, page_size, options)

    def iter(
        self,
        *,
        eligibility: CatalogEligibility | str | None = None,
        page_size: int = 100,
        prefetch: int = 4,
        on_invalid: OnInvalid = "raise",
        options: RequestOptions | None = None,
    ) -> Stream[CatalogItem]:
        """Iterate over all items of the catalog that match the filters of :meth:`list`.

        Each item that matches from the first request until it is reached is yielded exactly once, in Truemed's order,
        whatever is added, removed or moved out of the filter meanwhile. That order is undocumented, which has two
        consequences: it has to be stable (an item that moves to the front because it was changed may be missed), and
        the SKU of every item is remembered, in about 100 bytes each, for up to a million items.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Catalog Items".
        """
        filters = build_query(ITEM_FILTERS, eligibility=eligibility)
        return self._iterate(
            LIST_CATALOG_ITEMS,
            filters,
            SORT_ORDER,
            page_size=page_size,
            prefetch=prefetch,
            on_invalid=on_invalid,
            options=options,
        )

    async def update(
        self,
        sku: str,
        *,
        name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        image_urls: Sequence[str | URL] | Unset = UNSET,
        url: str | URL | Unset = UNSET,
        gtin: str | Unset | None = UNSET,
        metadata: str | Unset = UNSET,
        product_id: str | Unset = UNSET,
        options: RequestOptions | None = None,
    ) -> CatalogItemUpdate:
        """Update an item. Fields that are not passed are not sent.

        Truemed's pages contradict each other here. The reference requires the whole item (``name``, ``description``,
        ``image_urls`` and ``url`` besides the SKU) and says that the item is not reviewed again at once; the guide
        sends less and says that it is. Passing all of them satisfies both.

        The endpoint has no idempotency key, so the library never retries it once it may have been applied. If an
        error's ``outcome`` is ``"unknown"``, repeat the call: the values end up the same.

        Args:
            sku: The item's SKU; it cannot be changed.
            name: The product's name.
            description: The product's description.
            image_urls: The addresses of all its pictures.
            url: The product's page.
            gtin: Its Global Trade Item Number; ``None`` is sent as null.
            metadata: Your own text.
            product_id: Your id of the product that the SKU belongs to. Undocumented here: the public table is cut off
                after ``metadata``.

        Returns:
            The response, an empty object.

        Raises:
            InvalidArgumentError: Nothing was passed to update; nothing was sent.
            NotFoundError: The catalog of this API key has no such item.
            BadRequestError: Truemed rejected a field, or requires more of them.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Update Catalog Item"; guide, "Managing Your Catalog".
        """
        item = build_update(
            ITEM_FIELDS,
            name=name,
            description=description,
            image_urls=image_urls,
            url=url,
            gtin=gtin,
            metadata=metadata,
            product_id=product_id,
        )
        return await self._request(
            UPDATE_CATALOG_ITEM, body={"sku": scalars.validate_text("sku", sku), **item}, options=options
        )

    def sync(
        self,
        items: Collection[CatalogItemParams],
        *,
        dry_run: bool = False,
        concurrency: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[CatalogChange]:
        """Make Truemed's catalog equal to yours: create what it lacks, and update what differs.

        The whole catalog is read first; nothing is written if that fails. Then each item of yours yields one
        :class:`~truemed_async.CatalogChange`, in your order, and at the end each item that only Truemed has, as
        ``gone``: no endpoint deletes one. A failure affects its own item only.

        These endpoints take no idempotency key. If the response to a write is lost, or somebody else changes the item,
        it is read again and only written again, up to three times in all, if it still differs. A SKU is unique at
        Truemed, so nothing is created twice, and repeating a run writes only what is missing.

        Args:
            items: Your whole catalog, each SKU once.
            dry_run: Whether to write nothing, and yield the plan.

        Raises:
            InvalidArgumentError: An item is invalid, or a SKU occurs twice; nothing was sent.
            PaginationDriftError: The pages of the catalog contradict each other; raised while iterating, before a write.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Managing Your Catalog".
        """
        return Stream(
            sync_catalog(
                validate_catalog(items),
                _Catalog(self._client, self, options),
                dry_run=scalars.validate_bool("dry_run", dry_run),
                concurrency=scalars.validate_positive_int("concurrency", concurrency),
            )
        )

    async def checkout_method(self, skus: Collection[str], *, options: RequestOptions | None = None) -> CheckoutMethod:
        """Ask whether to offer Truemed for an item or a cart.

        Truemed considers what the items are, not prices, discounts or charges. The request is a POST without effects
        and is retried like a GET. Call it from your server only: it carries the API key.

        The form of the request is assumed. Truemed's page says that it holds SKUs but not how; ``{"items": [{"sku":
        …}]}`` is known from third parties only. If Truemed rejects it, pass your own :class:`~truemed_async.Endpoint`
        and the body that Truemed specifies to ``client.send``.

        Args:
            skus: The SKUs of the cart, at least one.

        Returns:
            The response, whose fields are undocumented; they are in ``extra``.

        Raises:
            BadRequestError: Truemed rejected the request.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Truemed Checkout Method".
        """
        return await self._request(
            CHECKOUT_METHOD,
            body={
                "items": [{"sku": sku} for sku in scalars.validate_non_empty_items("skus", skus, scalars.validate_text)]
            },
            options=options,
        )


class _Catalog(Resource):
    """The calls of :func:`sync_catalog`, with the options of the caller. Values of Truemed are sent back unchecked."""

    def __init__(self, client: ClientProtocol, items: CatalogItems, options: RequestOptions | None) -> None:
        super().__init__(client)
        self._items = items
        self._options = options

    def iter(self) -> Stream[CatalogItem]:
        return self._items.iter(options=self._options)

    async def get(self, sku: str, /) -> CatalogItem:
        return await self._items.get(sku, options=self._options)

    async def create(self, body: Mapping[str, Any], /) -> object:
        return await self._request(CREATE_CATALOG_ITEM, body=body, options=self._options)

    async def update(self, body: Mapping[str, Any], /) -> object:
        return await self._request(UPDATE_CATALOG_ITEM, body=body, options=self._options)
