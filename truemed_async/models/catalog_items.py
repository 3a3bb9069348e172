"""Catalog items: what a merchant sells, and whether it may be paid for with HSA/FSA money."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import attrs

from truemed_async.models._base import Model
from truemed_async.models._compile import Structure, StructureError
from truemed_async.models._converter import converter
from truemed_async.models._enums import OpenEnum

__all__ = [
    "CatalogEligibility",
    "CatalogItem",
    "CatalogItemCreation",
    "CatalogItemUpdate",
    "CheckoutMethod",
]

_WORD_SEPARATORS = re.compile(r"[^a-z0-9]+")


class CatalogEligibility(OpenEnum):
    """Whether an item may be paid for with HSA/FSA money. Ask the properties, not the spelling.

    Truemed has renamed these values between versions of its documentation, so the enum lists all known spellings, and
    the properties ignore case and accept spaces or hyphens for underscores. Values that Truemed adds later are kept;
    for them all properties are false.
    """

    ELIGIBLE = "eligible"
    """Eligible as it is."""
    ELIGIBLE_WITH_LMN = "eligible_with_lmn"
    """Eligible for shoppers who hold a Letter of Medical Necessity."""
    INELIGIBLE = "ineligible"
    """Not eligible."""
    HSA_FSA_ELIGIBLE = "hsa_fsa_eligible"
    """Older spelling of ``eligible``: a table of an earlier guide."""
    NOT_ELIGIBLE = "not_eligible"
    """Older spelling of ``ineligible``: an earlier page of the catalog webhook."""
    PENDING = "pending"
    """Older spelling of null: the item awaits its review."""
    APPROVED_WITH_LMN = "approved_with_lmn"
    """Assumed to mean ``eligible_with_lmn``; seen in CSV exports of the dashboard."""
    PRE_APPROVED = "pre_approved"
    """Assumed to mean ``eligible``; seen in CSV exports of the dashboard."""

    @property
    def is_eligible(self) -> bool:
        """Whether the item may be paid for with HSA/FSA money, with or without a Letter."""
        return self.requires_lmn or self._equals_any(
            CatalogEligibility.ELIGIBLE, CatalogEligibility.HSA_FSA_ELIGIBLE, CatalogEligibility.PRE_APPROVED
        )

    @property
    def requires_lmn(self) -> bool:
        """Whether the item is eligible only with a Letter of Medical Necessity."""
        return self._equals_any(CatalogEligibility.ELIGIBLE_WITH_LMN, CatalogEligibility.APPROVED_WITH_LMN)

    @property
    def is_ineligible(self) -> bool:
        """Whether Truemed rejected the item."""
        return self._equals_any(CatalogEligibility.INELIGIBLE, CatalogEligibility.NOT_ELIGIBLE)

    @property
    def is_pending(self) -> bool:
        """Whether the item awaits its review. In newer responses ``CatalogItem.eligibility`` is then ``None``."""
        return self._equals_any(CatalogEligibility.PENDING)

    def _equals_any(self, *spellings: CatalogEligibility) -> bool:
        return _WORD_SEPARATORS.sub("_", self._value_.casefold()).strip("_") in spellings


@attrs.frozen(kw_only=True)
class CatalogItem(Model):
    """One item of the product catalog. Times are aware; Truemed sends UTC. An item has no price.

    Truemed's example has all of these fields. Which of them are always present is undocumented, so all but the SKU are
    optional. Source: Truemed, "List Catalog Items" and "Managing Your Catalog".

    Attributes:
        sku: Your SKU, unique in your catalog.
        name: The product's name.
        created_at: When it was added to the catalog.
        description: The product's description.
        eligibility: The result of the review; ``None`` before it. Read from ``eligibility_status``, the name in an
            older guide, if the response has only that.
        gtin: Its Global Trade Item Number.
        image_urls: Its images.
        metadata: Your text, unchanged; unlike that of qualification sessions it need not be JSON.
        product_id: Your id of the product of which the SKU is a variant; the meaning is assumed from the name.
        reviewed_at: When it was last reviewed; ``None`` before.
        url: The product's page.
    """

    sku: str
    name: str | None = None
    created_at: datetime | None = None
    description: str | None = None
    eligibility: CatalogEligibility | None = None
    gtin: str | None = None
    image_urls: tuple[str, ...] = ()
    metadata: str | None = None
    product_id: str | None = None
    reviewed_at: datetime | None = None
    url: str | None = None

    @staticmethod
    def _adapt_structure(structure: Structure) -> Structure:
        """Return a function that reads an item in every form that Truemed's pages have shown.

        An item may have an ``object`` envelope, as in the webhook; its eligibility had another name; and the form of an
        item without images is undocumented.
        """

        def adapted(data: Any, kind: Any) -> Any:
            if data.__class__ is dict and "sku" not in data and "object" in data:
                try:
                    return structure(_normalize_item(data["object"]), kind)
                except StructureError as mismatch:
                    raise mismatch.with_prefix("object")  # noqa: B904  # the same exception, a step further out
            return structure(_normalize_item(data), kind)

        return adapted

    @property
    def is_reviewed(self) -> bool:
        """Whether the review has a result: an eligibility other than "pending"."""
        return self.eligibility is not None and not self.eligibility.is_pending


@attrs.frozen(kw_only=True)
class CatalogItemCreation(Model):
    """The response to a new item. Its fields are undocumented, so all of them are in ``extra``.

    Source: Truemed, "Create Catalog Item".
    """

    @property
    def item(self) -> CatalogItem | None:
        """The new item if the response contains it, with or without an ``object`` envelope; else ``get`` it by its SKU."""
        try:
            return converter.structure(dict(self.extra), CatalogItem)
        except StructureError:
            return None


@attrs.frozen(kw_only=True)
class CatalogItemUpdate(Model):
    """The response to an update: an empty object. Fields that Truemed adds later are in ``extra``.

    Source: Truemed, "Update Catalog Item".
    """


@attrs.frozen(kw_only=True)
class CheckoutMethod(Model):
    """Whether to offer Truemed for a cart. The fields of the response are undocumented, so all are in ``extra``.

    Source: Truemed, "Truemed Checkout Method".
    """

    @property
    def checkout_method(self) -> str | None:
        """The field of that name, or ``None``. The name is assumed: only third parties use it."""
        value = self.extra.get("checkout_method")
        return value if isinstance(value, str) else None

    @property
    def is_truemed(self) -> bool | None:
        """Whether :attr:`checkout_method` is ``"truemed"``, or ``None``. The value is assumed, too: see ``extra``."""
        return None if self.checkout_method is None else self.checkout_method.casefold() == "truemed"


def _normalize_item(data: Any) -> Any:
    if data.__class__ is dict:
        if "eligibility" not in data and "eligibility_status" in data:
            data = {**data, "eligibility": data["eligibility_status"]}
        if data.get("image_urls") is None:
            data = {**data, "image_urls": []}
    return data
