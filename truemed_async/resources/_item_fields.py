"""The fields of a catalog item that can be written."""

from __future__ import annotations

from typing import Any

from truemed_async._validation import scalars, urls
from truemed_async.errors import InvalidArgumentError
from truemed_async.options import UNSET


def item_fields(
    *,
    name: object,
    description: object,
    image_urls: object,
    url: object,
    gtin: object,
    metadata: object,
    product_id: object,
) -> dict[str, Any]:
    """Check the fields of an item that were given, and return them in the order of Truemed's table."""
    fields: dict[str, Any] = {}
    if description is not UNSET:
        fields["description"] = scalars.validate_text("description", description, allow_empty=True)
    if image_urls is not UNSET:
        fields["image_urls"] = scalars.validate_items("image_urls", image_urls, _link)
    if name is not UNSET:
        fields["name"] = scalars.validate_text("name", name)
    if url is not UNSET:
        fields["url"] = _link("url", url)
    if gtin is not UNSET:
        fields["gtin"] = None if gtin is None else scalars.validate_text("gtin", gtin)
    if metadata is not UNSET:
        fields["metadata"] = scalars.validate_text("metadata", metadata, allow_empty=True)
    if product_id is not UNSET:
        fields["product_id"] = scalars.validate_text("product_id", product_id)
    return fields


def _link(name: str, value: object) -> str:
    """Check the address of a page or picture of the shop: it may be http, for no secret travels with it."""
    return urls.validate_web_url(name, value, allow_http=True)


def item_changes(**given: object) -> dict[str, Any]:
    """Check the fields of ``update``, and that there is one."""
    changes = item_fields(**given)
    if not changes:
        raise InvalidArgumentError(
            "nothing to change: give name, description, image_urls, url, gtin, metadata or product_id"
        )
    return changes
