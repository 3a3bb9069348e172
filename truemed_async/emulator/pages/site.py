"""Which page belongs to which address, and the way of one request of a browser."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from truemed_async.emulator.call import Problem
from truemed_async.emulator.hosted import HOSTED
from truemed_async.emulator.pages import checkout, qualify, stored
from truemed_async.emulator.pages.browser import form_of, no_jinja
from truemed_async.emulator.pages.visit import Page, Sent, Visit, notice
from truemed_async.emulator.transition import InvalidTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

_PAGES: Final[Mapping[str, Page]] = MappingProxyType(
    {
        rf"{HOSTED}/payment_sessions/(?P<id>[^/]+)": checkout.survey,
        rf"{HOSTED}/payment_sessions/(?P<id>[^/]+)/card": checkout.card,
        rf"{HOSTED}/payment_sessions/(?P<id>[^/]+)/leave": checkout.leave,
        rf"{HOSTED}/provision_requests/(?P<id>[^/]+)": stored.survey,
        rf"{HOSTED}/provision_requests/(?P<id>[^/]+)/card": stored.card,
        rf"{HOSTED}/payment_tokens/(?P<id>[^/]+)": stored.repair,
        r"/qualify/(?P<id>[^/]+)": qualify.qualify,
    }
)
_STYLE: Final = "/_emulator/style.css"


def is_page(path: str) -> bool:
    """Tell whether a path is one for browsers."""
    return path == _STYLE or path.startswith((f"{HOSTED}/", "/qualify/"))


def visited(state: State, method: str, address: str, headers: Mapping[str, str], body: bytes) -> web.Response:
    """Answer a browser, or raise `Problem`; `address` is the path with the query, as it came.

    Anybody may look: a shopper has no key. A form is taken from our own pages alone.
    """
    no_jinja()
    from truemed_async.emulator.pages import render  # noqa: PLC0415 - Jinja may be missing

    path, _, query = address.partition("?")
    allowed = ("GET", "HEAD") if path == _STYLE else ("GET", "HEAD", "POST")
    if method not in allowed:
        raise Problem(405, "MethodNotAllowed", "a page is read, or a form is sent to it", allow=", ".join(allowed))
    if path == _STYLE:
        return render.style()
    page, params = _find(path)
    form = form_of(headers, body) if method == "POST" else None
    visit = Visit(state, address, params, dict(parse_qsl(query)), form)
    with state.lock:
        try:
            found = page(visit)
        except KeyError:
            found = notice("There is no such page", "The address is wrong, or the emulator was reset.", status=404)
        except InvalidTransitionError:
            found = notice("This cannot be done now", "Something else happened meanwhile.", status=409)
    if isinstance(found, Sent):
        return web.Response(status=303, headers={"Location": found.url, "Cache-Control": "no-store"})
    return render.html(found.template, found.values, status=found.status, framed=found.framed)


def _find(path: str) -> tuple[Page, dict[str, str]]:
    for pattern, page in _PAGES.items():
        found = re.fullmatch(pattern, path)
        if found is not None:
            return page, {name: unquote(value) for name, value in found.groupdict().items()}
    raise Problem(404, "NotFound", "no such page")
