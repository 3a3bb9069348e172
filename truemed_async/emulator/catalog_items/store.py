"""The catalog that the emulated Truemed knows, and the review of its items."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import attrs

from truemed_async.emulator.catalog_items.model import ELIGIBILITIES, CatalogItem, Eligibility
from truemed_async.emulator.store import Store


class CatalogItems(Store[CatalogItem]):
    """Items and their life: `pending` → `eligible` | `eligible_with_lmn` | `ineligible`, which may change later."""

    name: ClassVar[str] = "catalog_items"
    kind = CatalogItem
    id_field: ClassVar[str] = "sku"
    prefix: ClassVar[str] = "sku-"

    def add(self, **fields: Any) -> str:
        """Add an item with these fields of `CatalogItem` and return its SKU, which is a fresh one unless given.

        Errors: those of `Store.add`.
        """
        images: Iterable[str] = fields.pop("image_urls", ())
        return super().add(image_urls=tuple(images), **fields)

    def review(self, sku: str, eligibility: Eligibility) -> None:
        """Let the review find the item of this eligibility, for the first time or once more; KeyError: no such item."""
        if eligibility not in ELIGIBILITIES:
            raise ValueError(f"eligibility must be one of {', '.join(ELIGIBILITIES)}")
        self.move("review", sku, partial(review, eligibility=eligibility))


def review(item: CatalogItem, now: datetime, *, eligibility: Eligibility) -> CatalogItem:
    """Return the item as it is after the review."""
    return attrs.evolve(item, eligibility=eligibility, reviewed_at=now)
