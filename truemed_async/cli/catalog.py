"""``truemed catalog``: the items of the shop and their eligibility."""

from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter

from truemed_async.cli.connection import Context
from truemed_async.cli.mutations import execute
from truemed_async.cli.options import CONTEXT, MANY, NO_VALUES, Ids, RequiredText, Text, or_unset
from truemed_async.cli.output import render_object
from truemed_async.cli.resources import Filters, ResourceCommands

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, CatalogItemCreation, CatalogItemUpdate


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ItemFilters(Filters):
    """Filters of items.

    Attributes:
        eligibility: Only items of this eligibility: eligible, eligible_with_lmn or ineligible. The filter is
            undocumented: check the rows before you rely on it.
    """

    eligibility: Text = None


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ItemFields:
    """Optional fields of an item.

    Attributes:
        description: The product's description.
        image_url: The URL of a picture; may be repeated.
        url: The product's page.
        gtin: Its Global Trade Item Number.
        metadata: Your own text.
        product_id: Your id of the product that the SKU belongs to.
    """

    description: Text = None
    image_url: Annotated[tuple[str, ...], MANY] = NO_VALUES
    url: Text = None
    gtin: Text = None
    metadata: Text = None
    product_id: Text = None

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``catalog_items.create`` and ``update``."""
        fields = {name: or_unset(value) for name, value in attrs.asdict(self).items()}
        del fields["image_url"]
        return {"image_urls": or_unset(self.image_url or None), **fields}


NO_FIELDS = ItemFields()


def make_app() -> App:
    """Return ``truemed catalog``."""
    app = App(name="catalog", help="The product catalog: which items may be paid for with HSA/FSA money.")
    ResourceCommands(
        resource="catalog_items",
        model="CatalogItem",
        noun="item",
        ids="SKUs",
        columns=("sku", "eligibility", "name", "reviewed_at", "created_at", "url"),
        filters=ItemFilters,
        has_since=False,
    ).add_to(app)
    app.command(create_item, name="create")
    app.command(update_item, name="update")
    app.command(checkout_method, name="checkout-method")
    return app


async def create_item(
    sku: str,
    /,
    *,
    name: RequiredText,
    fields: ItemFields = NO_FIELDS,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Add an item; Truemed reviews it later.

    Args:
        sku: Your SKU, unique in your catalog.
        name: The product's name.
    """

    async def create(client: "AsyncTruemed", _: str | None) -> "CatalogItemCreation":
        return await client.catalog_items.create(sku, name=name, **fields.as_kwargs())

    await execute(context, create, hint="`truemed catalog get` with the SKU shows whether the item exists")


async def update_item(
    sku: str,
    /,
    *,
    name: Text = None,
    fields: ItemFields = NO_FIELDS,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Update an item. Truemed's reference requires name, description, pictures and page each time.

    Args:
        sku: The item's SKU, which cannot be changed.
        name: The product's name.
    """

    async def update(client: "AsyncTruemed", _: str | None) -> "CatalogItemUpdate":
        return await client.catalog_items.update(sku, name=or_unset(name), **fields.as_kwargs())

    await execute(context, update, hint="run the same command again: the values end up the same")


async def checkout_method(skus: Ids, /, *, context: Annotated[Context, CONTEXT]) -> None:
    """Ask whether to offer Truemed for an item or a cart; the request is undocumented.

    Args:
        skus: The SKUs of the cart.
    """
    async with context.target.connect() as client:
        method = await client.catalog_items.checkout_method(skus)
    render_object(context.streams, method)
