"""What a handler of a page returns, and how it is rendered to HTML."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

import attrs
from aiohttp import web

from truemed_async.emulator.request import ApiError

if TYPE_CHECKING:
    from jinja2 import Environment

# No form-action: browsers also apply it to redirects after a form, which lead to the merchant's page.
_CSP: Final = "default-src 'none'; img-src data:; style-src 'self'; base-uri 'none'"
# Characters that a URL may contain; all others are escaped, so that the URL fits into a header.
_URL_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"
MAX_URL_LENGTH: Final = 4_000
_SCRIPT_SCHEMES: Final = ("javascript:", "data:", "vbscript:")

Tone: TypeAlias = Literal["info", "wait", "good", "bad"]


@attrs.frozen
class Render:
    """A page: its template and the values for it."""

    template: str
    values: Mapping[str, object]
    status: int = 200
    framed: bool = False  # whether a shop may show it in an iframe
    waits_in: str | None = None  # the status of its object, if the page refreshes until it is another one


@attrs.frozen
class Redirect:
    """A redirect to one of the emulator's pages, or to the merchant's."""

    url: str


def message_page(
    heading: str,
    explanation: str,
    *,
    tone: Tone = "info",
    link: str | None = None,
    link_label: str = "Back to the shop",
    review: str | None = None,
    status: int = 200,
    framed: bool = False,
    waits_in: str | None = None,
) -> Render:
    """Return a page with a message, and a link if one is given; ``review`` is where the tester decides the review."""
    values = {
        "explanation": explanation,
        "heading": heading,
        "link": link,
        "link_label": link_label,
        "review": review,
        "tone": tone,
    }
    return Render("message.html", values, status, framed, waits_in)


def safe_redirect_url(url: str | None) -> str | None:
    """Return the merchant's URL in a form that is safe in a header; None if there is none, or it would run as a script."""
    escaped = quote(url or "", safe=_URL_CHARACTERS)
    usable = 0 < len(escaped) <= MAX_URL_LENGTH and not escaped.lower().startswith(_SCRIPT_SCHEMES)
    return escaped if usable else None


def environment() -> Environment:
    """Return the template environment.

    Raises:
        ApiError: Jinja is not installed.
    """
    try:
        import_module("jinja2")
    except ImportError:
        message = "the pages need Jinja: pip install 'truemed-async[emulator]'"
        raise ApiError(501, "NotImplemented", message) from None
    return _environment()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an optional dependency

    loader = PackageLoader("truemed_async.emulator.pages")
    created = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    created.filters["money"] = format_money
    return created


def format_money(cents: int) -> str:
    """Return an amount as people read it: ``$1,234.50``, or ``$5.00`` after a minus sign."""
    return f"{'−' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"  # noqa: RUF001 - a minus sign


def render_page(page: Render, *, live: bool = False, merchant: str = "") -> web.Response:
    """Return the response of a page; ``live`` lets its script request updates from the emulator.

    ``merchant`` is the name of the shop at the top of a hosted page.
    """
    nonce = secrets.token_urlsafe(16)
    live = live or page.waits_in is not None
    shared = {"merchant": merchant, "nonce": nonce, "waits_in": page.waits_in}
    body = environment().get_template(page.template).render({**page.values, **shared})
    ancestors = "*" if page.framed else "'none'"
    csp = f"{_CSP}; script-src 'nonce-{nonce}'; frame-ancestors {ancestors}"
    headers = {
        "Content-Security-Policy": f"{csp}; connect-src 'self'" if live else csp,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(status=page.status, text=body, content_type="text/html", charset="utf-8", headers=headers)


def render_fragment(template: str, values: Mapping[str, object]) -> str:
    """Return a part of a page."""
    return environment().get_template(template).render(values)


def render_redirect(url: str) -> web.Response:
    """Return a redirect after a form."""
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


def render_stylesheet(name: str) -> web.Response:
    """Return the shared style sheet followed by the named one; both are in ``templates``."""
    folder = files("truemed_async.emulator.pages") / "templates"
    sheet = "\n".join((folder / f"{part}.css").read_text("utf-8") for part in ("base", name))
    return web.Response(text=sheet, content_type="text/css", charset="utf-8")
