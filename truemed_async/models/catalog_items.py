"""Catalog items: what a merchant sells, and whether it may be paid for with HSA/FSA money."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, cast

import attrs

from truemed_async.models._base import Model
from truemed_async.models._compile import StructureError, compile_structure
from truemed_async.models._converter import converter
from truemed_async.models._enums import OpenEnum

_WORD_SEPARATORS = re.compile(r"[^a-z0-9]+")


class CatalogEligibility(OpenEnum):
    """Whether an item may be paid for with HSA/FSA money. Ask the properties, not the spelling.

    Truemed has renamed these values between versions of its documentation, so all the spellings that were ever seen
    are here, and the properties know them in any case and with blanks or hyphens for underscores. Values that Truemed
    adds later survive as they come; of those, no property says yes.
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
    """Older spelling of no value at all: the item awaits its review."""
    APPROVED_WITH_LMN = "approved_with_lmn"
    """As ``eligible_with_lmn``; seen in CSV exports of the dashboard, and what it means is a guess from the words."""
    PRE_APPROVED = "pre_approved"
    """As ``eligible``; seen in CSV exports of the dashboard, and what it means is a guess from the words."""

    @property
    def is_eligible(self) -> bool:
        """Whether the item may be paid for with HSA/FSA money, with or without a letter."""
        return self.requires_lmn or self._means(
            CatalogEligibility.ELIGIBLE, CatalogEligibility.HSA_FSA_ELIGIBLE, CatalogEligibility.PRE_APPROVED
        )

    @property
    def requires_lmn(self) -> bool:
        """Whether the item is eligible only with a Letter of Medical Necessity."""
        return self._means(CatalogEligibility.ELIGIBLE_WITH_LMN, CatalogEligibility.APPROVED_WITH_LMN)

    @property
    def is_ineligible(self) -> bool:
        """Whether Truemed has said no."""
        return self._means(CatalogEligibility.INELIGIBLE, CatalogEligibility.NOT_ELIGIBLE)

    @property
    def is_pending(self) -> bool:
        """Whether the item awaits its review. In newer answers ``CatalogItem.eligibility`` is ``None`` then."""
        return self._means(CatalogEligibility.PENDING)

    def _means(self, *spellings: CatalogEligibility) -> bool:
        return _WORD_SEPARATORS.sub("_", self._value_.casefold()).strip("_") in spellings


@attrs.frozen(kw_only=True)
class CatalogItem(Model):
    """One item of the product catalog. Times are aware; Truemed sends UTC. An item has no price.

    Truemed's example shows all of these fields and no page says which of them are always there, so all but the SKU
    may be missing. Source: Truemed, "List Catalog Items" and "Managing Your Catalog".

    Attributes:
        sku: Your SKU, unique in your catalog.
        name: The product's name.
        created_at: When it was added to the catalog.
        description: The product's description.
        eligibility: What the review said; ``None`` while the item awaits it. Where an answer has only
            ``eligibility_status``, as an older guide calls it, it is read from there.
        gtin: Its Global Trade Item Number.
        image_urls: Its pictures.
        metadata: Your text, as you gave it; unlike that of qualification sessions it need not be JSON.
        product_id: Your id of the product that the SKU is a variant of; that meaning is a guess from the name.
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

    @property
    def is_reviewed(self) -> bool:
        """Whether the review has come to a result: there is an eligibility, and it is not "pending"."""
        return self.eligibility is not None and not self.eligibility.is_pending


@attrs.frozen(kw_only=True)
class CatalogItemCreation(Model):
    """The answer to a new item. No page at hand shows its fields, so all of them are in ``extra``.

    Source: Truemed, "Create Catalog Item".
    """

    @property
    def item(self) -> CatalogItem | None:
        """The new item, if the answer holds it: itself, or under ``object``. A guess; else ``get`` it by its SKU."""
        try:
            return converter.structure(dict(self.extra), CatalogItem)
        except StructureError:
            return None


@attrs.frozen(kw_only=True)
class CatalogItemUpdate(Model):
    """The answer to a change: an empty object; what Truemed adds to it later is in ``extra``.

    Source: Truemed, "Update Catalog Item".
    """


@attrs.frozen(kw_only=True)
class CheckoutMethod(Model):
    """Whether to offer Truemed for a cart. No page at hand shows the fields of the answer, so all are in ``extra``.

    Source: Truemed, "Truemed Checkout Method".
    """

    @property
    def checkout_method(self) -> str | None:
        """The field of that name, ``None`` if the answer has none. A guess: the name is known from third parties only."""
        value = self.extra.get("checkout_method")
        return value if isinstance(value, str) else None

    @property
    def is_truemed(self) -> bool | None:
        """Whether :attr:`checkout_method` is ``"truemed"``; ``None`` if there is none. A guess as well: read ``extra``."""
        return None if self.checkout_method is None else self.checkout_method.casefold() == "truemed"


def _read_item() -> None:
    """Let an item be read as Truemed's pages have shown it over time.

    It may stand by itself or, as in the webhook, under ``object``; its eligibility had another name; and what an item
    without pictures looks like is not said.
    """
    plain = compile_structure(CatalogItem, converter)

    def structure(data: Any, kind: Any) -> CatalogItem:
        if data.__class__ is dict and "sku" not in data and "object" in data:
            try:
                return cast("CatalogItem", plain(_renamed(data["object"]), kind))
            except StructureError as mismatch:
                raise mismatch.with_prefix("object")  # noqa: B904  # the same exception, a step further out
        return cast("CatalogItem", plain(_renamed(data), kind))

    converter.register_structure_hook(CatalogItem, structure)


def _renamed(data: Any) -> Any:
    if data.__class__ is dict:
        if "eligibility" not in data and "eligibility_status" in data:
            data = {**data, "eligibility": data["eligibility_status"]}
        if data.get("image_urls") is None:
            data = {**data, "image_urls": []}
    return data


_read_item()
