"""The routes of the inspector: its pages, their updates, and the actions of the buttons."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from aiohttp import web

from truemed_async.emulator.inspector.actions import ACTIONS, Form
from truemed_async.emulator.inspector.kinds import INSPECTOR, KIND_OF, KINDS, Kind
from truemed_async.emulator.inspector.views import (
    MAX_LIST_BYTES,
    View,
    confirm_reset_view,
    confirm_unregister_view,
    deliveries_view,
    delivery_view,
    fault_view,
    faults_view,
    format_ahead,
    list_view,
    object_view,
    problem_view,
    request_view,
    requests_view,
    settings_view,
    transition_view,
)
from truemed_async.emulator.pages.page import Render, environment, render_fragment, render_page, render_redirect
from truemed_async.emulator.routing import Route

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.routing import Handler

PREFIXES: Final = (f"{INSPECTOR}/",)
CHANNEL_PARAMETER: Final = "channel"
ACTION_PREFIX: Final = f"{INSPECTOR}/do/"
_HOME: Final = KINDS[0].path
MAX_BACK_CHARS: Final = 1_500
# Only pages of the inspector, and nothing that could end a header.
_BACK: Final = re.compile(rf"{INSPECTOR}/[A-Za-z0-9_.~%!$&'()*+,;=:@/?-]*", re.ASCII)
_UPDATE: Final = re.compile(r"[?&](channel=[0-9]+&)?update\Z")
_SECTIONS: Final = (
    ("Objects", tuple((kind.slug, kind.title) for kind in KINDS)),
    ("Traffic", (("requests", "Requests"), ("webhooks", "Webhooks"))),
    ("Control", (("faults", "Faults"), ("settings", "Clock and dialect"))),
)

# The view of a page, from the parameters of its path and its query.
Show: TypeAlias = "Callable[[EmulatorContext, Mapping[str, str], Mapping[str, str]], View]"


def _pages_of_kind(kind: Kind) -> tuple[tuple[str, Show], ...]:
    """Return the paths and views of a kind of objects."""

    def show_list(context: EmulatorContext, path: Mapping[str, str], query: Mapping[str, str]) -> View:
        del path
        return list_view(context, kind, query)

    def show_object(context: EmulatorContext, path: Mapping[str, str], query: Mapping[str, str]) -> View:
        del query
        return object_view(context, kind, path["id"])

    def show_transition(context: EmulatorContext, path: Mapping[str, str], query: Mapping[str, str]) -> View:
        del query
        return transition_view(context, kind, path["id"], path["transition"])

    return (
        (kind.path, show_list),
        (f"{kind.path}/{{id}}", show_object),
        (f"{kind.path}/{{id}}/{{transition}}", show_transition),
    )


_PAGES_OF_KINDS: Final = tuple(page for kind in KINDS for page in _pages_of_kind(kind))
_PAGES: Final[tuple[tuple[str, Show], ...]] = (
    ("/", _PAGES_OF_KINDS[0][1]),
    *_PAGES_OF_KINDS,
    (f"{INSPECTOR}/requests", lambda context, _, query: requests_view(context, query)),
    (f"{INSPECTOR}/requests/{{number}}", lambda context, path, _: request_view(context, path["number"])),
    (f"{INSPECTOR}/webhooks", lambda context, _, query: deliveries_view(context, query)),
    (f"{INSPECTOR}/webhooks/{{id}}", lambda context, path, _: delivery_view(context, path["id"])),
    (f"{INSPECTOR}/webhooks/{{id}}/remove", lambda context, path, _: confirm_unregister_view(context, path["id"])),
    (f"{INSPECTOR}/faults", lambda context, _path, _query: faults_view(context)),
    (f"{INSPECTOR}/faults/{{side}}/{{name}}", lambda context, path, _: fault_view(context, path["side"], path["name"])),
    (f"{INSPECTOR}/settings", lambda context, _path, _query: settings_view(context)),
    (f"{INSPECTOR}/reset", lambda context, _path, _query: confirm_reset_view(context)),
)


def _show(view: Show) -> Handler:
    """Return the handler of a page and of its updates."""

    def show(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
        with context.state.lock:
            try:
                return _respond(context, request, view(context, request.params, request.query))
            except KeyError:
                reason = "The address is wrong, it was deleted, or the emulator was reset."
                return _respond(context, request, problem_view("Not found", reason, _HOME, 404))

    return show


def _perform(name: str, action: Callable[[EmulatorContext, Form], None]) -> Handler:
    """Return the handler of a button, which redirects to the page that it is on."""

    def perform(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
        form = request.form()
        back = form["back"] if _BACK.fullmatch(form.get("back", "")) else _HOME
        with context.state.lock:
            try:
                action(context, form)
            except (ValueError, KeyError) as error:
                missing = "A field is missing, or its object no longer exists."
                reason = missing if isinstance(error, KeyError) else str(error)
                return _respond(context, request, _explain(context, name, form, reason, back))
        return render_redirect(back)

    return perform


def _explain(context: EmulatorContext, name: str, form: Form, reason: str, back: str) -> View:
    """Return the form that failed, with the reason; or a page with the reason alone if there was no form."""
    try:
        if name == "add-fault":
            return fault_view(context, form["side"], form["name"], form=form, problem=reason)
        if name == "apply":
            kind, id = KIND_OF[form["resource"]], form["id"]
            return transition_view(context, kind, id, form["transition"], form=form, problem=reason)
    except KeyError:
        pass  # what the form is about does not exist, or does not any more
    return problem_view("Action failed", reason, back, 409)


def channel_cookie(host: str) -> str:
    """Return the name of the cookie with the number of the sales channel to show.

    Browsers send a cookie to every port of a host, where other emulators may be.
    """
    port = host.rpartition(":")[2]
    return f"truemed-sales-channel-{port if port.isascii() and port.isdecimal() else 'default'}"


def _choose_channel(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Show another sales channel from now on."""
    form = request.form()
    response = render_redirect(form["back"] if _BACK.fullmatch(form.get("back", "")) else _HOME)
    number = form.get("number", "")
    if number in {str(each) for each in range(1, context.channels + 1)}:
        response.set_cookie(channel_cookie(request.headers["Host"]), number, httponly=True, samesite="Lax")
    return response


ROUTES: Final = (
    Route(
        name="inspector.do.choose-channel",
        method="POST",
        path=f"{ACTION_PREFIX}choose-channel",
        handler=_choose_channel,
    ),
    *(
        Route(name="inspector.page", method=method, path=path, handler=_show(view))
        for path, view in _PAGES
        for method in ("GET", "HEAD")
    ),
    *(
        Route(name=f"inspector.do.{name}", method="POST", path=f"{ACTION_PREFIX}{name}", handler=_perform(name, action))
        for name, action in ACTIONS.items()
    ),
)


def call(route: Route, context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the response of a handler. No key is required: any user of this machine may look and click."""
    environment()
    return cast("web.Response", route.handle(context, request))


def _respond(context: EmulatorContext, request: ReceivedRequest, view: View) -> web.Response:
    """Return a page, or the part of it that changes."""
    path = request.target.partition("?")[0]
    values: dict[str, Any] = {
        "view": view,
        "inspector": INSPECTOR,
        "actions": ACTION_PREFIX,
        "channel": context.number,
        "channels": range(1, context.channels + 1),
        # Where a button on this page leads back to.
        "here": _HOME if path == "/" else _UPDATE.sub("", request.target)[:MAX_BACK_CHARS],
        **view.values,
    }
    part = render_fragment(view.template, values)
    if view.compact is not None and len(part.encode()) > MAX_LIST_BYTES:
        part = render_fragment(view.template, {**values, **view.compact()})
    tag = f'"{hashlib.sha256(part.encode()).hexdigest()[:16]}"'
    if view.live and "update" in request.query:
        return _respond_update(request, part, tag)
    ahead = format_ahead(context.state.clock.ahead)
    active = len(context.faults) + len(context.webhooks.faults)
    values |= {"part": part, "tag": tag, "sections": _SECTIONS, "active_faults": active, "ahead": ahead}
    return render_page(Render("inspector/layout.html", values, view.status), live=view.live)


def _respond_update(request: ReceivedRequest, part: str, tag: str) -> web.Response:
    """Return the part of a page that changes, or 304 if the browser has it already."""
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(
        text=part, content_type="text/html", charset="utf-8", headers={"ETag": tag, "Cache-Control": "no-cache"}
    )
