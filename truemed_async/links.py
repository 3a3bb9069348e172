"""Links for customers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote

from yarl import URL

from truemed_async._validation import scalars
from truemed_async._validation.urls import validate_base_url
from truemed_async.errors import ConfigurationError, InvalidArgumentError
from truemed_async.options import Environment

PAGE_HOSTS: Mapping[str, str] = {"production": "https://app.truemed.com", "sandbox": "https://dev.truemed.com"}
"""Where Truemed's pages are, those of the dashboard included. Source: Truemed API, section 7 (N7, N19)."""


def qualification_link(
    qualification_id: str,
    *,
    source: str | None = None,
    user_id: str | None = None,
    skus: str | Collection[str] = (),
    brand: str | None = None,
    environment: Environment = "production",
    base_url: str | URL | None = None,
) -> str:
    """Return the link to Truemed's hosted survey, for an e-mail or a button.

    Truemed returns ``source`` and ``user_id`` on the qualification session. Both are part of the link, which people
    forward and browsers store, so use an opaque id instead of an e-mail address.

    Args:
        qualification_id: The id of your survey, ``"tm_qual_…"``, from Truemed.
        source: Where the link is shown, for example ``"email_receipt"`` or ``"order_confirm"``.
        user_id: Your identifier of the user or the order.
        skus: One SKU or several, without commas; Truemed has to have enabled them.
        brand: Your segment of the path, if Truemed gave you links that have one:
            ``https://app.truemed.com/BRAND/qualify/…``. Undocumented: such links are in use.
        environment: ``"production"``, or ``"sandbox"``, whose pages are known from third parties to be on
            ``dev.truemed.com``.
        base_url: Another server in place of it, such as the ``url`` of an emulator: https, or http on this machine.

    Raises:
        InvalidArgumentError: An argument is invalid.
        ConfigurationError: The ``environment`` or the ``base_url`` is invalid.

    Source: Truemed support, "Qualification links"; Truemed API, section 7 (N18, N19).
    """
    if environment not in PAGE_HOSTS:
        raise ConfigurationError(f"environment must be {' or '.join(repr(name) for name in PAGE_HOSTS)}")
    host = PAGE_HOSTS[environment] if base_url is None else str(validate_base_url(base_url)).rstrip("/")
    segment = "" if brand is None else f"/{scalars.validate_id('brand', brand)}"
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
    link = f"{host}{segment}/qualify/{scalars.validate_id('qualification_id', qualification_id)}"
    return f"{link}?{query}" if query else link


def _validate_sku(name: str, value: object) -> str:
    sku = scalars.validate_text(name, value)
    if "," in sku:
        raise InvalidArgumentError(f"{name} contains a comma, which separates SKUs in the link: pass several as a list")
    return sku
