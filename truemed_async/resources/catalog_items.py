"""Catalog items: create, get, list, update, and whether to offer Truemed for a cart."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Iterable, Sequence

from yarl import URL

from truemed_async._core.bulk import Outcome
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
from truemed_async.options import UNSET, RequestOptions, Unset
from truemed_async.resources._base import Resource
from truemed_async.resources._bulk import get_many
from truemed_async.resources._item_fields import item_changes, item_fields

# No page says how this list is sorted.
SORT_ORDER = SortOrder[CatalogItem](id=lambda item: item.sku, key=unordered)


class CatalogItems(Resource):
    """What you sell, and whether it may be paid for with HSA/FSA money."""

    __slots__ = ()

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
        """Add an item to the catalog; Truemed reviews it later, and tells the result by webhook.

        This call takes no idempotency key, so it is never repeated by itself once it may have had its effect. Where an
        error's ``outcome`` is ``"unknown"``, :meth:`get` by the SKU tells whether the item is there.

        No page at hand shows the table of this request. ``sku``, ``name``, ``description``, ``gtin`` and
        ``image_urls`` are in Truemed's example; the others are guesses, by the fields of an item. Truemed may want more
        of them than the two that this library asks for.

        Args:
            sku: Your SKU, unique in your catalog.
            name: The product's name.
            description: The product's description.
            image_urls: The addresses of its pictures.
            url: The product's page.
            gtin: Its Global Trade Item Number.
            metadata: Text of your own.
            product_id: Your id of the product that the SKU belongs to.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The answer, of which no page at hand shows the fields; ``.item`` is the item where there is one.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            ConflictError: The catalog has an item of this SKU.
            BadRequestError: Truemed refused a field.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Create Catalog Item"; guide, "Managing Your Catalog".
        """
        return await self._call(
            CREATE_CATALOG_ITEM,
            body={
                "sku": scalars.validate_text("sku", sku),
                **item_fields(
                    name=name,
                    description=description,
                    image_urls=image_urls,
                    url=url,
                    gtin=gtin,
                    metadata=metadata,
                    product_id=product_id,
                ),
            },
            options=options,
        )

    async def get(self, sku: str, *, options: RequestOptions | None = None) -> CatalogItem:
        """Return one item. It is a POST that changes nothing, and is repeated as a GET is.

        Args:
            sku: Its SKU.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: The SKU cannot be one; nothing was sent.
            NotFoundError: There is no such item in the catalog of this API key.
            DecodeError: The answer holds no item, either by itself or under ``object``: which of the two it is, no
                page at hand says.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Get Catalog Item Details".
        """
        return await self._call(GET_CATALOG_ITEM, body={"sku": scalars.validate_text("sku", sku)}, options=options)

    async def list(
        self,
        *,
        eligibility: CatalogEligibility | str | None = None,
        page: int | None = None,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> Page[CatalogItem]:
        """Return one page of the catalog; Truemed does not say in which order.

        To read it all, use :meth:`iter`: pages asked for one by one shift while items come and go.

        Args:
            eligibility: Only items of this eligibility. The name of the filter is a guess: the page at hand is cut off
                after ``eligi``. Look at an item of the answer before you rely on it.
            page: The page, from 1.
            page_size: Items on a page, at least 1. The server may apply less: see ``.pagination.page_size``. That
                this list takes ``page`` and ``page_size`` as the others do is a guess, by the ``pagination`` in its
                answer.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused a filter.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "List Catalog Items".
        """
        return await self._call(
            LIST_CATALOG_ITEMS,
            query={
                **_filters(eligibility),
                "page": None if page is None else scalars.validate_positive_int("page", page),
                "page_size": None if page_size is None else scalars.validate_positive_int("page_size", page_size),
            },
            options=options,
        )

    def iter(
        self,
        *,
        eligibility: CatalogEligibility | str | None = None,
        page_size: int = 100,
        prefetch: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[CatalogItem]:
        """Iterate over every item of the catalog that matches, without a gap while the catalog changes.

        Each item that matches from the first request until it is reached comes exactly once, in Truemed's order,
        whatever is added, removed or moved out of the filter meanwhile. Truemed does not state that order, so two
        things differ from other lists: the order has to be stable (an item that jumps to the front because it was
        changed may be missed), and the SKU of every item is kept, in about 100 bytes each, for up to a million items.

        Args:
            eligibility: As in :meth:`list`.
            page_size: Items to ask for at once, at most; the server may give less. Pages overlap a little. Below 7
                they cannot: items that leave the list then hide others, and a warning says so.
            prefetch: How many requests may be in flight, at least 1, which is one after another. Up to twice as many
                pages are held.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages contradict each other, so items may be missing.

        Warns:
            TruemedWarning: Once, if the server gives smaller pages than were asked for, or pages cannot overlap.

        Source: Truemed API reference, "List Catalog Items".
        """
        return self._iterate(
            LIST_CATALOG_ITEMS,
            _filters(eligibility),
            SORT_ORDER,
            page_size=page_size,
            prefetch=prefetch,
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
        """Change an item. What is not given is not sent.

        Truemed's pages contradict each other here. The reference wants the whole item each time (``name``,
        ``description``, ``image_urls`` and ``url`` besides the SKU) and says that the item is not reviewed anew at
        once; the guide sends less and says that it is. Give all of them to be right by both.

        This call takes no idempotency key, so it is never repeated by itself once it may have had its effect. Where an
        error's ``outcome`` is ``"unknown"``, make the same call again: the values end up the same.

        Args:
            sku: The item's SKU; it cannot be changed.
            name: The product's name.
            description: The product's description.
            image_urls: The addresses of its pictures, all of them.
            url: The product's page.
            gtin: Its Global Trade Item Number; ``None`` is sent as null.
            metadata: Text of your own.
            product_id: Your id of the product that the SKU belongs to. That it can be sent is a guess: the table at
                hand is cut off after ``metadata``.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The answer, an empty object.

        Raises:
            InvalidArgumentError: An argument was refused, or there is nothing to change; nothing was sent.
            NotFoundError: There is no such item in the catalog of this API key.
            BadRequestError: Truemed refused a field, or wants more of them.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Update Catalog Item"; guide, "Managing Your Catalog".
        """
        return await self._call(
            UPDATE_CATALOG_ITEM,
            body={
                "sku": scalars.validate_text("sku", sku),
                **item_changes(
                    name=name,
                    description=description,
                    image_urls=image_urls,
                    url=url,
                    gtin=gtin,
                    metadata=metadata,
                    product_id=product_id,
                ),
            },
            options=options,
        )

    async def checkout_method(self, skus: Collection[str], *, options: RequestOptions | None = None) -> CheckoutMethod:
        """Ask whether Truemed should be offered for an item or a cart.

        Truemed looks at what the items are, not at prices, discounts or charges. It is a POST that changes nothing, and
        is repeated as a GET is. Call it from your server only: it carries the API key.

        The request is a guess. The page at hand says that it holds SKUs and not how; what is sent,
        ``{"items": [{"sku": …}]}``, is known from third parties only. If Truemed refuses it, give ``client.send`` an
        :class:`~truemed_async.Endpoint` of your own and the body that Truemed tells you.

        Args:
            skus: The SKUs of the cart, at least one.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The answer, of which no page at hand shows the fields; they are in ``extra``.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused the request.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Truemed Checkout Method".
        """
        return await self._call(
            CHECKOUT_METHOD,
            body={
                "items": [{"sku": sku} for sku in scalars.validate_non_empty_items("skus", skus, scalars.validate_text)]
            },
            options=options,
        )

    def get_many(
        self,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        unique: bool = False,
        progress: Callable[[int, int, int | None], object] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[Outcome[CatalogItem]]:
        """Get many items at once, ``concurrency`` at a time.

        One that fails, for whatever reason, does not touch the others: each SKU gives one
        :class:`~truemed_async.Outcome`.

        Args:
            ids: The SKUs, from any iterable or async iterable; it is read only as fast as the outcomes are taken.
            concurrency: Calls in flight, at least 1. The client's ``max_concurrency`` bounds them too.
            ordered: Whether outcomes come in the order of the SKUs, rather than as they arrive.
            unique: Whether a SKU that was there before is left out. The last 100,000 different ones are remembered.
            progress: Called with ``(done, failed, total)`` each time that outcomes have arrived, before you get them.
                Failed ones are done too, and so are repeats that ``unique`` left out; ``total`` is ``None`` where
                ``ids`` has no length. What it raises ends the iteration.
            options: Time-outs, retry policy and headers of each call.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once.
        """
        return get_many(
            lambda each: self.get(each, options=options),
            ids,
            concurrency=concurrency,
            ordered=ordered,
            unique=unique,
            progress=progress,
        )


def _filters(eligibility: str | None) -> dict[str, str | int | bool | None]:
    """Check the filters of ``list`` and ``iter``."""
    return {"eligibility": None if eligibility is None else scalars.validate_text("eligibility", eligibility)}
