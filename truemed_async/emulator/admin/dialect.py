"""The dialect over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from truemed_async.emulator.dialect import Dialect
from truemed_async.emulator.request import json_response
from truemed_async.emulator.routing import Routes

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request

ROUTES: Final = Routes()


@ROUTES.route("GET", "/_emulator/dialect")
def get_dialect(context: EmulatorContext, request: Request) -> web.Response:
    """Return the dialect, and the values of each of its fields, the default first."""
    del request
    return json_response(200, {"dialect": context.dialects.dialect.to_dict(), "values": Dialect.axes()})


@ROUTES.route("PUT", "/_emulator/dialect")
def set_dialect(context: EmulatorContext, request: Request) -> web.Response:
    """Replace the dialect; missing fields have their defaults."""
    context.dialects.dialect = Dialect.from_dict(request.json())
    return json_response(200, {"dialect": context.dialects.dialect.to_dict()})
