"""What an item of the catalog is."""

from datetime import datetime
from typing import Final, Literal

import attrs

Eligibility = Literal["eligible", "eligible_with_lmn", "ineligible"]
ELIGIBILITIES: Final[tuple[Eligibility, ...]] = ("eligible", "eligible_with_lmn", "ineligible")


@attrs.frozen(kw_only=True)
class CatalogItem:
    """One item; `eligibility` and `reviewed_at` are None until it is reviewed. Datetimes are aware, in UTC."""

    sku: str
    created_at: datetime
    name: str = "Example item"
    description: str | None = None
    eligibility: str | None = None
    gtin: str | None = None
    image_urls: tuple[str, ...] = ()
    metadata: str | None = None
    product_id: str | None = None
    reviewed_at: datetime | None = None
    url: str | None = None

    @property
    def id(self) -> str:
        """The SKU, under the name that all listed rows share."""
        return self.sku

    @property
    def status(self) -> str:
        """The eligibility, and `pending` until there is one."""
        return self.eligibility or "pending"


@attrs.frozen
class Filters:
    """What a listing is narrowed by."""

    eligibility: str

    def match(self, item: CatalogItem) -> bool:
        """Tell whether the item belongs in the listing."""
        return item.eligibility == self.eligibility
