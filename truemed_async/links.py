"""Links for customers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import quote

from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError

_QUALIFY: Final = "https://app.truemed.com/qualify/"


def qualification_link(
    qualification_id: str, *, source: str | None = None, user_id: str | None = None, skus: str | Collection[str] = ()
) -> str:
    """Return the link to Truemed's hosted survey, for an e-mail or a button.

    Truemed returns ``source`` and ``user_id`` on the qualification session. Both are part of the link, which people
    forward and browsers store, so use an opaque id instead of an e-mail address.

    Args:
        qualification_id: The id of your survey, ``"tm_qual_…"``, from Truemed.
        source: Where the link is shown, for example ``"email_receipt"`` or ``"order_confirm"``.
        user_id: Your identifier of the user or the order.
        skus: One SKU or several, without commas; Truemed has to have enabled them.

    Raises:
        InvalidArgumentError: An argument is invalid.

    Source: Truemed support, "Qualification links".
    """
    parameters = {
        "source": None if source is None else scalars.validate_text("source", source),
        "user_id": None if user_id is None else scalars.validate_text("user_id", user_id),
        "skus": ",".join(
            [_validate_sku("skus", skus)]
            if isinstance(skus, str)
            else scalars.validate_items("skus", skus, _validate_sku)
        ),
    }
    query = "&".join(f"{name}={quote(value, safe=',')}" for name, value in parameters.items() if value)
    link = _QUALIFY + scalars.validate_id("qualification_id", qualification_id)
    return f"{link}?{query}" if query else link


def _validate_sku(name: str, value: object) -> str:
    sku = scalars.validate_text(name, value)
    if "," in sku:
        raise InvalidArgumentError(f"{name} contains a comma, which separates SKUs in the link: pass several as a list")
    return sku
