"""Links for customers: where they come back to after a payment, and where they qualify."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import quote

from yarl import URL

from truemed_async._core import arguments
from truemed_async.errors import InvalidArgumentError

PAYMENT_SESSION_ID: Final = "{{payment_session_id}}"
"""What Truemed replaces with the session's id in a ``success_url``: ``"https://shop.example/thanks?s=" + it``."""

_QUALIFY: Final = "https://app.truemed.com/qualify/"
_ENCODED = re.compile(r"%7B(%7B|\{)?\s*payment_session_id", re.IGNORECASE)


def return_url(name: str, value: object) -> str:
    """Return the URL of a page that the customer comes back to; in it ``{{payment_session_id}}`` may stand for the id.

    A brace has no place in a URL, so any other is a placeholder that Truemed would not replace.
    """
    written = str(value) if isinstance(value, (str, URL)) else ""
    rest = written.replace(PAYMENT_SESSION_ID, "")
    if "{" in rest or "}" in rest:
        raise InvalidArgumentError(
            f"{name} has braces other than {PAYMENT_SESSION_ID}, which is all that Truemed replaces: two of them, no"
            " blanks, that name (an f-string makes one of two: put PAYMENT_SESSION_ID into it)"
        )
    if _ENCODED.search(rest):
        raise InvalidArgumentError(
            f"{name} has {PAYMENT_SESSION_ID} percent-encoded, as URL classes write it; Truemed replaces only that"
            " exact text: give a string"
        )
    return arguments.web_url(name, value)


def qualification_link(
    qualification_id: str, *, source: str | None = None, user_id: str | None = None, skus: str | Collection[str] = ()
) -> str:
    """Return the link to Truemed's hosted survey, for an e-mail or a button.

    What you give as ``source`` and ``user_id`` comes back on the qualification session. They are in the link, which
    people forward and browsers keep: an opaque id is better than an e-mail address.

    Args:
        qualification_id: The id of your survey, ``"tm_qual_…"``, from Truemed.
        source: Where the link is shown, for example ``"email_receipt"`` or ``"order_confirm"``.
        user_id: Your identifier of the user or the order.
        skus: One SKU or several, without commas; Truemed has to have enabled them.

    Raises:
        InvalidArgumentError: An argument was refused.

    Source: Truemed support, "Qualification links".
    """
    given = {
        "source": None if source is None else arguments.text("source", source),
        "user_id": None if user_id is None else arguments.text("user_id", user_id),
        "skus": ",".join([_sku("skus", skus)] if isinstance(skus, str) else arguments.each("skus", skus, _sku)),
    }
    query = "&".join(f"{name}={quote(value, safe=',')}" for name, value in given.items() if value)
    link = _QUALIFY + arguments.identifier("qualification_id", qualification_id)
    return f"{link}?{query}" if query else link


def _sku(name: str, value: object) -> str:
    sku = arguments.text(name, value)
    if "," in sku:
        raise InvalidArgumentError(f"{name} holds a comma, which separates SKUs in the link: give several as a list")
    return sku
