"""The results of the handlers of pages."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import attrs

from truemed_async.emulator.request import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Shown:
    """A page: the name of its template and what the template needs."""

    template: str
    values: Mapping[str, object]
    status: int = 200
    framed: bool = False  # whether a shop may show it in an iframe


@attrs.frozen
class Sent:
    """The way to another address: a page of ours, or the merchant's."""

    url: str


# What a URL may hold as it is; the rest is escaped, so that it can stand in a header.
_IN_A_URL: Final = "!#$%&'()*+,/:;=?@[]~"
_LONGEST_URL: Final = 4_000
_SCRIPTS: Final = ("javascript:", "data:", "vbscript:")


def outward(url: str | None) -> str | None:
    """Return the merchant's URL as a browser can be sent there, or None: there is none, or it would run as a script."""
    escaped = quote(url or "", safe=_IN_A_URL)
    usable = 0 < len(escaped) <= _LONGEST_URL and not escaped.lower().startswith(_SCRIPTS)
    return escaped if usable else None


def notice(
    heading: str,
    explanation: str,
    *,
    onward: str | None = None,
    onward_label: str = "Back to the shop",
    status: int = 200,
    framed: bool = False,
) -> Shown:
    """Return a page that says something, and perhaps leads on."""
    values = {"heading": heading, "explanation": explanation, "onward": onward, "onward_label": onward_label}
    return Shown("notice.html", values, status, framed)


def require_jinja() -> None:
    """Raise the ``ApiError`` of an installation without the library that renders the pages."""
    if find_spec("jinja2") is None:
        raise ApiError(501, "NotImplemented", "the pages need Jinja: pip install 'truemed-async[emulator]'")
