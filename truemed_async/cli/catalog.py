"""``truemed catalog``: the items of the shop and their eligibility."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.mutations import confirm, execute, prepare_response, require_terminal
from truemed_async.cli.options import (
    CONTEXT,
    LITERAL,
    MANY,
    NO_VALUES,
    SHOW_CHOICES,
    Eligibility,
    Flag,
    Ids,
    RequiredText,
    Text,
    or_unset,
)
from truemed_async.cli.output import EXIT_FAILURE, pluralize
from truemed_async.cli.progress import collect_rows
from truemed_async.cli.resources import Filters, ResourceCommands
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput, RowTarget
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, CatalogChange, CatalogItemCreation, CatalogItemParams, CatalogItemUpdate


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ItemFilters(Filters):
    """Filters of items.

    Attributes:
        eligibility: Only items of this eligibility. The filter is undocumented: check the rows before you rely on it.
    """

    eligibility: Annotated[Eligibility | None, LITERAL, SHOW_CHOICES] = None


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
CHANGES = RowLayout(columns=("sku", "action", "fields", "applied", "error"))
WRITTEN = ("create", "update")


RESOURCE = ResourceCommands(
    resource="catalog_items",
    model="CatalogItem",
    noun="item",
    id="sku",
    ids="SKUs",
    columns=("sku", "eligibility", "name", "reviewed_at", "created_at", "url"),
    filters=ItemFilters,
    has_since=False,
)


def make_app() -> App:
    """Return ``truemed catalog``."""
    app = App(name="catalog", help="The product catalog: which items may be paid for with HSA/FSA money.")
    RESOURCE.add_to(app)
    app.command(create_item, name="create")
    app.command(update_item, name="update")
    app.command(sync_catalog, name="sync")
    app.command(checkout_method, name="checkout-method")
    return app


async def create_item(
    sku: str,
    /,
    *,
    name: RequiredText,
    fields: ItemFields = NO_FIELDS,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Add an item; Truemed reviews it later.

    Args:
        sku: Your SKU, unique in your catalog.
        name: The product's name.
    """
    target = prepare_response(context, output, "CatalogItemCreation")

    async def create(client: "AsyncTruemed", _: str | None) -> "CatalogItemCreation":
        return await client.catalog_items.create(sku, name=name, **fields.as_kwargs())

    await execute(
        context, create, target=target, hint="`truemed catalog get` with the SKU shows whether the item exists"
    )


async def update_item(
    sku: str,
    /,
    *,
    name: Text = None,
    fields: ItemFields = NO_FIELDS,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Update an item. Truemed's reference requires name, description, pictures and page each time.

    Args:
        sku: The item's SKU, which cannot be changed.
        name: The product's name.
    """
    target = prepare_response(context, output, "CatalogItemUpdate")

    async def update(client: "AsyncTruemed", _: str | None) -> "CatalogItemUpdate":
        return await client.catalog_items.update(sku, name=or_unset(name), **fields.as_kwargs())

    await execute(context, update, target=target, hint="run the same command again: the values end up the same")


def sync_catalog(
    file: Path,
    /,
    *,
    dry_run: Flag = False,
    yes: Flag = False,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> Coroutine[Any, Any, int] | int:
    """Make Truemed's catalog equal to a CSV file: create what it lacks, update what differs, and report the rest.

    The command shows the plan and asks for confirmation, unless --yes is given. Items that only Truemed has are shown as
    gone: there is no endpoint that deletes one. Unchanged items are counted only. Running the command again is safe. The
    exit code is 1 if an item failed.

    Args:
        file: A CSV file as catalog export writes it: sku and name, and any of description, image_urls, url, gtin, \
metadata, product_id. An empty cell leaves the field as it is.
        dry_run: Show the plan, and change nothing.
        yes: Do not ask for confirmation. Required if standard input is not a terminal.
    """
    target = output.prepare(context.streams, CHANGES)
    try:
        items = truemed_async.read_catalog_csv(file)
    except OSError as error:
        raise InvalidArgumentError(f"the file cannot be read: {error.strerror}") from error
    if not dry_run and not yes:
        require_terminal(context.streams)
        plan = asyncio.run(_sync(context, items, ROW_OUTPUT.prepare(context.streams, CHANGES), dry_run=True))
        if not any(change.action in WRITTEN for change in plan):
            return 0
        if not confirm(context.streams, "Apply this plan?"):
            context.streams.print_message("nothing was changed")
            return EXIT_FAILURE
    return _sync_and_report(context, items, target, dry_run=dry_run)


async def _sync_and_report(
    context: Context, items: "list[CatalogItemParams]", target: RowTarget, *, dry_run: bool
) -> int:
    changes = await _sync(context, items, target, dry_run=dry_run)
    return 0 if all(change.ok for change in changes) else EXIT_FAILURE


async def _sync(
    context: Context, items: "list[CatalogItemParams]", target: RowTarget, *, dry_run: bool
) -> "list[CatalogChange]":
    """Run a synchronization, and show what it changed, of an interrupted run, too."""
    changes: list[CatalogChange] = []
    try:
        async with context.target.connect() as client:
            await collect_rows(context.streams, client.catalog_items.sync(items, dry_run=dry_run), changes)
    finally:
        rows = [_change_row(change) for change in changes if change.action != "unchanged"]
        target.write(rows, empty="the catalog is as the file says")
    counts = Counter(change.action for change in changes)
    counted = ", ".join(f"{action} {number:,}" for action, number in sorted(counts.items()))
    failed = sum(not change.ok for change in changes)
    context.streams.print_message(f"{pluralize(len(changes), 'item')} ({counted}), {failed:,} failed")
    return changes


def _change_row(change: "CatalogChange") -> dict[str, object]:
    return {
        "sku": change.id,
        "action": change.action,
        "fields": " ".join(change.fields),
        "applied": change.applied,
        "error": None if change.error is None else str(change.error),
    }


async def checkout_method(
    skus: Ids, /, *, output: RowOutput = ROW_OUTPUT, context: Annotated[Context, CONTEXT]
) -> None:
    """Ask whether to offer Truemed for an item or a cart; the request is undocumented.

    Args:
        skus: The SKUs of the cart.
    """
    target = prepare_response(context, output, "CheckoutMethod")
    async with context.target.connect() as client:
        method = await client.catalog_items.checkout_method(skus)
    target.write_object(method)
