"""The fields of a catalog item that can be written."""

from __future__ import annotations

from typing import Any

from truemed_async._core import arguments
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
        fields["description"] = arguments.text("description", description, may_be_empty=True)
    if image_urls is not UNSET:
        fields["image_urls"] = arguments.each("image_urls", image_urls, _link)
    if name is not UNSET:
        fields["name"] = arguments.text("name", name)
    if url is not UNSET:
        fields["url"] = _link("url", url)
    if gtin is not UNSET:
        fields["gtin"] = None if gtin is None else arguments.text("gtin", gtin)
    if metadata is not UNSET:
        fields["metadata"] = arguments.text("metadata", metadata, may_be_empty=True)
    if product_id is not UNSET:
        fields["product_id"] = arguments.text("product_id", product_id)
    return fields


def _link(name: str, value: object) -> str:
    """Check the address of a page or picture of the shop: it may be http, for no secret travels with it."""
    return arguments.web_url(name, value, http=True)


def item_changes(**given: object) -> dict[str, Any]:
    """Check the fields of ``update``, and that there is one."""
    changes = item_fields(**given)
    if not changes:
        raise InvalidArgumentError(
            "nothing to change: give name, description, image_urls, url, gtin, metadata or product_id"
        )
    return changes
