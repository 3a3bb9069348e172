"""The faults of the API over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from truemed_async.emulator.faults import FAULTS
from truemed_async.emulator.request import json_response, validation_error
from truemed_async.emulator.routing import Routes

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request


ROUTES: Final = Routes()


@ROUTES.route("GET", "/_emulator/faults")
def list_faults(context: EmulatorContext, request: Request) -> web.Response:
    """Return the active faults, and the last of those that ended."""
    del request
    registry = context.faults
    known = [active.to_dict() for active in registry.known]
    return json_response(200, {"faults": known, "hits": registry.hits, "names": registry.names})


@ROUTES.route("POST", "/_emulator/faults")
def add_fault(context: EmulatorContext, request: Request) -> web.Response:
    """Activate a fault: ``{"name"}``, its scope and its parameters."""
    options = request.json()
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise validation_error("name must be a string")
    if "when" in options:
        raise validation_error("when is a function: it cannot be sent over HTTP")
    # Without an end it would also block the request that removes it.
    ends = any(options.get(end) is not None for end in ("times", "nth", "duration"))
    if name in FAULTS and FAULTS[name].phase == "connect" and not ends:
        raise validation_error(f"{name} would also block the request that removes it: it needs times, nth or duration")
    return json_response(201, context.faults.add(name, **options).to_dict())


@ROUTES.route("DELETE", "/_emulator/faults")
def clear_faults(context: EmulatorContext, request: Request) -> web.Response:
    """Deactivate all faults."""
    del request
    context.faults.clear()
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/faults/{id}")
def remove_fault(context: EmulatorContext, request: Request) -> web.Response:
    """Deactivate one fault."""
    {str(active.id): active for active in context.faults.active}[request.params["id"]].remove()
    return json_response(204, None)
