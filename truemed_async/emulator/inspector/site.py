"""The way of one request to the inspector: a panel, only its changing part, or a button that was pressed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from truemed_async.emulator.inspector.actions import ACTIONS
from truemed_async.emulator.inspector.panels import PANELS, Panel, choices
from truemed_async.emulator.pages.visit import notice, require_jinja
from truemed_async.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.routing import Handler

INSPECTOR: Final = "/_emulator/inspector"
PREFIXES: Final = (f"{INSPECTOR}/",)
_DO: Final = f"{INSPECTOR}/do/"
# How many rows are shown: the first number with which the changing part is light enough for a page under 50 kB.
_ROWS: Final = (25, 20, 15, 10, 5, 2, 1)
_MAX_FRAGMENT_BYTES: Final = 36_000


def _show(panel: Panel) -> Handler:
    """Return the handler of a panel, or of its changing part only."""

    def show(context: EmulatorContext, request: Request) -> web.Response:
        return _news(context, panel, request) if request.target.endswith("?news") else _whole(context, panel)

    return show


def _do(action: Callable[[EmulatorContext, Mapping[str, Any]], None]) -> Handler:
    """Return the handler of a button, which redirects to the panel that it is on."""

    def do(context: EmulatorContext, request: Request) -> web.Response:
        from truemed_async.emulator.pages.render import html  # noqa: PLC0415 - Jinja may be missing

        form = request.form()
        slugs = [panel.slug for panel in PANELS]
        back = f"{INSPECTOR}/{form['back'] if form.get('back') in slugs else slugs[0]}"
        try:
            with context.state.lock:
                action(context, form)
        except (ValueError, KeyError) as error:
            reason = "Something that it needs is gone or missing." if isinstance(error, KeyError) else str(error)
            page = notice("This was not done", reason, onward=back, onward_label="Back", status=409)
            return html(page.template, page.values, status=page.status)
        return web.Response(status=303, headers={"Location": back, "Cache-Control": "no-store"})

    return do


ROUTES: Final = (
    *(
        Route(name=f"inspector.{panel.slug}", method=method, path=path, handler=_show(panel))
        for path, panel in (("/", PANELS[0]), *((f"{INSPECTOR}/{panel.slug}", panel) for panel in PANELS))
        for method in ("GET", "HEAD")
    ),
    *(
        Route(name=f"inspector.do.{name}", method="POST", path=f"{_DO}{name}", handler=_do(action))
        for name, action in ACTIONS.items()
    ),
)


def call(route: Route, context: EmulatorContext, request: Request) -> web.Response:
    """Return the response of a handler. No key is required: any user of this machine may look and click."""
    require_jinja()
    return cast("web.Response", route.handle(context, request))


def _whole(context: EmulatorContext, panel: Panel) -> web.Response:
    from truemed_async.emulator.pages.render import html  # noqa: PLC0415 - Jinja may be missing

    with context.state.lock:
        values = {
            "panel": panel,
            "panels": PANELS,
            "inspector": INSPECTOR,
            "do": _DO,
            "now": context.state.clock.now(),
            "ahead": round(context.state.clock.ahead),
            "api_key": context.api_key,
            "live": _changing(context, panel),
            **choices(context),
        }
    return html("inspector.html", values, live=True)


def _changing(context: EmulatorContext, panel: Panel) -> str:
    """Return the part of a panel that changes: HTML, and as many rows as fit."""
    from truemed_async.emulator.pages.render import fragment  # noqa: PLC0415 - Jinja may be missing

    for most in _ROWS:
        text = fragment(panel.template, {"do": _DO, "panel": panel, **panel.values(context, most)})
        if len(text.encode()) <= _MAX_FRAGMENT_BYTES:
            return text
    return fragment(panel.template, {"do": _DO, "panel": panel, **panel.values(context, 0)})


def _news(context: EmulatorContext, panel: Panel, request: Request) -> web.Response:
    """Return the part of a panel that changes, or nothing when it is as the browser has it."""
    with context.state.lock:
        text = _changing(context, panel)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(
        text=text, content_type="text/html", charset="utf-8", headers={"ETag": tag, "Cache-Control": "no-cache"}
    )
