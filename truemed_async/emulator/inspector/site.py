"""The way of one request to the inspector: a panel, only its changing part, or a button that was pressed."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aiohttp import web

from truemed_async.emulator.call import Problem
from truemed_async.emulator.inspector.actions import ACTIONS
from truemed_async.emulator.inspector.panels import PANELS, Panel, choices
from truemed_async.emulator.pages.browser import form_of, no_jinja
from truemed_async.emulator.pages.visit import notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.inspector.desk import Desk

INSPECTOR: Final = "/_emulator/inspector"
_DO: Final = f"{INSPECTOR}/do/"
_PATHS: Final[Mapping[str, Panel]] = MappingProxyType(
    {"/": PANELS[0]} | {f"{INSPECTOR}/{panel.slug}": panel for panel in PANELS}
)
# How many rows are shown: the first number with which the changing part is light enough for a page under 50 kB.
_ROWS: Final = (25, 20, 15, 10, 5, 2, 1)
_HEAVIEST: Final = 36_000


def is_inspector(path: str) -> bool:
    """Tell whether a path is the inspector's."""
    return path == "/" or path.startswith(f"{INSPECTOR}/")


def inspected(desk: Desk, method: str, address: str, headers: Mapping[str, str], body: bytes) -> web.Response:
    """Answer a browser, or raise `Problem`; `address` is the path with the query, as it came.

    Whoever can reach this machine's loopback may look and press: forms are taken from our own pages alone.
    """
    no_jinja()
    path, _, query = address.partition("?")
    if path.startswith(_DO):
        if method != "POST":
            raise Problem(405, "MethodNotAllowed", "a button sends a form", allow="POST")
        return _done(desk, path.removeprefix(_DO), form_of(headers, body))
    panel = _PATHS.get(path)
    if panel is None:
        raise Problem(404, "NotFound", "no such page")
    if method not in ("GET", "HEAD"):
        raise Problem(405, "MethodNotAllowed", "this page is read", allow="GET, HEAD")
    return _news(desk, panel, headers) if query == "news" else _whole(desk, panel)


def _whole(desk: Desk, panel: Panel) -> web.Response:
    from truemed_async.emulator.pages.render import html  # noqa: PLC0415 - Jinja may be missing

    with desk.state.lock:
        values = {
            "panel": panel,
            "panels": PANELS,
            "inspector": INSPECTOR,
            "do": _DO,
            "now": desk.state.clock.now(),
            "ahead": round(desk.state.clock.ahead),
            "api_key": desk.api_key,
            "live": _changing(desk, panel),
            **choices(desk),
        }
    return html("inspector.html", values, live=True)


def _changing(desk: Desk, panel: Panel) -> str:
    """Return the part of a panel that changes: HTML, and as many rows as fit."""
    from truemed_async.emulator.pages.render import fragment  # noqa: PLC0415 - Jinja may be missing

    for most in _ROWS:
        text = fragment(panel.template, {"do": _DO, "panel": panel, **panel.values(desk, most)})
        if len(text.encode()) <= _HEAVIEST:
            return text
    return fragment(panel.template, {"do": _DO, "panel": panel, **panel.values(desk, 0)})


def _news(desk: Desk, panel: Panel, headers: Mapping[str, str]) -> web.Response:
    """Return the part of a panel that changes, or nothing when it is as the browser has it."""
    with desk.state.lock:
        text = _changing(desk, panel)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
    if headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(
        text=text, content_type="text/html", charset="utf-8", headers={"ETag": tag, "Cache-Control": "no-cache"}
    )


def _done(desk: Desk, name: str, form: Mapping[str, str]) -> web.Response:
    from truemed_async.emulator.pages.render import html  # noqa: PLC0415 - Jinja may be missing

    action = ACTIONS.get(name)
    if action is None:
        raise Problem(404, "NotFound", "no such button")
    slugs = [panel.slug for panel in PANELS]
    back = f"{INSPECTOR}/{form['back'] if form.get('back') in slugs else slugs[0]}"
    try:
        with desk.state.lock:
            action(desk, form)
    except (ValueError, KeyError) as error:
        said = "Something that it needs is gone or missing." if isinstance(error, KeyError) else str(error)
        page = notice("This was not done", said, onward=back, onward_label="Back", status=409)
        return html(page.template, page.values, status=page.status)
    return web.Response(status=303, headers={"Location": back, "Cache-Control": "no-store"})
