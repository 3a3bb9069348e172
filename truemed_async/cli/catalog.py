"""``truemed catalog``: what you sell, and whether it may be paid for with HSA/FSA money."""

from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.moving import carry_out
from truemed_async.cli.options import AS_GIVEN, CONTEXT, Text, given
from truemed_async.cli.showing import ListFormat, show, show_each, show_page
from truemed_async.cli.target import Context

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, CatalogItemCreation, CatalogItemUpdate

COLUMNS = ("sku", "eligibility", "name", "reviewed_at", "created_at", "url")
NO_IMAGES: tuple[str, ...] = ()


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Fields:
    """What else is known of an item.

    Attributes:
        description: The product's description.
        image_url: The address of a picture; may be given more than once.
        url: The product's page.
        gtin: Its Global Trade Item Number.
        metadata: Text of your own.
        product_id: Your id of the product that the SKU belongs to.
    """

    description: Text = None
    image_url: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = NO_IMAGES
    url: Text = None
    gtin: Text = None
    metadata: Text = None
    product_id: Text = None

    def given(self) -> dict[str, Any]:
        """Return them by the names that the client gives them."""
        fields = {name: given(value) for name, value in attrs.asdict(self).items()}
        del fields["image_url"]
        return {"image_urls": given(self.image_url or None), **fields}


NOTHING_ELSE = Fields()


def make_app() -> App:
    """Return ``truemed catalog``."""
    app = App(name="catalog", help="The product catalog: which items may be paid for with HSA/FSA money.")
    app.command(create_item, name="create")
    app.command(get_items, name="get")
    app.command(list_items, name="list")
    app.command(update_item, name="update")
    app.command(checkout_method, name="checkout-method")
    return app


async def create_item(
    sku: str,
    /,
    *,
    name: Annotated[str, AS_GIVEN],
    fields: Fields = NOTHING_ELSE,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Add an item; Truemed reviews it later.

    Args:
        sku: Your SKU, unique in your catalog.
        name: The product's name.
        fields: More of it.
        context: Not an option.
    """

    async def create(client: "AsyncTruemed", _: str | None) -> "CatalogItemCreation":
        return await client.catalog_items.create(sku, name=name, **fields.given())

    await carry_out(context, create, settle="`truemed catalog get` with the SKU shows whether the item is there")


async def get_items(
    skus: Annotated[list[str], Parameter(negative="")], /, *, context: Annotated[Context, CONTEXT]
) -> int:
    """Show items: all fields of each on a terminal, else one JSON document a SKU.

    One that cannot be read does not hide the others; the exit code is then 1.

    Args:
        skus: SKUs.
        context: Not an option.
    """
    async with context.target.connect() as client:
        return await show_each(context.streams, client.catalog_items.get_many(skus, ordered=True))


async def list_items(
    *,
    eligibility: Text = None,
    page: int = 1,
    page_size: int = 30,
    format: ListFormat = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List one page of the catalog.

    Args:
        eligibility: Only items of this eligibility: eligible, eligible_with_lmn or ineligible. A guess: look at the
            rows before you rely on it.
        page: The page, from 1.
        page_size: Items on a page, at least 1; the server may give less.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
        context: Not an option.
    """
    async with context.target.connect() as client:
        found = await client.catalog_items.list(eligibility=eligibility, page=page, page_size=page_size)
    show_page(context.streams, found, format, model=truemed_async.CatalogItem, columns=COLUMNS, noun="item")


async def update_item(
    sku: str,
    /,
    *,
    name: Text = None,
    fields: Fields = NOTHING_ELSE,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Change an item. Truemed's reference wants name, description, pictures and page each time.

    Args:
        sku: The item's SKU, which cannot be changed.
        name: The product's name.
        fields: More of it.
        context: Not an option.
    """

    async def update(client: "AsyncTruemed", _: str | None) -> "CatalogItemUpdate":
        return await client.catalog_items.update(sku, name=given(name), **fields.given())

    await carry_out(context, update, settle="the same command settles it: the values end up the same")


async def checkout_method(
    skus: Annotated[list[str], Parameter(negative="")], /, *, context: Annotated[Context, CONTEXT]
) -> None:
    """Ask whether to offer Truemed for an item or a cart; what the request looks like is a guess.

    Args:
        skus: The SKUs of the cart.
        context: Not an option.
    """
    async with context.target.connect() as client:
        found = await client.catalog_items.checkout_method(skus)
    show(context.streams, found)
