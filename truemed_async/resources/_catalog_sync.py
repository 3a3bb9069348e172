"""Makes Truemed's catalog equal to a merchant's: reads the merchant's file, compares, and applies each difference."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, cast

import attrs
import orjson
from yarl import URL

from truemed_async._core.bulk import Outcome, fan_out
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
from truemed_async.errors import CallError, ConflictError, InvalidArgumentError, NotFoundError, TruemedError
from truemed_async.models import CatalogItem
from truemed_async.options import UNSET, Unset
from truemed_async.resources._fields import ITEM_FIELDS, build_body

MAX_WRITES = 3
"""Writes for one item, when their responses are lost or others change it meanwhile."""

_IGNORED_COLUMNS = ("created_at", "eligibility", "reviewed_at")
_COLUMNS = ("sku", *ITEM_FIELDS)


@attrs.frozen
class CatalogItemParams:
    """One item of your catalog, as it should be at Truemed. Fields that are not set stay as they are there.

    Its values are checked when the catalog is synchronized, before anything is sent.

    Attributes:
        sku: Your SKU, unique in your catalog.
        name: The product's name.
        description: The product's description.
        image_urls: The addresses of its pictures.
        url: The product's page.
        gtin: Its Global Trade Item Number.
        metadata: Your own text.
        product_id: Your id of the product that the SKU belongs to.
    """

    sku: str
    name: str = attrs.field(kw_only=True)
    description: str | Unset = attrs.field(default=UNSET, kw_only=True)
    image_urls: Sequence[str | URL] | Unset = attrs.field(default=UNSET, kw_only=True)
    url: str | URL | Unset = attrs.field(default=UNSET, kw_only=True)
    gtin: str | Unset = attrs.field(default=UNSET, kw_only=True)
    metadata: str | Unset = attrs.field(default=UNSET, kw_only=True)
    product_id: str | Unset = attrs.field(default=UNSET, kw_only=True)

    def fields(self) -> dict[str, Any]:
        """Check the values and return those that are set, without the SKU."""
        scalars.validate_text("sku", self.sku)
        return build_body(ITEM_FIELDS, **{name: getattr(self, name) for name in ITEM_FIELDS})


class CatalogAction(StrEnum):
    """What a difference between two catalogs needs."""

    CREATE = "create"
    """Truemed does not have the item."""
    UPDATE = "update"
    """Truemed has other values."""
    UNCHANGED = "unchanged"
    """Nothing: Truemed has the same values."""
    GONE = "gone"
    """Nothing that the API can do: Truemed has an item that your catalog lacks, and no endpoint deletes one."""


@attrs.frozen(kw_only=True)
class CatalogChange(Outcome[CatalogItem]):
    """One item of a synchronization: what it needs, and the result.

    Attributes:
        id: The SKU.
        value: The item at Truemed as it was last read; ``None`` for one that did not exist.
        error: Why the change failed, or ``None``. Its ``outcome`` tells whether it may have been applied.
        action: What the item needs.
        fields: The names of the fields to set.
        applied: Whether Truemed has the wanted values now, because of this change. False in a dry run.
    """

    value: CatalogItem | None = None
    action: CatalogAction
    fields: tuple[str, ...] = ()
    applied: bool = False


class Catalog(Protocol):
    """The calls that a synchronization makes."""

    def iter(self) -> Stream[CatalogItem]:
        """Read the whole catalog."""
        ...

    async def get(self, sku: str, /) -> CatalogItem:
        """Read one item."""
        ...

    async def create(self, body: Mapping[str, Any], /) -> object:
        """Add an item."""
        ...

    async def update(self, body: Mapping[str, Any], /) -> object:
        """Update an item."""
        ...


def validate_catalog(items: object) -> dict[str, dict[str, Any]]:
    """Return the fields of each item by its SKU; a SKU that occurs twice is refused."""
    if isinstance(items, (str, bytes)) or not isinstance(items, Collection):
        raise InvalidArgumentError(f"items must be a collection, such as a list, not {type(items).__name__}")
    catalog: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(cast("Collection[object]", items)):
        if not isinstance(item, CatalogItemParams):
            raise InvalidArgumentError(f"items[{index}] must be CatalogItemParams(…), not {type(item).__name__}")
        try:
            fields = item.fields()
        except InvalidArgumentError as error:
            problem = str(error)
        else:
            if item.sku not in catalog:
                catalog[item.sku] = fields
                continue
            problem = f"the SKU {item.sku!r} occurs before"
        raise InvalidArgumentError(f"items[{index}]: {problem}")
    return catalog


def changed_fields(target: Mapping[str, Any], item: CatalogItem | None) -> tuple[str, ...]:
    """Return the names of the fields that Truemed has with other values. An empty text and null are the same."""
    if item is None:
        return tuple(target)
    current = _values(item)
    return tuple(name for name, value in target.items() if (value or None) != (current[name] or None))


def _values(item: CatalogItem) -> dict[str, Any]:
    return {name: list(item.image_urls) if name == "image_urls" else getattr(item, name) for name in ITEM_FIELDS}


async def sync_catalog(
    target: Mapping[str, Mapping[str, Any]], catalog: Catalog, *, dry_run: bool, concurrency: int
) -> AsyncGenerator[list[CatalogChange], None]:
    """Yield each item of both catalogs, in the order of the wanted one, then those that it lacks."""
    async with catalog.iter() as items:
        existing = {item.sku: item async for item in items}

    async def settle(sku: str) -> CatalogChange:
        item = existing.get(sku)
        fields = changed_fields(target[sku], item)
        if item is not None and not fields:
            return CatalogChange(id=sku, value=item, action=CatalogAction.UNCHANGED)
        change = CatalogChange(
            id=sku,
            value=item,
            action=CatalogAction.CREATE if item is None else CatalogAction.UPDATE,
            fields=fields,
        )
        return change if dry_run else await _apply(change, target[sku], catalog)

    async with aclosing(fan_out(target, settle, concurrency=concurrency, ordered=True)) as batches:
        async for batch in batches:
            yield batch
    yield [
        CatalogChange(id=sku, value=item, action=CatalogAction.GONE)
        for sku, item in existing.items()
        if sku not in target
    ]


async def _apply(change: CatalogChange, target: Mapping[str, Any], catalog: Catalog) -> CatalogChange:
    """Create or update one item. Whatever is in doubt is settled by reading the item again.

    An update sends the whole item, as Truemed's reference requires: its present values, and the wanted ones over them.
    """
    sku, item, failure = change.id, change.value, None
    for _ in range(MAX_WRITES):
        try:
            if item is None:
                await catalog.create({"sku": sku, **target})
            else:
                present = {name: value for name, value in _values(item).items() if value is not None}
                await catalog.update({"sku": sku, **present, **target})
        except TruemedError as error:
            failure = error
        else:
            return attrs.evolve(change, value=item, applied=True)
        if not _is_in_doubt(failure):
            break
        try:
            item = await catalog.get(sku)
        except NotFoundError:
            item = None
        except TruemedError:  # the first error tells more
            break
        if item is not None and not changed_fields(target, item):
            return attrs.evolve(change, value=item, applied=True)
    return attrs.evolve(change, value=item, error=failure)


def _is_in_doubt(error: TruemedError) -> bool:
    """Whether the write may have been applied, or somebody else created or removed the item."""
    if isinstance(error, (ConflictError, NotFoundError)):
        return True
    return isinstance(error, CallError) and error.outcome == "unknown"


# --- files --------------------------------------------------------------------------------------------------------


def read_catalog_csv(path: str | os.PathLike[str]) -> list[CatalogItemParams]:
    """Return the items of a CSV file in UTF-8, for ``catalog_items.sync``. It reads what an export of the catalog writes.

    The columns are ``sku`` and ``name``, and any of ``description``, ``image_urls``, ``url``, ``gtin``, ``metadata`` and
    ``product_id``, in any order; ``created_at``, ``eligibility`` and ``reviewed_at`` are ignored, because only Truemed
    sets them. An empty cell leaves the field as it is. ``image_urls`` is a JSON list, or addresses with spaces between
    them.

    Raises:
        InvalidArgumentError: A column is unknown or missing, or a line has too many cells or no name.
        OSError: The file cannot be read.
    """
    items: list[CatalogItemParams] = []
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            _check_columns(rows.fieldnames or ())
            items.extend(_item_of(row, rows.line_num) for row in rows)
    except UnicodeDecodeError:
        problem = "the file is not UTF-8"
    except csv.Error as error:
        problem = f"the file is no valid CSV: {error}"
    else:
        return items
    raise InvalidArgumentError(problem)


def _check_columns(names: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    unknown = [name for name in names if name not in (*_COLUMNS, *_IGNORED_COLUMNS)]
    if repeated or unknown or not {"sku", "name"} <= set(names):
        raise InvalidArgumentError(
            f"the first line must have sku and name, and may have other names of this list, each once: "
            f"{', '.join((*_COLUMNS, *_IGNORED_COLUMNS))}"
        )


def _item_of(row: Mapping[Any, Any], line: int) -> CatalogItemParams:
    cells: dict[str, Any] = {name: row[name] for name in _COLUMNS if row.get(name)}
    if None in row or "sku" not in cells or "name" not in cells:
        raise InvalidArgumentError(f"line {line} must have a sku, a name, and no more cells than the first line")
    if "image_urls" in cells:
        cells["image_urls"] = _image_urls(cells["image_urls"], line)
    return CatalogItemParams(**cells)


def _image_urls(text: str, line: int) -> list[str]:
    if not text.lstrip().startswith("["):
        return text.split()
    try:
        urls: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        urls = None
    if not isinstance(urls, list):
        raise InvalidArgumentError(
            f"line {line}: image_urls must be a JSON list, or addresses with spaces between them"
        )
    return cast("list[str]", urls)  # each is checked before it is sent
