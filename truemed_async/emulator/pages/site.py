"""The routes of the hosted pages, and how one is rendered. They need no key: a shopper has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from aiohttp import web

from truemed_async.emulator.pages import checkout, qualify, stored
from truemed_async.emulator.pages.visit import Sent, Shown, notice, require_jinja
from truemed_async.emulator.request import HOSTED
from truemed_async.emulator.routing import Route
from truemed_async.emulator.transition import InvalidTransitionError

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.state import State

_STYLE: Final = "/_emulator/style.css"
PREFIXES: Final = (f"{HOSTED}/", "/qualify/", _STYLE)


def style(state: State, request: Request) -> web.Response:
    """Return the style sheet of all pages."""
    from truemed_async.emulator.pages import render  # noqa: PLC0415 - Jinja may be missing

    del state, request
    return render.style()


ROUTES: Final = (
    *(Route(name="pages.style", method=method, path=_STYLE, handler=style) for method in ("GET", "HEAD")),
    *(
        Route(
            name=f"pages.{page.__module__.rpartition('.')[2]}.{page.__name__}", method=method, path=path, handler=page
        )
        for path, page in (
            (f"{HOSTED}/payment_sessions/{{id}}", checkout.survey),
            (f"{HOSTED}/payment_sessions/{{id}}/card", checkout.card),
            (f"{HOSTED}/payment_sessions/{{id}}/leave", checkout.leave),
            (f"{HOSTED}/provision_requests/{{id}}", stored.survey),
            (f"{HOSTED}/provision_requests/{{id}}/card", stored.card),
            (f"{HOSTED}/payment_tokens/{{id}}", stored.repair),
            ("/qualify/{id}", qualify.qualify),
        )
        for method in ("GET", "HEAD", "POST")
    ),
)


def call(route: Route, context: EmulatorContext, request: Request) -> web.Response:
    """Render the result of a page's handler; only forms of the emulator's own pages are accepted."""
    require_jinja()
    from truemed_async.emulator.pages import render  # noqa: PLC0415 - Jinja may be missing

    if request.method == "POST":
        request.body = request.form()
    request.query = dict(parse_qsl(request.target.partition("?")[2]))
    with context.state.lock:
        try:
            result = route.handle(context.state, request)
        except KeyError:
            result = notice("There is no such page", "The address is wrong, or the emulator was reset.", status=404)
        except InvalidTransitionError:
            result = notice("This cannot be done now", "Something else happened meanwhile.", status=409)
    if isinstance(result, Sent):
        return web.Response(status=303, headers={"Location": result.url, "Cache-Control": "no-store"})
    if isinstance(result, Shown):
        return render.html(result.template, result.values, status=result.status, framed=result.framed)
    assert isinstance(result, web.Response)
    return result
