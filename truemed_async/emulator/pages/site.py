"""The routes of the hosted pages. They need no key: a shopper has none."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from aiohttp import web

from truemed_async.emulator.pages import checkout, payment_method, qualify
from truemed_async.emulator.pages.page import (
    Redirect,
    Render,
    environment,
    message_page,
    render_page,
    render_redirect,
    render_stylesheet,
)
from truemed_async.emulator.request import HOSTED, ApiError
from truemed_async.emulator.routing import Route
from truemed_async.emulator.store import InvalidTransitionError

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

# The style sheets: the path of each, and the file that follows base.css in it.
_STYLES: Final = MappingProxyType({"/_emulator/style.css": "pages", "/_emulator/inspector.css": "inspector"})
PREFIXES: Final = (f"{HOSTED}/", "/qualify/", *_STYLES)


def style(state: State, request: ReceivedRequest) -> web.Response:
    """Return the style sheet of the hosted pages or of the inspector."""
    del state
    return render_stylesheet(_STYLES[request.target.partition("?")[0]])


ROUTES: Final = (
    *(
        Route(name="pages.style", method=method, path=path, handler=style)
        for path in _STYLES
        for method in ("GET", "HEAD")
    ),
    *(
        Route(
            name=f"pages.{page.__module__.rpartition('.')[2]}.{page.__name__}", method=method, path=path, handler=page
        )
        for path, page in (
            (f"{HOSTED}/payment_sessions/{{id}}", checkout.survey),
            (f"{HOSTED}/payment_sessions/{{id}}/card", checkout.card),
            (f"{HOSTED}/payment_sessions/{{id}}/leave", checkout.leave),
            (f"{HOSTED}/provision_requests/{{id}}", payment_method.survey),
            (f"{HOSTED}/provision_requests/{{id}}/card", payment_method.card),
            (f"{HOSTED}/payment_tokens/{{id}}", payment_method.repair),
            (f"{HOSTED}/qualification_sessions/{{id}}", qualify.survey),
        )
        for method in ("GET", "HEAD", "POST")
    ),
    # What the tester decides on a page that waits for the review.
    *(
        Route(name=f"pages.{resource}.review", method="POST", path=f"{HOSTED}/{resource}/{{id}}/review", handler=page)
        for resource, page in (("payment_sessions", checkout.review), ("qualification_sessions", qualify.review))
    ),
    # No HEAD: opening the link begins a session.
    *(
        Route(name="pages.qualify.open_link", method="GET", path=path, handler=qualify.open_link)
        for path in ("/qualify/{id}", "/{brand}/qualify/{id}")
    ),
)


def error_page(context: EmulatorContext, error: ApiError) -> web.Response:
    """Return what a person sees whose browser opened an address of the API, or a wrong one."""
    if error.status == 401:
        heading = "This address is for programs"
        explanation = "It needs an API key, which a browser does not send. The inspector shows what the emulator holds."
    else:
        heading, explanation = "Page not found", "The emulator has no such page. The inspector shows what it holds."
    page = message_page(heading, explanation, link="/", link_label="Open the inspector", status=error.status)
    return render_page(page, merchant=context.merchant_name)


def call(route: Route, context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Render the result of a page's handler; only forms of the emulator's own pages are accepted."""
    environment()
    if request.method == "POST":
        request.body = request.form()
    request.query = dict(parse_qsl(request.target.partition("?")[2]))
    with context.state.lock:
        try:
            result = route.handle(context.state, request)
        except KeyError:
            explanation = "This link is not valid: the address is wrong, or the emulator was reset."
            result = message_page("Page not found", explanation, tone="bad", status=404)
        except InvalidTransitionError:
            explanation = (
                "The payment or request has changed in the meantime. Open the link again to see how it stands."
            )
            result = message_page("This is no longer possible", explanation, tone="bad", status=409)
    if isinstance(result, Redirect):
        return render_redirect(result.url)
    if isinstance(result, Render):
        return render_page(result, merchant=context.merchant_name)
    assert isinstance(result, web.Response)
    return result
