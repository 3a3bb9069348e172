"""The state, the clock and the transitions over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from truemed_async.emulator.api import ROUTES as API_ROUTES
from truemed_async.emulator.clock import Clock, wire_datetime
from truemed_async.emulator.openapi import document
from truemed_async.emulator.request import json_response
from truemed_async.emulator.routing import Routes
from truemed_async.emulator.schema import Number, Object

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request

_ADVANCE: Final = Object({"advance": Number()}, additional_properties=False)

ROUTES: Final = Routes()


@ROUTES.route("GET", "/_emulator/openapi.json")
def openapi(context: EmulatorContext, request: Request) -> web.Response:
    """Return the OpenAPI document of the API."""
    del context
    return json_response(200, document(API_ROUTES, request.origin))


@ROUTES.route("GET", "/_emulator/clock")
def clock(context: EmulatorContext, request: Request) -> web.Response:
    """Return the emulator's time, and how many seconds it is ahead of this machine's clock."""
    del request
    return _time(context.state.clock)


@ROUTES.route("POST", "/_emulator/clock")
def advance(context: EmulatorContext, request: Request) -> web.Response:
    """Advance the clock: ``{"advance": seconds}``."""
    context.state.clock.advance(request.json(_ADVANCE)["advance"])
    return _time(context.state.clock)


@ROUTES.route("GET", "/_emulator/state")
def dump(context: EmulatorContext, request: Request) -> web.Response:
    """Return the whole state, as ``State.dump`` does."""
    del request
    return json_response(200, context.state.dump())


@ROUTES.route("PUT", "/_emulator/state")
def load(context: EmulatorContext, request: Request) -> web.Response:
    """Replace the whole state by one that was dumped."""
    context.state.load(request.json())
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/state")
def reset(context: EmulatorContext, request: Request) -> web.Response:
    """Delete rows, idempotency keys, requests, deliveries and faults; the webhooks stay registered."""
    del request
    context.reset()
    return json_response(204, None)


@ROUTES.route("POST", "/_emulator/transitions")
def apply(context: EmulatorContext, request: Request) -> web.Response:
    """Apply a transition: ``{"resource", "id", "transition"}`` and its parameters."""
    body = request.json()
    row = context.state.apply(body)
    return json_response(200, {"resource": body["resource"], "id": row.id, "status": row.status})


def _time(clock: Clock) -> web.Response:
    return json_response(200, {"now": wire_datetime(clock.now()), "ahead": clock.ahead})
