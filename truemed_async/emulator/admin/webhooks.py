"""Webhooks over HTTP: endpoints, deliveries, and their faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from aiohttp import web

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.request import json_response, validation_error
from truemed_async.emulator.routing import Routes
from truemed_async.emulator.schema import Array, Boolean, Enum, Object, String
from truemed_async.emulator.webhooks.events import EVENTS
from truemed_async.emulator.webhooks.model import MODES

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.webhooks.model import Delivery, WebhookEndpoint

_REGISTER: Final = Object(
    {"url": String()},
    {"mode": Enum(MODES), "secret": String(1), "events": Array(Enum(EVENTS))},
    additional_properties=False,
)
_ROTATE: Final = Object(optional={"overlap": Boolean()}, additional_properties=False)
MAX_DELIVERIES: Final = 1_000

ROUTES: Final = Routes()


@ROUTES.route("GET", "/_emulator/webhooks")
def list_webhooks(context: EmulatorContext, request: Request) -> web.Response:
    """Return the webhooks, oldest first."""
    del request
    return json_response(200, {"webhooks": [_endpoint(each) for each in context.webhooks.endpoints]})


@ROUTES.route("POST", "/_emulator/webhooks")
def register(context: EmulatorContext, request: Request) -> web.Response:
    """Register a webhook: ``{"url", "mode"?, "secret"?, "events"?}``."""
    return json_response(201, _endpoint(context.webhooks.register(**request.json(_REGISTER))))


@ROUTES.route("DELETE", "/_emulator/webhooks")
def unregister_all(context: EmulatorContext, request: Request) -> web.Response:
    """Unregister all webhooks."""
    del request
    with context.state.lock:
        for endpoint in context.webhooks.endpoints:
            context.webhooks.unregister(endpoint.id)
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/webhooks/{id}")
def unregister(context: EmulatorContext, request: Request) -> web.Response:
    """Unregister a webhook."""
    context.webhooks.unregister(request.params["id"])
    return json_response(204, None)


@ROUTES.route("POST", "/_emulator/webhooks/{id}/rotate")
def rotate(context: EmulatorContext, request: Request) -> web.Response:
    """Rotate the secret of a webhook: ``{"overlap"?}``; both secrets sign unless ``overlap`` is false."""
    options = request.json(_ROTATE) if request.content else {}
    with context.state.lock:
        context.webhooks.rotate_secret(request.params["id"], **options)
        return json_response(
            200, next(_endpoint(each) for each in context.webhooks.endpoints if each.id == request.params["id"])
        )


@ROUTES.route("GET", "/_emulator/deliveries")
def list_deliveries(context: EmulatorContext, request: Request) -> web.Response:
    """Return the newest 1,000 deliveries, and the numbers of all and of the waiting ones."""
    del request
    with context.state.lock:
        deliveries = context.webhooks.deliveries
        newest = [_delivery(each) for each in deliveries[:MAX_DELIVERIES]]
        return json_response(200, {"deliveries": newest, "count": len(deliveries), "waiting": context.webhooks.waiting})


@ROUTES.route("GET", "/_emulator/deliveries/{id}")
def get_delivery(context: EmulatorContext, request: Request) -> web.Response:
    """Return one delivery."""
    with context.state.lock:
        return json_response(
            200, _delivery({each.id: each for each in context.webhooks.deliveries}[request.params["id"]])
        )


@ROUTES.route("POST", "/_emulator/deliveries/{id}/resend")
def resend(context: EmulatorContext, request: Request) -> web.Response:
    """Send a delivery again."""
    context.webhooks.resend(request.params["id"])
    return json_response(202, {"id": request.params["id"]})


@ROUTES.route("GET", "/_emulator/webhook_faults")
def list_faults(context: EmulatorContext, request: Request) -> web.Response:
    """Return the active faults of webhooks, and the last of those that ended."""
    del request
    registry = context.webhooks.faults
    return json_response(200, {"faults": [fault.to_dict() for fault in registry.known], "names": registry.names})


@ROUTES.route("POST", "/_emulator/webhook_faults")
def add_fault(context: EmulatorContext, request: Request) -> web.Response:
    """Activate a fault: ``{"name", "event"?, "times"?, "probability"?}`` and its parameter."""
    options = request.json()
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise validation_error("name must be a string")
    return json_response(201, context.webhooks.faults.add(name, **options).to_dict())


@ROUTES.route("DELETE", "/_emulator/webhook_faults")
def clear_faults(context: EmulatorContext, request: Request) -> web.Response:
    """Deactivate all faults of webhooks."""
    del request
    context.webhooks.faults.clear()
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/webhook_faults/{id}")
def remove_fault(context: EmulatorContext, request: Request) -> web.Response:
    """Deactivate one fault of webhooks."""
    {str(fault.id): fault for fault in context.webhooks.faults.active}[request.params["id"]].remove()
    return json_response(204, None)


def _endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {**attrs.asdict(endpoint), "events": endpoint.events and sorted(endpoint.events)}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "webhook": delivery.endpoint,
        "event": delivery.event,
        "resource": delivery.resource,
        "resource_id": delivery.resource_id,
        "created_at": wire_datetime(delivery.created_at),
        "due": wire_datetime(delivery.due),
        "state": delivery.state,
        "body": delivery.body.decode(),
        "attempts": [{**attrs.asdict(each), "at": wire_datetime(each.at)} for each in delivery.attempts],
    }
