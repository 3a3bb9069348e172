"""Makes HTML of templates, and says what browsers may do with it."""

import secrets
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

# No form-action: browsers apply it to where a form's answer redirects, and that is the merchant's page.
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'self'; base-uri 'none'"


@cache
def _environment() -> Environment:
    loader = PackageLoader("truemed_async.emulator.pages")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def html(
    template: str, values: Mapping[str, object], *, status: int = 200, framed: bool = False, live: bool = False
) -> web.Response:
    """Return a page; `framed` says whether others may frame it, `live` whether its script may ask us for news."""
    nonce = secrets.token_urlsafe(16)
    body = _environment().get_template(template).render({**values, "nonce": nonce})
    policy = f"{_POLICY}; script-src 'nonce-{nonce}'; frame-ancestors {'*' if framed else chr(39) + 'none' + chr(39)}"
    headers = {
        "Content-Security-Policy": f"{policy}; connect-src 'self'" if live else policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(status=status, text=body, content_type="text/html", charset="utf-8", headers=headers)


def fragment(template: str, values: Mapping[str, object]) -> str:
    """Return a part of a page."""
    return _environment().get_template(template).render(values)


def style() -> web.Response:
    """Return the style sheet of all pages."""
    sheet = files("truemed_async.emulator.pages").joinpath("templates", "style.css").read_text("utf-8")
    return web.Response(text=sheet, content_type="text/css", charset="utf-8")
