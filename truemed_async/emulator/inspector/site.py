"""The routes of the inspector: panels, their updates, and the actions of the buttons."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from aiohttp import web

from truemed_async.emulator.inspector.panels import PANELS, Panel, form_options
from truemed_async.emulator.pages.page import (
    Render,
    environment,
    message_page,
    render_fragment,
    render_page,
    render_redirect,
)
from truemed_async.emulator.routing import Route

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.routing import Handler
    from truemed_async.emulator.webhooks.model import Mode

INSPECTOR: Final = "/_emulator/inspector"
PREFIXES: Final = (f"{INSPECTOR}/",)
ACTION_PREFIX: Final = f"{INSPECTOR}/do/"
# Numbers of rows to try until the changing part is small enough for a page under 50 kB.
_ROW_COUNTS: Final = (25, 20, 15, 10, 5, 2, 1)
MAX_FRAGMENT_BYTES: Final = 36_000


Form: TypeAlias = Mapping[str, str]


def apply(context: EmulatorContext, form: Form) -> None:
    """Apply a transition to a row."""
    context.state.apply(form)


def advance(context: EmulatorContext, form: Form) -> None:
    """Advance the clock."""
    context.state.clock.advance(float(form["amount"]) * float(form["unit"]))


def reset(context: EmulatorContext, form: Form) -> None:
    """Reset everything except the webhooks."""
    del form
    context.reset()


def register(context: EmulatorContext, form: Form) -> None:
    """Register a webhook."""
    context.webhooks.register(form["url"], mode=cast("Mode", form["mode"]), secret=form.get("secret") or None)


def unregister(context: EmulatorContext, form: Form) -> None:
    """Remove a webhook."""
    context.webhooks.unregister(form["id"])


def rotate(context: EmulatorContext, form: Form) -> None:
    """Give a webhook a new secret; the old one signs too, until the next rotation."""
    context.webhooks.rotate_secret(form["id"])


def resend(context: EmulatorContext, form: Form) -> None:
    """Send a delivery again."""
    context.webhooks.resend(form["id"])


def add_fault(context: EmulatorContext, form: Form) -> None:
    """Add an HTTP fault for a number of requests."""
    context.faults.add(form["name"], times=int(form["times"]))


def remove_fault(context: EmulatorContext, form: Form) -> None:
    """Remove an HTTP fault."""
    for fault in context.faults.active:
        if str(fault.id) == form["id"]:
            fault.remove()


def add_webhook_fault(context: EmulatorContext, form: Form) -> None:
    """Add a webhook fault for a number of deliveries."""
    context.webhooks.faults.add(form["name"], times=int(form["times"]))


def clear_webhook_faults(context: EmulatorContext, form: Form) -> None:
    """Remove all webhook faults."""
    del form
    context.webhooks.faults.clear()


ACTIONS: Final[Mapping[str, Callable[[EmulatorContext, Form], None]]] = MappingProxyType(
    {
        action.__name__.replace("_", "-"): action
        for action in (
            apply,
            advance,
            reset,
            register,
            unregister,
            rotate,
            resend,
            add_fault,
            remove_fault,
            add_webhook_fault,
            clear_webhook_faults,
        )
    }
)


def _show(panel: Panel) -> Handler:
    """Return the handler of a panel and of its updates."""

    def show(context: EmulatorContext, request: Request) -> web.Response:
        return _update(context, panel, request) if request.target.endswith("?update") else _page(context, panel)

    return show


def _perform(action: Callable[[EmulatorContext, Form], None]) -> Handler:
    """Return the handler of a button, which redirects to the panel that it is on."""

    def perform(context: EmulatorContext, request: Request) -> web.Response:
        form = request.form()
        slugs = [panel.slug for panel in PANELS]
        back = f"{INSPECTOR}/{form['back'] if form.get('back') in slugs else slugs[0]}"
        try:
            with context.state.lock:
                action(context, form)
        except (ValueError, KeyError) as error:
            reason = (
                "A field is missing, or its object no longer exists." if isinstance(error, KeyError) else str(error)
            )
            return render_page(message_page("Action failed", reason, link=back, link_label="Back", status=409))
        return render_redirect(back)

    return perform


ROUTES: Final = (
    *(
        Route(name=f"inspector.{panel.slug}", method=method, path=path, handler=_show(panel))
        for path, panel in (("/", PANELS[0]), *((f"{INSPECTOR}/{panel.slug}", panel) for panel in PANELS))
        for method in ("GET", "HEAD")
    ),
    *(
        Route(name=f"inspector.do.{name}", method="POST", path=f"{ACTION_PREFIX}{name}", handler=_perform(action))
        for name, action in ACTIONS.items()
    ),
)


def call(route: Route, context: EmulatorContext, request: Request) -> web.Response:
    """Return the response of a handler. No key is required: any user of this machine may look and click."""
    environment()
    return cast("web.Response", route.handle(context, request))


def _page(context: EmulatorContext, panel: Panel) -> web.Response:
    with context.state.lock:
        values = {
            "panel": panel,
            "panels": PANELS,
            "inspector": INSPECTOR,
            "actions": ACTION_PREFIX,
            "now": context.state.clock.now(),
            "ahead": round(context.state.clock.ahead),
            "api_key": context.api_key,
            "live": _fragment(context, panel),
            **form_options(context),
        }
    return render_page(Render("inspector.html", values), live=True)


def _fragment(context: EmulatorContext, panel: Panel) -> str:
    """Return the part of a panel that changes, with as many rows as fit."""
    for limit in _ROW_COUNTS:
        text = render_fragment(
            panel.template, {"actions": ACTION_PREFIX, "panel": panel, **panel.values(context, limit)}
        )
        if len(text.encode()) <= MAX_FRAGMENT_BYTES:
            return text
    return render_fragment(panel.template, {"actions": ACTION_PREFIX, "panel": panel, **panel.values(context, 0)})


def _update(context: EmulatorContext, panel: Panel, request: Request) -> web.Response:
    """Return the part of a panel that changes, or 304 if the browser has it already."""
    with context.state.lock:
        text = _fragment(context, panel)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(
        text=text, content_type="text/html", charset="utf-8", headers={"ETag": tag, "Cache-Control": "no-cache"}
    )
